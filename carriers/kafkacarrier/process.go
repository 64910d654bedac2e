// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"errors"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/scope"
	"github.com/waybill-go/waybill/internal/semconv"
	"github.com/waybill-go/waybill/propagation"
)

var errNilHandler = errors.New("the function that handles the message is nil")

// Process calls fn in the span "process T", which continues the context that
// msg carries, and returns what fn returned. A [Reader] has a method of the
// same name that knows its consumer group.
//
// By default a span in ctx stays the parent and the sender is linked; with none
// the sender is the parent, and linked too; [WithStartOptions] changes that.
// The ctx of fn has the deadline and the values of ctx, and the baggage of msg.
//
// An error of fn makes the span an error with its type in error.type. A panic
// does too, and goes on up with its own value. A nil fn is an error.
func Process(ctx context.Context, msg kafka.Message, fn func(context.Context) error, opts ...Option) error {
	return newProcessor(newConfig(opts)).process(ctx, msg, fn)
}

// ProcessBatch calls fn in one span for all of msgs, with a link to the context
// of each, and returns what fn returned. Equal contexts are linked once, and at
// most 128, chosen evenly; the attribute waybill.link_count is the true number
// and messaging.batch.message_count that of the messages.
//
// What all messages share is on the span, and the topic, partition and offset
// of each that differs are on its link. Without messages fn is called with ctx
// and no span. The ends are those of [Process].
func ProcessBatch(ctx context.Context, msgs []kafka.Message, fn func(context.Context) error, opts ...Option) error {
	return newProcessor(newConfig(opts)).processBatch(ctx, msgs, fn)
}

// processor makes the spans of those who handle messages.
type processor struct {
	cfg    config
	tracer *scope.Tracer
}

func newProcessor(cfg config) *processor {
	return &processor{cfg: cfg, tracer: scope.NewTracer("carriers/kafkacarrier", cfg.tracerProvider, semconv.SchemaURL)}
}

func (p *processor) process(ctx context.Context, msg kafka.Message, fn func(context.Context) error) error {
	if fn == nil {
		return errNilHandler
	}
	ctx, work := p.start(ctx, &msg)
	return work.run(ctx, fn)
}

func (p *processor) processBatch(ctx context.Context, msgs []kafka.Message, fn func(context.Context) error) error {
	switch {
	case fn == nil:
		return errNilHandler
	case len(msgs) == 0:
		return fn(ctx)
	}
	ctx, work := p.startBatch(ctx, msgs)
	return work.run(ctx, fn)
}

// start opens the span of one message.
func (p *processor) start(ctx context.Context, msg *kafka.Message) (context.Context, *work) {
	attributes := append(opProcess.attributes(),
		keyDestination.String(msg.Topic), partitionID(msg.Partition), keyOffset.Int64(msg.Offset))
	if isTombstone(msg) {
		attributes = append(attributes, keyTombstone.Bool(true))
	}
	remotes := []propagation.Remote{p.cfg.read(msg)}
	return p.open(ctx, opProcess.spanName(msg.Topic), remotes, attributes)
}

// startBatch opens the span of several messages.
func (p *processor) startBatch(ctx context.Context, msgs []kafka.Message) (context.Context, *work) {
	topic, partition := common(msgs)
	attributes := append(opProcess.attributes(), keyBatchCount.Int(len(msgs)))
	if topic != "" {
		attributes = append(attributes, keyDestination.String(topic))
	}
	if partition >= 0 {
		attributes = append(attributes, partitionID(partition))
	}
	remotes := make([]propagation.Remote, len(msgs))
	for i := range msgs {
		remotes[i] = p.cfg.read(&msgs[i])
	}
	return p.open(ctx, opProcess.spanName(topic), remotes, attributes,
		propagation.WithLinkAttributes(func(i int) []attribute.KeyValue {
			return varying(&msgs[i], topic, partition)
		}))
}

func (p *processor) open(ctx context.Context, name string, remotes []propagation.Remote,
	attributes []attribute.KeyValue, opts ...propagation.StartOption,
) (context.Context, *work) {
	opts = append(opts, propagation.WithSpanOptions(
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(attributes...)))
	ctx, span := propagation.Start(ctx, p.tracer.Get(), name, remotes, append(opts, p.cfg.start...)...)
	return ctx, &work{span: span}
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

// work is a message, or a batch of them, in the hands of a handler.
type work struct {
	span trace.Span
}

// run calls fn and ends the span however fn ends. It does not recover, so a
// panic keeps its value and its frames.
func (w *work) run(ctx context.Context, fn func(context.Context) error) (err error) {
	returned := false
	defer func() {
		if !returned {
			w.end(ctx, errPanic)
			return
		}
		w.end(ctx, err)
	}()
	err = fn(ctx)
	returned = true
	return err
}

// end ends the span with the outcome err.
func (w *work) end(ctx context.Context, err error) {
	setOutcome(ctx, w.span, err)
	w.span.End()
}

// setOutcome notes err on span. That ctx was cancelled is not an error of the
// one who was told to stop.
func setOutcome(ctx context.Context, span trace.Span, err error) {
	if err == nil || !span.IsRecording() {
		return
	}
	kind := errorType(err)
	span.SetAttributes(keyErrorType.String(kind))
	if !isCancellation(ctx, err) {
		span.SetStatus(codes.Error, kind)
	}
}

func isCancellation(ctx context.Context, err error) bool {
	return errors.Is(err, context.Canceled) && ctx.Err() != nil
}
