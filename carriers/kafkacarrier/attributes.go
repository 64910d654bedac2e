// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"net"
	"strconv"
	"strings"
	"unicode/utf8"

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
	keyTemplate      = attribute.Key("messaging.destination.template")
	keyPartition     = attribute.Key("messaging.destination.partition.id") // A string.
	keyConsumerGroup = attribute.Key("messaging.consumer.group.name")
	keyClientID      = attribute.Key("messaging.client.id")
	keyBatchCount    = attribute.Key("messaging.batch.message_count")
	keyOffset        = attribute.Key("messaging.kafka.offset")
	keyMessageKey    = attribute.Key("messaging.kafka.message.key")
	keyTombstone     = attribute.Key("messaging.kafka.message.tombstone")
	keyServerAddress = attribute.Key("server.address")
	keyServerPort    = attribute.Key("server.port")
	keyErrorType     = attribute.Key("error.type")

	// keyHeader starts the attributes of headers, as other instrumentations of
	// OpenTelemetry name them.
	keyHeader = "messaging.header."
)

// The attributes that the conventions have no name for.
const (
	keyLate        = attribute.Key("waybill.late")        // The caller had given up waiting.
	keyQueued      = attribute.Key("waybill.queued")      // A commit was accepted and not yet made.
	keyRedelivered = attribute.Key("waybill.redelivered") // The message was fetched before.
)

// maxKeyBytes is how much of a message key or a header a span holds.
const maxKeyBytes = 128

var systemKafka = keySystem.String("kafka") //nolint:gochecknoglobals // constant.

// operation is what a span or a measurement is of: its name and its type.
type operation struct{ name, kind string }

var (
	opCreate  = operation{name: "create", kind: "create"}   //nolint:gochecknoglobals // constant.
	opSend    = operation{name: "send", kind: "send"}       //nolint:gochecknoglobals // constant.
	opPoll    = operation{name: "poll", kind: "receive"}    //nolint:gochecknoglobals // constant.
	opProcess = operation{name: "process", kind: "process"} //nolint:gochecknoglobals // constant.
	opCommit  = operation{name: "commit", kind: "settle"}   //nolint:gochecknoglobals // constant.
)

func (op operation) attributes() []attribute.KeyValue {
	attributes := make([]attribute.KeyValue, 0, 16)
	attributes = append(attributes, systemKafka, keyOperationName.String(op.name))
	if op.kind != "" {
		attributes = append(attributes, keyOperationType.String(op.kind))
	}
	return attributes
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

// serverAttributes name the server at addr, unless it is several, or none.
func serverAttributes(addr string) []attribute.KeyValue {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil
	}
	return []attribute.KeyValue{keyServerAddress.String(host), keyServerPort.Int(int(number))}
}

// isTombstone reports whether msg deletes its key from a compacted topic.
// kafka-go reads an empty value as nil too, so that looks like one.
func isTombstone(msg *kafka.Message) bool { return msg.Value == nil && msg.Key != nil }

// text returns s as the text of an attribute: valid, and at most maxKeyBytes
// long without cutting a character in two.
func text(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxKeyBytes {
		return s
	}
	cut := maxKeyBytes
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}
