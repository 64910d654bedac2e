// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// MessageReader is the methods of a kafka.Reader, which a [Reader] has too.
// Code that takes one works with either, and with a fake.
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
// [Reader.Process] continues the context of a message. It is made by
// [NewReader], is safe for concurrent use, as a kafka.Reader is, and starts no
// goroutine.
type Reader struct {
	*telemetry

	reader MessageReader
	known  partitions
	topic  string // "" for a group of several.
	expiry time.Duration
	queues bool // Reports whether commits are made later, and nil means queued.
}

var (
	_ MessageReader = (*Reader)(nil)
	_ MessageReader = (*kafka.Reader)(nil)
)

// NewReader wraps r. The error is [ErrNil] if r is nil.
func NewReader(r *kafka.Reader, opts ...Option) (*Reader, error) {
	if r == nil {
		return nil, ErrNil
	}
	return newReader(r, opts), nil
}

func newReader(r MessageReader, opts []Option) *Reader {
	cfg, config := newConfig(opts), r.Config()
	cfg.group = config.GroupID
	if config.Dialer != nil {
		cfg.clientID = config.Dialer.ClientID
	}
	expiry := cfg.idle
	if expiry <= 0 {
		expiry = defaultExpiry
	}
	return &Reader{telemetry: newTelemetry(cfg), reader: r, topic: config.Topic, expiry: expiry, queues: config.CommitInterval > 0}
}

// FetchMessage does what the method of kafka.Reader does and returns what it
// returned. The message and its headers are not changed. That ctx ended or the
// Reader was closed is not recorded as an error. A nil ctx is never done.
func (r *Reader) FetchMessage(ctx context.Context) (kafka.Message, error) {
	ctx = orBackground(ctx)
	started := now(ctx, r.instruments().operationDuration)
	if r.cfg.withPoll {
		started = time.Now()
	}
	waiting := r.clock()
	msg, err := r.reader.FetchMessage(ctx)
	r.waited(opPoll, r.topic, waiting)
	r.polled(ctx, started, &msg, err)
	return msg, err
}

// ReadMessage does what the method of kafka.Reader does and returns what it
// returned: with a consumer group the message is committed, too. One whose
// commit failed is lost to the caller, and recorded as a failed commit.
func (r *Reader) ReadMessage(ctx context.Context) (kafka.Message, error) {
	ctx, started := orBackground(ctx), time.Now()
	waiting := r.clock()
	msg, err := r.reader.ReadMessage(ctx)
	r.waited(opPoll, r.topic, waiting)
	if isCommitFailure(err) {
		r.commitFailed(ctx, started, err)
		return msg, err
	}
	r.polled(ctx, started, &msg, err)
	if err == nil && r.cfg.group != "" && !r.queues {
		r.commitOf(&msg)
	}
	return msg, err
}

// isCommitFailure knows by its text the error of a ReadMessage that fetched a
// message and could not commit it: kafka-go has no type for it.
func isCommitFailure(err error) bool {
	return err != nil && strings.HasPrefix(err.Error(), "committing message: ")
}

// commitFailed records that a message was fetched, and lost with its commit.
func (r *Reader) commitFailed(ctx context.Context, started time.Time, err error) {
	topic := r.topic
	if !r.cfg.withoutCommit {
		_, span := r.continues(ctx, spanClass{opCommit, trace.SpanKindClient, topic}, nil,
			propagation.WithSpanOptions(trace.WithTimestamp(started)))
		r.finish(ctx, span, err)
	}
	r.measure(ctx, opCommit, started, topic, -1, err)
}

// polled records what a fetch brought.
func (r *Reader) polled(ctx context.Context, started time.Time, msg *kafka.Message, err error) {
	if isIdle(ctx, err) {
		return
	}
	var remotes []propagation.Remote
	topic, partition := r.topic, -1
	if err == nil {
		topic, partition = msg.Topic, msg.Partition
		r.delivered(ctx, opPoll, msg)
		r.track(msg) // Only now, so that whoever forgets the partition knows of what the observer was told.
		r.revokeIfClosed(msg)
	}
	r.measure(ctx, opPoll, started, topic, partition, err)
	if !r.cfg.withPoll {
		return
	}
	options := append(slices.Clip(r.cfg.start),
		propagation.WithSpanOptions(trace.WithTimestamp(started)))
	if !trace.SpanContextFromContext(ctx).IsValid() {
		options = append(options, propagation.AsLink()) // A fetch is not part of what it brings.
	}
	var attributes []attribute.KeyValue
	if err == nil {
		remotes = []propagation.Remote{r.cfg.read(msg)} //nolint:contextcheck // headers are read without one.
		attributes = []attribute.KeyValue{partitionID(partition), keyOffset.Int64(msg.Offset)}
	}
	_, span := r.continues(ctx, spanClass{opPoll, trace.SpanKindClient, topic}, remotes, options...)
	r.finish(ctx, span, err, attributes...)
}

// isIdle reports whether a fetch ended because the caller stopped waiting.
func isIdle(ctx context.Context, err error) bool {
	return err != nil && (is(err, io.EOF) || ctx.Err() != nil && is(err, ctx.Err()))
}

// track remembers that msg was fetched.
func (r *Reader) track(msg *kafka.Message) {
	now := time.Now()
	again, skipped := r.known.track(msg, now)
	if again {
		r.redelivered(r.cfg.group, r.templateOf(msg.Topic), msg.Partition)
	}
	if skipped > 0 {
		r.skipped(r.cfg.group, r.templateOf(msg.Topic), msg.Partition, skipped)
	}
	for key, gone := range r.known.expired(now, r.expiry) {
		r.lost(key, gone)
	}
}

// lost tells the observer that a partition is no longer read here.
func (r *Reader) lost(key topicPartition, known *partition) {
	topic := r.templateOf(key.topic)
	if missing := known.missing(); missing > 0 {
		r.skipped(r.cfg.group, topic, key.partition, missing)
	}
	r.revoked(r.cfg.group, topic, key.partition)
}

// measure records how long op took.
func (r *Reader) measure(ctx context.Context, op operation, started time.Time, topic string, partition int, err error) {
	if in := r.instruments(); in.operationDuration.Enabled(ctx) {
		in.time(ctx, in.operationDuration, started, r.measured(op, topic, partition, err))
	}
	if err != nil && !isCancellation(ctx, err) {
		r.failed(op, r.templateOf(topic), errorType(err))
	}
}

// CommitMessages does what the method of kafka.Reader does and returns what it
// returned, in the span "commit T", which belongs to the trace of ctx, or else
// of the message. With a CommitInterval nil means that the commit is queued, and
// the span says so. Without a consumer group, or without messages, nothing is
// recorded.
func (r *Reader) CommitMessages(ctx context.Context, msgs ...kafka.Message) error {
	ctx = orBackground(ctx)
	if len(msgs) == 0 || r.cfg.group == "" {
		return r.reader.CommitMessages(ctx, msgs...)
	}
	started := time.Now()
	topic, partition := common(msgs)
	var span trace.Span
	if !r.cfg.withoutCommit {
		_, span = r.continues(ctx, spanClass{opCommit, trace.SpanKindClient, topic}, r.toSettle(ctx, msgs), r.settleOptions(ctx)...)
	}
	err := r.reader.CommitMessages(ctx, msgs...)
	if span != nil {
		r.finish(ctx, span, err, r.settled(msgs, partition, err)...)
	}
	r.measure(ctx, opCommit, started, topic, partition, err)
	if err == nil && !r.queues {
		r.commitsOf(msgs)
	}
	return err
}

// toSettle returns the contexts that a commit span handles. A span that is in
// ctx has the links to many of them already.
func (r *Reader) toSettle(ctx context.Context, msgs []kafka.Message) []propagation.Remote {
	if len(msgs) > 1 && trace.SpanContextFromContext(ctx).IsValid() {
		return nil
	}
	return r.readAll(msgs) //nolint:contextcheck // headers are read without one.
}

// settleOptions say how a commit span relates to what it settles. A span that is
// in ctx is that of the work, and stays the parent.
func (r *Reader) settleOptions(ctx context.Context) []propagation.StartOption {
	if trace.SpanContextFromContext(ctx).IsValid() {
		return nil
	}
	return r.cfg.start
}

// settled returns what is to be said of a commit of msgs.
func (r *Reader) settled(msgs []kafka.Message, partition int, err error) []attribute.KeyValue {
	attributes := make([]attribute.KeyValue, 0, 3)
	if partition >= 0 {
		attributes = append(attributes, partitionID(partition))
	}
	if len(msgs) > 1 {
		attributes = append(attributes, keyBatchCount.Int(len(msgs)))
	} else {
		attributes = append(attributes, keyOffset.Int64(msgs[0].Offset))
	}
	if err == nil && r.queues {
		attributes = append(attributes, keyQueued.Bool(true))
	}
	return attributes
}

// commitsOf tells the observer of the highest offset of each partition.
func (r *Reader) commitsOf(msgs []kafka.Message) {
	if r.to == nil {
		return
	}
	if len(msgs) == 1 {
		r.commitOf(&msgs[0])
		return
	}
	highest := make(map[topicPartition]*kafka.Message)
	for i := range msgs {
		key := topicPartition{msgs[i].Topic, msgs[i].Partition}
		if known, ok := highest[key]; !ok || msgs[i].Offset > known.Offset {
			highest[key] = &msgs[i]
		}
	}
	for _, msg := range highest {
		r.commitOf(msg)
	}
}

// commitOf tells the observer that the offset of msg was committed.
func (r *Reader) commitOf(msg *kafka.Message) {
	r.committed(r.cfg.group, r.templateOf(msg.Topic), msg.Partition, r.known.lag(msg, time.Now()))
	r.revokeIfClosed(msg)
}

// revokeIfClosed tells the observer again that a partition is no longer read
// here: what kafka-go fetched ahead is handed on after Close, too.
func (r *Reader) revokeIfClosed(msg *kafka.Message) {
	if r.known.isClosed() {
		r.revoked(r.cfg.group, r.templateOf(msg.Topic), msg.Partition)
	}
}

// Process is the function [Process] for messages of this Reader.
func (r *Reader) Process(ctx context.Context, msg kafka.Message, fn func(context.Context) error) error {
	return r.process(ctx, msg, r.known.wasSeen(&msg), fn)
}

// ProcessBatch is the function [ProcessBatch] for messages of this Reader.
func (r *Reader) ProcessBatch(ctx context.Context, msgs []kafka.Message, fn func(context.Context) error) error {
	return r.processBatch(ctx, msgs, fn)
}

// Start is the function [Start] for messages of this Reader.
func (r *Reader) Start(ctx context.Context, msg kafka.Message) (context.Context, func(error)) {
	return r.startProcess(ctx, msg, r.known.wasSeen(&msg))
}

// Forget tells the observer that a partition is no longer read here, as after a
// rebalance that the program knows of. It is remembered again when it brings a
// message.
func (r *Reader) Forget(topic string, partition int) {
	key := topicPartition{topic, partition}
	if known, ok := r.known.forget(key); ok {
		r.lost(key, known)
	}
}

// SetOffset does what the method of kafka.Reader does. What is fetched
// afterwards is not a redelivery.
func (r *Reader) SetOffset(offset int64) error {
	err := r.reader.SetOffset(offset)
	if err == nil {
		r.known.restart()
	}
	return err
}

// SetOffsetAt does what the method of kafka.Reader does. What is fetched
// afterwards is not a redelivery.
func (r *Reader) SetOffsetAt(ctx context.Context, t time.Time) error {
	err := r.reader.SetOffsetAt(orBackground(ctx), t)
	if err == nil {
		r.known.restart()
	}
	return err
}

// Offset does what the method of kafka.Reader does.
func (r *Reader) Offset() int64 { return r.reader.Offset() }

// Lag does what the method of kafka.Reader does.
func (r *Reader) Lag() int64 { return r.reader.Lag() }

// ReadLag does what the method of kafka.Reader does.
func (r *Reader) ReadLag(ctx context.Context) (int64, error) {
	return r.reader.ReadLag(orBackground(ctx))
}

// Config does what the method of kafka.Reader does.
func (r *Reader) Config() kafka.ReaderConfig { return r.reader.Config() }

// Stats returns the statistics of the kafka.Reader, and resets them, as its own
// method does. Nothing here calls it.
func (r *Reader) Stats() kafka.ReaderStats { return r.reader.Stats() }

// Close closes the kafka.Reader and tells the observer that its partitions are
// no longer read here.
func (r *Reader) Close() error {
	err := r.reader.Close()
	for key, known := range r.known.close() {
		r.lost(key, known)
	}
	return err
}
