// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"errors"
	"strconv"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// The headers that say where a forwarded message came from.
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
// dead letters. Leave topic empty for a Writer that has one of its own.
//
// The result carries exactly one context, in lower-case headers: that of the
// span in ctx, else the one that msg carries, which a [Writer] then continues.
// One that is malformed is not copied on. It carries [HeaderAttempt], one more
// than msg did, and the topic, partition and offset msg was first consumed
// from. However often it is forwarded, it has each of them once. Other headers
// keep their order and their bytes; as kafka-go reads an empty value as nil, an
// empty one goes on as null.
//
// The key, the value and those bytes are shared with msg, and msg is not
// changed. The time and the WriterData are not taken over.
func Forward(ctx context.Context, msg kafka.Message, topic string, opts ...Option) kafka.Message {
	cfg := newConfig(opts)
	forwarded := kafka.Message{Topic: topic, Key: msg.Key, Value: msg.Value, Headers: msg.Headers}
	source, ok := SourceOf(msg)
	if !ok {
		source = Source{Topic: msg.Topic, Partition: msg.Partition, Offset: msg.Offset}
	}
	source.Attempt = min(source.Attempt, maxAttempt-1) + 1

	s, _ := stamps.Get().(*stamp)
	s.reset(nil)
	if !cfg.withoutInject {
		s.takeForward(orBackground(ctx), &msg, &cfg)
	}
	pen{}.Set(s, HeaderAttempt, strconv.Itoa(source.Attempt))
	pen{}.Set(s, HeaderOriginalTopic, source.Topic)
	pen{}.Set(s, HeaderOriginalPartition, strconv.Itoa(source.Partition))
	pen{}.Set(s, HeaderOriginalOffset, strconv.FormatInt(source.Offset, 10))
	s.apply(&forwarded)
	s.reset(nil)
	stamps.Put(s)
	return forwarded
}

// replacing makes an inject clear what is there even when it writes nothing.
var replacing = propagation.WithPolicy(propagation.Replace) //nolint:gochecknoglobals // constant.

// takeForward fills s with the context that msg goes on with.
func (s *stamp) takeForward(ctx context.Context, msg *kafka.Message, cfg *config) {
	remote := cfg.read(msg) //nolint:contextcheck // headers are read without one.
	switch {
	case cfg.keepsExisting() && remote.SpanContext().IsValid(), !trace.SpanContextFromContext(ctx).IsValid():
		ctx = remote.Context(ctx)
	case propagation.WaybillFromContext(ctx).IsZero():
		ctx = propagation.ContextWithWaybill(ctx, remote.Waybill())
	}
	opts := append(make([]propagation.Option, 0, len(cfg.outbound)+1), cfg.outbound[:cfg.outbounds]...)
	s.take(ctx, msg.Headers, append(opts, replacing))
	if isMalformed(msg) { //nolint:contextcheck // headers are read without one.
		pen{}.Delete(s, "traceparent")
	}
}

// asTraceContext reads a context as those do who know no other format.
var asTraceContext = propagation.WithPropagator(propagation.TraceContext{}) //nolint:gochecknoglobals // constant.

// isMalformed reports whether msg has a traceparent that is none. Some consumers
// fail on one, so it must not go on, whatever the format of the propagator.
func isMalformed(msg *kafka.Message) bool {
	err := propagation.Read(msg.Headers, getter{}, asTraceContext).Err()
	_, malformed := errors.AsType[*propagation.MalformedError](err)
	return malformed
}

const (
	// maxAttempt keeps the count of a loop that never ends from growing longer.
	maxAttempt = 1_000_000
	// maxTopic is the longest name of a topic that Kafka allows.
	maxTopic = 249
)

// SourceOf returns where a message that was forwarded was first consumed from.
// It reports false for one that was not, and for one whose headers are not what
// [Forward] writes.
func SourceOf(msg kafka.Message) (Source, bool) {
	var s Source
	var err error
	if s.Attempt, err = number(msg.Headers, HeaderAttempt); err != nil || s.Attempt < 1 {
		return Source{}, false
	}
	if s.Partition, err = number(msg.Headers, HeaderOriginalPartition); err != nil {
		return Source{}, false
	}
	offset, err := number(msg.Headers, HeaderOriginalOffset)
	if err != nil {
		return Source{}, false
	}
	s.Offset = int64(offset)
	topic := lookup(msg.Headers, HeaderOriginalTopic)
	if !isTopic(topic) {
		return Source{}, false
	}
	s.Topic = string(topic)
	return s, true
}

// number returns the number under key, which is not negative.
func number(headers []kafka.Header, key string) (int, error) {
	const maxDigits = 19
	value := lookup(headers, key)
	if len(value) > maxDigits {
		return 0, strconv.ErrRange
	}
	n, err := strconv.ParseUint(string(value), 10, 63)
	return int(n), err //nolint:gosec // 63 bits.
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
