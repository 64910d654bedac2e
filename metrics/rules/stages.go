// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"strconv"
	"time"

	"github.com/waybill-go/waybill/observe"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// The labels of a stage, and those of a stage in one process.
var (
	stageLabels   = []string{series.Pipeline, series.Stage}
	processLabels = []string{"job", "instance", series.Pipeline, series.Stage}
)

// failed matches the outcomes that are errors.
var failed = func() Matcher {
	var outcomes []string
	for o := range observe.Outcomes {
		if outcome := observe.Outcome(o); outcome.IsError() { //nolint:gosec // Within the range.
			outcomes = append(outcomes, outcome.String())
		}
	}
	return oneOf(series.Outcome, outcomes...)
}()

// errorRatio compares failed runs with all that were not canceled.
func (c config) errorRatio() []Rule {
	window, by := c.windows[AlertErrorRatio], c.by(stageLabels...)
	failures := sum(by, c.grownCount(AlertErrorRatio, series.Processing, window, failed))
	runs := sum(by, c.grownCount(AlertErrorRatio, series.Processing, window, NotEqual(series.Outcome, observe.OutcomeCanceled.String())))
	rule := func(s severity, hold time.Duration) Rule {
		return c.rule(alert{
			name: AlertErrorRatio, severity: s, hold: hold, variables: stageLabels, board: series.BoardStages,
			expr: expand(`
(
  <failures>
  >= <min>
)
/
<runs>
> <share>`, "failures", failures, "runs", runs, "min", strconv.Itoa(c.minEvents), "share", number(c.errorRatios[s])),
			summary: "Stage {{ $labels.stage }} of {{ $labels.pipeline }} fails",
			description: "{{ $value | humanizePercentage }} of the runs of stage {{ $labels.stage }} of pipeline {{ $labels.pipeline }} " +
				"ended with a failure, a timeout or a panic in the last " + duration(window) + ".",
		})
	}
	return []Rule{rule(critical, 2*time.Minute), rule(warning, 5*time.Minute)}
}

// errorSurge compares the rate of errors with that of the day before.
func (c config) errorSurge() []Rule {
	const day = 24 * time.Hour
	window, by := c.windows[AlertErrorSurge], c.by(stageLabels...)
	errors := c.selector(AlertErrorSurge, series.Errors, "")
	rate := sum(by, grown(errors, window)) + " / " + seconds(window)
	return []Rule{c.rule(alert{
		name: AlertErrorSurge, severity: warning, hold: 2 * time.Minute, variables: stageLabels, board: series.BoardStages,
		expr: expand(`
<rate>
> <floor>
unless
<rate>
<= <factor> * sum by (<by>) (rate(<errors>[<day>] offset <window>))`,
			"rate", rate, "floor", number(c.surge.perSecond), "factor", number(c.surge.factor),
			"by", by, "errors", errors, "day", duration(day), "window", duration(window)),
		summary: "Errors of stage {{ $labels.stage }} of {{ $labels.pipeline }} surge",
		description: "Stage {{ $labels.stage }} of pipeline {{ $labels.pipeline }} has {{ printf \"%.2f\" $value }} errors a second, more than " +
			number(c.surge.factor) + " times as many as in the day before.",
	})}
}

// stageStuck looks at each process, because others may run the same stage well. It
// leaves out the runs of whole pipelines, whose stages it sees.
func (c config) stageStuck() []Rule {
	window, by := c.windows[AlertStageStuck], c.by(processLabels...)
	inFlight := c.selector(AlertStageStuck, series.InFlight, "", NotEqual(series.Stage, ""))
	rows := func(m series.Metric) string { return sum(by, grown(c.selector(AlertStageStuck, m, ""), window)) }
	return []Rule{c.rule(alert{
		name: AlertStageStuck, severity: critical, hold: time.Minute, variables: stageLabels, board: series.BoardStages,
		expr: expand(`
count by (<stage>) (
  min by (<by>) (<inflight>) > 0
and
  min by (<by>) (min_over_time(<inflight>[<window>])) > 0
and
  min by (<by>) (<inflight> offset <window>) > 0
unless
  max by (<by>) (<lastrun>) > time() - <seconds>
unless
  <read>
  > 0
unless
  <processed>
  > 0
unless
  <rejected>
  > 0
)`, "stage", c.by(stageLabels...), "by", by, "inflight", inFlight, "window", duration(window), "seconds", seconds(window),
			"lastrun", c.selector(AlertStageStuck, series.LastRun, ""),
			"read", rows(series.RowsRead), "processed", rows(series.RowsProcessed), "rejected", rows(series.RowsRejected)),
		summary: "Stage {{ $labels.stage }} of {{ $labels.pipeline }} is stuck",
		description: "Processes: {{ $value }}. Stage {{ $labels.stage }} of pipeline {{ $labels.pipeline }} has been running for " +
			duration(window) + ", and has neither ended a run nor counted a row.",
	})}
}

// rejectRatio compares rejected rows with the rows that a stage read, or, if it
// does not count those, with the rows that came out of it either way, or that its
// first check saw. A stage that counts only what it rejects has no ratio.
func (c config) rejectRatio() []Rule {
	window, by := c.windows[AlertRejectRatio], c.by(stageLabels...)
	rows := func(m series.Metric) string { return grown(c.selector(AlertRejectRatio, m, ""), window) }
	return []Rule{c.rule(alert{
		name: AlertRejectRatio, severity: warning, hold: 10 * time.Minute, variables: stageLabels, board: series.BoardQuality,
		expr: expand(`
(
  sum by (<by>) (
    <rejected>
  )
  > <rows>
)
/
(
  sum by (<by>) (
    <read>
  )
  > 0
or
  sum by (<by>) (
    <processed>
  )
  +
  sum by (<by>) (
    <rejected>
  )
or
  max by (<by>) (sum by (<by>, check) (
    <checks>
  ))
)
> <share>`, "by", by, "checks", rows(series.Checks), "rejected", rows(series.RowsRejected), "read", rows(series.RowsRead), "processed", rows(series.RowsProcessed),
			"rows", strconv.Itoa(c.rejects.rows), "share", number(c.rejects.share)),
		summary: "Stage {{ $labels.stage }} of {{ $labels.pipeline }} rejects many rows",
		description: "Stage {{ $labels.stage }} of pipeline {{ $labels.pipeline }} rejected {{ $value | humanizePercentage }} of its rows in the last " +
			duration(window) + ".",
	})}
}
