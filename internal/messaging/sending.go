// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// Sending is one call that sends messages. It is begun by [Sending.Begin], after
// which a client opens the spans in one of three ways:
//
//   - [Sending.Single] for a call with one message: one span "send".
//   - [Sending.Create] for each message, then [Sending.Start]: a span "create"
//     for each, and one "send" that is linked to them.
//   - [Sending.Share], where a call has one span for all of its messages.
//
// Each returns the context that the message carries. A Sending may be used again
// when it has ended and all of its messages have.
type Sending struct {
	r           *Recorder
	ctx         context.Context //nolint:containedctx // the call outlives its method if it is asynchronous.
	span        trace.Span      // Nil if it is that of the only message.
	destination string          // Empty if there are several.
	started     time.Time       // Zero if nobody measures.
	messages    int
	pending     atomic.Int64          // Messages without an outcome.
	failure     atomic.Pointer[error] // The first error of a message.

	links    []trace.Link    // To what creates the messages.
	shared   context.Context //nolint:containedctx // stands for the contexts of all messages to sharedTo: see Create.
	sharedTo string
}

// Sent is one message of a Sending.
type Sent struct {
	sending     *Sending
	span        trace.Span // Nil if the message has none of its own.
	destination string
	ended       atomic.Bool // Reports whether the message has an outcome.
}

// Origin says where a message comes from that is sent.
type Origin struct {
	// Context is that of the caller, or the message's own.
	Context context.Context //nolint:containedctx // an argument.
	// IsOwn reports whether it is the message's own.
	IsOwn bool
	// Remote is the context that the message carries already; nil for none.
	Remote *propagation.Remote
	// Creation is the context that the message was created with upstream, if it
	// is forwarded by whoever handles it.
	Creation trace.SpanContext
	// Keep leaves the context that the message carries on it.
	Keep bool
	// IsUnsent reports whether the context that the message carries was written
	// in this process, and the message has not been sent since.
	IsUnsent bool
	// IsUntrusted reports whether the context that the message carries comes
	// from an untrusted source: it is linked and nothing else.
	IsUntrusted bool
}

// Begin makes s a call that sends messages to destination, which is empty if
// they have several.
func (s *Sending) Begin(ctx context.Context, r *Recorder, destination string, messages int) {
	s.r, s.ctx, s.span, s.destination, s.messages = r, ctx, nil, destination, messages
	s.started = r.clock(ctx, r.meters().operation)
	s.pending.Store(int64(messages))
}

// Release makes s forget everything, to be used again.
func (s *Sending) Release() {
	clear(s.links)
	s.r, s.ctx, s.span, s.shared, s.links = nil, nil, nil, nil, s.links[:0]
	s.failure.Store(nil)
}

// Single opens the span of the only message.
func (s *Sending) Single(m *Sent, o *Origin) context.Context {
	kind := trace.SpanKindProducer
	if o.Keep {
		kind = trace.SpanKindClient // The context that creates the message is not its own.
	}
	m.sending, m.destination = s, s.destination
	s.ctx, m.span = s.start(class{Send, kind, s.destination, -1}, o)
	return s.ctx
}

// Create opens the span of one of several messages. It reports false if the
// context that it returns is the one that it returned last.
//
// In a trace that is not recorded, the spans of messages to one destination are
// alike, and one of them stands for all. The sampler is asked for each
// destination.
func (s *Sending) Create(m *Sent, destination string, o *Origin) (ctx context.Context, fresh bool) {
	m.sending, m.destination = s, destination
	if o.Keep {
		s.links = append(s.links, o.Remote.Link())
		return o.Context, true
	}
	plain := !o.IsOwn && o.Remote == nil
	if plain && s.shared != nil && s.sharedTo == destination {
		return s.shared, false
	}
	ctx, m.span = s.start(class{Create, trace.SpanKindProducer, destination, -1}, o)
	sc := m.span.SpanContext()
	s.links = append(s.links, trace.Link{SpanContext: sc})
	if parent := s.r.current(s.ctx); plain && parent.IsValid() && !parent.IsSampled() && !sc.IsSampled() && !s.r.isRecording(m.span) {
		s.shared, s.sharedTo = ctx, destination
	}
	return ctx, true
}

// Start opens the span of the call, when its messages have theirs.
func (s *Sending) Start() {
	s.open(trace.SpanKindClient)
}

// Share opens the span of the call, whose context the messages share. The links
// are to the contexts that messages have of their own.
func (s *Sending) Share(links []trace.Link) context.Context {
	s.links = append(s.links, links...)
	s.open(trace.SpanKindProducer)
	return s.ctx
}

// Relate returns the context that a message carries if nothing is recorded.
func (s *Sending) Relate(o *Origin) context.Context {
	if o.Remote == nil {
		return o.Context
	}
	ctx, span := s.start(class{Send, trace.SpanKindProducer, s.destination, -1}, o)
	s.r.end(span)
	return ctx
}

// Join makes m a message of s that has no span of its own.
func (s *Sending) Join(m *Sent, destination string) { m.sending, m.destination = s, destination }

// open opens the span of the call.
func (s *Sending) open(kind trace.SpanKind) {
	t := s.r.templateOf(class{Send, kind, s.destination, -1})
	options := t.options
	if links := thinned(s.links); len(links) > 0 {
		options = append(options[:len(options):len(options)], trace.WithLinks(links...))
	}
	s.ctx, s.span = s.r.startSpan(s.ctx, t.name, options)
	if s.r.isRecording(s.span) {
		s.r.setAttributes(s.span, MessageCount(s.messages))
	}
}

// maxLinks is how many links a span keeps by default.
// https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-limits
const maxLinks = 128

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

// start opens the span of a message. A span in the context that the message
// comes from is the parent, or else the span that it carries the context of.
// Both are linked, except for one in the context, which is the parent: the span
// of whoever forwards a message is not what created it.
func (s *Sending) start(c class, o *Origin) (context.Context, trace.Span) {
	r, t, ctx := s.r, s.r.templateOf(c), o.Context
	if o.Remote == nil {
		return s.startPlain(ctx, t, o)
	}
	remote, current := *o.Remote, r.current(ctx)
	isCurrent := current.IsValid() && !current.IsRemote() && isSame(current, remote.SpanContext())
	if o.IsUnsent || isCurrent {
		remote = remote.Unsent()
	}
	if isCurrent {
		ctx = trace.ContextWithSpan(remote.Context(ctx), trace.SpanFromContext(ctx))
		return r.startSpan(ctx, t.name, t.linked(o.Creation))
	}
	options := t.related
	if o.IsUntrusted {
		options = append(options[:len(options):len(options)], propagation.WithUntrusted())
	}
	return r.startRelated(ctx, t.name, []propagation.Remote{remote}, options)
}

// startPlain opens the span of a message that carries no context. The span of
// the caller is linked to a single message that comes from elsewhere; that of
// several is linked to all of them.
func (s *Sending) startPlain(ctx context.Context, t *template, o *Origin) (context.Context, trace.Span) {
	if o.IsOwn && s.messages == 1 {
		return s.r.startSpan(ctx, t.name, t.linked(s.r.current(s.ctx)))
	}
	return s.r.startSpan(ctx, t.name, t.options)
}

// isSame reports whether a and b are the same span.
func isSame(a, b trace.SpanContext) bool {
	return a.SpanID() == b.SpanID() && a.TraceID() == b.TraceID()
}

// End gives the message its outcome, with attributes that are known only now. It
// reports false if the message had one already.
func (m *Sent) End(err error, attributes ...attribute.KeyValue) bool {
	if m.ended.Swap(true) {
		return false
	}
	if m.span != nil {
		outcome := observe.Classify(m.sending.ctx, err)
		m.sending.r.finish(m.span, outcome, outcome.ErrorType(err), err, attributes...)
	}
	return true
}

// EndPanicked is End for a call that did not return.
func (m *Sent) EndPanicked() {
	if !m.ended.Swap(true) && m.span != nil {
		m.sending.r.finish(m.span, observe.OutcomePanic, observe.ErrorTypePanic, nil)
	}
}

// IsRecording reports whether attributes of the span of the message are kept.
func (m *Sent) IsRecording() bool { return m.span != nil && m.sending.r.isRecording(m.span) }

// SetAttributes sets attributes of the span of the message.
func (m *Sent) SetAttributes(attributes ...attribute.KeyValue) {
	m.sending.r.setAttributes(m.span, attributes...)
}

// Settle notes that a message has its outcome. It reports true for the last one,
// and returns the first error of all.
func (s *Sending) Settle(err error) (last bool, failure error) {
	if err != nil {
		s.failure.CompareAndSwap(nil, &err)
	}
	if s.pending.Add(-1) > 0 {
		return false, nil
	}
	if first := s.failure.Load(); first != nil {
		return true, *first
	}
	return true, nil
}

// End ends the call. If it failed as a whole, nothing was sent and no message
// tells of it, so isWhole is true.
func (s *Sending) End(err error, isWhole bool) { //nolint:revive // a fact about err.
	outcome := observe.Classify(s.ctx, err)
	s.finish(outcome, outcome.ErrorType(err), err, isWhole)
}

// EndPanicked is End for a call that did not return.
func (s *Sending) EndPanicked() { s.finish(observe.OutcomePanic, observe.ErrorTypePanic, nil, true) }

func (s *Sending) finish(outcome observe.Outcome, errorType string, err error, isWhole bool) { //nolint:revive // a fact about err.
	r, in := s.r, s.r.meters()
	if !s.started.IsZero() {
		r.measure(s.ctx, in, in.operation, time.Since(s.started), series{op: Send, destination: s.destination, partition: -1, errorType: errorType})
	}
	if s.span != nil {
		r.finish(s.span, outcome, errorType, err)
	}
	if isWhole && r.cfg.Observer != nil {
		r.fail(s.ctx, Send, r.destinationOf(s.destination).name, outcome, errorType)
	}
}

// Written describes messages of one partition that a broker has answered for.
type Written struct {
	Destination string
	Partition   int // -1 if the broker does not tell.
	Messages    int
	Bytes       int // Of keys and values.
	Err         error
	IsLate      bool // The caller had given up.
}

// Written counts messages that were written, or could not be.
func (s *Sending) Written(w Written) {
	r, in, errorType := s.r, s.r.meters(), ""
	if w.Err != nil {
		w.Partition, errorType = -1, observe.ErrorType(w.Err)
	}
	r.count(s.ctx, in, in.sent, w.Messages, series{op: Send, destination: w.Destination, partition: w.Partition, errorType: errorType, late: w.IsLate})
	if r.cfg.Observer == nil {
		return
	}
	name := r.destinationOf(w.Destination).name
	if w.Err != nil {
		r.fail(s.ctx, Send, name, observe.OutcomeFailure, errorType)
		return
	}
	r.observeSend(s.ctx, observe.Send{System: r.cfg.System, Destination: name, Partition: w.Partition, Messages: w.Messages, Bytes: w.Bytes})
}
