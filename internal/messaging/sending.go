// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// Sending is one call of a client that sends messages. [Sending.Begin] begins it.
// Then the client opens its spans in one of three ways:
//
//   - [Sending.Single] for a call with one message: one span "send".
//   - [Sending.Create] for each message, then [Sending.Start]: a span "create"
//     for each, and one "send" that is linked to them.
//   - [Sending.Share], where a call has one span for all of its messages.
//
// Single, Create and Share return the context that messages carry. A message ends
// by an [Answer], and the call by [Sending.Returned] or, if it is asynchronous, by
// the answer to its last message. A Sending may be used again after
// [Sending.Release].
type Sending struct {
	r       *Recorder
	tracer  trace.Tracer
	in      *instruments
	ctx     context.Context //nolint:containedctx // the call may outlive its method.
	span    trace.Span      // Nil if the only message has the span.
	started time.Time       // Zero if nobody measures.

	isAsync     bool
	destination string // Empty if the messages have several.
	sent        []Sent
	pending     atomic.Int64          // Messages without an outcome.
	failure     atomic.Pointer[error] // The first error of a message.

	links    []trace.Link    // To what creates the messages.
	shared   context.Context //nolint:containedctx // stands for those of all messages to sharedTo: see Create.
	sharedTo string
}

// Sent is one message of a Sending.
type Sent struct {
	Data any // For the client.

	sending     *Sending
	span        trace.Span // Nil if the message has none of its own.
	destination string
	ended       atomic.Bool // Reports whether the message has an outcome.
}

// Origin says where a message comes from that is sent.
type Origin struct {
	// Context is the context of the caller, or the message's own.
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

// Begin makes s a call that sends so many messages, whose destinations
// [Sending.Address] sets. It reports whether there is anything to record.
func (s *Sending) Begin(ctx context.Context, r *Recorder, messages int) bool {
	s.r, s.tracer, s.in, s.ctx = r, r.tracer.Get(), r.meters(), ctx
	if cap(s.sent) < messages {
		s.sent = make([]Sent, messages)
	}
	s.sent, s.destination = s.sent[:messages], ""
	s.pending.Store(int64(messages))
	isTimed := r.isEnabled(ctx, s.in.operation)
	if isTimed || r.cfg.Observer != nil {
		s.started = time.Now()
		return true
	}
	_, isOff := s.tracer.(noop.Tracer)
	return !isOff || r.isEnabled(ctx, s.in.sent)
}

// Address sets the destination of message i. It is called for all in order.
func (s *Sending) Address(i int, destination string) {
	s.sent[i].sending, s.sent[i].destination = s, destination
	if i == 0 {
		s.destination = destination
	} else if s.destination != destination {
		s.destination = ""
	}
}

// Sent returns message i.
func (s *Sending) Sent(i int) *Sent { return &s.sent[i] }

// Destination returns the destination of all messages; it is empty if they have
// several.
func (s *Sending) Destination() string { return s.destination }

// Release makes s forget everything, to be used again. It must not be called
// before all messages have an outcome, or if any is still known elsewhere.
func (s *Sending) Release() {
	clear(s.sent)
	clear(s.links)
	s.r, s.tracer, s.in, s.ctx, s.span, s.started, s.isAsync = nil, nil, nil, nil, nil, time.Time{}, false
	s.sent, s.links, s.shared = s.sent[:0], s.links[:0], nil
	s.failure.Store(nil)
}

// Single opens the span of the only message.
func (s *Sending) Single(o *Origin) context.Context {
	kind := trace.SpanKindProducer
	if o.Keep {
		kind = trace.SpanKindClient // The context that creates the message is not its own.
	}
	s.ctx, s.sent[0].span = s.start(class{Send, kind, s.destination, -1}, o)
	return s.ctx
}

// Create opens the span of message i of several. It reports false if the context
// that it returns is the one that it returned last.
//
// In a trace that is not recorded, the spans of messages to one destination are
// alike, and one of them stands for all. The sampler is asked for each
// destination.
func (s *Sending) Create(i int, o *Origin) (ctx context.Context, fresh bool) {
	m := &s.sent[i]
	if o.Keep {
		s.links = append(s.links, o.Remote.Link())
		return o.Context, true
	}
	plain := !o.IsOwn && o.Remote == nil
	if plain && s.shared != nil && s.sharedTo == m.destination {
		return s.shared, false
	}
	ctx, m.span = s.start(class{Create, trace.SpanKindProducer, m.destination, -1}, o)
	sc := m.span.SpanContext()
	s.links = append(s.links, trace.Link{SpanContext: sc})
	if plain && !sc.IsSampled() && s.isUnrecorded(m.span) {
		s.shared, s.sharedTo = ctx, m.destination
	} else {
		s.shared = nil
	}
	return ctx, true
}

// isUnrecorded reports whether span and the one in ctx are not recorded.
func (s *Sending) isUnrecorded(span trace.Span) bool {
	parent := s.r.current(s.ctx)
	return parent.IsValid() && !parent.IsSampled() && !s.r.isRecording(span)
}

// Start opens the span of the call, when its messages have theirs.
func (s *Sending) Start() { s.open(trace.SpanKindClient) }

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

// open opens the span of the call.
func (s *Sending) open(kind trace.SpanKind) {
	t := s.r.templateOf(class{Send, kind, s.destination, -1})
	options := t.options
	if links := thinned(s.links); len(links) > 0 {
		options = append(slices.Clip(options), trace.WithLinks(links...))
	}
	s.ctx, s.span = s.r.startSpan(s.ctx, s.tracer, t.name, options)
	if s.r.isRecording(s.span) {
		s.r.setAttributes(s.span, MessageCount(len(s.sent)))
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
		return r.startSpan(ctx, s.tracer, t.name, t.linked(o.Creation))
	}
	options := t.related
	if o.IsUntrusted {
		options = append(slices.Clip(options), propagation.WithUntrusted())
	}
	return r.startRelated(ctx, t.name, []propagation.Remote{remote}, options)
}

// startPlain opens the span of a message that carries no context. The span of
// the caller is linked to a single message that comes from elsewhere; that of
// several is linked to all of them.
func (s *Sending) startPlain(ctx context.Context, t *template, o *Origin) (context.Context, trace.Span) {
	if o.IsOwn && len(s.sent) == 1 {
		return s.r.startSpan(ctx, s.tracer, t.name, t.linked(s.r.current(s.ctx)))
	}
	return s.r.startSpan(ctx, s.tracer, t.name, t.options)
}

// isSame reports whether a and b are the same span.
func isSame(a, b trace.SpanContext) bool {
	return a.SpanID() == b.SpanID() && a.TraceID() == b.TraceID()
}

// Accepted notes that the client is about to be given the messages. If isAsync,
// the call does not wait for their outcome.
func (s *Sending) Accepted(isAsync bool) {
	s.isAsync = isAsync
	s.queued(1)
}

// queued reports that the messages are in the queue of the client, by 1, or no
// longer in it, by -1.
func (s *Sending) queued(by int) {
	switch {
	case s.r.backpressure() == nil:
	case s.destination != "":
		s.r.queuedTo(s.destination, by*len(s.sent))
	default:
		for i := range s.sent {
			s.r.queuedTo(s.sent[i].destination, by)
		}
	}
}

// Returned ends a call that returned err to its caller, unless it succeeded and is
// asynchronous. It reports whether the messages are known nowhere else any more.
// If the call failed as a whole, nothing was sent, and no answer reports a failure.
func (s *Sending) Returned(err error, asWhole bool) (isOver bool) {
	if err == nil && s.isAsync {
		return false
	}
	s.queued(-1)
	for i := range s.sent {
		s.sent[i].end(err)
	}
	s.end(err, asWhole)
	return err == nil
}

// Panicked ends a call that did not return.
func (s *Sending) Panicked() {
	s.queued(-1)
	for i := range s.sent {
		if m := &s.sent[i]; !m.ended.Swap(true) && m.span != nil {
			s.r.finish(m.span, observe.OutcomePanic, observe.ErrorTypePanic, nil)
		}
	}
	s.finish(observe.OutcomePanic, observe.ErrorTypePanic, nil, true)
}

func (s *Sending) end(err error, asWhole bool) {
	if err == nil {
		s.finish(observe.OutcomeSuccess, "", nil, false)
		return
	}
	outcome := observe.Classify(s.ctx, err)
	s.finish(outcome, outcome.ErrorType(err), err, asWhole)
}

func (s *Sending) finish(outcome observe.Outcome, errorType string, err error, asWhole bool) { //nolint:revive // a fact about err.
	if !s.started.IsZero() {
		s.r.measure(s.ctx, s.in, s.in.operation, time.Since(s.started),
			series{op: Send, destination: s.destination, partition: -1, errorType: errorType})
	}
	if s.span != nil {
		s.r.finish(s.span, outcome, errorType, err)
	}
	if asWhole && s.r.cfg.Observer != nil {
		s.r.fail(s.ctx, Send, s.r.destinationOf(s.destination).name, outcome, errorType)
	}
}

// Owner returns the Recorder that records the message.
func (m *Sent) Owner() *Recorder { return m.sending.r }

// Destination returns the destination of the message.
func (m *Sent) Destination() string { return m.destination }

// IsRecording reports whether attributes of the span of the message are kept.
func (m *Sent) IsRecording() bool { return m.span != nil && m.sending.r.isRecording(m.span) }

// SetAttributes sets attributes of the span of the message.
func (m *Sent) SetAttributes(attributes ...attribute.KeyValue) {
	m.sending.r.setAttributes(m.span, attributes...)
}

// end gives the message its outcome, with attributes that are known only now. It
// reports false if the message had one already.
func (m *Sent) end(err error, attributes ...attribute.KeyValue) bool {
	if m.ended.Swap(true) {
		return false
	}
	switch r := m.sending.r; {
	case m.span == nil:
	case err == nil:
		r.finish(m.span, observe.OutcomeSuccess, "", nil, attributes...)
	default:
		outcome := observe.Classify(m.sending.ctx, err)
		r.finish(m.span, outcome, outcome.ErrorType(err), err, attributes...)
	}
	return true
}

// settle notes that a message has its outcome. The last one ends an asynchronous
// call with the first error of all.
func (s *Sending) settle(err error) {
	if err != nil {
		s.fail(err)
	}
	if s.pending.Add(-1) > 0 || !s.isAsync {
		return
	}
	var first error
	if failure := s.failure.Load(); failure != nil {
		first = *failure
	}
	s.end(first, false)
}

// fail keeps the first error.
func (s *Sending) fail(err error) { s.failure.CompareAndSwap(nil, &err) }

// Answer is what became of messages of one partition, possibly of several calls,
// about which a broker has answered, or will not answer.
type Answer struct {
	Err error
	// Partition is where the messages were written; -1 if the broker does not
	// tell.
	Partition int

	onTime, late share
}

// share is the messages of an answer that came in time, or late, when the caller
// had given up.
type share struct {
	first           *Sent
	messages, bytes int
}

// Add gives a message its outcome, with attributes that are known only now. Its
// key and value have so many bytes.
func (a *Answer) Add(m *Sent, bytes int, attributes ...attribute.KeyValue) {
	s := &a.late
	if m.end(a.Err, attributes...) {
		s = &a.onTime
	}
	if s.first == nil {
		s.first = m
	}
	s.messages++
	s.bytes += bytes
	m.sending.settle(a.Err)
}

// Report counts the messages that were added.
func (a *Answer) Report() {
	a.report(&a.onTime, false)
	a.report(&a.late, true)
}

func (a *Answer) report(s *share, isLate bool) {
	if s.first == nil {
		return
	}
	call, destination := s.first.sending, s.first.destination
	r := call.r
	if call.isAsync {
		r.queuedTo(destination, -s.messages)
	}
	partition, errorType := a.Partition, ""
	if a.Err != nil {
		partition, errorType = -1, observe.ErrorType(a.Err)
	}
	r.count(call.ctx, call.in, call.in.sent, s.messages, series{op: Send, destination: destination, partition: partition, errorType: errorType, late: isLate})
	switch {
	case r.cfg.Observer == nil:
	case a.Err != nil:
		r.fail(call.ctx, Send, r.destinationOf(destination).name, observe.OutcomeFailure, errorType)
	default:
		r.observeSend(call.ctx, observe.Send{
			System: r.cfg.System, Destination: r.destinationOf(destination).name, Partition: partition, Messages: s.messages, Bytes: s.bytes,
		})
	}
}
