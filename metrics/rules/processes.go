// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"time"

	"github.com/waybill-go/waybill/observe"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// memory has a value only where a limit is known.
func (c config) memory() []Rule {
	process := []string{"job", "instance"}
	return []Rule{c.rule(alert{
		name: AlertMemory, severity: warning, hold: 10 * time.Minute, variables: []string{"instance"}, board: series.BoardRuntime,
		expr: expand(`
max by (<by>) (<used>)
/
min by (<by>) (<limit>)
> <share>`, "by", c.by(process...), "used", c.selector(AlertMemory, series.Memory, ""), "limit", c.selector(AlertMemory, series.MemoryLimit, ""),
			"share", number(c.memoryShare)),
		summary:     "Process {{ $labels.instance }} of {{ $labels.job }} is short of memory",
		description: "Process {{ $labels.instance }} of job {{ $labels.job }} uses {{ $value | humanizePercentage }} of the memory that it may use.",
	})}
}

// telemetryLost leaves out data without a waybill, which is no loss: its sender
// does not write one.
func (c config) telemetryLost() []Rule {
	window := c.windows[AlertTelemetryLost]
	rule := func(m series.Metric, label, summary, description string, matchers ...Matcher) Rule {
		labels := []string{"job", label}
		return c.rule(alert{
			name: AlertTelemetryLost, severity: info, signal: label, hold: 15 * time.Minute, board: series.BoardRuntime,
			expr: expand(`
<lost>
> 0`, "lost", sum(c.by(labels...), grownInSight(c.selector(AlertTelemetryLost, m, "", matchers...), window))),
			summary:     summary,
			description: description + " in the last " + duration(window) + ".",
		})
	}
	return []Rule{
		rule(series.Dropped, series.Reason, "Telemetry of {{ $labels.job }} is lost",
			"Job {{ $labels.job }} lost telemetry {{ printf \"%.0f\" $value }} times for the reason {{ $labels.reason }}",
			NotEqual(series.Reason, observe.DropNoWaybill)),
		rule(series.LabelOverflow, series.Label, "A label of {{ $labels.job }} has too many values",
			"Job {{ $labels.job }} counted {{ printf \"%.0f\" $value }} uses of the label {{ $labels.label }} as _OTHER"),
	}
}
