// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

var errNilHandler = errors.New("kafkacarrier: the function that handles the message is nil")

// Process calls fn in the span "process T", which continues the context that
// msg carries, and returns what fn returned. It is for messages of a plain
// kafka.Reader: a [Reader] has a method of the same name, which knows the
// consumer group, and whose messages are counted when they are fetched.
//
// By default a span in ctx stays the parent and the sender is linked; with none
// the sender is the parent, and linked too; [WithStartOptions] changes that.
// The ctx of fn has the deadline and the values of ctx, and the baggage of msg.
//
// An error of fn makes the span an error, with its class in error.type; that
// ctx was cancelled does not. If fn panics, or ends its goroutine, the span
// ends as a panic, and the panic goes on up with its own value. A nil fn is an
// error.
func Process(ctx context.Context, msg kafka.Message, fn func(context.Context) error, opts ...Option) error {
	t := newBriefTelemetry(newConfig(opts))
	t.delivered(orBackground(ctx), opProcess, &msg)
	return t.process(ctx, msg, false, fn)
}

// ProcessBatch calls fn in one span for all of msgs, with a link to the context
// of each, and returns what fn returned. Equal contexts are linked once, and at
// most 128, chosen evenly; the attribute waybill.link_count is how many there
// are, and messaging.batch.message_count how many messages.
//
// What all messages share is on the span, and the topic, partition and offset
// of each are on its link where they differ. Without messages fn is called with
// ctx and no span. In all else it is like [Process].
func ProcessBatch(ctx context.Context, msgs []kafka.Message, fn func(context.Context) error, opts ...Option) error {
	t := newBriefTelemetry(newConfig(opts))
	for i := range msgs {
		t.delivered(orBackground(ctx), opProcess, &msgs[i])
	}
	return t.processBatch(ctx, msgs, fn)
}

// Start is [Process] for a handler that is not a function: it opens the span and
// returns the ctx to handle msg with, and a function that ends the span with
// the error of the handler. It must be called; calls after the first do
// nothing, and it may be called on another goroutine.
func Start(ctx context.Context, msg kafka.Message, opts ...Option) (context.Context, func(error)) {
	t := newBriefTelemetry(newConfig(opts))
	t.delivered(orBackground(ctx), opProcess, &msg)
	return t.startProcess(ctx, msg, false)
}

func (t *telemetry) process(ctx context.Context, msg kafka.Message, redelivered bool, fn func(context.Context) error) error {
	if fn == nil {
		return errNilHandler
	}
	ctx, w := t.openMessage(orBackground(ctx), &msg, redelivered)
	return w.run(ctx, fn)
}

func (t *telemetry) processBatch(ctx context.Context, msgs []kafka.Message, fn func(context.Context) error) error {
	ctx = orBackground(ctx)
	switch {
	case fn == nil:
		return errNilHandler
	case len(msgs) == 0:
		return fn(ctx)
	}
	ctx, w := t.openBatch(ctx, msgs)
	return w.run(ctx, fn)
}

func (t *telemetry) startProcess(ctx context.Context, msg kafka.Message, redelivered bool) (context.Context, func(error)) {
	ctx, w := t.openMessage(orBackground(ctx), &msg, redelivered)
	var ended atomic.Bool
	return ctx, func(err error) {
		if !ended.Swap(true) {
			w.end(ctx, err)
		}
	}
}

// orBackground returns ctx, or the empty context in the place of nil.
func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background() //nolint:forbidigo // a nil ctx means this.
	}
	return ctx
}

// work is one message, or a batch of them, in the hands of a handler.
type work struct {
	t         *telemetry
	span      trace.Span
	started   time.Time
	topic     string // "" for several.
	partition int    // -1 for several.
}

// openMessage opens the span of one message.
func (t *telemetry) openMessage(ctx context.Context, msg *kafka.Message, redelivered bool) (context.Context, *work) { //nolint:revive // redelivered is recorded.
	w := &work{t: t, started: now(ctx, t.instruments().processDuration), topic: msg.Topic, partition: msg.Partition}
	ctx, w.span = t.continues(ctx, spanClass{opProcess, trace.SpanKindConsumer, msg.Topic}, []propagation.Remote{t.cfg.read(msg)}, t.cfg.start...)
	if w.span.IsRecording() {
		attributes := append(make([]attribute.KeyValue, 0, 8), partitionID(msg.Partition), keyOffset.Int64(msg.Offset))
		if redelivered {
			attributes = append(attributes, keyRedelivered.Bool(true))
		}
		w.span.SetAttributes(t.appendContent(attributes, msg)...)
	}
	return ctx, w
}

// appendContent appends what the user wants to see of the content of msg.
func (t *telemetry) appendContent(attributes []attribute.KeyValue, msg *kafka.Message) []attribute.KeyValue {
	if isTombstone(msg) {
		attributes = append(attributes, keyTombstone.Bool(true))
	}
	if t.cfg.formatKey != nil && msg.Key != nil {
		if key, ok := t.formatKey(msg.Key); ok {
			attributes = append(attributes, keyMessageKey.String(text(key)))
		}
	}
	for _, key := range t.cfg.headers {
		var captured []string
		for _, value := range valuesOf(msg.Headers, key) {
			captured = append(captured, text(value))
		}
		if len(captured) > 0 {
			attributes = append(attributes, attribute.StringSlice(keyHeader+strings.ToLower(key), captured))
		}
	}
	return attributes
}

// note puts on span what the user wants to see of the content of msg.
func (t *telemetry) note(span trace.Span, msg *kafka.Message) {
	if span.IsRecording() {
		span.SetAttributes(t.appendContent(nil, msg)...)
	}
}

// formatKey calls the user's formatter, which may panic.
func (t *telemetry) formatKey(key []byte) (formatted string, ok bool) {
	defer contain()
	formatted = t.cfg.formatKey(key)
	return formatted, true
}

// openBatch opens the span of several messages.
func (t *telemetry) openBatch(ctx context.Context, msgs []kafka.Message) (context.Context, *work) {
	w := &work{t: t, started: now(ctx, t.instruments().processDuration)}
	w.topic, w.partition = common(msgs)
	options := append(slices.Clip(t.cfg.start), propagation.WithLinkAttributes(
		func(i int) []attribute.KeyValue { return varying(&msgs[i], w.topic, w.partition) }))
	ctx, w.span = t.continues(ctx, spanClass{opProcess, trace.SpanKindConsumer, w.topic}, t.readAll(msgs), options...)
	if w.span.IsRecording() {
		w.span.SetAttributes(keyBatchCount.Int(len(msgs)))
		if w.partition >= 0 {
			w.span.SetAttributes(partitionID(w.partition))
		}
	}
	return ctx, w
}

func (t *telemetry) readAll(msgs []kafka.Message) []propagation.Remote {
	remotes := make([]propagation.Remote, len(msgs))
	for i := range msgs {
		remotes[i] = t.cfg.read(&msgs[i])
	}
	return remotes
}

// common returns the topic and the partition that all of msgs share, "" and -1
// where they differ.
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

// varying returns what is not on the span of the batch that msg is in.
func varying(msg *kafka.Message, topic string, partition int) []attribute.KeyValue {
	attributes := make([]attribute.KeyValue, 0, 3)
	if topic == "" {
		attributes = append(attributes, keyDestination.String(msg.Topic))
	}
	if partition < 0 {
		attributes = append(attributes, partitionID(msg.Partition))
	}
	return append(attributes, keyOffset.Int64(msg.Offset))
}

// run calls fn and ends the work however fn ends. It does not recover, so that
// a panic keeps its value and its frames.
func (w *work) run(ctx context.Context, fn func(context.Context) error) error {
	outcome := errPanic
	defer func() { w.end(ctx, outcome) }()
	err := fn(ctx)
	outcome = err
	return err
}

// end ends the work with the outcome err.
func (w *work) end(ctx context.Context, err error) {
	w.t.finish(ctx, w.span, err)
	if in := w.t.instruments(); in.processDuration.Enabled(ctx) {
		in.time(ctx, in.processDuration, w.started, w.t.measured(opProcess, w.topic, w.partition, err))
	}
	if err != nil && !isCancellation(ctx, err) {
		w.t.failed(opProcess, w.t.templateOf(w.topic), errorType(err))
	}
}
