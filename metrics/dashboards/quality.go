// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"fmt"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// qualitySections judge the data itself.
func qualitySections(c config) []section {
	q := c.promql()
	return []section{
		{title: "Is anything wrong?", lines: [][]*panel{{validNow(q), rejectedByChecks(q), gapsNow(q), watermarkNow(c, q)}}},
		{title: "Is the data valid?", lines: [][]*panel{
			{validShare(q), rejectsByReason(q)},
			{checks(q), documents(q)},
		}},
		{title: "Is the data complete?", lines: [][]*panel{{gaps(q), missing(q)}}},
		{title: "Is the data fresh?", lines: [][]*panel{{rowAge(q), watermarkDelay(q)}}},
	}
}

// share returns a / (a + b), where the series of either may be missing, and nothing
// if both are zero.
func share(a, b string) string {
	return fmt.Sprintf("(%[1]s or 0 * %[2]s) / ((%[1]s or 0 * %[2]s) + (%[2]s or 0 * %[1]s) > 0)", a, b)
}

// valid returns the share of rows that each stage does not reject, of those that come
// out of it either way. A stage that only has checks counts no rows that come out:
// its first check sees all of them. A stage that counts nothing but what it rejects
// lets nothing through.
func valid(q promql) string {
	processed, rejected := q.rate(series.RowsProcessed, byStage), q.rate(series.RowsRejected, byStage)
	checked := fmt.Sprintf("max %s (%s)", byStage, q.rate(series.Checks, byStage.and(series.Check)))
	return or(
		fmt.Sprintf("%[1]s / (%[1]s + (%[2]s or 0 * %[1]s) > 0)", processed, rejected),
		fmt.Sprintf("1 - (%[1]s or 0 * %[2]s) / (%[2]s > 0)", rejected, checked),
		fmt.Sprintf("0 * (%s > 0)", rejected),
	)
}

// rejected returns the share of rows that each check rejects.
func rejected(q promql) string {
	byCheck := byStage.and(series.Check)
	return share(q.rate(series.Checks, byCheck, is(series.Result, series.Rejected)), q.rate(series.Checks, byCheck, is(series.Result, series.Passed)))
}

func validNow(q promql) *panel {
	return newStat("Valid rows", unitShare, "no rows now", statesBelow(0.99, 0.95), description{
		shows:  "The share of rows that the worst stage of each pipeline does not reject, now.",
		normal: "What it always is, often 99 % or more. Orange is below 99 %, and red below 95 %.",
		act:    "See which reason or check rejects more rows than before, and ask who writes the data what changed.",
	}, query{fmt.Sprintf("min %s (%s)", byPipeline, valid(q)), "{{pipeline}}"}).
		decimals(1)
}

func rejectedByChecks(q promql) *panel {
	return newStat("Strictest check", unitShare, "no checks now", states(0.01, 0.05), description{
		shows:  "The share of rows that the check that rejects most of each pipeline rejects, now.",
		normal: "None, or what it always is. Orange is 1 % or more, and red is 5 % or more.",
		act:    "See the checks below for its name. If it rejects all rows at once, the check or the schema changed, and not the data.",
	}, query{fmt.Sprintf("max %s (%s)", byPipeline, rejected(q)), "{{pipeline}}"}).
		decimals(1).zeroIsNone()
}

func gapsNow(q promql) *panel {
	return newStat("Gaps in the offsets", unitCount, "no topics are read", noneAllowed(), description{
		shows:  "The most gaps in the offsets of fetched messages that occurred within one interval of the shown time, by topic.",
		normal: "None. A compacted topic, and one that is written in transactions, always has some.",
		act:    "See below when they began. Messages that were deleted before they were read must be read again from the source.",
	}, query{q.increase(series.KafkaOffsetGaps, byTopic), "{{topic}}"}).
		worst().decimals(0).zeroIsNone()
}

// delay returns how far the watermark of the slowest stage is behind now.
func delay(q promql, b by) string {
	return fmt.Sprintf("time() - min %s (%s)", b, q.max(series.Watermark, byStage))
}

func watermarkNow(c config, q promql) *panel {
	late := c.freshness.Seconds()
	return newStat("Watermark delay", unitSeconds, "no watermarks", states(late, 2*late), description{
		shows:  "How far the watermark of the slowest stage of each pipeline is behind now: the time of events up to which all data was seen.",
		normal: "The interval of the pipeline, and the delay of its source. It grows while the source is idle.",
		act:    "If rows come in and it grows, an input is stuck or sends old events: see the watermarks of the stages below.",
	}, query{delay(q, byPipeline), "{{pipeline}}"})
}

func validShare(q promql) *panel {
	return newSeries("Valid share", unitShare, description{
		shows:  "The share of rows that each stage does not reject.",
		normal: "Flat. A stage that rejects nothing stays at 100 %.",
		act:    "A step down at one time is a change of the source or a deploy. A slow fall is a drift of the data. See the reasons beside.",
	}, query{legible(valid(q)), "{{pipeline}} / {{stage}}"}).
		between(0, 1).linked(stageTraces, pipelineTraces)
}

func rejectsByReason(q promql) *panel {
	return newBars("Rejected rows by reason (top 10)", unitRows, description{
		shows:  "The ten reasons for which most rows are rejected now.",
		normal: "The reasons that you know, at the rates that you know.",
		act:    "A new reason, or a known one that grew, names the rule. Find rejected rows in the dead-letter topic, or in the traces of the stage.",
	}, query{fmt.Sprintf("sort_desc(topk(10, %s))", q.rate(series.RowsRejected, byStage.and(series.Reason))), "{{reason}} in {{pipeline}} / {{stage}}"})
}

func checks(q promql) *panel {
	return newSeries("Rejected share by check", unitShare, description{
		shows:  "The share of rows that each named check of a validate stage rejects. The check of a schema is one of them.",
		normal: "Flat, and near zero.",
		act:    "A check that jumps to 100 % was changed, or its field was renamed at the source. One that grows slowly shows a drift.",
	}, query{rejected(q), "{{check}} in {{pipeline}} / {{stage}}"}).
		between(0, 1).linked(stageTraces, pipelineTraces)
}

func documents(q promql) *panel {
	return newSeries("Messages and documents by outcome", unitPerSec, description{
		shows:  "How many messages of each topic, or batches of them, and documents of each collection were handled in a second, by how that ended.",
		normal: "Success only, with a few others at a deploy.",
		act:    "Failures that repeat at a steady rate are one message that is delivered again and again: see the redeliveries below.",
	},
		query{q.observations(series.KafkaProcessing, byTopic.and(series.Outcome)), "{{outcome}} {{topic}}"},
		query{q.rate(series.MongoDocuments, byCollection.and(series.Outcome)), "{{outcome}} {{collection}}"})
}

func gaps(q promql) *panel {
	return newSeries("Offset gaps and redeliveries", unitPerSec, description{
		shows:  "The gaps in the offsets of fetched messages, and the messages that had been fetched before, in a second.",
		normal: "No gaps. Redeliveries at a restart or a rebalance, and then none.",
		act:    "Gaps are lost messages, unless the topic is compacted or transactional. Steady redeliveries mean that nothing is committed: look for a failing message.",
	},
		query{q.rate(series.KafkaOffsetGaps, byTopic), "gaps in {{topic}}"},
		query{q.rate(series.KafkaRedelivered, byTopic), "again from {{topic}}"}).
		linked(topicTraces)
}

func missing(q promql) *panel {
	sent := q.rate(series.KafkaMessages, byTopic, is(series.Direction, series.Out))
	fetched := q.rate(series.KafkaMessages, byTopic, is(series.Direction, series.In))
	return newSeries("Messages sent and fetched", unitPerSec, description{
		shows: "The messages that are written to each topic (dashed) and fetched from it, in a second, in all measured processes. Each group of consumers " +
			"fetches every message once.",
		normal: "Fetched follows sent, as often as there are groups.",
		act: "If fetched stays below sent and the lag does not grow, messages are missing: compare the offsets. If the lag grows, the consumers are slow. Writers or " +
			"readers that are not measured make a difference that means nothing.",
	},
		query{fetched, "fetched from {{topic}}"},
		query{sent, "sent to {{topic}}"}).
		dashed("B")
}

func rowAge(q promql) *panel {
	return newSeries("Age of rows (p50, p95)", unitSeconds, description{
		shows:  "The time from the event that a row describes until a stage handles it: for half of the rows (p50), and for all but 5 % (p95).",
		normal: "The delay of the source, and that of the pipeline.",
		act:    "If it is far above the end-to-end latency, the source is late. A replay of old data is as old as it looks.",
	},
		query{legible(q.quantile("0.5", series.RowAge, byStage)), "p50 {{pipeline}} / {{stage}}"},
		query{legible(q.quantile("0.95", series.RowAge, byStage)), "p95 {{pipeline}} / {{stage}}"}).
		exemplars().linked(stageTraces, pipelineTraces)
}

func watermarkDelay(q promql) *panel {
	return newSeries("Watermark delay of each stage", unitSeconds, description{
		shows:  "How far the watermark of each stage is behind now.",
		normal: "Steady lines, each a little above that of the stage before it.",
		act:    "A line that rises as fast as time passes is a watermark that stands still. The first such stage on the path holds up the others.",
	}, query{legible(delay(q, byStage)), "{{pipeline}} / {{stage}}"})
}
