// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/messaging"
	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
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
		cfg.recorder.Server = kafka.TCP(config.Brokers...).String() // With the port of Kafka, if it has none.
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
	receiving := r.consumer.partitions.Receive(ctx, r.topic)
	defer receiving.Idle() // If the kafka.Reader panics.
	msg, err := r.reader.FetchMessage(ctx)
	r.received(ctx, &receiving, &msg, err)
	return msg, err
}

// ReadMessage calls ReadMessage of the kafka.Reader and returns its results: in a
// consumer group it commits the message, too. A message whose commit failed is
// lost to the caller, and is recorded as a failed commit.
func (r *Reader) ReadMessage(ctx context.Context) (kafka.Message, error) {
	ctx = safe.Context(ctx)
	receiving := r.consumer.partitions.Receive(ctx, r.topic)
	defer receiving.Idle() // If the kafka.Reader panics.
	msg, err := r.reader.ReadMessage(ctx)
	if isCommitFailure(err) {
		receiving.Idle()
		w := r.commit(ctx, nil, &messaging.Batch{Destination: r.topic, Partition: -1, Messages: 1, Started: receiving.Started()})
		w.End(err)
		return msg, err
	}
	r.received(ctx, &receiving, &msg, err)
	if err == nil && r.consumer.recorder.Group() != "" && !r.isQueued {
		r.committed(ctx, []kafka.Message{msg})
	}
	return msg, err
}

// received ends a call with what it returned.
func (r *Reader) received(ctx context.Context, receiving *messaging.Receiving, msg *kafka.Message, err error) {
	switch c := r.consumer; {
	case err != nil && isIdle(ctx, err):
		receiving.Idle()
	case err != nil:
		receiving.Failed(err)
	case c.partitions.NeedsContext() && !c.config.withoutExtract:
		m, remote := describe(msg), c.config.read(msg)
		receiving.Delivered(&m, &remote, keyOffset.Int64(msg.Offset))
	default:
		m := describe(msg)
		receiving.Delivered(&m, nil, keyOffset.Int64(msg.Offset))
	}
}

// isIdle reports whether a fetch ended because the caller stopped waiting.
func isIdle(ctx context.Context, err error) bool {
	return is(err, io.EOF) || ctx.Err() != nil && is(err, ctx.Err())
}

// is is errors.Is for the errors of a MessageReader, whose methods may panic and
// which may wrap themselves.
func is(err, target error) bool {
	defer safe.Contain()
	for e := range observe.Tree(err) {
		if observe.Matches(e, target) {
			return true
		}
	}
	return false
}

// isCommitFailure recognizes, by its text, the error of a ReadMessage that fetched
// a message and could not commit it: kafka-go has no type for it.
func isCommitFailure(err error) bool {
	defer safe.Contain()
	return err != nil && strings.HasPrefix(err.Error(), "committing message: ")
}

// commit begins the work of a commit, with a span if there is to be one. A span
// that is in ctx has the links to many messages already.
func (r *Reader) commit(ctx context.Context, msgs []kafka.Message, b *messaging.Batch) messaging.Work {
	switch c := r.consumer; {
	case c.config.withoutCommit:
		return c.recorder.BeginUnseen(ctx, messaging.Commit, b)
	case len(msgs) == 1:
		return c.recorder.Begin(ctx, messaging.Commit, b, c.config.read(&msgs[0]))
	case len(msgs) == 0 || trace.SpanContextFromContext(ctx).IsValid():
		return c.recorder.Begin(ctx, messaging.Commit, b)
	default:
		return c.recorder.Begin(ctx, messaging.Commit, b, c.config.readAll(msgs)...)
	}
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
	w := r.commit(ctx, msgs, &messaging.Batch{Destination: topic, Partition: partition, Messages: len(msgs)})
	err := r.reader.CommitMessages(ctx, msgs...)
	if w.IsRecording() {
		w.SetAttributes(r.commitAttributes(msgs, err)...)
	}
	if err == nil && !r.isQueued {
		r.committed(w.Context(), msgs)
	}
	w.End(err)
	return err
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

// committed notes that msgs were committed.
func (r *Reader) committed(ctx context.Context, msgs []kafka.Message) {
	r.consumer.partitions.Committed(ctx, len(msgs), func(i int) messaging.Message { return describe(&msgs[i]) })
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
	return r.consumer.processBatch(safe.Context(ctx), msgs, false, fn)
}

// Start is [Consumer.Start] for a message of this Reader, which has counted it
// already.
func (r *Reader) Start(ctx context.Context, msg kafka.Message) (context.Context, func(error)) {
	return started(r.begin(ctx, &msg))
}

// begin opens the span of one message.
func (r *Reader) begin(ctx context.Context, msg *kafka.Message) messaging.Work {
	return r.consumer.begin(ctx, msg, false, r.consumer.partitions.Redelivered(msg.Topic, msg.Partition, msg.Offset))
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

func (noReader) FetchMessage(context.Context) (kafka.Message, error) { return kafka.Message{}, ErrNil }

func (noReader) ReadMessage(context.Context) (kafka.Message, error)     { return kafka.Message{}, ErrNil }
func (noReader) CommitMessages(context.Context, ...kafka.Message) error { return ErrNil }
func (noReader) SetOffset(int64) error                                  { return ErrNil }
func (noReader) SetOffsetAt(context.Context, time.Time) error           { return ErrNil }
func (noReader) Offset() int64                                          { return 0 }
func (noReader) Lag() int64                                             { return 0 }
func (noReader) ReadLag(context.Context) (int64, error)                 { return 0, ErrNil }
func (noReader) Config() kafka.ReaderConfig                             { return kafka.ReaderConfig{} }

func (noReader) Stats() kafka.ReaderStats { return kafka.ReaderStats{} }
func (noReader) Close() error             { return nil }
