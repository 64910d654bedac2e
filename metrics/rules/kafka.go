// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// The labels that relabeling may add to the series of a topic: its cleanup.policy,
// and whether it is written in transactions.
const (
	cleanupPolicy = "cleanup_policy"
	transactional = "transactional"
)

var (
	groupLabels     = []string{series.Group, series.Topic}
	topicLabels     = []string{series.Topic}
	partitionLabels = []string{series.Group, series.Topic, series.Partition}
)

// topics returns the matchers of a topic, or of all that are not declared if it is
// empty.
func topics(topic string, declared []string) []Matcher {
	if topic != "" {
		return []Matcher{Equal(series.Topic, topic)}
	}
	if others := declared[1:]; len(others) > 0 { // The empty name is the first.
		return []Matcher{noneOf(series.Topic, others...)}
	}
	return nil
}

// lag returns the lag of each partition: the committed one, which a watcher knows
// even if nobody reads, or else the one that the readers know. A partition that was
// read in two processes lately has the larger one.
func (c config) lag(alert string, matchers ...Matcher) string {
	return expand(`
  max by (<by>) (<committed>)
or
  max by (<by>) (<fetched>)`, "by", c.by(partitionLabels...),
		"committed", c.selector(alert, series.KafkaCommittedLag, "", matchers...),
		"fetched", c.selector(alert, series.KafkaLag, "", matchers...))
}

// lagBefore returns the lag as it was a window ago.
func (c config) lagBefore(alert string, window time.Duration, matchers ...Matcher) string {
	before := " offset " + duration(window)
	return expand(`
  max by (<by>) (<committed>)
or
  max by (<by>) (<fetched>)`, "by", c.by(partitionLabels...),
		"committed", c.selector(alert, series.KafkaCommittedLag, "", matchers...)+before,
		"fetched", c.selector(alert, series.KafkaLag, "", matchers...)+before)
}

func (c config) backlog() []Rule {
	var rules []Rule
	declared := slices.Sorted(maps.Keys(c.backlogs))
	for _, topic := range declared {
		rules = append(rules, c.growing(topic, c.backlogs[topic], topics(topic, declared)))
	}
	return append(rules, c.stoppedReading())
}

// growing compares the lag with what is read in the time that a consumer may need.
// What is read is known for all groups of a topic together, so each is taken to
// read its part.
func (c config) growing(topic string, within time.Duration, matchers []Matcher) Rule {
	window := c.windows[AlertBacklog]
	in := append(slices.Clip(matchers), Equal(series.Direction, series.In))
	return c.rule(alert{
		name: AlertBacklog, severity: warning, signal: "growing", declared: of(series.Topic, topic), hold: 10 * time.Minute, variables: groupLabels, board: series.BoardFlow,
		expr: expand(`
sum by (<group>) (
  <lag>
)
>
sum by (<group>) (
  <before>
)
unless
sum by (<group>) (
  <lag>
)
<= on (<topic>) group_left ()
  <seconds>
* sum by (<topic>) (rate(<messages>[<window>]))
/ count by (<topic>) (
    count by (<group>) (
      <lag>
    )
  )`, "group", c.by(groupLabels...), "topic", c.by(topicLabels...), "window", duration(window), "seconds", seconds(within),
			"lag", c.lag(AlertBacklog, matchers...), "before", c.lagBefore(AlertBacklog, window, matchers...),
			"messages", c.selector(AlertBacklog, series.KafkaMessages, "", in...)),
		summary: "Group {{ $labels.group }} falls behind on {{ $labels.topic }}",
		description: "{{ printf \"%.0f\" $value }} messages of topic {{ $labels.topic }} wait for group {{ $labels.group }}. They become more, and at its current rate it needs more than " +
			duration(within) + " for them.",
	})
}

// stoppedReading is about partitions in which messages wait and of which nothing
// is fetched, and about topics that are written and that nobody reads who did so in
// the last day. The second is all that is known of a reader that died, or whose own
// lag stays as it was, unless someone watches the lag.
//
// A lag of 1 may be the marker of a transaction, which nobody fetches, and which
// stays when the topic is idle.
func (c config) stoppedReading() Rule {
	fetched := c.selector(AlertBacklog, series.KafkaLastFetch, "")
	return c.rule(alert{
		name: AlertBacklog, severity: critical, signal: "stopped", hold: 2 * time.Minute, variables: groupLabels, board: series.BoardFlow,
		expr: expand(`
count by (<group>) (
  (
    <lag>
  )
  > 1
unless
  max by (<partition>) (<fetched>) > time() - <seconds>
)
or
count by (<group>) (
  max by (<group>) (max_over_time(<fetched>[<remembered>])) < time() - <seconds>
  and on (<topic>)
  sum by (<topic>) (increase(<written>[<stopped>])) > 0
)`, "group", c.by(groupLabels...), "topic", c.by(topicLabels...), "partition", c.by(partitionLabels...),
			"lag", c.lag(AlertBacklog), "fetched", fetched, "remembered", duration(remembered),
			"seconds", seconds(c.stopped), "stopped", duration(c.stopped),
			"written", c.selector(AlertBacklog, series.KafkaMessages, "", Equal(series.Direction, series.Out))),
		summary:     "Group {{ $labels.group }} does not read {{ $labels.topic }}",
		description: "Messages of topic {{ $labels.topic }} wait, and group {{ $labels.group }} has fetched none for " + duration(c.stopped) + ".",
	})
}

func (c config) dataLoss() []Rule {
	var rules []Rule
	declared := slices.Sorted(maps.Keys(c.losses))
	rules = append(rules, c.lost())
	for _, topic := range declared {
		rules = append(rules, c.missing(topic, c.losses[topic], c.plainTopics(topics(topic, declared)...)))
	}
	return rules
}

// plainTopics returns matchers that leave out topics whose offsets have gaps that
// are no loss.
func (c config) plainTopics(matchers ...Matcher) []Matcher {
	matchers = append(slices.Clip(matchers), NotMatching(cleanupPolicy, ".*compact.*"), NotEqual(transactional, "true"))
	if len(c.gaps) > 0 {
		matchers = append(matchers, noneOf(series.Topic, c.gaps...))
	}
	return matchers
}

// lost is about gaps, which are certain: a reader was handed a later offset and never an earlier one.
// They do not heal, so the alert does not wait.
func (c config) lost() Rule {
	window := c.windows[AlertDataLoss]
	return c.rule(alert{
		name: AlertDataLoss, severity: critical, signal: "gaps", hold: time.Minute, variables: topicLabels, board: series.BoardQuality,
		expr: expand(`
<gaps>
> 0`, "gaps", sum(c.by(topicLabels...), grownInSight(c.selector(AlertDataLoss, series.KafkaOffsetGaps, "", c.plainTopics()...), window))),
		summary: "Messages of topic {{ $labels.topic }} are lost",
		description: "Readers of topic {{ $labels.topic }} met {{ printf \"%.0f\" $value }} gaps in the offsets in the last " + duration(window) +
			": messages were removed before they were read.",
	})
}

// missing balances each partition: what was written in a window, and waited before,
// is read or waits now. It knows the groups that have a lag at both ends of the
// window, and leaves out partitions that are not being read, whose lag is not
// known: those are a backlog.
func (c config) missing(topic string, l loss, matchers []Matcher) Rule {
	window := c.windows[AlertDataLoss]
	direction := func(value string) string {
		return c.selector(AlertDataLoss, series.KafkaMessages, "", append(slices.Clip(matchers), Equal(series.Direction, value))...)
	}
	return c.rule(alert{
		name: AlertDataLoss, severity: warning, signal: "missing", declared: of(series.Topic, topic), hold: l.within, variables: topicLabels, board: series.BoardQuality,
		expr: expand(`
(
  sum by (<topic>) (
    count by (<partition>) (
      <change>
    )
    * sum by (<partition>) (increase(<out>[<window>]))
    + sum by (<partition>) (
      <change>
    )
    - sum by (<partition>) (
      <in>
    )
  and
    max by (<partition>) (<fetched>) > time() - <stopped>
  )
  >= <min>
)
/
sum by (<topic>) (increase(<out>[<window>]))
> <share>`, "topic", c.by(topicLabels...), "partition", c.by(series.Topic, series.Partition),
			"change", expand(`
  (
    <before>
  )
-
  (
    <now>
  )`, "before", c.lagBefore(AlertDataLoss, window, matchers...), "now", c.lag(AlertDataLoss, matchers...)),
			"out", direction(series.Out), "in", grown(direction(series.In), window), "window", duration(window),
			"fetched", c.selector(AlertDataLoss, series.KafkaLastFetch, "", matchers...), "stopped", seconds(c.stopped),
			"min", strconv.Itoa(c.minEvents), "share", number(l.share)),
		summary: "Messages of topic {{ $labels.topic }} are missing",
		description: "{{ $value | humanizePercentage }} of the messages that were written to topic {{ $labels.topic }} in the last " + duration(window) +
			" were neither read nor wait.",
	})
}
