// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/metrics/internal/series"
	"github.com/waybill-go/waybill/observe"
)

// The names of the variables of the boards.
const (
	varDatasource = "datasource"
	varTraces     = "traces"
	varPipeline   = series.Pipeline
	varStage      = series.Stage
	varTopic      = series.Topic
	varGroup      = series.Group
	varInstance   = "instance"
)

const (
	// rateInterval is the range of each rate: Grafana makes it long enough for
	// the scrape interval and the width of the panel.
	rateInterval = "[$__rate_interval]"
	// shownRange is the time that the board shows. It is the range of what must
	// survive the end of a process, and of nothing else.
	shownRange = "[$__range]"
)

// promql writes the expressions of the boards for one namespace.
type promql struct {
	namespace string
	labels    []string // Further labels that are variables.
}

// matches returns a matcher of a label by the variable of the same name.
func matches(label string) string { return label + `=~"$` + label + `"` }

func is(label, value string) string    { return fmt.Sprintf("%s=%q", label, value) }
func isNot(label, value string) string { return fmt.Sprintf("%s!=%q", label, value) }

// failed and finished match the outcomes of failed runs, and of all runs that were
// not canceled.
var (
	failed = fmt.Sprintf(`%s=~"%s|%s|%s"`, series.Outcome,
		observe.OutcomeFailure, observe.OutcomeTimeout, observe.OutcomePanic)
	finished  = isNot(series.Outcome, observe.OutcomeCanceled.String())
	succeeded = is(series.Outcome, observe.OutcomeSuccess.String())
)

// selected returns the series of m, with a suffix of its name, that the variables of
// its labels and the matchers select.
func (q promql) selected(m series.Metric, suffix string, matchers ...string) string {
	var all []string
	for _, label := range m.Labels {
		switch label {
		case varPipeline, varStage, varTopic, varGroup:
			all = append(all, matches(label))
		case series.Destination:
			all = append(all, series.Destination+`=~"$`+varTopic+`"`)
		}
	}
	if len(m.Labels) == 0 {
		all = append(all, matches(varInstance))
	}
	for _, label := range q.labels {
		all = append(all, matches(label))
	}
	return m.In(q.namespace) + suffix + "{" + strings.Join(append(all, matchers...), ",") + "}"
}

// The latency of data is measured where a stage is done with it, and where it arrives
// from a topic or collection, mostly outside a stage. The ones are selected by
// pipeline and stage, the others by topic.
var (
	stageEnds = labeled(series.EndToEnd, series.Pipeline, series.Stage)
	arrivals  = labeled(series.EndToEnd, series.Destination)
	hops      = labeled(series.Hop, series.Destination)

	atStages       = is(series.Destination, "")
	atDestinations = isNot(series.Destination, "")
)

// labeled returns m as if it had only some of its labels.
func labeled(m series.Metric, labels ...string) series.Metric {
	m.Labels = labels
	return m
}

// by is a list of labels to aggregate by.
type by []string

// String returns the clause of PromQL. Without labels, everything is one.
func (b by) String() string { return "by (" + strings.Join(b, ", ") + ")" }

func (b by) and(label string) by { return append(slices.Clone(b), label) }

// The labels that the panels aggregate by. A source, partition, instance or job
// never is among them, so a restarted, a scaled and a pushed process look alike.
var (
	byPipeline   = by{series.Pipeline}
	byStage      = by{series.Pipeline, series.Stage}
	byTopic      = by{series.Topic}
	byCollection = by{series.Collection}
	byArrival    = by{series.Destination}
	byGroup      = by{series.Group, series.Topic}
)

// rate returns the increase of a counter in a second.
func (q promql) rate(m series.Metric, b by, matchers ...string) string {
	return fmt.Sprintf("sum %s (rate(%s%s))", b, q.selected(m, "", matchers...), rateInterval)
}

// increase returns how often a counter was incremented within the interval, about.
func (q promql) increase(m series.Metric, b by, matchers ...string) string {
	return fmt.Sprintf("round(sum %s (increase(%s%s)))", b, q.selected(m, "", matchers...), rateInterval)
}

// sum returns the sum of the values of a gauge.
func (q promql) sum(m series.Metric, b by, matchers ...string) string {
	return fmt.Sprintf("sum %s (%s)", b, q.selected(m, "", matchers...))
}

// max returns the highest value of a gauge.
func (q promql) max(m series.Metric, b by) string {
	return fmt.Sprintf("max %s (%s)", b, q.selected(m, ""))
}

// lastSeen returns the highest value in the shown time, from processes that have
// ended too.
func (q promql) lastSeen(m series.Metric, b by, matchers ...string) string {
	return fmt.Sprintf("max %s (max_over_time(%s%s))", b, q.selected(m, "", matchers...), shownRange)
}

// Histograms are scraped as native or as classic ones. In each of the functions
// below, the part before "or" has a value for native histograms and the part after
// it for classic ones. Both have the same labels, so that a Prometheus that holds
// both has one result: the native one.

// quantile returns the quantile phi of the observations within the interval.
func (q promql) quantile(phi string, m series.Metric, b by, matchers ...string) string {
	return fmt.Sprintf("(histogram_quantile(%s, sum %s (rate(%s%s))) or histogram_quantile(%s, sum %s (rate(%s%s))))",
		phi, b, q.selected(m, "", matchers...), rateInterval,
		phi, b.and("le"), q.selected(m, "_bucket", matchers...), rateInterval)
}

// observations returns how many observations a histogram has in a second.
func (q promql) observations(m series.Metric, b by, matchers ...string) string {
	return fmt.Sprintf("(histogram_count(sum %s (rate(%s%s))) or sum %s (rate(%s%s)))",
		b, q.selected(m, "", matchers...), rateInterval,
		b, q.selected(m, "_count", matchers...), rateInterval)
}

// mean returns the mean of the observations within the interval.
func (q promql) mean(m series.Metric, b by, matchers ...string) string {
	return fmt.Sprintf("(histogram_avg(sum %s (rate(%s%s))) or sum %s (rate(%s%s)) / sum %s (rate(%s%s)))",
		b, q.selected(m, "", matchers...), rateInterval,
		b, q.selected(m, "_sum", matchers...), rateInterval,
		b, q.selected(m, "_count", matchers...), rateInterval)
}

// lifetimeMean returns the mean of all observations since the processes started,
// which exists for idle ones too.
func (q promql) lifetimeMean(m series.Metric, b by, matchers ...string) string {
	return fmt.Sprintf("(histogram_avg(sum %s (%s)) or sum %s (%s) / sum %s (%s))",
		b, q.selected(m, "", matchers...),
		b, q.selected(m, "_sum", matchers...),
		b, q.selected(m, "_count", matchers...))
}

// buckets returns the buckets of a histogram over time, for a heatmap. The native
// histogram has no label le, so "or on ()" leaves the classic one out if there is a
// native one.
func (q promql) buckets(m series.Metric, matchers ...string) string {
	return fmt.Sprintf("sum (rate(%s%s)) or on () sum by (le) (rate(%s%s))",
		q.selected(m, "", matchers...), rateInterval,
		q.selected(m, "_bucket", matchers...), rateInterval)
}

// or returns the expressions in the order in which they are preferred.
func or(expressions ...string) string { return strings.Join(expressions, " or ") }

// named returns expr with another value of a label, made from that of source by a
// regular expression.
func named(expr, label, value, source, pattern string) string {
	return fmt.Sprintf("label_replace(%s, %q, %q, %q, %q)", expr, label, value, source, pattern)
}

// wholeRun is what the legends call the run of a whole pipeline, whose stage is the
// empty string.
const wholeRun = "whole run"

// legible returns expr with a name for the stage of whole runs.
func legible(expr string) string {
	return named(expr, series.Stage, wholeRun, series.Stage, "")
}
