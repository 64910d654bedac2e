// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/internal/bounded"
)

// The names of the metrics of Kafka, without their namespace.
const (
	kafkaMessages    = "kafka_messages_total"
	kafkaBytes       = "kafka_bytes_total"
	kafkaQueue       = "kafka_queue_seconds"
	kafkaRedelivered = "kafka_redelivered_total"
	kafkaOffsetGaps  = "kafka_offset_gaps_total"
	kafkaErrors      = "kafka_errors_total"
	kafkaQueued      = "kafka_queued_messages"
	kafkaBlocked     = "kafka_blocked_seconds_total"
)

type kafkaSeries struct {
	messages, bytes, redelivered, gaps, errors, blocked *prometheus.CounterVec

	queue  *prometheus.HistogramVec
	queued *prometheus.GaugeVec
	lag    lagSeries
}

func newKafkaSeries(s *series, c config) kafkaSeries {
	traffic := []string{labelTopic, labelPartition, labelDirection}
	return kafkaSeries{
		messages:    s.counter(c, kafkaMessages, "Messages of Kafka that were fetched (in) or written (out).", traffic),
		bytes:       s.counter(c, kafkaBytes, "Bytes of the keys and values of messages that were fetched (in) or written (out).", traffic),
		queue:       s.histogram(c, kafkaQueue, "Time from the timestamp of a message to its fetch.", []string{labelTopic}),
		redelivered: s.counter(c, kafkaRedelivered, "Messages that had been fetched before.", []string{labelTopic}),
		gaps:        s.counter(c, kafkaOffsetGaps, "Gaps in the offsets of fetched messages; compaction and transactions make some too.", []string{labelTopic}),
		errors:      s.counter(c, kafkaErrors, "Operations on Kafka that failed.", []string{labelOperation, labelTopic, labelErrorType}),
		queued:      s.gauge(c, kafkaQueued, "Messages that a writer was given and is not done with.", []string{labelTopic}),
		blocked:     s.counter(c, kafkaBlocked, "Time that calls waited to write messages or for messages to read.", []string{labelOperation, labelTopic}),
		lag:         newLagSeries(s, c),
	}
}

// kafka holds the series of Kafka, looked up once.
type kafka struct {
	topics *limited[*kafkaTopic]
	lags   *lags
}

func newKafka(m *Metrics) *kafka {
	return &kafka{
		topics: newLimited(m, labelTopic, func(topic string) *kafkaTopic { return newKafkaTopic(m, topic) }),
		lags:   newLags(m),
	}
}

// kafkaTopic holds the series of one topic. Those of a direction exist from the
// first message that goes in it.
type kafkaTopic struct {
	sent    func() *kafkaTraffic
	read    func() *kafkaRead
	failed  func(operation, errorType string)
	queued  func() prometheus.Gauge
	blocked *limited[prometheus.Counter] // By operation.
}

// kafkaRead holds the series of a topic that is read.
type kafkaRead struct {
	*kafkaTraffic
	queue             prometheus.Observer
	redelivered, gaps prometheus.Counter
}

func newKafkaTopic(m *Metrics, topic string) *kafkaTopic {
	all := m.series.kafka
	errors := newLimited(m, labelErrorType, func(errorType string) *limited[prometheus.Counter] {
		return newLimited(m, labelOperation, func(operation string) prometheus.Counter {
			return all.errors.WithLabelValues(operation, topic, errorType)
		})
	})
	return &kafkaTopic{
		sent: sync.OnceValue(func() *kafkaTraffic { return newKafkaTraffic(m, topic, "out") }),
		read: sync.OnceValue(func() *kafkaRead {
			return &kafkaRead{
				kafkaTraffic: newKafkaTraffic(m, topic, "in"),
				queue:        all.queue.WithLabelValues(topic),
				redelivered:  all.redelivered.WithLabelValues(topic),
				gaps:         all.gaps.WithLabelValues(topic),
			}
		}),
		failed: func(operation, errorType string) { errors.with(errorType).with(operation).Inc() },
		queued: onFirstUse(all.queued, topic),
		blocked: newLimited(m, labelOperation, func(operation string) prometheus.Counter {
			return all.blocked.WithLabelValues(operation, topic)
		}),
	}
}

// kafkaTraffic counts what goes over the partitions of a topic in one
// direction.
type kafkaTraffic struct {
	partitions *bounded.Table[int, kafkaCounters]
	other      func() kafkaCounters
	overflow   prometheus.Counter
	together   bool // All partitions are counted as one.
}

type kafkaCounters struct{ messages, bytes prometheus.Counter }

func newKafkaTraffic(m *Metrics, topic, direction string) *kafkaTraffic {
	create := func(partition string) kafkaCounters {
		return kafkaCounters{
			messages: m.series.kafka.messages.WithLabelValues(topic, partition, direction),
			bytes:    m.series.kafka.bytes.WithLabelValues(topic, partition, direction),
		}
	}
	return &kafkaTraffic{
		partitions: bounded.NewTable(m.config.labelLimit, func(partition int) kafkaCounters { return create(partitionLabel(partition)) }),
		other:      sync.OnceValue(func() kafkaCounters { return create(otherValue) }),
		overflow:   m.overflows[labelPartition],
		together:   m.config.withoutPartition,
	}
}

// partitionLabel is empty for a partition that is not known.
func partitionLabel(partition int) string {
	if partition < 0 {
		return ""
	}
	return strconv.Itoa(partition)
}

func (t *kafkaTraffic) add(partition, messages, bytes int) {
	if t.together || partition < 0 {
		partition = -1
	}
	counters, ok := t.partitions.Get(partition)
	if !ok {
		t.overflow.Inc()
		counters = t.other()
	}
	counters.messages.Add(float64(max(messages, 0)))
	counters.bytes.Add(float64(max(bytes, 0)))
}

// KafkaSent counts messages that were written.
func (m *Metrics) KafkaSent(topic string, partition, messages, bytes int) {
	if m != nil {
		m.kafka.topics.with(topic).sent().add(partition, messages, bytes)
	}
}

// KafkaFetched counts a message that was fetched, and observes its time in
// queue, unless that is negative, and what lies after it in its partition.
func (m *Metrics) KafkaFetched(group, topic string, partition, bytes int, lag int64, queued time.Duration) {
	if m == nil {
		return
	}
	read := m.kafka.topics.with(topic).read()
	read.add(partition, 1, bytes)
	if queued >= 0 {
		read.queue.Observe(queued.Seconds())
	}
	m.kafka.lags.fetched(group, topic, partition, lag)
}

// KafkaTravelled observes how long a message was on its way, since it was sent
// and since its data set out.
func (m *Metrics) KafkaTravelled(ctx context.Context, _ string, hop, endToEnd time.Duration) {
	if m != nil {
		m.travels.arrived(ctx, carrierKafka, hop, endToEnd)
	}
}

// KafkaCommitted observes what lies after a committed offset.
func (m *Metrics) KafkaCommitted(group, topic string, partition int, lag int64) {
	if m != nil {
		m.kafka.lags.committed(group, topic, partition, lag)
	}
}

// KafkaRedelivered counts a message that had been fetched before.
func (m *Metrics) KafkaRedelivered(_, topic string, _ int) {
	if m != nil {
		m.kafka.topics.with(topic).read().redelivered.Inc()
	}
}

// KafkaSkipped counts a gap in the offsets of a partition.
func (m *Metrics) KafkaSkipped(_, topic string, _ int, _ int64) {
	if m != nil {
		m.kafka.topics.with(topic).read().gaps.Inc()
	}
}

// KafkaRevoked deletes what is known of a partition that is no longer read.
func (m *Metrics) KafkaRevoked(group, topic string, partition int) {
	if m != nil {
		m.kafka.lags.revoked(group, topic, partition)
	}
}

// KafkaFailed counts an operation that failed.
func (m *Metrics) KafkaFailed(operation, topic, errorType string) {
	if m != nil {
		m.kafka.topics.with(topic).failed(operation, errorType)
	}
}

// KafkaQueued observes a change of the number of messages that a writer is not
// done with.
func (m *Metrics) KafkaQueued(topic string, change int) {
	if m != nil {
		m.kafka.topics.with(topic).queued().Add(float64(change))
	}
}

// KafkaBlocked counts the time that a call waited.
func (m *Metrics) KafkaBlocked(operation, topic string, blocked time.Duration) {
	if m != nil {
		m.kafka.topics.with(topic).blocked.with(operation).Add(max(blocked.Seconds(), 0))
	}
}

// KafkaDropped counts telemetry that was lost.
func (m *Metrics) KafkaDropped(reason string) {
	if m != nil {
		m.dropped.with(reason).Inc()
	}
}
