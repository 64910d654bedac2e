// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"strconv"
	"sync"

	"github.com/waybill-go/waybill/internal/bounded"
	"github.com/waybill-go/waybill/observe"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// kafka observes Kafka.
type kafka struct {
	topics    *limited[*kafkaTopic]
	lags      *lags
	latencies *latencies
}

func newKafka(m *Metrics) *kafka {
	return &kafka{
		topics:    newLimited(m, series.Topic, func(topic string) *kafkaTopic { return newKafkaTopic(m, topic) }),
		lags:      newLags(m),
		latencies: m.latencies,
	}
}

// kafkaTopic holds the series of one topic. Those of a direction exist from the
// first message that goes in it, and those of its processing from the first that
// was handled.
type kafkaTopic struct {
	sent       func() *kafkaTraffic
	read       func() *kafkaRead
	processing func() *outcomes
	failed     func(operation, errorType string)
	queued     func() gauge
	blocked    *limited[counter] // By operation.
}

// kafkaRead holds the series of a topic that is read.
type kafkaRead struct {
	*kafkaTraffic

	queue             histogram
	redelivered, gaps counter
}

func newKafkaTopic(m *Metrics, topic string) *kafkaTopic {
	b := m.backend
	errors := newLimited(m, series.ErrorType, func(errorType string) *limited[counter] {
		return newLimited(m, series.Operation, func(operation string) counter {
			return b.counter(series.KafkaErrors, operation, topic, errorType)
		})
	})
	return &kafkaTopic{
		sent: sync.OnceValue(func() *kafkaTraffic { return newKafkaTraffic(m, topic, series.Out) }),
		read: sync.OnceValue(func() *kafkaRead {
			return &kafkaRead{
				kafkaTraffic: newKafkaTraffic(m, topic, series.In),
				queue:        b.histogram(series.KafkaQueue, topic),
				redelivered:  b.counter(series.KafkaRedelivered, topic),
				gaps:         b.counter(series.KafkaOffsetGaps, topic),
			}
		}),
		processing: sync.OnceValue(func() *outcomes { return newOutcomes(b, series.KafkaProcessing, topic) }),
		failed:     func(operation, errorType string) { errors.with(errorType).with(operation).Inc() },
		queued:     onFirstUse(b.gauge, series.KafkaQueued, topic),
		blocked: newLimited(m, series.Operation, func(operation string) counter {
			return b.counter(series.KafkaBlocked, operation, topic)
		}),
	}
}

// kafkaTraffic counts what passes through the partitions of a topic in one
// direction.
type kafkaTraffic struct {
	partitions *bounded.Table[int, kafkaCounters]
	other      func() kafkaCounters
	overflow   counter
	together   bool // All partitions are counted as one.
}

type kafkaCounters struct{ messages, bytes counter }

func newKafkaTraffic(m *Metrics, topic, direction string) *kafkaTraffic {
	create := func(partition string) kafkaCounters {
		return kafkaCounters{
			messages: m.backend.counter(series.KafkaMessages, topic, partition, direction),
			bytes:    m.backend.counter(series.KafkaBytes, topic, partition, direction),
		}
	}
	return &kafkaTraffic{
		partitions: bounded.NewTable(m.config.labelLimit, func(partition int) kafkaCounters { return create(partitionLabel(partition)) }),
		other:      sync.OnceValue(func() kafkaCounters { return create(otherValue) }),
		overflow:   m.overflows[series.Partition],
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
		read.queue.observe(ctx, e.Queued.Seconds())
	}
	k.lags.fetched(e.Group, e.Topic, e.Partition, e.Reader, e.Lag)
}

func (k *kafka) processed(ctx context.Context, e observe.Process) {
	k.topics.with(e.Destination).processing().observe(ctx, e.Outcome, e.Duration)
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
