// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"time"

	"github.com/waybill-go/waybill/observe"
)

// The methods below are for carriers that do not use package observe yet.

// KafkaSent counts messages that were written.
func (m *Metrics) KafkaSent(topic string, partition, messages, bytes int) {
	m.Sent(nil, observe.Send{System: observe.SystemKafka, Destination: topic, Partition: partition, Messages: messages, Bytes: bytes}) //nolint:staticcheck // See above.
}

// KafkaFetched observes a message that was fetched.
func (m *Metrics) KafkaFetched(group, topic string, partition, bytes int, lag int64, queued time.Duration) {
	m.Fetched(nil, observe.Fetch{System: observe.SystemKafka, Group: group, Topic: topic, Partition: partition, Bytes: bytes, Lag: max(lag, 0), Queued: queued}) //nolint:staticcheck // See above.
}

// KafkaTravelled observes how long a message needed.
func (m *Metrics) KafkaTravelled(ctx context.Context, topic string, hop, endToEnd time.Duration) {
	m.Arrived(ctx, observe.Arrival{System: observe.SystemKafka, Destination: topic, Hop: hop, EndToEnd: endToEnd})
}

// KafkaCommitted observes what lies after a committed offset.
func (m *Metrics) KafkaCommitted(group, topic string, partition int, lag int64) {
	m.Committed(nil, observe.Commit{System: observe.SystemKafka, Group: group, Topic: topic, Partition: partition, Lag: lag}) //nolint:staticcheck // See above.
}

// KafkaRedelivered counts a message that had been fetched before.
func (m *Metrics) KafkaRedelivered(group, topic string, partition int) {
	m.Redelivered(observe.Partition{System: observe.SystemKafka, Group: group, Topic: topic, Partition: partition})
}

// KafkaSkipped counts a gap in the offsets of a partition.
func (m *Metrics) KafkaSkipped(group, topic string, partition int, offsets int64) {
	m.Skipped(observe.Gap{Partition: observe.Partition{System: observe.SystemKafka, Group: group, Topic: topic, Partition: partition}, Offsets: offsets})
}

// KafkaRevoked deletes what is known of a partition that is no longer read.
func (m *Metrics) KafkaRevoked(group, topic string, partition int) {
	m.Revoked(observe.Partition{System: observe.SystemKafka, Group: group, Topic: topic, Partition: partition})
}

// KafkaFailed counts an operation that failed.
func (m *Metrics) KafkaFailed(operation, topic, errorType string) {
	m.Failed(nil, observe.Failure{System: observe.SystemKafka, Operation: operation, Destination: topic, ErrorType: errorType}) //nolint:staticcheck // See above.
}

// KafkaQueued observes a change of the number of messages that wait.
func (m *Metrics) KafkaQueued(topic string, change int) {
	m.Queued(observe.Queue{System: observe.SystemKafka, Destination: topic, Change: change})
}

// KafkaBlocked counts the time that a call waited.
func (m *Metrics) KafkaBlocked(operation, topic string, blocked time.Duration) {
	m.Blocked(observe.Block{System: observe.SystemKafka, Operation: operation, Destination: topic, Duration: blocked})
}

// KafkaDropped counts telemetry that was lost.
func (m *Metrics) KafkaDropped(reason string) { m.Dropped(observe.Drop{Reason: reason}) }
