// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package promtest_test

import (
	"bytes"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/waybill-go/waybill/metrics/rules"
)

// everyOption declares two of each thing.
func everyOption() []rules.Option {
	return []rules.Option{
		rules.Freshness("invoices", 24*time.Hour),
		rules.Freshness("orders", time.Minute),
		rules.Objective("orders", time.Minute, 0.99),
		rules.Objective("orders", 10*time.Minute, 0.999),
		rules.Objective("invoices", time.Hour, 0.9),
		rules.Loss("orders", time.Hour, 0.01),
		rules.Backlog("orders", time.Minute),
		rules.WithExpectedGaps("customers"),
	}
}

// file is a rules file as Prometheus reads it.
type file struct {
	Groups []struct {
		Name     string         `yaml:"name"`
		Interval model.Duration `yaml:"interval"`
		Rules    []struct {
			Record      string            `yaml:"record"`
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			For         model.Duration    `yaml:"for"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

// read returns the groups of a rules file.
func read(text []byte) (rules.Groups, error) {
	var f file
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&f); err != nil {
		return nil, err
	}
	var groups rules.Groups
	for _, g := range f.Groups {
		group := rules.Group{Name: g.Name, Interval: time.Duration(g.Interval)}
		for _, r := range g.Rules {
			group.Rules = append(group.Rules, rules.Rule{
				Record: r.Record, Alert: r.Alert, Expr: r.Expr, For: time.Duration(r.For), Labels: r.Labels, Annotations: r.Annotations,
			})
		}
		groups = append(groups, group)
	}
	return groups, nil
}

// expanded returns a template of an annotation or label as Prometheus expands it.
func expanded(text string, values map[string]string) (string, error) {
	number := func(v float64) string { return fmt.Sprint(v) }
	t, err := template.New("").Option("missingkey=error").Funcs(template.FuncMap{
		"humanize": number, "humanizeDuration": number, "humanizePercentage": number,
	}).Parse("{{$labels := .Labels}}{{$value := .Value}}" + text)
	if err != nil {
		return "", err
	}
	var result strings.Builder
	err = t.Execute(&result, map[string]any{"Labels": values, "Value": 1.5})
	return result.String(), err
}

// FuzzDefault checks that no name or value changes anything but itself, through a
// parser of YAML, the parser of PromQL and the templates.
func FuzzDefault(f *testing.F) {
	for _, text := range []string{"orders", `a"b`, `a\b`, "a\nb", "{{ $labels.x }}", "{{", "}} {{", "a|b.*", "- x: y", "# no", "\x00\x7f\u0085\ufeff", "ä", "'", "<window>", "$1", "yes", "~"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		groups, err := rules.Default(
			rules.Freshness(text, time.Hour), rules.Objective(text, time.Minute, 0.99), rules.Backlog(text, time.Hour), rules.Loss(text, time.Hour, 0.5),
			rules.WithLabels(map[string]string{"team": text}), rules.WithMatchers(rules.Equal("env", text)), rules.WithExpectedGaps(text),
			rules.WithSeverities(text, text, text),
		)
		if err != nil {
			return // Empty, or no UTF-8.
		}
		var written bytes.Buffer
		if _, err = groups.WriteTo(&written); err != nil {
			t.Fatal(err)
		}
		got, err := read(written.Bytes())
		if err != nil {
			t.Fatalf("%v\n%s", err, written.String())
		}
		if diff := cmp.Diff(groups, got); diff != "" {
			t.Errorf("read back (-want +got):\n%s", diff)
		}
		for _, group := range groups {
			for _, rule := range group.Rules {
				checkText(t, rule, text)
			}
		}
	})
}

// checkText checks that the labels and matchers of a rule that hold text hold
// nothing else.
func checkText(t *testing.T, rule rules.Rule, text string) {
	t.Helper()
	for _, name := range []string{"team", "severity"} {
		if rule.Record != "" {
			break
		}
		if got, err := expanded(rule.Labels[name], nil); err != nil || got != text {
			t.Errorf("%s: label %s is %q, %v, want %q", rule.Alert, name, got, err, text)
		}
	}
	expr, err := parsePromQL(rule.Expr)
	if err != nil {
		t.Fatalf("%v\n%s", err, rule.Expr)
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok || selector.Name == "up" || strings.HasPrefix(selector.Name, "pipeline:") {
			return nil
		}
		found := slices.ContainsFunc(selector.LabelMatchers, func(m *labels.Matcher) bool { return m.Matches(text) })
		if !found || !strings.Contains(selector.String(), "env=") {
			t.Errorf("%s: no matcher of %s matches %q", rule.Alert, selector, text)
		}
		return nil
	})
}

func parsePromQL(text string) (parser.Expr, error) {
	return parser.NewParser(parser.Options{}).ParseExpr(text)
}

// Each template uses labels that the value of its expression has, and each link
// fills in variables.
func TestRules_Annotations(t *testing.T) {
	t.Parallel()
	for _, group := range everyRule(t) {
		for _, rule := range group.Rules {
			if rule.Record != "" {
				continue
			}
			has := labelsOfRule(t, rule)
			for _, name := range []string{"summary", "description", "runbook_url", "dashboard"} {
				got, err := expanded(rule.Annotations[name], has)
				if err != nil || got == "" {
					t.Errorf("%s: %s: got %q, %v", rule.Alert, name, got, err)
				}
			}
			if rule.For <= 0 {
				t.Errorf("%s does not wait", rule.Alert)
			}
			link, err := url.Parse(rule.Annotations["runbook_url"])
			if err != nil || !strings.HasSuffix(link.Path, "/docs/runbooks/"+rule.Alert+".md") {
				t.Errorf("%s: runbook_url %q, %v", rule.Alert, link, err)
			}
		}
	}
}

// labelsOfRule returns the labels that the value of a rule has: those by which its
// expression is aggregated, or those that its matchers require.
func labelsOfRule(t *testing.T, rule rules.Rule) map[string]string {
	t.Helper()
	expr, err := parsePromQL(rule.Expr)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	if aggregated := labelsOf(expr); aggregated != "all" {
		for name := range strings.FieldsSeq(aggregated) {
			found[name] = "x"
		}
		return found
	}
	for _, match := range regexp.MustCompile(`(\w+)="[^"]`).FindAllStringSubmatch(rule.Expr, -1) {
		found[match[1]] = "x"
	}
	return found
}

// Prometheus refuses a file with two groups of one name, and promtool warns of two
// rules of one name and labels.
func TestRules_Unique(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	note := func(what string) {
		if seen[what] {
			t.Errorf("twice: %s", what)
		}
		seen[what] = true
	}
	for _, group := range everyRule(t) {
		note("group " + group.Name)
		for _, rule := range group.Rules {
			note(fmt.Sprint(rule.Alert, rule.Record, rule.Labels))
		}
	}
}
