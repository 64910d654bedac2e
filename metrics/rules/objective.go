// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// The rates at which a burn is fast and slow, of chapter 5 of the SRE workbook of
// Google: 2 % of the budget of thirty days in an hour, and 5 % in six hours. The
// long window of the slow burn is six times that of the fast one, and each short
// window a twelfth of its long one.
const (
	fastBurn = 14.4
	slowBurn = 6.0

	slowFactor  = 6
	shortFactor = 12
)

// label returns the value of the label objective, which tells several objectives
// of a pipeline apart.
func (o objective) label() string {
	return strconv.FormatFloat(100*o.share, 'g', 6, 64) + "% in " + duration(o.latency)
}

// budget is the share of the data that may be late. The rounding removes what the
// subtraction adds to 1 - 0.99.
func (o objective) budget(burn float64) float64 {
	budget, _ := strconv.ParseFloat(strconv.FormatFloat(burn*(1-o.share), 'g', 12, 64), 64)
	return budget
}

// objectiveBurn records the share of late data in each window, and the number of
// late items in the long windows. Both are those of the worst stage.
func (c config) objectiveBurn() []Rule {
	fast := c.windows[AlertObjectiveBurn]
	slow := slowFactor * fast
	var rules []Rule
	for _, o := range c.objectives {
		for _, window := range []time.Duration{fast / shortFactor, slow / shortFactor, fast, slow} {
			rules = append(rules, c.record(o, ratioName(c, window), c.lateShare(o, window)))
		}
		for _, window := range []time.Duration{fast, slow} {
			rules = append(rules, c.record(o, countName(c, window), c.lateCount(o, window)))
		}
		for _, burn := range []struct {
			severity severity
			rate     float64
			window   time.Duration
			hold     time.Duration
		}{{critical, fastBurn, fast, 2 * time.Minute}, {warning, slowBurn, slow, 15 * time.Minute}} {
			if o.budget(burn.rate) < 1 { // Or it cannot be exceeded.
				rules = append(rules, c.burn(o, burn.severity, o.budget(burn.rate), burn.window, burn.hold))
			}
		}
	}
	return rules
}

// The names of the recorded series: the level, the metric, and the operations.
func ratioName(c config, window time.Duration) string {
	return "pipeline:" + c.namespace + "_end_to_end_late:ratio_rate" + duration(window)
}

func countName(c config, window time.Duration) string {
	return "pipeline:" + c.namespace + "_end_to_end_late:increase" + duration(window)
}

func (c config) record(o objective, name, expr string) Rule {
	return Rule{Record: name, Expr: expr, Labels: map[string]string{"objective": literal(o.label())}}
}

// selectors returns the selectors of the latencies of an objective: the classic
// count, the classic bucket, whose bound has a fraction in the OpenMetrics format,
// and the native histogram.
func (c config) selectors(o objective) (count, bucket, native string) {
	matchers := []Matcher{Equal(series.Pipeline, o.pipeline), Equal(series.Destination, ""), live}
	bound := number(o.latency.Seconds())
	le := Matching("le", regexp.QuoteMeta(bound)+`(\.0)?`)
	if strings.ContainsAny(bound, ".e") {
		le = Equal("le", bound)
	}
	return c.selector(AlertObjectiveBurn, series.EndToEnd, "_count", matchers...),
		c.selector(AlertObjectiveBurn, series.EndToEnd, "_bucket", append(matchers, le)...),
		c.selector(AlertObjectiveBurn, series.EndToEnd, "", matchers...)
}

func (c config) lateShare(o objective, window time.Duration) string {
	count, bucket, native := c.selectors(o)
	return expand(`
max by (<by>) (
  1 - (
    sum by (<stage>) (rate(<bucket>[<window>]))
    /
    sum by (<stage>) (rate(<count>[<window>]))
    >= 0
  or
    histogram_fraction(-Inf, <latency>, sum by (<stage>) (rate(<native>[<window>])))
  )
)`, "by", c.by(series.Pipeline), "stage", c.by(stageLabels...), "window", duration(window),
		"bucket", bucket, "count", count, "native", native, "latency", seconds(o.latency))
}

func (c config) lateCount(o objective, window time.Duration) string {
	count, bucket, native := c.selectors(o)
	return expand(`
max by (<by>) (
  sum by (<stage>) (increase(<count>[<window>]))
  -
  sum by (<stage>) (increase(<bucket>[<window>]))
or
  histogram_count(sum by (<stage>) (increase(<native>[<window>])))
  *
  (1 - histogram_fraction(-Inf, <latency>, sum by (<stage>) (increase(<native>[<window>]))))
)`, "by", c.by(series.Pipeline), "stage", c.by(stageLabels...), "window", duration(window),
		"bucket", bucket, "count", count, "native", native, "latency", seconds(o.latency))
}

func (c config) burn(o objective, s severity, limit float64, window, hold time.Duration) Rule {
	short := window / shortFactor
	matchers := "{" + Equal(series.Pipeline, o.pipeline).String() + "," + Equal("objective", o.label()).String() + "}"
	return c.rule(alert{
		name: AlertObjectiveBurn, severity: s, declared: []string{series.Pipeline, o.pipeline, "objective", o.label()}, hold: hold, variables: []string{series.Pipeline}, board: series.BoardFlow,
		expr: expand(`
<long> > <limit>
and
<short> > <limit>
and
<count> >= <min>`, "long", ratioName(c, window)+matchers, "short", ratioName(c, short)+matchers,
			"count", countName(c, window)+matchers, "limit", number(limit), "min", strconv.Itoa(c.minEvents)),
		summary: "Too much data of {{ $labels.pipeline }} is late for its objective",
		description: "{{ $value | humanizePercentage }} of the data of pipeline {{ $labels.pipeline }} was late in the last " + duration(window) +
			". The objective is {{ $labels.objective }}.",
	})
}
