// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// Matcher selects series by the value of a label, as in a selector of PromQL.
// [Equal], [NotEqual], [Matching] and [NotMatching] return one.
type Matcher struct{ label, operator, value string }

// Equal selects the series whose label has the value.
func Equal(label, value string) Matcher { return Matcher{label, "=", value} }

// NotEqual selects the series whose label has another value, or that do not have
// the label.
func NotEqual(label, value string) Matcher { return Matcher{label, "!=", value} }

// Matching selects the series whose label is matched, as a whole, by the regular
// expression.
func Matching(label, expression string) Matcher { return Matcher{label, "=~", expression} }

// NotMatching selects the series whose label is not matched, as a whole, by the
// regular expression.
func NotMatching(label, expression string) Matcher { return Matcher{label, "!~", expression} }

// String returns m as it is in a selector.
func (m Matcher) String() string { return m.label + m.operator + strconv.Quote(m.value) }

// oneOf returns a matcher for any of values, and noneOf one for all others.
func oneOf(label string, values ...string) Matcher  { return Matching(label, anyOf(values)) }
func noneOf(label string, values ...string) Matcher { return NotMatching(label, anyOf(values)) }

// anyOf returns a regular expression that matches the values.
func anyOf(values []string) string {
	quoted := make([]string, len(values))
	for i, value := range values {
		quoted[i] = regexp.QuoteMeta(value)
	}
	return strings.Join(quoted, "|")
}

// selector returns the selector of a metric in the rules of an alert. The suffix
// is "", or that of one of the series of a classic histogram.
func (c config) selector(alert string, m series.Metric, suffix string, matchers ...Matcher) string {
	all := slices.Concat(matchers, c.matchers[everyAlert], c.matchers[alert])
	if len(all) == 0 {
		return m.In(c.namespace) + suffix
	}
	texts := make([]string, len(all))
	for i, matcher := range all {
		texts[i] = matcher.String()
	}
	return m.In(c.namespace) + suffix + "{" + strings.Join(texts, ",") + "}"
}

// by returns the labels that an aggregation keeps, and those of [WithGrouping].
func (c config) by(labels ...string) string {
	return strings.Join(slices.Concat(labels, c.grouping), ", ")
}

// grown returns by how much a counter has grown in a window, for each series.
//
// The increase of a series that did not exist before its first event is 0, so that
// its last value is taken if it did not exist a window ago: that is so for the first
// error of a type, and for a new process, also if that has ended since. It may have
// grown by more than its value all the same, if its process began and was started
// again within the window.
func grown(selector string, window time.Duration) string {
	return expand(`
  (
    <last> unless <x> offset <window>
  unless
    increase(<x>[<window>]) > <last>
  )
or
  increase(<x>[<window>])`, "x", selector, "window", duration(window), "last", lastValue(selector, window))
}

// lastValue returns the last value of each series in a window.
func lastValue(selector string, window time.Duration) string {
	return "last_over_time(" + selector + "[" + duration(window) + "])"
}

// grownCount is [grown] of the count of a histogram, be it classic or native. A
// process may have either, so the choice is made for each series.
func (c config) grownCount(alert string, m series.Metric, window time.Duration, matchers ...Matcher) string {
	native := c.selector(alert, m, "", matchers...)
	return expand(`
  <classic>
or
  (
    histogram_count(<last> unless <native> offset <window>)
  unless
    histogram_count(increase(<native>[<window>])) > histogram_count(<last>)
  )
or
  histogram_count(increase(<native>[<window>]))`,
		"classic", grown(c.selector(alert, m, "_count", matchers...), window),
		"native", native, "last", lastValue(native, window), "window", duration(window))
}

// blind is a vector that is not empty if Prometheus scrapes now and did not a
// window ago: then a series that it has not seen before may be old. It is to be
// excluded on ().
func blind(window time.Duration) string {
	return expand("(count(up) unless count(up offset <window>))", "window", duration(window))
}

// grownInSight is [grown] for a window that is longer than the alert waits. A
// counter that Prometheus sees again after it was down for a window does not count
// as new.
func grownInSight(selector string, window time.Duration) string {
	return expand(`
  (
    <last> unless <x> offset <window>
  unless
    increase(<x>[<window>]) > <last>
  unless on ()
    <blind>
  )
or
  increase(<x>[<window>])`, "x", selector, "window", duration(window), "last", lastValue(selector, window), "blind", blind(window))
}

// sum returns the sum of an expression by labels.
func sum(by, expression string) string {
	return expand(`
sum by (<by>) (
  <expression>
)`, "by", by, "expression", expression)
}

// quantile returns a quantile of a histogram in a window, by labels. A classic
// histogram without an observation has the quantile NaN, which must not hide a
// native one.
func (c config) quantile(alert string, q float64, by string, m series.Metric, window time.Duration, matchers ...Matcher) string {
	return expand(`
  histogram_quantile(<q>, sum by (<by>, le) (rate(<classic>[<window>]))) >= 0
or
  histogram_quantile(<q>, sum by (<by>) (rate(<native>[<window>])))`,
		"q", number(q), "by", by, "window", duration(window),
		"classic", c.selector(alert, m, "_bucket", matchers...),
		"native", c.selector(alert, m, "", matchers...))
}

// expand replaces each <name> in a template by the value that follows name in
// pairs, once: what a value contains is not replaced. The lines of a value have
// the indentation of the line that it stands in.
func expand(template string, pairs ...string) string {
	values := make(map[string]string, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		values[pairs[i]] = strings.TrimLeft(pairs[i+1], "\n")
	}
	lines := strings.Split(strings.TrimPrefix(template, "\n"), "\n")
	for i, line := range lines {
		indentation := line[:len(line)-len(strings.TrimLeft(line, " "))]
		lines[i] = placeholder.ReplaceAllStringFunc(line, func(name string) string {
			value, ok := values[name[1:len(name)-1]]
			if !ok {
				return name
			}
			if strings.TrimSpace(line) == name { // The value brings an indentation of its own.
				return strings.ReplaceAll(value, "\n", "\n"+indentation)
			}
			return strings.ReplaceAll(strings.TrimSpace(value), "\n", "\n"+indentation)
		})
	}
	return strings.Join(lines, "\n")
}

var placeholder = regexp.MustCompile(`<[a-z0-9]+>`)

// duration returns d as PromQL writes it.
func duration(d time.Duration) string { return model.Duration(d).String() }

// seconds returns d as a number of seconds.
func seconds(d time.Duration) string { return number(d.Seconds()) }

// number returns f as PromQL writes it.
func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
