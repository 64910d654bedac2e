// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/internal/bounded"
	"github.com/waybill-go/waybill/observe"
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
		queued:      s.gauge(c, kafkaQueued, "Messages that a writer has accepted and that are not done.", []string{labelTopic}),
		blocked:     s.counter(c, kafkaBlocked, "Time that calls waited to write messages or for messages to read.", []string{labelOperation, labelTopic}),
		lag:         newLagSeries(s, c),
	}
}

// kafka observes Kafka.
type kafka struct {
	topics    *limited[*kafkaTopic]
	lags      *lags
	latencies *latencies
}

func newKafka(m *Metrics) *kafka {
	return &kafka{
		topics:    newLimited(m, labelTopic, func(topic string) *kafkaTopic { return newKafkaTopic(m, topic) }),
		lags:      newLags(m),
		latencies: m.latencies,
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

	queue             *timer
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
				queue:        newTimer(all.queue.WithLabelValues(topic), m.config),
				redelivered:  all.redelivered.WithLabelValues(topic),
				gaps:         all.gaps.WithLabelValues(topic),
			}
		}),
		failed: func(operation, errorType string) { errors.with(errorType).with(operation).Inc() },
		queued: gaugeOnFirstUse(all.queued, topic),
		blocked: newLimited(m, labelOperation, func(operation string) prometheus.Counter {
			return all.blocked.WithLabelValues(operation, topic)
		}),
	}
}

// kafkaTraffic counts what passes through the partitions of a topic in one
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

func (k *kafka) sent(e observe.Send) {
	k.topics.with(e.Destination).sent().add(e.Partition, e.Messages, e.Bytes)
}

func (k *kafka) fetched(ctx context.Context, e observe.Fetch) {
	read := k.topics.with(e.Topic).read()
	read.add(e.Partition, 1, e.Bytes)
	if e.Queued >= 0 && k.latencies.isPlausible(e.Queued) {
		read.queue.observe(ctx, e.Queued)
	}
	k.lags.fetched(e.Group, e.Topic, e.Partition, e.Reader, e.Lag)
}

func (k *kafka) committed(e observe.Commit) {
	k.lags.committed(e.Group, e.Topic, e.Partition, e.Reader, e.Lag)
}

func (k *kafka) failed(e observe.Failure) {
	k.topics.with(e.Destination).failed(e.Operation, e.ErrorType)
}

func (k *kafka) redelivered(p observe.Partition) { k.topics.with(p.Topic).read().redelivered.Inc() }

func (k *kafka) skipped(g observe.Gap) { k.topics.with(g.Topic).read().gaps.Inc() }

func (k *kafka) revoked(p observe.Partition) {
	k.lags.revoked(p.Group, p.Topic, p.Partition, p.Reader)
}

func (k *kafka) queued(q observe.Queue) {
	k.topics.with(q.Destination).queued().Add(float64(q.Change))
}

func (k *kafka) blocked(b observe.Block) {
	k.topics.with(b.Destination).blocked.with(b.Operation).Add(max(b.Duration.Seconds(), 0))
}
