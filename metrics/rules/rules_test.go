// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-go/waybill/metrics/rules"
)

func TestDefault_RefusesWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	const bad = "\xff"
	tests := []struct {
		name string
		opts []rules.Option
		want string
	}{
		{name: "namespace", opts: []rules.Option{rules.WithNamespace("a-b")}, want: `WithNamespace: invalid namespace "a-b"`},
		{name: "namespace of a recording rule", opts: []rules.Option{rules.WithNamespace("a:b")}, want: `invalid namespace "a:b"`},
		{name: "negative share", opts: []rules.Option{rules.WithMemory(-0.1)}, want: "WithMemory: invalid share -0.1"},
		{name: "share above one", opts: []rules.Option{rules.WithRejectRatio(5, 100)}, want: "WithRejectRatio: invalid share 5"},
		{name: "NaN", opts: []rules.Option{rules.WithErrorRatio(math.NaN(), 1)}, want: "WithErrorRatio: invalid share NaN"},
		{name: "infinite factor", opts: []rules.Option{rules.WithErrorSurge(math.Inf(1), 1)}, want: "WithErrorSurge: invalid factor +Inf"},
		{name: "rate of zero", opts: []rules.Option{rules.WithErrorSurge(4, 0)}, want: "WithErrorSurge: invalid rate 0"},
		{name: "zero interval", opts: []rules.Option{rules.Freshness("orders", 0)}, want: "Freshness: invalid interval 0s"},
		{name: "a nanosecond", opts: []rules.Option{rules.WithWindow(rules.AlertBacklog, 1)}, want: "WithWindow: invalid window 1ns"},
		{name: "negative time", opts: []rules.Option{rules.WithFor(rules.AlertBacklog, -time.Second)}, want: "WithFor: invalid time -1s"},
		{name: "unknown alert", opts: []rules.Option{rules.WithFor("EtlNone", time.Second)}, want: `WithFor: unknown alert "EtlNone"`},
		{name: "unknown alert to leave out", opts: []rules.Option{rules.WithoutAlerts(rules.AlertBacklog, "x")}, want: `WithoutAlerts: unknown alert "x"`},
		{name: "pipeline", opts: []rules.Option{rules.Freshness(bad, time.Second)}, want: `Freshness: invalid pipeline "\xff"`},
		{name: "no pipeline", opts: []rules.Option{rules.Objective("", time.Minute, 0.99)}, want: `Objective: invalid pipeline ""`},
		{name: "objective of everything", opts: []rules.Option{rules.Objective("orders", time.Minute, 1)}, want: "Objective: invalid share 1"},
		{name: "objective that cannot burn", opts: []rules.Option{rules.Objective("orders", time.Minute, 0.5)}, want: "Objective: invalid share 0.5"},
		{name: "objective between buckets", opts: []rules.Option{rules.Objective("orders", 42*time.Second, 0.99)}, want: "Objective: 42s is not a bound"},
		{name: "topic", opts: []rules.Option{rules.Loss(bad, time.Second, 0.1)}, want: `Loss: invalid topic`},
		{name: "time of a loss", opts: []rules.Option{rules.Loss("", 0, 0.1)}, want: `Loss: invalid time`},
		{name: "time of a backlog", opts: []rules.Option{rules.Backlog("orders", 0)}, want: `Backlog: invalid time`},
		{name: "gap", opts: []rules.Option{rules.WithExpectedGaps("")}, want: `WithExpectedGaps: invalid topic ""`},
		{name: "stopped", opts: []rules.Option{rules.WithStoppedAfter(0)}, want: `WithStoppedAfter: invalid time`},
		{name: "median", opts: []rules.Option{rules.WithLatency(0, time.Second)}, want: `WithLatency: invalid median`},
		{name: "percentile", opts: []rules.Option{rules.WithLatency(time.Second, 0)}, want: `WithLatency: invalid percentile`},
		{name: "rows", opts: []rules.Option{rules.WithRejectRatio(0.1, -1)}, want: `WithRejectRatio: invalid number of rows -1`},
		{name: "events", opts: []rules.Option{rules.WithMinEvents(-1)}, want: `WithMinEvents: invalid number -1`},
		{name: "evaluation", opts: []rules.Option{rules.WithInterval(0)}, want: `WithInterval: invalid interval`},
		{name: "severity", opts: []rules.Option{rules.WithSeverities("", "b", "c")}, want: `WithSeverities: invalid severity ""`},
		{name: "label", opts: []rules.Option{rules.WithLabels(map[string]string{"a-b": "c"})}, want: `WithLabels: invalid label "a-b"`},
		{name: "severity as a label", opts: []rules.Option{rules.WithLabels(map[string]string{"severity": "c"})}, want: `the label "severity" is taken`},
		{name: "stage as a label", opts: []rules.Option{rules.WithLabels(map[string]string{"stage": "c"})}, want: `the label "stage" is taken`},
		{name: "signal as a label", opts: []rules.Option{rules.WithLabels(map[string]string{"signal": "c"})}, want: `the label "signal" is taken`},
		{name: "value of a label", opts: []rules.Option{rules.WithLabels(map[string]string{"team": bad})}, want: `invalid value "\xff"`},
		{name: "reserved label", opts: []rules.Option{rules.WithGrouping("__name__")}, want: `the label "__name__" is reserved`},
		{name: "grouping by a label that is there", opts: []rules.Option{rules.WithGrouping("topic")}, want: `the label "topic" is taken`},
		{name: "grouping twice", opts: []rules.Option{rules.WithGrouping("env", "env")}, want: `the label "env" is taken`},
		{name: "grouping by a fixed label", opts: []rules.Option{rules.WithGrouping("env"), rules.WithLabels(map[string]string{"env": "x"})}, want: `WithLabels: "env" is a label of WithGrouping`},
		{name: "matcher", opts: []rules.Option{rules.WithMatchers(rules.Matching("env", "("))}, want: `WithMatchers: invalid expression of the label "env"`},
		{name: "zero matcher", opts: []rules.Option{rules.WithMatchers(rules.Matcher{})}, want: `WithMatchers: invalid label ""`},
		{name: "matcher of an unknown alert", opts: []rules.Option{rules.WithAlertMatchers("x", rules.Equal("env", "x"))}, want: `WithAlertMatchers: unknown alert "x"`},
		{name: "runbooks", opts: []rules.Option{rules.WithRunbooks("docs")}, want: `WithRunbooks: invalid URL "docs"`},
		{name: "dashboards", opts: []rules.Option{rules.WithDashboards("javascript:alert(1)")}, want: `WithDashboards: invalid URL`},
		{name: "shares in the wrong order", opts: []rules.Option{rules.WithErrorRatio(0.5, 0.1)}, want: `WithErrorRatio: the critical share 0.1 is below`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			groups, err := rules.Default(tt.opts...)
			if groups != nil || err == nil || !strings.HasPrefix(err.Error(), "rules: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %d groups and the error %v, want none and %q", len(groups), err, tt.want)
			}
		})
	}
}

func TestDefault_NilAndEmptyOptions(t *testing.T) {
	t.Parallel()
	want := yamlOf(t, mustDefault(t))
	got := yamlOf(t, mustDefault(t, nil, rules.WithNamespace(""), rules.WithMatchers(), rules.WithGrouping(), rules.WithLabels(nil),
		rules.WithoutAlerts(), rules.WithExpectedGaps(), rules.WithBuckets()))
	if got != want {
		t.Errorf("options that set nothing change the rules:\n%s", got)
	}
}

// The last of several options wins, also for one pipeline.
func TestDefault_LastOptionWins(t *testing.T) {
	t.Parallel()
	got := yamlOf(t, mustDefault(t, rules.Freshness("orders", time.Minute), rules.WithMemory(0.1), rules.Freshness("orders", time.Hour), rules.WithMemory(0.8)))
	want := yamlOf(t, mustDefault(t, rules.Freshness("orders", time.Hour), rules.WithMemory(0.8)))
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Options are values: they may be used again and by many goroutines, and what they
// were given may change afterwards.
func TestDefault_Concurrently(t *testing.T) {
	t.Parallel()
	labels, matchers := map[string]string{"team": "orders"}, []rules.Matcher{rules.Equal("env", "prod")}
	opts := []rules.Option{
		rules.WithLabels(labels), rules.WithMatchers(matchers...), rules.WithAlertMatchers(rules.AlertMemory, matchers...),
		rules.Freshness("orders", time.Minute), rules.Objective("orders", time.Minute, 0.99), rules.WithFor(rules.AlertMemory, time.Minute),
	}
	want := yamlOf(t, mustDefault(t, opts...))
	labels["team"], matchers[0] = "other", rules.Equal("env", "other")
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if got := yamlOf(t, mustDefault(t, opts...)); got != want {
				t.Errorf("got other rules:\n%s", got)
			}
		})
	}
	all.Wait()
}

// A declared pipeline is left out of the rule for all others.
func TestFreshness_DeclaredIsNotUndeclared(t *testing.T) {
	t.Parallel()
	got := rulesOf(rules.AlertNotFresh, rules.Freshness("a.b", time.Minute), rules.Freshness("c", time.Minute), rules.Freshness("", 2*time.Hour))
	if len(got) != 5 {
		t.Fatalf("got %d rules, want one for the others and two for each declared pipeline", len(got))
	}
	for _, want := range []string{`pipeline!~"a\\.b|c"`, "> 14400"} {
		if !strings.Contains(got[0].Expr, want) {
			t.Errorf("the rule for the others has no %s:\n%s", want, got[0].Expr)
		}
	}
}

// An alert is raised by one event, and then its window is longer than it waits, or
// it is raised by what lasts, and then one event has left the window before.
func TestDefault_WindowsFitWaits(t *testing.T) {
	t.Parallel()
	lasting := []string{rules.AlertLatency, rules.AlertWatermarkStuck}
	states := []string{rules.AlertNotFresh, rules.AlertMemory, rules.AlertBacklog} // Of gauges, which have no events.
	window := regexp.MustCompile(`\[(\d+)([mhd])\]`)
	for _, group := range mustDefault(t) {
		for _, rule := range group.Rules {
			if slices.Contains(states, rule.Alert) {
				continue
			}
			for _, match := range window.FindAllStringSubmatch(rule.Expr, -1) {
				unit := map[string]string{"m": "m", "h": "h", "d": "h"}[match[2]]
				d, err := time.ParseDuration(match[1] + unit)
				if err != nil {
					t.Fatal(err)
				}
				if isLonger := rule.For > d; isLonger != slices.Contains(lasting, rule.Alert) {
					t.Errorf("%s waits %s and looks back %s", rule.Alert, rule.For, d)
				}
				if d < 4*time.Minute {
					t.Errorf("%s looks back %s, less than 4 scrapes at an interval of a minute", rule.Alert, d)
				}
			}
		}
	}
}

func TestDefault_EachAlertIsThere(t *testing.T) {
	t.Parallel()
	for _, alert := range rules.Alerts() {
		if len(rulesOf(alert, rules.Objective("orders", time.Minute, 0.99))) == 0 {
			t.Errorf("%s has no rule", alert)
		}
		if len(rulesOf(alert, rules.WithoutAlerts(alert), rules.Objective("orders", time.Minute, 0.99))) != 0 {
			t.Errorf("%s has a rule although it is left out", alert)
		}
	}
}

func TestGroups_WriteTo_Fails(t *testing.T) {
	t.Parallel()
	reader, writer := io.Pipe()
	_ = reader.CloseWithError(errBoom)
	if _, err := mustDefault(t).WriteTo(writer); !errors.Is(err, errBoom) {
		t.Errorf("got the error %v, want %v", err, errBoom)
	}
}

var errBoom = errors.New("boom")

// Texts that YAML reads as something else are quoted.
func TestGroups_WriteTo_Quotes(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{text: "plain-1", want: `plain-1`},
		{text: "a:b", want: `a:b`},
		{text: "no", want: `"no"`},
		{text: "1", want: `"1"`},
		{text: "", want: `""`},
		{text: "a b", want: `"a b"`},
		{text: "a:", want: `"a:"`},
		{text: "-", want: `"-"`},
		{text: "~", want: `"~"`},
		{text: "a\nb\"", want: `"a\nb\""`},
		{text: "\u0085\ufeff\x7f", want: `"\u0085\ufeff\x7f"`},
	}
	for _, tt := range tests {
		got := yamlOf(t, rules.Groups{{Name: tt.text}})
		if want := "groups:\n  - name: " + tt.want + "\n    rules:\n"; got != want {
			t.Errorf("%q: got\n%s\nwant\n%s", tt.text, got, want)
		}
	}
}

// An expression that a block would change is quoted.
func TestGroups_WriteTo_Expressions(t *testing.T) {
	t.Parallel()
	tests := []struct{ expr, want string }{
		{expr: "a\n\n  b", want: "|-\n          a\n\n            b"},
		{expr: " a", want: `" a"`},
		{expr: "a\n", want: `"a\n"`},
		{expr: "a\tb", want: `"a\tb"`},
		{expr: "", want: `""`},
	}
	for _, tt := range tests {
		got := yamlOf(t, rules.Groups{{Name: "g", Rules: []rules.Rule{{Record: "r", Expr: tt.expr}}}})
		if want := "      - record: r\n        expr: " + tt.want + "\n"; !strings.HasSuffix(got, want) {
			t.Errorf("%q: got\n%s\nwant the end\n%s", tt.expr, got, want)
		}
	}
}
