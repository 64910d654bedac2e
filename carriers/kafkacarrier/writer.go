// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// ErrNil is returned by a constructor that was given nil to wrap.
var ErrNil = errors.New("kafkacarrier: there is nothing to wrap")

// MessageWriter is the methods of a kafka.Writer, which a [Writer] has too.
// Code that takes one works with either, and with a fake.
type MessageWriter interface {
	WriteMessages(ctx context.Context, msgs ...kafka.Message) error
	Stats() kafka.WriterStats
	Close() error
}

// Writer is a kafka.Writer that puts a context on each message and records what
// becomes of it. It is made by [NewWriter], and is safe for concurrent use, as a
// kafka.Writer is.
type Writer struct {
	*telemetry

	writer     *kafka.Writer
	completion func([]kafka.Message, error) // The user's; may be nil.
}

var (
	_ MessageWriter = (*Writer)(nil)
	_ MessageWriter = (*kafka.Writer)(nil)
)

// NewWriter wraps w. It sets w.Completion to a function that records the
// outcome of each message and then calls the one that was there, so w must not
// be in use yet, and its configuration must not change afterwards. Wrapping a
// kafka.Writer twice is harmless: a message is recorded by the Writer it was
// written to. The Balancer of w is set to one that shows the Balancer there was
// the WriterData of the caller. The error is [ErrNil] if w is nil.
func NewWriter(w *kafka.Writer, opts ...Option) (*Writer, error) {
	if w == nil {
		return nil, ErrNil
	}
	cfg := newConfig(opts)
	cfg.clientID = clientIDOf(w.Transport)
	if cfg.maxBytes > 0 {
		cfg.outbounds-- // A stamper keeps the limit, and counts what it leaves out.
	}
	wrapped := &Writer{telemetry: newTelemetry(cfg), writer: w, completion: w.Completion}
	w.Completion = wrapped.complete
	if w.Balancer != nil {
		w.Balancer = balancer{wrapped, w.Balancer}
	}
	return wrapped, nil
}

// WriteMessages does what the method of kafka.Writer does and returns what it
// returned. The messages, their headers and their WriterData are not changed:
// what is written is a copy. A nil ctx is never done.
//
// A single message is sent by one PRODUCER span "send T". Several are sent by
// one CLIENT span, which is linked to a PRODUCER span "create T" for each of
// them, so that each message has a context of its own. A message that carries a
// context already, such as one made by [Forward], continues it, or is linked to
// it if ctx has a span.
//
// The span of a message ends with its outcome, when the broker has answered for
// it, with its partition and offset. If ctx ends before, so does the span; a
// delivery after that is counted as late. A context that would make a message
// exceed BatchBytes is left out, part by part, before it fails the call.
func (w *Writer) WriteMessages(ctx context.Context, msgs ...kafka.Message) error {
	ctx = orBackground(ctx)
	if len(msgs) == 0 {
		return w.writer.WriteMessages(ctx)
	}
	copied := copyOf(msgs)
	copies := *copied
	if w.cfg.withTimestamps {
		stampTimes(copies, time.Now())
	}
	c := w.open(ctx, copies)
	err := w.send(ctx, c, copies)
	err = w.original(err, msgs, copies)
	release(copied)
	return err
}

// send hands msgs to kafka-go, and ends c however that ends: the Balancer and the
// Transport are the user's, and may panic.
func (w *Writer) send(ctx context.Context, c *call, msgs []kafka.Message) error {
	if c == nil {
		return w.writer.WriteMessages(ctx, msgs...)
	}
	c.queued(1)
	started, outcome := w.clock(), errPanic
	defer func() {
		w.waited(opSend, c.topic, started)
		c.returned(outcome)
	}()
	outcome = w.writer.WriteMessages(ctx, msgs...)
	return outcome
}

// messageSlices are to copy messages to. kafka-go keeps the messages it is
// given, but not the slice, which is its caller's.
var messageSlices = sync.Pool{New: func() any { return new([]kafka.Message) }} //nolint:gochecknoglobals // a pool is one by nature.

func copyOf(msgs []kafka.Message) *[]kafka.Message {
	copied, _ := messageSlices.Get().(*[]kafka.Message)
	*copied = append(*copied, msgs...)
	return copied
}

// release ends the use of what copyOf returned.
func release(copied *[]kafka.Message) {
	clear(*copied)
	*copied = (*copied)[:0]
	messageSlices.Put(copied)
}

// Stats returns the statistics of the kafka.Writer, and resets them, as its own
// method does. Nothing here calls it.
func (w *Writer) Stats() kafka.WriterStats { return w.writer.Stats() }

// Close closes the kafka.Writer: it waits for the messages that were accepted,
// after which no span is open and the Completion of the user has had them all.
func (w *Writer) Close() error { return w.writer.Close() }

// stampTimes sets the time of messages that have none.
func stampTimes(msgs []kafka.Message, now time.Time) {
	for i := range msgs {
		if msgs[i].Time.IsZero() {
			msgs[i].Time = now
		}
	}
}

// original returns err with the caller's messages in the place of the copies,
// so that it can write them again.
func (w *Writer) original(err error, msgs, copies []kafka.Message) error {
	if _, tooLarge := err.(kafka.MessageTooLargeError); !tooLarge { //nolint:errorlint // returned unwrapped, or not by this call.
		return err
	}
	for i := range copies {
		if totalSize(&copies[i]) > w.batchBytes() {
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

// topicOf returns the topic that msg is written to.
func (w *Writer) topicOf(msg *kafka.Message) string {
	if w.writer.Topic != "" {
		return w.writer.Topic
	}
	return msg.Topic
}
