// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"maps"
	"slices"
	"time"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// live selects the series of processes that do not replay old data, which have the
// label replay with a value: see the documentation of the package.
var live = Equal("replay", "")

// remembered is the shortest time that a stage is remembered when its processes are
// gone: a night, so that someone sees the alert.
const remembered = 24 * time.Hour

// memoryOf returns how long a stage is remembered that should succeed every so often.
func (c config) memoryOf(every time.Duration) time.Duration {
	if window, ok := c.windows[AlertNotFresh]; ok {
		return window
	}
	return max(remembered, 4*every)
}

// notFresh has two rules for a pipeline that is declared. The first looks at the
// time of the last success, for as long as that is remembered. The second takes
// over before the first forgets, and also sees a pipeline that has never succeeded.
// It waits as long as a success may take, so that it is silent when a pipeline is
// new.
func (c config) notFresh() []Rule {
	declared := slices.Sorted(maps.Keys(c.fresh))
	var rules []Rule
	for _, pipeline := range declared {
		every := c.fresh[pipeline]
		if pipeline != "" {
			rules = append(rules, c.stale(pipeline, every, live, Equal(series.Pipeline, pipeline)), c.absent(pipeline, every))
			continue
		}
		matchers := []Matcher{live}
		if others := declared[1:]; len(others) > 0 { // The empty name is the first.
			matchers = append(matchers, noneOf(series.Pipeline, others...))
		}
		rules = append(rules, c.stale("", every, matchers...))
	}
	return rules
}

// stale is about stages whose last success is too old, and about those that have
// been running for as long and never succeeded.
func (c config) stale(pipeline string, every time.Duration, matchers ...Matcher) Rule {
	return c.rule(alert{
		name: AlertNotFresh, severity: critical, signal: "age", declared: of(series.Pipeline, pipeline), hold: time.Minute, variables: stageLabels, board: series.BoardFlow,
		expr: expand(`
time() - max by (<by>) (
  max_over_time(<success>[<lookback>])
)
> <limit>
or
time() - min by (<by>) (
  min_over_time(<run>[<lookback>])
)
> <limit>
unless
max by (<by>) (
  max_over_time(<success>[<lookback>])
)`, "run", c.selector(AlertNotFresh, series.LastRun, "", matchers...), "by", c.by(stageLabels...), "success", c.selector(AlertNotFresh, series.LastSuccess, "", matchers...),
			"lookback", duration(c.memoryOf(every)), "limit", seconds(2*every)),
		summary: "Stage {{ $labels.stage }} of {{ $labels.pipeline }} is not fresh",
		description: "Stage {{ $labels.stage }} of pipeline {{ $labels.pipeline }} has not succeeded for {{ $value | humanizeDuration }}. It is expected to succeed every " +
			duration(every) + ".",
	})
}

// absent is about a declared pipeline of which no success is known.
func (c config) absent(pipeline string, every time.Duration) Rule {
	return c.rule(alert{
		name: AlertNotFresh, severity: critical, signal: "absent", declared: of(series.Pipeline, pipeline), hold: 2 * every, variables: []string{series.Pipeline}, board: series.BoardFlow,
		expr: expand("absent_over_time(<success>[<lookback>])", "lookback", duration(max(every, c.memoryOf(every)-3*every)),
			"success", c.selector(AlertNotFresh, series.LastSuccess, "", live, Equal(series.Pipeline, pipeline))),
		summary: "Pipeline {{ $labels.pipeline }} is gone",
		description: "No process reports a success of pipeline {{ $labels.pipeline }}. It is expected to succeed every " +
			duration(every) + ".",
	})
}

// watermarkStuck looks at each process, because each has its own part of the data.
func (c config) watermarkStuck() []Rule {
	window, by := c.windows[AlertWatermarkStuck], c.by(processLabels...)
	rows := func(m series.Metric) string {
		return sum(by, grown(c.selector(AlertWatermarkStuck, m, "", live), window))
	}
	return []Rule{c.rule(alert{
		name: AlertWatermarkStuck, severity: warning, hold: 15 * time.Minute, variables: stageLabels, board: series.BoardQuality,
		expr: expand(`
count by (<stage>) (
  max by (<by>) (changes(<watermark>[<window>])) == 0
and
  (
    <read>
    > 0
  or
    <processed>
    > 0
  )
)`, "stage", c.by(stageLabels...), "by", by, "window", duration(window), "watermark", c.selector(AlertWatermarkStuck, series.Watermark, "", live),
			"read", rows(series.RowsRead), "processed", rows(series.RowsProcessed)),
		summary: "The watermark of stage {{ $labels.stage }} of {{ $labels.pipeline }} is stuck",
		description: "Processes: {{ $value }}. Stage {{ $labels.stage }} of pipeline {{ $labels.pipeline }} handles rows, but its watermark does not move: " +
			"the event times of the rows are old or wrong.",
	})}
}

// latency takes the slowest stage of each pipeline, which is the last one in most.
// The time in a queue of Kafka is known without a waybill and outside of stages.
func (c config) latency() []Rule {
	window := c.windows[AlertLatency]
	pipeline, topic := []string{series.Pipeline}, []string{series.Topic}
	rule := func(s severity, q float64, limit time.Duration, name string) []Rule {
		over := "{{ $value | humanizeDuration }}, more than " + duration(limit) + "."
		return []Rule{
			c.rule(alert{
				name: AlertLatency, severity: s, signal: "end_to_end", hold: 10 * time.Minute, variables: pipeline, board: series.BoardFlow,
				expr: expand(`
max by (<by>) (
  <quantile>
)
> <limit>`, "by", c.by(pipeline...), "limit", seconds(limit),
					"quantile", c.quantile(AlertLatency, q, c.by(stageLabels...), series.EndToEnd, window,
						NotEqual(series.Pipeline, ""), Equal(series.Destination, ""), live)),
				summary:     "Data of pipeline {{ $labels.pipeline }} is late",
				description: "The " + name + " of the end-to-end latency of pipeline {{ $labels.pipeline }} is " + over,
			}),
			c.rule(alert{
				name: AlertLatency, severity: s, signal: "queue", hold: 10 * time.Minute, variables: topic, board: series.BoardFlow,
				expr: expand(`
(
  <quantile>
)
> <limit>`, "limit", seconds(limit),
					"quantile", c.quantile(AlertLatency, q, c.by(topic...), series.KafkaQueue, window, live)),
				summary:     "Messages of topic {{ $labels.topic }} are late",
				description: "The " + name + " of the time that messages of topic {{ $labels.topic }} wait is " + over,
			}),
		}
	}
	return slices.Concat(rule(critical, 0.5, c.median, "median"), rule(warning, 0.99, c.p99, "99th percentile"))
}
