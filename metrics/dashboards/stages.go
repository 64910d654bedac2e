// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"fmt"
	"time"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// stageSections find the stage that fails, waits or is slow.
func stageSections(c config) []section {
	q := c.promql()
	return []section{
		{title: "Is anything wrong?", lines: [][]*panel{{failingStages(q), stuckStages(q), fullestQueue(q)}}},
		{title: "Which stage is slow?", lines: [][]*panel{{durations(q), durationHeatmap(q)}}},
		{title: "Which stage waits, and for what?", lines: [][]*panel{
			{inFlight(q), queues(q), waiting(q)},
			{timeOfMessages(q), lastRuns(c, q)},
		}},
		{title: "Which stage fails, and why?", lines: [][]*panel{{errorsByType(q), retries(q)}}},
	}
}

func failingStages(q promql) *panel {
	return newStat("Failing stages", unitCount, "no runs", noneAllowed(), description{
		shows: "The number of stages of which 5 % of the runs or more fail now. Canceled runs do not count. If a stage has no run now, it counts if its last run " +
			"did not succeed.",
		normal: "None.",
		act:    "See the errors by type at the end of this board, and open the traces of the stage from there.",
	}, query{fmt.Sprintf("count((%s) >= 0.05) or vector(0)", errorRatio(q)), "stages"}).
		zeroIsNone()
}

// stuckAfter is how long a run may be in flight without a sign of life. The alert on
// stuck stages has the same default.
const stuckAfter = 10 * time.Minute

func stuckStages(q promql) *panel {
	stuck := fmt.Sprintf("(%s > 0) unless (%s > time() - %.0f) unless ((%s) > 0)",
		q.sum(series.InFlight, byStage, isNot(series.Stage, "")),
		q.max(series.LastRun, byStage), stuckAfter.Seconds(),
		or(q.rate(series.RowsProcessed, byStage), q.rate(series.RowsRead, byStage)))
	p := newStat("Stages without progress", unitCount, "no runs", noneAllowed(), description{
		shows: "The number of stages with a run in flight of which no run has ended for 10 minutes, and that count no rows now. A stage in its first run " +
			"that counts no rows is among them.",
		normal: "None. A long run should count its rows as it goes.",
		act:    "See what the stage waits for below. If it waits for nothing that is measured here, look at its trace and at the goroutines of its process.",
	}, query{fmt.Sprintf("count(%s) or vector(0)", stuck), "stages"}).
		zeroIsNone()
	p.FieldConfig.Defaults.Thresholds.Steps[1].Color = colorWarning
	return p
}

func fullestQueue(q promql) *panel {
	return newStat("Fullest queue", unitShare, "no queues", states(0.8, 0.98), description{
		shows:  "How full the fullest queue in front of a stage is.",
		normal: "Far from full, except for moments. A full queue makes the stages before it wait.",
		act:    "Give the stage behind the queue more workers, or make it faster. A longer queue only hides the difference for a while.",
	}, query{fmt.Sprintf("max(%s / (%s > 0))", q.sum(series.QueueRows, byStage), q.sum(series.QueueCapacity, byStage)), "full"}).
		decimals(0)
}

func durations(q promql) *panel {
	return newSeries("Duration of runs (p50, p95)", unitSeconds, description{
		shows:  "How long the runs of each stage take: half of them (p50), and all but 5 % (p95). For a sequence it is the time without the code that ranges over it.",
		normal: "Steady. p95 far above p50 means that some runs wait, retry or are larger.",
		act:    "Each point is the exemplar of a run: open its trace. If all stages became slower at once, look at Runtime.",
	},
		query{legible(q.quantile("0.5", series.Processing, byStage)), "p50 {{pipeline}} / {{stage}}"},
		query{legible(q.quantile("0.95", series.Processing, byStage)), "p95 {{pipeline}} / {{stage}}"}).
		exemplars().linked(stageTraces, pipelineTraces)
}

func durationHeatmap(q promql) *panel {
	return newHeatmap("Spread of durations", unitSeconds, description{
		shows:  "How many runs a second took how long, of all selected stages together. Select one stage to see its own.",
		normal: "One band. Two bands are two kinds of runs, such as hits and misses of a cache.",
		act:    "A new band above the old one is the slow kind: open the trace of one of its exemplars.",
	}, query{q.buckets(series.Processing), "{{le}}"}).exemplars()
}

func inFlight(q promql) *panel {
	return newSeries("Runs in flight", unitCount, description{
		shows:  "The runs of each stage that have begun and not ended, in all processes.",
		normal: "At most the number of workers. It returns to zero when there is no work.",
		act:    "If it is flat and no run ends, the stage is stuck. If it grows without a limit, nothing limits how many runs begin.",
	}, query{legible(q.sum(series.InFlight, byStage)), "{{pipeline}} / {{stage}}"}).
		linked(stageTraces, pipelineTraces)
}

func queues(q promql) *panel {
	return newSeries("Queues against their capacity, and batches", unitCount, description{
		shows:  "The items in the queue in front of each stage, the items that the queue can hold (dashed), and the mean rows of a batch.",
		normal: "Near zero, or moving below the dashed line.",
		act:    "At the dashed line, the stage behind the queue is the bottleneck. Always at zero, the stage before it is.",
	},
		query{q.sum(series.QueueRows, byStage), "in the queue of {{pipeline}} / {{stage}}"},
		query{q.sum(series.QueueCapacity, byStage), "capacity of {{pipeline}} / {{stage}}"},
		query{q.mean(series.BatchRows, byStage), "rows a batch of {{pipeline}} / {{stage}}"}).
		dashed("B")
}

func waiting(q promql) *panel {
	return newSeries("Waiting (seconds a second)", unitCount, description{
		shows: "The time that producers wait for room in the queue in front of a stage, that sequences of a stage wait for the code that ranges over them, and " +
			"that calls wait for Kafka, in each second. 1 is one worker that always waits.",
		normal: "Near zero. A reader of an idle topic waits all the time, which is no fault.",
		act:    "Producers that wait have a slow stage behind the queue. Sequences that wait have a slow consumer. Writers that wait have a slow broker.",
	},
		query{q.rate(series.Blocked, byStage), "for the queue of {{pipeline}} / {{stage}}"},
		query{q.rate(series.Downstream, byStage), "behind {{pipeline}} / {{stage}}"},
		query{q.rate(series.KafkaBlocked, by{series.Operation, series.Topic}), "to {{operation}} {{topic}}"})
}

func timeOfMessages(q promql) *panel {
	return newSeries("Time in queues and with messages (p95)", unitSeconds, description{
		shows:  "How long items are in the queue in front of each stage, of a sample of them, and how long the handling of a message of each topic takes.",
		normal: "Steady. The time in a queue is its length divided by its throughput.",
		act:    "If the time in the queue grows, its stage is too slow. If the handling of messages grows, see which of the stages inside it does.",
	},
		query{q.quantile("0.95", series.QueueWait, byStage), "queue of {{pipeline}} / {{stage}}"},
		query{q.quantile("0.95", series.KafkaProcessing, byTopic), "message of {{topic}}"}).
		exemplars().linked(stageTraces, pipelineTraces, topicTraces)
}

func lastRuns(c config, q promql) *panel {
	age := func(m series.Metric) string {
		return "time() - " + legible(q.lastSeen(m, byStage))
	}
	late := c.freshness.Seconds()
	return newTable("Last run and last success", unitSeconds, description{
		shows:  "How long ago a run of each stage ended, and how long ago one succeeded. The ages count on after a process has ended.",
		normal: "Both the same, and shorter than the interval of the pipeline.",
		act:    "If only the last success is old, the stage fails: see its errors. If both are old, it does not run: see what starts it.",
	}, byStage, query{age(series.LastRun), "Last run"}, query{age(series.LastSuccess), "Last success"}).
		column("Last success", property{"thresholds", states(late, 2*late)}, property{"custom.cellOptions", object{"type": "color-background", "mode": "basic"}})
}

func errorsByType(q promql) *panel {
	return newSeries("Errors by type", unitErrors, description{
		shows:  "The runs a second that end with a failure, a timeout or a panic, by stage and type of the error.",
		normal: "None, or a low and steady rate that retries absorb.",
		act: "timeout: look at the dependency. panic: look at the last deploy. A type of your own: its name says which rule failed. The traces of the stage show " +
			"single errors.",
	}, query{legible(q.rate(series.Errors, byStage.and(series.ErrorType))), "{{error_type}} in {{pipeline}} / {{stage}}"}).
		stacked().linked(stageTraces, pipelineTraces)
}

func retries(q promql) *panel {
	return newSeries("Retries", unitErrors, description{
		shows:  "The attempts a second after the first one, within the runs of each stage.",
		normal: "None, or a few. Retries come before errors.",
		act:    "Look at the dependency of the stage. Retries without errors still cost time: compare with the durations.",
	}, query{legible(q.rate(series.Retries, byStage)), "{{pipeline}} / {{stage}}"}).
		linked(stageTraces, pipelineTraces)
}
