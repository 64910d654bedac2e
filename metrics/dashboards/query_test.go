// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/metrics/dashboards"
	"github.com/waybill-go/waybill/metrics/internal/series"
)

// queries returns the queries of all boards for opts.
func queries(t *testing.T, opts ...dashboards.Option) []dashboards.Query {
	t.Helper()
	files, err := dashboards.Generate(opts...)
	if err != nil {
		t.Fatalf("Generate: %v", err)
	}
	var all []dashboards.Query
	for name, text := range files {
		found, err := dashboards.Queries(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, found...)
	}
	return all
}

func name(q dashboards.Query) string {
	return fmt.Sprintf("%s / %s / %s", q.Board, q.Panel, q.RefID)
}

// TestGenerate_Ranges checks that a rate is over the interval that Grafana computes,
// and that nothing has a range of its own.
func TestGenerate_Ranges(t *testing.T) {
	t.Parallel()
	selection := regexp.MustCompile(`(\w+)\(\w+(?:\{[^}]*\})?\[([^\]]*)\]`)
	for _, q := range queries(t) {
		if got, want := len(selection.FindAllString(q.Expr, -1)), strings.Count(q.Expr, "["); got != want {
			t.Errorf("%s: got %d ranges in functions, want %d in %s", name(q), got, want, q.Expr)
		}
		for _, match := range selection.FindAllStringSubmatch(q.Expr, -1) {
			want := map[string]string{"rate": "$__rate_interval", "increase": "$__rate_interval", "max_over_time": "$__range"}[match[1]]
			if got := match[2]; got != want {
				t.Errorf("%s: %s: got range %q, want %q", name(q), match[1], got, want)
			}
		}
	}
}

func TestGenerate_ParenthesesMatch(t *testing.T) {
	t.Parallel()
	for _, q := range queries(t) {
		depth := 0
		for _, r := range q.Expr {
			switch r {
			case '(':
				depth++
			case ')':
				depth--
			}
			if depth < 0 {
				break
			}
		}
		if depth != 0 {
			t.Errorf("%s: got %d open parentheses in %s", name(q), depth, q.Expr)
		}
	}
}

// TestGenerate_Histograms checks that a query of a histogram asks for the native and
// for the classic one, with equal labels in the result.
func TestGenerate_Histograms(t *testing.T) {
	t.Parallel()
	for _, m := range series.All() {
		if m.Kind != series.Histogram {
			continue
		}
		native := m.In("etl") + "{"
		for _, q := range queries(t) {
			classic := 0
			for _, suffix := range []string{"_bucket{", "_count{"} {
				classic += strings.Count(q.Expr, m.In("etl")+suffix)
			}
			if got, want := strings.Count(q.Expr, native), classic; got != want {
				t.Errorf("%s: got %d native and %d classic selectors of %s, want as many of both", name(q), got, want, m.Name)
			}
		}
	}
	both := regexp.MustCompile(`histogram_quantile\([^,]+, sum by \(([^)]*)\) \(rate\([^)]*\)\)\) or histogram_quantile\([^,]+, sum by \(([^)]*)\)`)
	found := 0
	for _, q := range queries(t) {
		for _, match := range both.FindAllStringSubmatch(q.Expr, -1) {
			found++
			if got, want := match[2], match[1]+", le"; got != want {
				t.Errorf("%s: got the classic one by (%s), want by (%s)", name(q), got, want)
			}
		}
	}
	if found == 0 {
		t.Error("found no quantiles")
	}
}

// unusedSeries are on no board, for a reason.
var unusedSeries = map[string]string{
	series.KafkaLastFetch.Name: "the alert on a backlog needs it; the lag shows the same",
}

// TestGenerate_UsesAllSeries checks that each metric is on a board.
func TestGenerate_UsesAllSeries(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for _, q := range queries(t) {
		text.WriteString(q.Expr)
	}
	for _, m := range series.All() {
		used := regexp.MustCompile(`\b`+m.In("etl")+`(_bucket)?\{`).MatchString(text.String()) || strings.Contains(text.String(), m.In("etl")+" unless")
		if reason, ok := unusedSeries[m.Name]; ok == used {
			t.Errorf("%s is on a board: %t, and has the reason %q not to be", m.Name, used, reason)
		}
	}
}

// TestGenerate_KnowsAllSeries checks that the boards query no metric of the namespace
// that does not exist.
func TestGenerate_KnowsAllSeries(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, m := range series.All() {
		known[m.In("etl")] = true
		if m.Kind == series.Histogram {
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				known[m.In("etl")+suffix] = true
			}
		}
	}
	for _, q := range queries(t) {
		for _, metric := range regexp.MustCompile(`\betl_\w+`).FindAllString(q.Expr, -1) {
			if !known[metric] {
				t.Errorf("%s: unknown metric %s", name(q), metric)
			}
		}
	}
}

// TestGenerate_NeedsNoJob checks that no query selects or adds up by what Prometheus
// adds to a target, except to tell the processes themselves apart.
func TestGenerate_NeedsNoJob(t *testing.T) {
	t.Parallel()
	for _, q := range queries(t) {
		if regexp.MustCompile(`job\s*[=!]`).MatchString(q.Expr) {
			t.Errorf("%s selects by job: %s", name(q), q.Expr)
		}
		for _, match := range regexp.MustCompile(`by \(([^)]*)\)`).FindAllStringSubmatch(q.Expr, -1) {
			if strings.Contains(match[1], "job") || strings.Contains(match[1], "instance") {
				t.Errorf("%s adds up by (%s), want a scaled stage as one", name(q), match[1])
			}
		}
	}
}

func TestQueries_NotABoard(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "x", "[]", `{"panels":"x"}`} {
		if got, err := dashboards.Queries([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), "dashboards: ") {
			t.Errorf("Queries(%q) = %v, %v, want an error of the package", text, got, err)
		}
	}
	if got, err := dashboards.Queries([]byte("{}")); len(got) != 0 || err != nil {
		t.Errorf("Queries({}) = %v, %v, want none", got, err)
	}
}

func TestQueries_CollapsedRow(t *testing.T) {
	t.Parallel()
	optional := 0
	for _, q := range queries(t) {
		if q.Optional != strings.Contains(q.Expr, "kube_") {
			t.Errorf("%s: got optional %t for %s", name(q), q.Optional, q.Expr)
		}
		if q.Optional {
			optional++
		}
	}
	if optional == 0 {
		t.Error("got no optional query")
	}
}

func TestQuery_PromQL(t *testing.T) {
	t.Parallel()
	for _, q := range queries(t, dashboards.WithLabels("cluster")) {
		got := q.PromQL("5m")
		if rest := strings.ReplaceAll(got, `"$1"`, ""); strings.Contains(rest, "$") {
			t.Errorf("%s: got %s, want no variables", name(q), got)
		}
	}
}

func FuzzQueries(f *testing.F) {
	f.Add([]byte(`{"title":"a","panels":[{"title":"b","targets":[{"refId":"A","expr":"up","instant":true}],"panels":[{"targets":[{}]}]}]}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := dashboards.Queries(text)
		if err != nil && found != nil {
			t.Errorf("got %d queries and the error %v, want one of them", len(found), err)
		}
		for _, q := range found {
			_ = q.PromQL("1m")
		}
	})
}
