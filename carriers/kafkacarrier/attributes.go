// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"strconv"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
)

// The attributes of messaging spans and metrics, and those for Kafka.
// https://opentelemetry.io/docs/specs/semconv/messaging/kafka/
const (
	keySystem        = attribute.Key("messaging.system")
	keyOperationName = attribute.Key("messaging.operation.name")
	keyOperationType = attribute.Key("messaging.operation.type")
	keyDestination   = attribute.Key("messaging.destination.name")
	keyPartition     = attribute.Key("messaging.destination.partition.id") // a string.
	keyConsumerGroup = attribute.Key("messaging.consumer.group.name")
	keyClientID      = attribute.Key("messaging.client.id")
	keyBatchCount    = attribute.Key("messaging.batch.message_count")
	keyOffset        = attribute.Key("messaging.kafka.offset")
	keyTombstone     = attribute.Key("messaging.kafka.message.tombstone")
	keyErrorType     = attribute.Key("error.type")
)

var systemKafka = keySystem.String("kafka") //nolint:gochecknoglobals // constant.

// operation is what a span or a measurement is of.
type operation struct{ name, kind string }

var opProcess = operation{name: "process", kind: "process"} //nolint:gochecknoglobals // constant.

func (op operation) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{systemKafka, keyOperationName.String(op.name), keyOperationType.String(op.kind)}
}

// spanName is the name of a span of op at destination, which may be unknown.
func (op operation) spanName(destination string) string {
	if destination == "" {
		return op.name
	}
	return op.name + " " + destination
}

func partitionID(partition int) attribute.KeyValue {
	return keyPartition.String(strconv.Itoa(partition))
}

// isTombstone reports whether msg deletes its key from a compacted topic.
// kafka-go reads an empty value as nil too, so that looks like one.
func isTombstone(msg *kafka.Message) bool { return msg.Value == nil && msg.Key != nil }
