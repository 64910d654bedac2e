// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/propagation"
)

// maxLinks is how many links a span keeps by default.
// https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-limits
const maxLinks = 128

// call is one WriteMessages in flight.
type call struct {
	w       *Writer
	ctx     context.Context //nolint:containedctx // the call outlives WriteMessages when it is asynchronous.
	span    trace.Span      // The send span; nil when it is that of the one message.
	topic   string          // "" when the messages have several.
	started time.Time       // Zero when it is not measured.
	tokens  []token
	open    atomic.Int64          // Messages without an outcome.
	failure atomic.Pointer[error] // The first one.
}

// token is one message of a call. It travels through kafka-go as WriterData.
type token struct {
	call  *call
	data  any        // The user's WriterData.
	span  trace.Span // nil when the message has none of its own.
	topic string
	ended atomic.Bool // Reports whether its span has an outcome.
}

var calls = sync.Pool{New: func() any { return new(call) }} //nolint:gochecknoglobals // a pool is one by nature.

func newCall(ctx context.Context, w *Writer, msgs []kafka.Message) *call {
	c, _ := calls.Get().(*call)
	c.w, c.ctx, c.topic = w, ctx, w.topicOf(&msgs[0])
	c.started = now(ctx, w.instruments().operationDuration)
	if cap(c.tokens) < len(msgs) {
		c.tokens = make([]token, len(msgs))
	}
	c.tokens = c.tokens[:len(msgs)]
	c.open.Store(int64(len(msgs)))
	for i := range msgs {
		t := &c.tokens[i]
		t.call, t.topic = c, w.topicOf(&msgs[i])
		if t.topic != c.topic {
			c.topic = ""
		}
	}
	return c
}

// release ends the use of c, which succeeded: WriteMessages returned after the
// Completion of every message, so kafka-go has none of the tokens any more.
func (c *call) release() {
	clear(c.tokens)
	c.w, c.ctx, c.span, c.tokens = nil, nil, nil, c.tokens[:0]
	calls.Put(c)
}

// open opens the spans of a call, stamps msgs, and puts tokens on them. It
// returns nil when there is nothing to record.
func (w *Writer) open(ctx context.Context, msgs []kafka.Message) *call {
	tracer := w.tracer.Get()
	if _, off := tracer.(noop.Tracer); off && w.to == nil && !w.instruments().enabled(ctx) {
		w.stampOnly(ctx, msgs)
		return nil
	}
	c := newCall(ctx, w, msgs)
	stamper := newStamper(w, msgs)
	switch {
	case len(msgs) == 1:
		c.openSingle(tracer, &msgs[0], stamper) //nolint:contextcheck // headers are read without one.
	case w.cfg.withoutCreate:
		c.openShared(tracer, msgs, stamper) //nolint:contextcheck // headers are read without one.
	default:
		c.openEach(tracer, msgs, stamper) //nolint:contextcheck // headers are read without one.
	}
	stamper.release()
	// Only now: until here WriterData is the user's, for WithMessageContext.
	for i := range msgs {
		c.tokens[i].data, msgs[i].WriterData = msgs[i].WriterData, &c.tokens[i]
	}
	return c
}

// stampOnly stamps msgs when no one records anything.
func (w *Writer) stampOnly(ctx context.Context, msgs []kafka.Message) {
	stamper := newStamper(w, msgs)
	for i := range msgs {
		origin, own := w.origin(ctx, &msgs[i])
		stamper.put(origin, &msgs[i], own)
	}
	stamper.release()
}

// openSingle opens the span of the only message.
func (c *call) openSingle(tracer trace.Tracer, msg *kafka.Message, stamper *stamper) {
	origin, own := c.w.origin(c.ctx, msg)
	existing := c.w.cfg.read(msg)
	kind := trace.SpanKindProducer
	if c.w.keeps(existing) {
		kind = trace.SpanKindClient // The context that creates the message is not its own.
	}
	ctx, span := c.w.begin(origin, tracer, spanClass{opSend, kind, c.topic}, existing)
	if own {
		if ambient := trace.SpanContextFromContext(c.ctx); ambient.IsValid() {
			span.AddLink(trace.Link{SpanContext: ambient})
		}
	}
	c.tokens[0].span = span
	c.w.note(span, msg)
	stamper.put(ctx, msg, true)
}

// openShared opens one span, which the messages share. Those with a context of
// their own carry that instead, and are linked.
func (c *call) openShared(tracer trace.Tracer, msgs []kafka.Message, stamper *stamper) {
	var links []trace.Link
	for i := range msgs {
		if existing := c.w.cfg.read(&msgs[i]); existing.SpanContext().IsValid() {
			links = append(links, existing.Link())
		}
		if origin, own := c.w.origin(c.ctx, &msgs[i]); own {
			links = append(links, trace.Link{SpanContext: trace.SpanContextFromContext(origin)})
		}
	}
	ctx, span := c.w.start(c.ctx, tracer, spanClass{opSend, trace.SpanKindProducer, c.topic}, thinned(links)...)
	c.span = span
	c.count(len(msgs))
	fresh := true
	for i := range msgs {
		origin, own := c.w.origin(ctx, &msgs[i])
		stamper.put(origin, &msgs[i], own || fresh)
		fresh = own
	}
}

// openEach opens a span for each message, and then one for sending them.
func (c *call) openEach(tracer trace.Tracer, msgs []kafka.Message, stamper *stamper) {
	links := make([]trace.Link, 0, len(msgs))
	var unsampled context.Context
	fresh := true
	for i := range msgs {
		msg, token := &msgs[i], &c.tokens[i]
		existing := c.w.cfg.read(msg)
		if c.w.keeps(existing) {
			links = append(links, existing.Link())
			continue
		}
		origin, own := c.w.origin(c.ctx, msg)
		plain := !own && !existing.SpanContext().IsValid()
		if plain && unsampled != nil {
			stamper.put(unsampled, msg, fresh)
			fresh = false
			continue
		}
		ctx, span := c.w.begin(origin, tracer, spanClass{opCreate, trace.SpanKindProducer, token.topic}, existing)
		token.span = span
		c.w.note(span, msg)
		links = append(links, trace.Link{SpanContext: span.SpanContext()})
		stamper.put(ctx, msg, true)
		fresh = true
		if plain && isUnsampledChild(c.ctx, span) {
			unsampled, fresh = ctx, false //nolint:fatcontext // kept, not nested.
		}
	}
	_, c.span = c.w.start(c.ctx, tracer, spanClass{opSend, trace.SpanKindClient, c.topic}, thinned(links)...)
	c.count(len(msgs))
}

// isUnsampledChild reports whether span stands for all others that would be
// started in ctx: its trace is not recorded, so neither are they, and no one
// can tell them apart.
func isUnsampledChild(ctx context.Context, span trace.Span) bool {
	parent := trace.SpanContextFromContext(ctx)
	return parent.IsValid() && !parent.IsSampled() && !span.IsRecording() && !span.SpanContext().IsSampled()
}

// begin opens the span of one message, which continues the context that the
// message carries, if any.
func (w *Writer) begin(ctx context.Context, tracer trace.Tracer, class spanClass, existing propagation.Remote) (context.Context, trace.Span) {
	if existing.SpanContext().IsValid() {
		return w.continues(ctx, class, []propagation.Remote{existing})
	}
	return w.start(ctx, tracer, class)
}

// keeps reports whether a message that carries existing is left as it is.
func (w *Writer) keeps(existing propagation.Remote) bool {
	return w.cfg.keepsExisting() && existing.SpanContext().IsValid()
}

// origin returns the context that msg comes from, and reports whether it is its
// own and not ctx.
func (w *Writer) origin(ctx context.Context, msg *kafka.Message) (origin context.Context, own bool) {
	if w.cfg.messageContext == nil {
		return ctx, false
	}
	defer func() {
		if recover() != nil || origin == nil {
			origin, own = ctx, false //nolint:fatcontext // kept, not nested.
		}
	}()
	return w.cfg.messageContext(*msg), true
}

// thinned returns at most maxLinks of links, chosen evenly.
func thinned(links []trace.Link) []trace.Link {
	if len(links) <= maxLinks {
		return links
	}
	chosen := make([]trace.Link, maxLinks)
	for i := range chosen {
		chosen[i] = links[i*len(links)/maxLinks]
	}
	return chosen
}

// count notes how many messages the send span is for.
func (c *call) count(n int) {
	if c.span.IsRecording() {
		c.span.SetAttributes(keyBatchCount.Int(n))
	}
}

// queued tells that the messages of c are in the queue of the kafka.Writer, by
// 1, or out of it, by -1.
func (c *call) queued(by int) {
	if c.w.backpressure() == nil {
		return
	}
	if c.topic != "" {
		c.w.queued(c.w.templateOf(c.topic), by*len(c.tokens))
		return
	}
	for i := range c.tokens {
		c.w.queued(c.w.templateOf(c.tokens[i].topic), by)
	}
}

// returned notes what WriteMessages of kafka-go returned.
func (c *call) returned(err error) {
	if err == nil && c.w.writer.Async {
		return // The outcome comes later.
	}
	c.queued(-1)
	for i := range c.tokens {
		c.tokens[i].end(err, nil)
	}
	c.end(err)
	if err == nil {
		c.release()
		return
	}
	if _, counted := errors.AsType[kafka.WriteErrors](err); !counted && !isCancellation(c.ctx, err) {
		c.w.failed(opSend, c.w.templateOf(c.topic), errorType(err))
	}
}

// end ends the span of the call and measures it.
func (c *call) end(err error) {
	if c.span != nil {
		c.w.finish(c.ctx, c.span, err)
	}
	if in := c.w.instruments(); in.operationDuration.Enabled(c.ctx) {
		in.time(c.ctx, in.operationDuration, c.started, c.w.measured(opSend, c.topic, -1, err))
	}
}

// end gives the message its outcome: where it was written to, or why it was
// not. It reports false if the message had one already.
func (t *token) end(err error, written []attribute.KeyValue) bool {
	if t.ended.Swap(true) {
		return false
	}
	if t.span != nil {
		t.call.w.finish(t.call.ctx, t.span, err, written...)
	}
	return true
}
