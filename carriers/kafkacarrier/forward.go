// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"errors"
	"strconv"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/messaging"
	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/propagation"
)

// The headers that record where a forwarded message came from.
const (
	// HeaderAttempt is how often the message was forwarded, in decimal.
	HeaderAttempt = "waybill-attempt"
	// HeaderOriginalTopic is the topic it was first consumed from.
	HeaderOriginalTopic = "waybill-original-topic"
	// HeaderOriginalPartition is the partition it was first consumed from.
	HeaderOriginalPartition = "waybill-original-partition"
	// HeaderOriginalOffset is the offset it was first consumed at.
	HeaderOriginalOffset = "waybill-original-offset"
)

// Source is where a forwarded message was first consumed from.
type Source struct {
	Topic     string
	Partition int
	Offset    int64
	// Attempt is how often the message was forwarded: 1 for the first time.
	Attempt int
}

// Forward returns msg as it is to be written to topic: a retry topic, or one for
// dead letters. Leave topic empty for a Writer that has a topic.
//
// The result carries exactly one context: the context of the span in ctx, or else
// the one that msg carries, which a [Writer] then continues. A malformed context is
// not copied, and one from an untrusted source is not continued. The result
// carries [HeaderAttempt], one more than msg, and the topic, partition and offset
// that msg was first consumed from; however often a message is forwarded, it has
// each of them once. Other headers keep their order and their bytes; as kafka-go
// reads an empty value as nil, an empty value is written as null.
//
// Forward does not modify msg. The result shares the key, the value and the bytes
// of headers with it. The time and the WriterData are not copied.
func Forward(ctx context.Context, msg kafka.Message, topic string, opts ...ForwardOption) kafka.Message {
	ctx, cfg := safe.Context(ctx), newConfig(opts)
	source, ok := SourceOf(msg)
	if !ok {
		source = Source{Topic: msg.Topic, Partition: msg.Partition, Offset: msg.Offset}
	}
	source.Attempt = min(source.Attempt, maxAttempt-1) + 1

	more := source.headers()
	e := encoded{more: more[:], bothSpellings: cfg.bothSpellings}
	if !cfg.withoutInject {
		remote := propagation.Read(msg.Headers, getter{}, cfg.inbound...)
		if messaging.IsHandling(ctx) {
			messaging.NoteForwarded(ctx, source, remote.SpanContext())
		}
		e.encodeForward(ctx, &msg, &remote, &cfg)
	} else {
		e.measure()
	}
	forwarded := kafka.Message{Topic: topic, Key: msg.Key, Value: msg.Value, Headers: msg.Headers}
	kept, _ := e.kept(msg.Headers)
	e.write(&forwarded, kept)
	return forwarded
}

// encodeForward makes e the context that msg is forwarded with, which came with
// the context remote.
func (e *encoded) encodeForward(ctx context.Context, msg *kafka.Message, remote *propagation.Remote, cfg *config) {
	isUntrusted := propagation.IsUntrusted(ctx)
	if !isUntrusted {
		inSpan := trace.SpanContextFromContext(ctx).IsValid()
		if !inSpan || remote.SpanContext().IsValid() && propagation.Encode(ctx, cfg.outbound...).KeepsExisting() {
			ctx = remote.Context(ctx)
		} else if !messaging.IsHandling(ctx) {
			ctx = withCompanions(ctx, remote)
		}
	}
	e.encodeAlone(ctx, cfg.outbound)
	if e.replacesAll = e.fields.HasTraceContext() || isUntrusted; !e.replacesAll && isMalformed(msg) {
		e.removes = "traceparent"
	}
}

// withCompanions returns ctx with what remote holds besides its span, but for the
// baggage and the waybill if ctx has one.
func withCompanions(ctx context.Context, remote *propagation.Remote) context.Context {
	with := trace.ContextWithSpan(remote.Context(ctx), trace.SpanFromContext(ctx))
	if b := baggage.FromContext(ctx); b.Len() > 0 {
		with = baggage.ContextWithBaggage(with, b)
	}
	if w := propagation.WaybillFromContext(ctx); !w.IsZero() {
		with = propagation.ContextWithWaybill(with, w)
	}
	return with
}

// asTraceContext reads a context as those do who know no other format.
var asTraceContext = propagation.WithPropagator(propagation.TraceContext{})

// isMalformed reports whether msg has a malformed traceparent. Some consumers
// fail on one, so it must not be copied, whatever the format of the propagator.
func isMalformed(msg *kafka.Message) bool {
	err := propagation.Read(msg.Headers, getter{}, asTraceContext).Err()
	_, malformed := errors.AsType[*propagation.MalformedError](err)
	return malformed
}

const (
	// maxAttempt keeps the count of an endless loop from growing longer.
	maxAttempt = 1_000_000
	// maxTopic is the longest name of a topic that Kafka allows.
	maxTopic = 249
)

// headers returns what records s on a message.
func (s Source) headers() [4]kafka.Header {
	const digits = 20
	values := make([]byte, 0, len(s.Topic)+3*digits)
	values = strconv.AppendInt(values, int64(s.Attempt), 10)
	topic := len(values)
	values = append(values, s.Topic...)
	partition := len(values)
	values = strconv.AppendInt(values, int64(s.Partition), 10)
	offset := len(values)
	values = strconv.AppendInt(values, s.Offset, 10)
	return [...]kafka.Header{
		{Key: HeaderAttempt, Value: values[:topic:topic]},
		{Key: HeaderOriginalTopic, Value: values[topic:partition:partition]},
		{Key: HeaderOriginalPartition, Value: values[partition:offset:offset]},
		{Key: HeaderOriginalOffset, Value: values[offset:len(values):len(values)]},
	}
}

// SourceOf returns where a forwarded message was first consumed from. It reports
// false for a message that was not forwarded, or whose headers are not as
// [Forward] writes them.
func SourceOf(msg kafka.Message) (Source, bool) { return sourceOf(msg.Headers) }

func sourceOf(headers []kafka.Header) (s Source, ok bool) {
	attempt, ok := number(headers, HeaderAttempt)
	if !ok || attempt < 1 {
		return Source{}, false
	}
	partition, isPartition := number(headers, HeaderOriginalPartition)
	offset, isOffset := number(headers, HeaderOriginalOffset)
	topic := lookup(headers, HeaderOriginalTopic)
	if !isPartition || !isOffset || !isTopic(topic) {
		return Source{}, false
	}
	return Source{Topic: string(topic), Partition: int(partition), Offset: offset, Attempt: int(attempt)}, true
}

// number returns the number under key. It reports false for one that is negative
// or too large.
func number(headers []kafka.Header, key string) (int64, bool) {
	const maxDigits = 19
	value := lookup(headers, key)
	if len(value) > maxDigits {
		return 0, false
	}
	n, err := strconv.ParseUint(string(value), 10, 63)
	return int64(n), err == nil //nolint:gosec // 63 bits.
}

// isTopic reports whether name is one that Kafka allows.
func isTopic(name []byte) bool {
	for _, c := range name {
		if c != '.' && c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(name) > 0 && len(name) <= maxTopic
}
