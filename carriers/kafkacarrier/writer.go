// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/messaging"
	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/propagation"
)

// ErrNil is returned when the value to wrap is nil.
var ErrNil = errors.New("kafkacarrier: the value to wrap is nil")

// MessageWriter is the interface of the methods that a kafka.Writer and a [Writer]
// have in common, for code that accepts either, or a fake.
type MessageWriter interface {
	WriteMessages(ctx context.Context, msgs ...kafka.Message) error
	Stats() kafka.WriterStats
	Close() error
}

// Writer is a kafka.Writer that writes a context to each message and records what
// becomes of it. It is made by [NewWriter] and is safe for concurrent use, as a
// kafka.Writer is.
type Writer struct {
	writer   *kafka.Writer // Nil for none.
	config   config
	recorder *messaging.Recorder

	keepsExisting bool // Reports whether a context that a message carries stays on it.
}

var (
	_ MessageWriter = (*Writer)(nil)
	_ MessageWriter = (*kafka.Writer)(nil)
)

// NewWriter returns a Writer of w. Wrap w before using it, and do not change its
// configuration afterwards. If w is nil, WriteMessages returns [ErrNil], and Close
// does nothing.
//
// NewWriter replaces w.Completion with a function that records the outcome of
// each message before calling the original, and w.Balancer with one that restores
// the caller's WriterData before delegating to the original. A kafka.Writer may
// be wrapped twice: a message is recorded by the Writer it was written to.
func NewWriter(w *kafka.Writer, opts ...WriterOption) *Writer {
	cfg := newConfig(opts)
	if w != nil {
		cfg.recorder.ClientID, cfg.recorder.Server = clientIDOf(w.Transport), serverOf(w.Addr)
	}
	wrapped := &Writer{writer: w, config: cfg, recorder: messaging.New(cfg.recorder), keepsExisting: keepsExisting(&cfg)}
	if w == nil {
		return wrapped
	}
	original := w.Completion
	w.Completion = func(msgs []kafka.Message, err error) {
		complete(wrapped.recorder, msgs, err, w.RequiredAcks)
		if original != nil {
			original(msgs, err)
		}
	}
	if w.Balancer != nil {
		w.Balancer = balancer{wrapped.recorder, w.Balancer}
	}
	return wrapped
}

// keepsExisting reports whether the policy is propagation.KeepExisting.
func keepsExisting(cfg *config) bool {
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}})
	opts := append(slices.Clip(cfg.outbound), propagation.WithoutJournal())
	return propagation.Encode(trace.ContextWithSpanContext(safe.Context(nil), sc), opts...).KeepsExisting() //nolint:staticcheck // nil is taken.
}

// WriteMessages calls WriteMessages of the kafka.Writer and returns its result.
// The messages, their headers and their WriterData are not modified: copies are
// written. A nil ctx is treated as context.Background().
//
// A single message is sent by one PRODUCER span "send T" to the topic T. Several
// messages are sent by one CLIENT span, which is linked to a PRODUCER span
// "create T" for each of them, so that each message has a context of its own. A
// message that carries a context, such as one made by [Forward], continues it, or
// is linked to it if ctx has a span.
//
// The span of a message ends with its outcome, when the broker has answered, and
// has its partition and offset. If ctx ends before, the span ends too; a delivery
// after that is counted as late. A context that would make a message exceed
// BatchBytes is left out, part by part.
func (w *Writer) WriteMessages(ctx context.Context, msgs ...kafka.Message) error {
	if w.writer == nil {
		return ErrNil
	}
	ctx = safe.Context(ctx)
	if len(msgs) == 0 {
		return w.writer.WriteMessages(ctx)
	}
	c := newCall(&w.config, w.recorder, w.batchBytes(), msgs)
	if w.config.withTimestamps {
		setTimes(c.messages, time.Now())
	}
	if !c.sending.Begin(ctx, w.recorder, len(msgs)) {
		return w.sendUnseen(ctx, c, msgs)
	}
	for i := range msgs {
		c.sending.Address(i, w.topicOf(&msgs[i]))
	}
	switch {
	case len(msgs) == 1:
		w.openSingle(ctx, c)
	case w.config.recorder.WithoutCreateSpan:
		w.openShared(ctx, c)
	default:
		w.openEach(ctx, c)
	}
	c.attach() // Only now: until here WriterData is the caller's, for WithMessageContext.
	return w.send(ctx, c, msgs)
}

func (w *Writer) openSingle(ctx context.Context, c *call) {
	o := w.origin(ctx, &c.messages[0])
	carried := c.sending.Single(&o)
	w.note(c, 0)
	if !o.Keep {
		c.write(carried, 0, c.sending.Sent(0).Destination(), true)
	}
}

// openEach opens a span for each message, and then one for sending them.
func (w *Writer) openEach(ctx context.Context, c *call) {
	for i := range c.messages {
		o := w.origin(ctx, &c.messages[i])
		carried, fresh := c.sending.Create(i, &o)
		if o.Keep {
			continue
		}
		w.note(c, i)
		c.write(carried, i, c.sending.Sent(i).Destination(), fresh)
	}
	c.sending.Start()
}

// openShared opens one span, whose context the messages share. Those with a
// context of their own carry that instead, and are linked.
func (w *Writer) openShared(ctx context.Context, c *call) {
	var links []trace.Link
	origins := make([]messaging.Origin, len(c.messages))
	for i := range c.messages {
		o := &origins[i]
		*o = w.origin(ctx, &c.messages[i])
		if o.Remote != nil {
			links = append(links, o.Remote.Link())
		}
		if o.IsOwn {
			links = append(links, trace.Link{SpanContext: trace.SpanContextFromContext(o.Context)})
		}
	}
	shared, fresh := c.sending.Share(links), true
	for i := range c.messages {
		switch o := &origins[i]; {
		case o.Keep:
		case o.IsOwn:
			c.write(o.Context, i, c.sending.Sent(i).Destination(), true)
			fresh = true
		default:
			c.write(shared, i, c.sending.Sent(i).Destination(), fresh)
			fresh = false
		}
	}
}

// note shows the content of message i on its span.
func (w *Writer) note(c *call, i int) {
	if msg := &c.messages[i]; w.config.content.isShown(msg) && c.sending.Sent(i).IsRecording() {
		c.sending.Sent(i).SetAttributes(w.config.content.appendTo(nil, w.recorder, msg)...)
	}
}

// origin returns where msg comes from.
func (w *Writer) origin(ctx context.Context, msg *kafka.Message) messaging.Origin {
	o := messaging.Origin{Context: ctx}
	if f := w.config.messageContext; f != nil {
		if own, ok := messaging.Invoke(w.recorder, f, *msg); ok && own != nil {
			o.Context, o.IsOwn = own, true
		}
	}
	if carriesContext(msg.Headers, w.config.inbound) {
		w.setRemote(&o, msg)
	}
	return o
}

// setRemote notes the context that a message carries, if there is one.
func (w *Writer) setRemote(o *messaging.Origin, msg *kafka.Message) {
	remote := Read(*msg, w.config.inbound...)
	if remote.IsEmpty() {
		return
	}
	o.Remote = &remote
	o.IsUnsent = isUnsent(msg.Headers)
	o.IsUntrusted = propagation.IsUntrusted(o.Context)
	o.Keep = w.keepsExisting && remote.SpanContext().IsValid() && !o.IsUntrusted
	if source, ok := SourceOf(*msg); ok {
		o.Creation = messaging.CreationOf(o.Context, source)
	}
}

// send hands the messages to kafka-go and ends the call, however that ends: the
// Balancer and the Transport are the user's, and may panic.
func (w *Writer) send(ctx context.Context, c *call, msgs []kafka.Message) error {
	c.sending.Accepted(w.writer.Async)
	blocked, returned := w.recorder.Clock(), false
	defer func() {
		if !returned {
			w.recorder.Blocked(messaging.Send, c.sending.Destination(), blocked)
			c.sending.Panicked()
		}
	}()
	err := w.writer.WriteMessages(ctx, c.messages...)
	returned = true
	w.recorder.Blocked(messaging.Send, c.sending.Destination(), blocked)
	err = w.original(err, msgs, c.messages)
	_, perMessage := err.(kafka.WriteErrors) //nolint:errorlint // returned unwrapped.
	if c.sending.Returned(err, !perMessage) {
		c.release() // The Completion has been called for all.
	}
	return err
}

// sendUnseen is send where nothing is recorded.
func (w *Writer) sendUnseen(ctx context.Context, c *call, msgs []kafka.Message) error {
	fresh := true
	for i := range c.messages {
		o := w.origin(ctx, &c.messages[i])
		if o.Keep {
			continue
		}
		isPlain := !o.IsOwn && o.Remote == nil
		c.write(c.sending.Relate(&o), i, w.topicOf(&c.messages[i]), fresh || !isPlain)
		fresh = !isPlain
	}
	err := w.writer.WriteMessages(ctx, c.messages...)
	err = w.original(err, msgs, c.messages)
	c.release()
	return err
}

// topicOf returns the topic that msg is written to.
func (w *Writer) topicOf(msg *kafka.Message) string {
	if w.writer.Topic != "" {
		return w.writer.Topic
	}
	return msg.Topic
}

// Stats returns the statistics of the kafka.Writer, and resets its counters, as
// its own method does. Nothing in this package calls it.
func (w *Writer) Stats() kafka.WriterStats {
	if w.writer == nil {
		return kafka.WriterStats{}
	}
	return w.writer.Stats()
}

// Close closes the kafka.Writer. It waits for the messages that were accepted,
// after which no span is open and the user's Completion has been called for all.
func (w *Writer) Close() error {
	if w.writer == nil {
		return nil
	}
	return w.writer.Close()
}

// setTimes sets the time of messages that have none.
func setTimes(msgs []kafka.Message, now time.Time) {
	for i := range msgs {
		if msgs[i].Time.IsZero() {
			msgs[i].Time = now
		}
	}
}

// original returns err with the caller's messages in place of the copies, so that
// it can write them again.
func (w *Writer) original(err error, msgs, copies []kafka.Message) error {
	if _, tooLarge := err.(kafka.MessageTooLargeError); !tooLarge { //nolint:errorlint // returned unwrapped, or not by this call.
		return err
	}
	for i := range copies {
		if sizeOf(&copies[i]) > w.batchBytes() {
			return kafka.MessageTooLargeError{
				Message:   msgs[i],
				Remaining: slices.Delete(slices.Clone(msgs), i, i+1),
			}
		}
	}
	return err
}

// batchBytes is the limit that kafka-go holds messages to.
func (w *Writer) batchBytes() int64 {
	const byDefault = 1 << 20
	if w.writer.BatchBytes > 0 {
		return w.writer.BatchBytes
	}
	return byDefault
}
