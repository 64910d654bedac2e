// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"fmt"
	"strings"
	"time"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// flowSections are the home: the state of all flows in one row, and then where data
// is and how long it takes.
func flowSections(c config) []section {
	q := c.promql()
	return []section{
		{title: "Is anything wrong?", lines: [][]*panel{{c.fresh(q), c.lost(q), c.errors(q), c.behind(q)}}},
		{title: "How late is the data?", lines: [][]*panel{
			{endToEnd(q), timeInPlaces(q)},
		}},
		{title: "Where is the data, and where does its time go?", lines: [][]*panel{
			{mapOfFlow(q), ageAlongPath(q)},
			{timeByStep(q), lagByGroup(q)},
		}},
		{title: "What comes in and out?", lines: [][]*panel{{c.rows(q), bytesByStep(q)}}},
	}
}

func (c config) fresh(q promql) *panel {
	whole := q.lastSeen(series.LastSuccess, byPipeline, is(series.Stage, ""))
	oldest := fmt.Sprintf("min %s (%s)", byPipeline, q.lastSeen(series.LastSuccess, byStage))
	late := c.freshness.Seconds()
	return newStat("Fresh: time since the last success", unitSeconds, "no success in this time", states(late, 2*late), description{
		shows: "The time since the last successful run of each pipeline: of the whole pipeline if its runs are measured, and otherwise of the stage " +
			"whose last success is the oldest. It counts on after a process has ended.",
		normal: fmt.Sprintf("Less than %s, or whatever the interval of the pipeline is. Orange is older than that, and red is twice as old.", spoken(c.freshness)),
		act: "Open Stages from here. If the stage fails, its errors say why. If nothing is in flight, nothing started it: look at the scheduler. " +
			"If it is in flight, it is stuck or slow.",
	}, query{fmt.Sprintf("time() - (%s)", or(whole, oldest)), "{{pipeline}}"}).
		linked(c.toBoard(series.BoardStages, "Stages of this pipeline", series.Pipeline))
}

func (c config) lost(q promql) *panel {
	return newStat("Lost: gaps in the offsets", unitCount, "no topics are read", noneAllowed(), description{
		shows: "The most gaps in the offsets of fetched messages that occurred within one interval of the shown time, by topic. A gap means that messages " +
			"were deleted, or expired, before they were read.",
		normal: "None. A compacted topic, and one that is written in transactions, always has some.",
		act:    "Open Data quality. Compare the retention of the topic with the time that its messages wait, and read the gap again from the source.",
	}, query{q.increase(series.KafkaOffsetGaps, byTopic), "{{topic}}"}).
		worst().decimals(0).zeroIsNone().
		linked(c.toBoard(series.BoardQuality, "Quality of this topic", series.Topic))
}

// spoken returns d without the parts that are zero.
func spoken(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// errorRatio returns the share of failed runs by stage. For a stage without a run in
// the interval, as those of a nightly job are, it is 1 if the last run did not
// succeed, and 0 otherwise.
func errorRatio(q promql) string {
	ratio := fmt.Sprintf("%s / (%s > 0)", q.observations(series.Processing, byStage, failed), q.observations(series.Processing, byStage, finished))
	lastRun := q.max(series.LastRun, byStage)
	lastFailed := fmt.Sprintf("(%s > bool (%s or 0 * %s))", lastRun, q.max(series.LastSuccess, byStage), lastRun)
	return or(ratio, lastFailed)
}

func (c config) errors(q promql) *panel {
	return newStat("Errors: share of failed runs", unitShare, "no runs", states(0.01, 0.05), description{
		shows: "The share of runs that fail now, of the worst stage of each pipeline. Canceled runs do not count. If a stage has no run now, its last run " +
			"counts: 100 % if that did not succeed.",
		normal: "None, or what retries absorb. Orange is 1 % or more, and red is 5 % or more.",
		act:    "Open Stages from here: the errors by type tell whether the data, a dependency or the code is the cause.",
	}, query{fmt.Sprintf("max %s (%s)", byPipeline, errorRatio(q)), "{{pipeline}}"}).
		zeroIsNone().decimals(1).
		linked(c.toBoard(series.BoardStages, "Stages of this pipeline", series.Pipeline), pipelineTraces)
}

// lag returns the messages that a group has not committed yet, or, if it commits
// none, has not fetched yet. Two processes that report a partition during a
// rebalance count once.
func lag(q promql) string {
	byPartition := byGroup.and(series.Partition)
	return fmt.Sprintf("sum %s (%s)", byGroup, or(q.max(series.KafkaCommittedLag, byPartition), q.max(series.KafkaLag, byPartition)))
}

// never stands for the time until a backlog is cleared that does not shrink.
const never = 7 * 24 * time.Hour

func (c config) behind(q promql) *panel {
	backlog := lag(q)
	fetched := or(q.rate(series.KafkaMessages, byTopic, is(series.Direction, series.In)), fmt.Sprintf("0 * sum %s (%s)", byTopic, backlog))
	clear := fmt.Sprintf("clamp_max((%s > 0) / on (%s) group_left () (%s), %.0f)", backlog, series.Topic, fetched, never.Seconds())
	return newStat("Lag: time to read the backlog", unitSeconds, "no groups are watched", states(5*60, 15*60), description{
		shows: "How long each group of consumers needs for the messages that wait for it, at the rate at which its topic is read now. " +
			"If nothing is read, it says that the group has stopped.",
		normal: "None, or some seconds. Orange is 5 minutes or more, and red is 15 minutes or more.",
		act: "Look at the lag below. If it grows while messages are read, the consumers are too slow: look for a stage that waits, or add consumers up to the " +
			"number of partitions. If nothing is read, the consumers are gone or stuck.",
	}, query{or(clear, "0 * "+backlog), "{{group}} on {{topic}}"}).
		zeroIsNone().textFrom(never.Seconds(), "stopped").
		linked(c.toBoard(series.BoardStages, "Stages", series.Topic))
}

func endToEnd(q promql) *panel {
	// The end of a flow is its stage with the highest latency: it grows on the way.
	last := func(phi string) string {
		return fmt.Sprintf("max %s %s", byPipeline, q.quantile(phi, stageEnds, byStage, atStages))
	}
	return newSeries("End-to-end latency", unitSeconds, description{
		shows: "The time from the entry of data into the flow to its last stage in each pipeline: of half of the data (p50), of all but 5 % (p95), and of all " +
			"but 1 % (p99).",
		normal: "Steady, and below what the data's users expect. p99 far above p50 means that a part of the data waits.",
		act:    "Look at the panels below for the step that takes the time. Each point is the exemplar of a flow: open its trace.",
	}, query{last("0.5"), "p50 {{pipeline}}"}, query{last("0.95"), "p95 {{pipeline}}"}, query{last("0.99"), "p99 {{pipeline}}"}).
		exemplars().linked(pipelineTraces)
}

func timeInPlaces(q promql) *panel {
	return newSeries("Time in topics and collections (p95)", unitSeconds, description{
		shows: "How long messages are in a topic before they are fetched, and documents in a collection before they are handled. Messages without a waybill " +
			"are included.",
		normal: "As steady as the latency. A consumer that starts again from an old offset shows old messages.",
		act:    "If it grows, so does the backlog: see the lag of the groups. If it is high and steady, look for a schedule or a batch that waits to be full.",
	},
		query{q.quantile("0.95", series.KafkaQueue, byTopic), "topic {{topic}}"},
		query{q.quantile("0.95", series.MongoQueue, byCollection), "collection {{collection}}"}).
		exemplars().linked(topicTraces)
}

// labelPoint is a label of a point on the path of data: a stage, a topic or a
// collection.
const labelPoint = "point"

// place is what is known of topics or collections, by a label with their name.
type place struct{ expr, label string }

// points joins what is known of stages with what is known of places.
func points(stages string, places ...place) string {
	joined := fmt.Sprintf(`label_join(%s, %q, " / ", %q, %q)`, stages, labelPoint, series.Pipeline, series.Stage)
	all := []string{named(joined, labelPoint, "$1", labelPoint, "(.*) / ")} // Whole runs have no stage.
	for _, p := range places {
		all = append(all, named(p.expr, labelPoint, "$1", p.label, "(.+)"))
	}
	return fmt.Sprintf("max by (%s) (%s)", labelPoint, or(all...))
}

// reached returns the time from the entry of data to each point.
func reached(mean func(series.Metric, by, ...string) string) string {
	return points(mean(stageEnds, byStage, atStages), place{mean(arrivals, byArrival, atDestinations), series.Destination})
}

func mapOfFlow(q promql) *panel {
	stages := or(q.rate(series.RowsProcessed, byStage), q.observations(series.Processing, byStage, succeeded))
	topics := or(q.rate(series.KafkaMessages, byTopic, is(series.Direction, series.In)), q.rate(series.KafkaMessages, byTopic))
	throughput := points("("+stages+")", place{"(" + topics + ")", series.Topic},
		place{q.rate(series.MongoDocuments, byCollection), series.Collection})
	order := or(reached(q.lifetimeMean), "1e9 + 0 * "+throughput) // Where no latency is known, at the end.
	return newBars("Map of the flow: throughput", unitPerSec, description{
		shows: "The rows that come out of each stage, and the messages and documents that pass each topic and collection, now. They are in the order in which " +
			"data reaches them, from the entry at the top; those that no data with a waybill reaches are at the bottom. A stage that counts no rows shows its runs.",
		normal: "Similar lengths along a flow. A step that filters, splits or joins data changes them.",
		act:    "The first bar that is much shorter than the one above is where data waits or is lost. Open its stage.",
	}, query{throughput, "{{point}}"}, query{order, "{{point}}"}).sortedBy("Throughput")
}

func ageAlongPath(q promql) *panel {
	age := or("("+reached(q.mean)+" >= 0)", reached(q.lifetimeMean))
	return newBars("Age of the data along its path", unitSeconds, description{
		shows: "The mean time since the data entered the flow, where it reaches each stage, topic and collection. It is the time of now, or for a step that is " +
			"idle, that of its whole life.",
		normal: "Small steps from bar to bar. The longest step is where the time goes.",
		act:    "If the step ends at a topic or collection, the consumer is late. If it ends at a stage, the stage is slow or waits.",
	}, query{fmt.Sprintf("sort(%s)", age), "{{point}}"})
}

func timeByStep(q promql) *panel {
	stages := fmt.Sprintf("(%s) or on (%s) (%s)",
		q.mean(series.Processing, byStage, isNot(series.Stage, "")), series.Pipeline,
		q.mean(series.Processing, byStage, is(series.Stage, "")))
	return newSeries("Where the time goes", unitSeconds, description{
		shows: "The mean time of each hop (from the sending of data to its arrival) and of each run of a stage, on top of each other. Select one pipeline to see " +
			"the path of its data.",
		normal: "Steady. Hops are short compared to stages, unless data waits on purpose.",
		act:    "The layer that grew is the cause. If it is a hop, add consumers or look for the stage behind it. If it is a stage, open its traces.",
	},
		query{q.mean(hops, byArrival.and(series.Carrier)), "hop to {{destination}} ({{carrier}})"},
		query{legible(stages), "{{pipeline}} / {{stage}}"}).
		stacked().exemplars().linked(stageTraces, pipelineTraces)
}

func lagByGroup(q promql) *panel {
	return newSeries("Lag of consumer groups", unitCount, description{
		shows: "The messages that each group has not committed yet, or not fetched if it commits none, and the messages that a writer has accepted and not " +
			"yet written.",
		normal: "Near zero, or a saw tooth that returns to zero.",
		act:    "If it only grows, the consumers are too slow or gone. If it is flat above zero, a partition has no consumer, or one message fails again and again.",
	},
		query{lag(q), "{{group}} on {{topic}}"},
		query{q.sum(series.KafkaQueued, byTopic), "writers of {{topic}}"}).
		linked(topicTraces)
}

func (c config) rows(q promql) *panel {
	return newSeries("Rows in, out and rejected", unitRows, description{
		shows:  "The rows that each stage reads, hands on and rejects. The run of a whole pipeline has only the rows that its own function counts.",
		normal: "Out is in, minus rejected (dashed), unless the stage filters or splits rows.",
		act: "If in is zero, look at the step before. If out falls behind in, the stage is slow. If rejected rises, open Data quality from here for the " +
			"reasons.",
	},
		query{legible(q.rate(series.RowsRead, byStage)), "in {{pipeline}} / {{stage}}"},
		query{legible(q.rate(series.RowsProcessed, byStage)), "out {{pipeline}} / {{stage}}"},
		query{legible(q.rate(series.RowsRejected, byStage)), "rejected {{pipeline}} / {{stage}}"}).
		dashed("C").linked(c.toBoard(series.BoardQuality, "Quality of this pipeline", series.Pipeline))
}

func bytesByStep(q promql) *panel {
	return newSeries("Bytes", unitBytesSec, description{
		shows:  "The bytes that come into each stage and go out of it, and those of the messages that are fetched from (in) and written to (out) each topic.",
		normal: "In proportion to the rows.",
		act:    "If bytes grow and rows do not, rows became larger: look at what the source changed.",
	},
		query{legible(q.rate(series.Bytes, byStage.and(series.Direction))), "{{direction}} {{pipeline}} / {{stage}}"},
		query{q.rate(series.KafkaBytes, byTopic.and(series.Direction)), "{{direction}} {{topic}}"})
}
