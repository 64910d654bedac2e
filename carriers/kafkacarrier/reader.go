// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/messaging"
	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/propagation"
)

// MessageReader is the interface of the methods that a kafka.Reader and a [Reader]
// have in common, for code that accepts either, or a fake.
type MessageReader interface {
	FetchMessage(ctx context.Context) (kafka.Message, error)
	ReadMessage(ctx context.Context) (kafka.Message, error)
	CommitMessages(ctx context.Context, msgs ...kafka.Message) error
	SetOffset(offset int64) error
	SetOffsetAt(ctx context.Context, t time.Time) error
	Offset() int64
	Lag() int64
	ReadLag(ctx context.Context) (int64, error)
	Config() kafka.ReaderConfig
	Stats() kafka.ReaderStats
	Close() error
}

// Reader is a kafka.Reader that records what it fetches and commits, and whose
// [Reader.Process] continues the context of a message. It is made by [NewReader]
// and is safe for concurrent use, as a kafka.Reader is. It starts no goroutine.
type Reader struct {
	reader   MessageReader
	consumer *Consumer
	topic    string // Empty for a group of several topics.
	isQueued bool   // Reports whether commits are made later, so that nil means queued.
}

var (
	_ MessageReader = (*Reader)(nil)
	_ MessageReader = (*kafka.Reader)(nil)
)

// NewReader returns a Reader of r. If r is nil, the methods of the Reader that
// read, commit and seek return [ErrNil], and the others zero values; Process,
// ProcessBatch and Start work.
func NewReader(r *kafka.Reader, opts ...ReaderOption) *Reader {
	if r == nil {
		return newReader(noReader{}, opts)
	}
	return newReader(r, opts)
}

func newReader(r MessageReader, opts []ReaderOption) *Reader {
	cfg, config := newConfig(opts), r.Config()
	cfg.recorder.Group = config.GroupID
	if config.Dialer != nil {
		cfg.recorder.ClientID = config.Dialer.ClientID
	}
	if len(config.Brokers) == 1 {
		cfg.recorder.Server = config.Brokers[0]
	}
	return &Reader{
		reader: r, consumer: newConsumer(cfg, silenceOf(&config)),
		topic: config.Topic, isQueued: config.CommitInterval > 0,
	}
}

// silenceOf returns how long a partition of a consumer group must be silent to
// have been with another member: kafka-go learns of a rebalance by its heartbeat.
func silenceOf(config *kafka.ReaderConfig) time.Duration {
	const byDefault = 3 * time.Second
	switch {
	case config.GroupID == "":
		return 0
	case config.HeartbeatInterval > 0:
		return config.HeartbeatInterval
	default:
		return byDefault
	}
}

// FetchMessage calls FetchMessage of the kafka.Reader and returns its results. The
// message and its headers are not modified. A canceled ctx or a closed Reader is
// not recorded as an error. A nil ctx is treated as context.Background().
func (r *Reader) FetchMessage(ctx context.Context) (kafka.Message, error) {
	ctx = safe.Context(ctx)
	f := r.beginFetch(ctx)
	defer f.end() // If the kafka.Reader panics.
	msg, err := r.reader.FetchMessage(ctx)
	f.ended(&msg, err)
	return msg, err
}

// ReadMessage calls ReadMessage of the kafka.Reader and returns its results: in a
// consumer group it commits the message, too. A message whose commit failed is
// lost to the caller, and is recorded as a failed commit.
func (r *Reader) ReadMessage(ctx context.Context) (kafka.Message, error) {
	ctx = safe.Context(ctx)
	f := r.beginFetch(ctx)
	defer f.end() // If the kafka.Reader panics.
	msg, err := r.reader.ReadMessage(ctx)
	if isCommitFailure(err) {
		f.end()
		r.commitFailed(ctx, f.started, err)
		return msg, err
	}
	f.ended(&msg, err)
	if err == nil && r.consumer.recorder.Group() != "" && !r.isQueued {
		r.committed(ctx, &msg)
	}
	return msg, err
}

// fetch is a call under way that may deliver a message.
type fetch struct {
	r       *Reader
	ctx     context.Context //nolint:containedctx // that of the call.
	started time.Time
	blocked time.Time // Zero if nobody observes it.
	call    messaging.Call
	isOver  bool
}

func (r *Reader) beginFetch(ctx context.Context) fetch {
	now := time.Now()
	return fetch{r: r, ctx: ctx, started: now, blocked: r.consumer.recorder.Clock(), call: r.consumer.partitions.Begin(now)}
}

// end ends a call that has delivered nothing. It does nothing if it has ended.
func (f *fetch) end() {
	if !f.isOver {
		f.isOver = true
		f.r.consumer.partitions.Polled(f.call)
	}
}

// ended records what the call delivered.
func (f *fetch) ended(msg *kafka.Message, err error) {
	r, c := f.r, f.r.consumer
	c.recorder.Blocked(messaging.Poll, r.topic, f.blocked)
	if err != nil {
		f.end()
		if !isIdle(f.ctx, err) {
			w := r.poll(f, &messaging.Batch{Destination: r.topic, Partition: -1, Started: f.started})
			w.End(err)
		}
		return
	}
	f.isOver = true
	var remote propagation.Remote
	if c.config.withPoll || c.recorder.IsObserved() {
		remote = c.config.read(msg) //nolint:contextcheck // headers are read without one.
	}
	b := messaging.Batch{Destination: msg.Topic, Partition: msg.Partition, Messages: 1, Started: f.started}
	if c.config.withPoll {
		b.Remotes = []propagation.Remote{remote}
	}
	w := r.poll(f, &b)
	c.recorder.Consumed(w.Context(), messaging.Poll, msg.Topic, msg.Partition, 1)
	c.partitions.Fetched(w.Context(), f.call, deliveryOf(msg))
	if c.recorder.IsObserved() {
		c.arrived(w.Context(), msg, &remote)
	}
	if w.IsRecording() {
		w.SetAttributes(keyOffset.Int64(msg.Offset))
	}
	w.End(nil)
}

// poll begins the work of a fetch that is over, with a span if there is to be
// one.
func (r *Reader) poll(f *fetch, b *messaging.Batch) messaging.Work {
	if !r.consumer.config.withPoll {
		return r.consumer.recorder.BeginUnseen(f.ctx, messaging.Poll, b)
	}
	return r.consumer.recorder.Begin(f.ctx, messaging.Poll, b)
}

// isIdle reports whether a fetch ended because the caller stopped waiting.
func isIdle(ctx context.Context, err error) bool {
	return is(err, io.EOF) || ctx.Err() != nil && is(err, ctx.Err())
}

// is is errors.Is for the errors of a MessageReader, whose methods may panic.
func is(err, target error) bool {
	defer safe.Contain()
	return errors.Is(err, target)
}

// isCommitFailure recognizes, by its text, the error of a ReadMessage that fetched
// a message and could not commit it: kafka-go has no type for it.
func isCommitFailure(err error) bool {
	defer safe.Contain()
	return err != nil && strings.HasPrefix(err.Error(), "committing message: ")
}

// commitFailed records that a message was fetched, and lost with its commit.
func (r *Reader) commitFailed(ctx context.Context, started time.Time, err error) {
	w := r.commit(ctx, &messaging.Batch{Destination: r.topic, Partition: -1, Messages: 1, Started: started})
	w.End(err)
}

// commit begins the work of a commit, with a span if there is to be one.
func (r *Reader) commit(ctx context.Context, b *messaging.Batch) messaging.Work {
	if r.consumer.config.withoutCommit {
		return r.consumer.recorder.BeginUnseen(ctx, messaging.Commit, b)
	}
	return r.consumer.recorder.Begin(ctx, messaging.Commit, b)
}

// CommitMessages calls CommitMessages of the kafka.Reader and returns its result,
// in the span "commit T", which belongs to the trace of ctx, or else of the
// message. With a CommitInterval nil means that the commit is queued, and the
// span has waybill.queued. Without a consumer group, or without messages, nothing
// is recorded.
func (r *Reader) CommitMessages(ctx context.Context, msgs ...kafka.Message) error {
	ctx = safe.Context(ctx)
	if len(msgs) == 0 || r.consumer.recorder.Group() == "" {
		return r.reader.CommitMessages(ctx, msgs...)
	}
	topic, partition := common(msgs)
	b := messaging.Batch{Destination: topic, Partition: partition, Messages: len(msgs)}
	if !r.consumer.config.withoutCommit {
		b.Remotes = r.toCommit(ctx, msgs)
	}
	w := r.commit(ctx, &b)
	err := r.reader.CommitMessages(ctx, msgs...)
	if w.IsRecording() {
		w.SetAttributes(r.commitAttributes(msgs, err)...)
	}
	if err == nil && !r.isQueued {
		r.committedAll(w.Context(), msgs)
	}
	w.End(err)
	return err
}

// toCommit returns the contexts that a commit span handles. A span that is in ctx
// has the links to many of them already.
func (r *Reader) toCommit(ctx context.Context, msgs []kafka.Message) []propagation.Remote {
	if len(msgs) > 1 && trace.SpanContextFromContext(ctx).IsValid() {
		return nil
	}
	return r.consumer.config.readAll(msgs) //nolint:contextcheck // headers are read without one.
}

func (r *Reader) commitAttributes(msgs []kafka.Message, err error) []attribute.KeyValue {
	attributes := make([]attribute.KeyValue, 0, 2)
	if len(msgs) > 1 {
		attributes = append(attributes, messaging.MessageCount(len(msgs)))
	} else {
		attributes = append(attributes, keyOffset.Int64(msgs[0].Offset))
	}
	if err == nil && r.isQueued {
		attributes = append(attributes, keyQueued.Bool(true))
	}
	return attributes
}

// committedAll notes the commit of the highest offset of each partition.
func (r *Reader) committedAll(ctx context.Context, msgs []kafka.Message) {
	if len(msgs) == 1 {
		r.committed(ctx, &msgs[0])
		return
	}
	type partition struct {
		topic string
		id    int
	}
	highest := make(map[partition]*kafka.Message)
	for i := range msgs {
		key := partition{msgs[i].Topic, msgs[i].Partition}
		if known, ok := highest[key]; !ok || msgs[i].Offset > known.Offset {
			highest[key] = &msgs[i]
		}
	}
	for _, msg := range highest {
		r.committed(ctx, msg)
	}
}

func (r *Reader) committed(ctx context.Context, msg *kafka.Message) {
	if r.consumer.recorder.IsObserved() {
		r.consumer.partitions.Committed(ctx, deliveryOf(msg))
	}
}

// Process is [Consumer.Process] for a message of this Reader, which has counted
// it already.
func (r *Reader) Process(ctx context.Context, msg kafka.Message, fn func(context.Context) error) error {
	if fn == nil {
		return errNilHandler
	}
	w := r.begin(ctx, &msg)
	return w.Run(fn)
}

// ProcessBatch is [Consumer.ProcessBatch] for messages of this Reader, which has
// counted them already.
func (r *Reader) ProcessBatch(ctx context.Context, msgs []kafka.Message, fn func(context.Context) error) error {
	if fn == nil {
		return errNilHandler
	}
	ctx = safe.Context(ctx)
	if len(msgs) == 0 {
		return fn(ctx)
	}
	c := r.consumer
	w := c.beginBatch(ctx, msgs, c.config.readAll(msgs))
	return w.Run(fn)
}

// Start is [Consumer.Start] for a message of this Reader, which has counted it
// already.
func (r *Reader) Start(ctx context.Context, msg kafka.Message) (context.Context, func(error)) {
	w := r.begin(ctx, &msg)
	return w.Context(), endOnce(w, nil)
}

// begin opens the span of one message.
func (r *Reader) begin(ctx context.Context, msg *kafka.Message) messaging.Work {
	c := r.consumer
	remote := c.config.read(msg)
	return c.begin(safe.Context(ctx), msg, &remote, c.partitions.Redelivered(msg.Topic, msg.Partition, msg.Offset))
}

// Forget notes that a partition is no longer read by this Reader, as after a
// rebalance that the program knows of: its lag is not reported any more. It is
// remembered again when it delivers a message.
func (r *Reader) Forget(topic string, partition int) {
	r.consumer.partitions.Forget(topic, partition)
}

// SetOffset calls SetOffset of the kafka.Reader. Messages that are fetched
// afterwards are not redelivered ones.
func (r *Reader) SetOffset(offset int64) error {
	err := r.reader.SetOffset(offset)
	if err == nil {
		r.consumer.partitions.Restart()
	}
	return err
}

// SetOffsetAt calls SetOffsetAt of the kafka.Reader. Messages that are fetched
// afterwards are not redelivered ones.
func (r *Reader) SetOffsetAt(ctx context.Context, t time.Time) error {
	err := r.reader.SetOffsetAt(safe.Context(ctx), t)
	if err == nil {
		r.consumer.partitions.Restart()
	}
	return err
}

// Offset calls Offset of the kafka.Reader.
func (r *Reader) Offset() int64 { return r.reader.Offset() }

// Lag calls Lag of the kafka.Reader.
func (r *Reader) Lag() int64 { return r.reader.Lag() }

// ReadLag calls ReadLag of the kafka.Reader.
func (r *Reader) ReadLag(ctx context.Context) (int64, error) {
	return r.reader.ReadLag(safe.Context(ctx))
}

// Config calls Config of the kafka.Reader.
func (r *Reader) Config() kafka.ReaderConfig { return r.reader.Config() }

// Stats calls Stats of the kafka.Reader, which resets its counters. Nothing in
// this package calls it.
func (r *Reader) Stats() kafka.ReaderStats { return r.reader.Stats() }

// Close closes the kafka.Reader and reports that its partitions are no longer
// read by this Reader.
func (r *Reader) Close() error {
	err := r.reader.Close()
	r.consumer.partitions.Close()
	return err
}

// noReader is the kafka.Reader of those who have none.
type noReader struct{}

func (noReader) FetchMessage(context.Context) (kafka.Message, error)    { return kafka.Message{}, ErrNil }
func (noReader) ReadMessage(context.Context) (kafka.Message, error)     { return kafka.Message{}, ErrNil }
func (noReader) CommitMessages(context.Context, ...kafka.Message) error { return ErrNil }
func (noReader) SetOffset(int64) error                                  { return ErrNil }
func (noReader) SetOffsetAt(context.Context, time.Time) error           { return ErrNil }
func (noReader) Offset() int64                                          { return 0 }
func (noReader) Lag() int64                                             { return 0 }
func (noReader) ReadLag(context.Context) (int64, error)                 { return 0, ErrNil }
func (noReader) Config() kafka.ReaderConfig                             { return kafka.ReaderConfig{} }
func (noReader) Stats() kafka.ReaderStats                               { return kafka.ReaderStats{} }
func (noReader) Close() error                                           { return nil }
