// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"strings"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/messaging"
	"github.com/waybill-go/waybill/internal/safe"
)

// The attributes of messages of Kafka.
// https://opentelemetry.io/docs/specs/semconv/messaging/kafka/
const (
	keyOffset     = attribute.Key("messaging.kafka.offset")
	keyMessageKey = attribute.Key("messaging.kafka.message.key")
	keyTombstone  = attribute.Key("messaging.kafka.message.tombstone")

	// keyHeader precedes the key of a header, as in other instrumentations of
	// OpenTelemetry.
	keyHeader = "messaging.header."
)

// The attributes that the conventions have no name for.
const (
	keyQueued      = attribute.Key("waybill.queued")      // A commit was accepted and not made yet.
	keyRedelivered = attribute.Key("waybill.redelivered") // The message was fetched before.
)

// The limits of what a span shows of a message.
const (
	maxContentBytes = 128 // Of a key or a header.
	maxHeaderValues = 16  // Of the headers with one key.
)

// isTombstone reports whether msg deletes its key from a compacted topic. kafka-go
// reads an empty value as nil too, so it looks like one.
func isTombstone(msg *kafka.Message) bool { return msg.Value == nil && msg.Key != nil }

// isShown reports whether there are attributes for the content of msg.
func (c *content) isShown(msg *kafka.Message) bool {
	return c.key != nil || len(c.headers) > 0 || isTombstone(msg)
}

// appendTo appends the attributes for the content of msg.
func (c *content) appendTo(attributes []attribute.KeyValue, r *messaging.Recorder, msg *kafka.Message) []attribute.KeyValue {
	if isTombstone(msg) {
		attributes = append(attributes, keyTombstone.Bool(true))
	}
	if c.key != nil && msg.Key != nil {
		if key, ok := messaging.Invoke(r, c.key, msg.Key); ok {
			attributes = append(attributes, keyMessageKey.String(safe.Text(key, maxContentBytes)))
		}
	}
	for _, key := range c.headers {
		if values := c.headerValues(r, msg.Headers, key); len(values) > 0 {
			name := keyHeader + strings.ToLower(safe.Text(key, maxContentBytes))
			attributes = append(attributes, attribute.StringSlice(name, values))
		}
	}
	return attributes
}

// headerValues returns what is shown of the first headers with the given key, in
// any case.
func (c *content) headerValues(r *messaging.Recorder, headers []kafka.Header, key string) (values []string) {
	for i, seen := 0, 0; i < len(headers) && seen < maxHeaderValues; i++ {
		if h := &headers[i]; isKey(h.Key, key) && len(h.Value) > 0 {
			seen++
			if value := c.headerValue(r, key, h.Value); value != "" {
				values = append(values, safe.Text(value, maxContentBytes))
			}
		}
	}
	return values
}

// headerValue returns what is shown of the value of a header, which is empty if
// the function of the user panics.
func (c *content) headerValue(r *messaging.Recorder, key string, value []byte) string {
	if c.value == nil {
		return string(value[:min(len(value), 2*maxContentBytes)]) // The rest is cut in any case.
	}
	shown, _ := messaging.Invoke(r, func(value []byte) string { return c.value(key, value) }, value)
	return shown
}

// common returns the topic and the partition that all of msgs share, or the empty
// string and -1 where they differ.
func common(msgs []kafka.Message) (topic string, partition int) {
	topic, partition = msgs[0].Topic, msgs[0].Partition
	for i := range msgs[1:] {
		msg := &msgs[i+1]
		if msg.Topic != topic {
			return "", -1
		}
		if msg.Partition != partition {
			partition = -1
		}
	}
	return topic, partition
}

// varying returns the attributes of msg that are not on the span of its batch.
func varying(msg *kafka.Message, topic string, partition int) []attribute.KeyValue {
	attributes := make([]attribute.KeyValue, 0, 3)
	if topic == "" {
		attributes = append(attributes, messaging.DestinationName(msg.Topic))
	}
	if partition < 0 {
		attributes = append(attributes, messaging.PartitionID(msg.Partition))
	}
	return append(attributes, keyOffset.Int64(msg.Offset))
}
