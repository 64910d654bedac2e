// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package promtest_test

import (
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/waybill-go/waybill/metrics/dashboards"
	"github.com/waybill-go/waybill/metrics/rules"
)

// expression is an expression of a rule, of a panel or of a runbook.
type expression struct{ of, text string }

// ruleExpressions returns the expressions of all rules, declared ones included.
func ruleExpressions(t testing.TB) []expression {
	t.Helper()
	var all []expression
	for _, group := range everyRule(t) {
		for _, rule := range group.Rules {
			all = append(all, expression{rule.Alert + rule.Record, rule.Expr})
		}
	}
	return all
}

// boardQueries yields the queries of all panels, each with the file of its board.
func boardQueries(t testing.TB) iter.Seq2[string, dashboards.Query] {
	t.Helper()
	files, err := fs.Glob(dashboards.FS(), "*.json")
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(string, dashboards.Query) bool) {
		for _, file := range files {
			text, err := fs.ReadFile(dashboards.FS(), file)
			if err != nil {
				t.Fatal(err)
			}
			queries, err := dashboards.Queries(text)
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range queries {
				if !yield(file, q) {
					return
				}
			}
		}
	}
}

// boardExpressions returns the expressions of all panels.
func boardExpressions(t testing.TB) []expression {
	t.Helper()
	var all []expression
	for file, q := range boardQueries(t) {
		all = append(all, expression{file + ": " + q.Panel, q.Expr})
	}
	if len(all) == 0 {
		t.Fatal("no board has an expression")
	}
	return all
}

// variables are the variables of Grafana in an expression, with what stands for
// them in a test.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$__interval", "1m")

var variable = regexp.MustCompile(`\$\{?\w+(:\w+)?\}?`)

// parse returns the expression without variables of Grafana.
func parse(text string) (parser.Expr, error) {
	text = variable.ReplaceAllString(variables.Replace(text), ".*")
	return parsePromQL(text)
}

// The labels that Prometheus or its users add to all series.
var targetLabels = []string{"job", "instance", "replay", "cleanup_policy", "transactional", "namespace", "pod", "container", "le"}

// The metrics of other exporters, and those that rules record.
var foreign = regexp.MustCompile(`^(up|ALERTS|kube_\w+|container_\w+|go_\w+|process_\w+|scrape_\w+|pipeline:[\w:]+)$`)

// check returns what is wrong with the selectors of an expression.
func check(families map[string]family, expr parser.Expr) (problems []string) {
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok || foreign.MatchString(selector.Name) {
			return nil
		}
		name, known := familyOf(families, selector.Name)
		if !known {
			problems = append(problems, fmt.Sprintf("no metric %q", selector.Name))
			return nil
		}
		for _, matcher := range selector.LabelMatchers {
			if matcher.Name != model.MetricNameLabel && !slices.Contains(families[name].labels, matcher.Name) && !slices.Contains(targetLabels, matcher.Name) {
				problems = append(problems, fmt.Sprintf("the metric %q has no label %q", name, matcher.Name))
			}
		}
		return nil
	})
	return problems
}

// familyOf returns the metric that has a series of the given name.
func familyOf(families map[string]family, name string) (string, bool) {
	if _, ok := families[name]; ok || name == "etl_memory_limit_bytes" {
		return name, true
	}
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		base, ok := strings.CutSuffix(name, suffix)
		if ok && families[base].kind == dto.MetricType_HISTOGRAM {
			return base, true
		}
	}
	return "", false
}

func TestRules_Expressions(t *testing.T) {
	t.Parallel()
	testExpressions(t, ruleExpressions(t))
}

func TestBoards_Expressions(t *testing.T) {
	t.Parallel()
	testExpressions(t, boardExpressions(t))
}

func testExpressions(t *testing.T, all []expression) {
	t.Helper()
	families := familiesOf(t, used(t))
	for _, e := range all {
		expr, err := parse(e.text)
		if err != nil {
			t.Errorf("%s: %v\n%s", e.of, err, e.text)
			continue
		}
		for _, problem := range check(families, expr) {
			t.Errorf("%s: %s", e.of, problem)
		}
	}
}

func TestCheck_FindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	families := familiesOf(t, used(t))
	tests := []struct{ name, expr, want string }{
		{name: "right", expr: `rate(etl_errors_total{pipeline=~"$pipeline"}[$__rate_interval])`, want: ""},
		{name: "metric", expr: `rate(etl_error_total[5m])`, want: `no metric "etl_error_total"`},
		{name: "label", expr: `etl_errors_total{topic="x"}`, want: `the metric "etl_errors_total" has no label "topic"`},
		{name: "count of a counter", expr: `etl_errors_total_count`, want: `no metric "etl_errors_total_count"`},
	}
	for _, tt := range tests {
		expr, err := parse(tt.expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(check(families, expr), "; "); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A metric that nobody looks at is listed in unused.txt, with the reason.
func TestMetrics_AreUsed(t *testing.T) {
	t.Parallel()
	families := familiesOf(t, used(t))
	seen := map[string]bool{}
	for _, e := range append(ruleExpressions(t), boardExpressions(t)...) {
		expr, err := parse(e.text)
		if err != nil {
			continue // Reported by the tests above.
		}
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			if selector, ok := node.(*parser.VectorSelector); ok {
				name, _ := familyOf(families, selector.Name)
				seen[name] = true
			}
			return nil
		})
	}
	listed := unused(t)
	for _, name := range slices.Sorted(maps.Keys(families)) {
		switch reason, ok := listed[name]; {
		case !seen[name] && !ok:
			t.Errorf("%s is on no board and in no rule: use it, or say in unused.txt why not", name)
		case seen[name] && ok:
			t.Errorf("unused.txt lists %s, which is used", name)
		case ok && len(reason) < 20:
			t.Errorf("unused.txt gives no reason for %s", name)
		}
		delete(listed, name)
	}
	for name := range listed {
		t.Errorf("unused.txt lists %s, which is no metric", name)
	}
}

// unused returns the metrics that unused.txt lists, with the reasons.
func unused(t testing.TB) map[string]string {
	t.Helper()
	text, err := os.ReadFile("unused.txt")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, reason, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && !strings.HasPrefix(line, "#") {
			listed[name] = reason
		}
	}
	return listed
}

// Both sides of an operator are aggregated by the same labels: otherwise, an alert
// is silent, or an error, as soon as a stage runs in two processes.
func TestRules_SidesMatch(t *testing.T) {
	t.Parallel()
	for _, e := range ruleExpressions(t) {
		expr, err := parse(e.text)
		if err != nil {
			t.Fatal(err)
		}
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			binary, ok := node.(*parser.BinaryExpr)
			if !ok || binary.VectorMatching == nil || binary.VectorMatching.On {
				return nil
			}
			left, right := labelsOf(binary.LHS), labelsOf(binary.RHS)
			if left != right {
				t.Errorf("%s: %s joins [%s] and [%s]", e.of, binary.Op, left, right)
			}
			return nil
		})
	}
}

// labelsOf returns the labels of the value of an expression as far as it is
// aggregated, or "all" if it is not.
func labelsOf(expr parser.Expr) string {
	switch e := expr.(type) {
	case *parser.AggregateExpr:
		labels := slices.Clone(e.Grouping)
		slices.Sort(labels)
		return strings.Join(labels, " ")
	case *parser.ParenExpr:
		return labelsOf(e.Expr)
	case *parser.UnaryExpr:
		return labelsOf(e.Expr)
	case *parser.StepInvariantExpr:
		return labelsOf(e.Expr)
	case *parser.Call:
		for _, arg := range e.Args {
			if arg.Type() == parser.ValueTypeVector {
				labels := labelsOf(arg)
				if e.Func.Name == "histogram_quantile" { // It consumes le.
					labels = strings.Join(slices.DeleteFunc(strings.Fields(labels), func(l string) bool { return l == "le" }), " ")
				}
				return labels
			}
		}
		return "all"
	case *parser.BinaryExpr:
		if e.LHS.Type() == parser.ValueTypeScalar {
			return labelsOf(e.RHS)
		}
		return labelsOf(e.LHS)
	default:
		return "all"
	}
}

func everyRule(t testing.TB) rules.Groups {
	t.Helper()
	groups, err := rules.Default(everyOption()...)
	if err != nil {
		t.Fatal(err)
	}
	return groups
}
