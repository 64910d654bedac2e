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

	"github.com/waybill-go/waybill/internal/messaging"
	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/propagation"
)

var errNilHandler = errors.New("kafkacarrier: the function that handles the message is nil")

// Consumer handles messages of a plain kafka.Reader in spans that continue the
// contexts of the messages. It counts each message as delivered; a [Reader], which
// counts messages when they are fetched, has the same methods.
//
// A Consumer is made by [NewConsumer]; a nil or zero Consumer has no options. It
// is safe for concurrent use.
type Consumer struct {
	config     config
	recorder   *messaging.Recorder
	partitions *messaging.Partitions
}

// NewConsumer returns a Consumer.
func NewConsumer(opts ...ConsumerOption) *Consumer { return newConsumer(newConfig(opts), 0) }

// newConsumer returns a Consumer to which silence means that a partition may have
// been with another one: see [messaging.Recorder.NewPartitions].
func newConsumer(cfg config, silence time.Duration) *Consumer {
	r := messaging.New(cfg.recorder)
	return &Consumer{config: cfg, recorder: r, partitions: r.NewPartitions(cfg.expiry, silence)}
}

var defaultConsumer = sync.OnceValue(func() *Consumer { return NewConsumer() })

func (c *Consumer) orDefault() *Consumer {
	if c == nil || c.recorder == nil {
		return defaultConsumer()
	}
	return c
}

// Process is [Consumer.Process] of a Consumer without options.
func Process(ctx context.Context, msg kafka.Message, fn func(context.Context) error) error {
	return defaultConsumer().Process(ctx, msg, fn)
}

// ProcessBatch is [Consumer.ProcessBatch] of a Consumer without options.
func ProcessBatch(ctx context.Context, msgs []kafka.Message, fn func(context.Context) error) error {
	return defaultConsumer().ProcessBatch(ctx, msgs, fn)
}

// Start is [Consumer.Start] of a Consumer without options.
func Start(ctx context.Context, msg kafka.Message) (context.Context, func(error)) {
	return defaultConsumer().Start(ctx, msg)
}

// Process calls fn in the span "process T" of the topic T, which continues the
// context that msg carries, and returns what fn returned.
//
// By default a span in ctx stays the parent and the sender is linked; with no
// span in ctx the sender is the parent, and linked too. [WithStartOptions]
// changes that. The ctx of fn has the deadline and the values of ctx, and the
// baggage, the waybill and what else the propagator extracts of msg. It names msg to
// observe.MessageFromContext, which a log handler of package stages reads.
//
// If fn returns an error, the span's status is Error and error.type is set; if
// the error says that ctx was canceled, only error.type is. If fn panics, the
// span ends, and the panic continues with its own value. If fn is nil, Process
// returns an error.
func (c *Consumer) Process(ctx context.Context, msg kafka.Message, fn func(context.Context) error) error {
	if fn == nil {
		return errNilHandler
	}
	c = c.orDefault()
	w := c.begin(ctx, &msg, true, false)
	return w.Run(fn)
}

// ProcessBatch calls fn in one span for all of msgs, with a link to the context
// of each, and returns what fn returned. Equal contexts are linked once, and at
// most 128, chosen evenly; the attribute waybill.link_count is the number of
// distinct contexts, and messaging.batch.message_count the number of messages.
//
// What all messages have in common is on the span; where they differ, the topic,
// partition and offset of each are on its link. Without messages fn is called
// with ctx and no span. In all else it is like [Consumer.Process].
func (c *Consumer) ProcessBatch(ctx context.Context, msgs []kafka.Message, fn func(context.Context) error) error {
	return c.orDefault().processBatch(safe.Context(ctx), msgs, true, fn)
}

// Start is [Consumer.Process] for a handler that is not a function: it opens the
// span and returns the ctx to handle msg with, and a function that ends the span
// with the error of the handler. That function must be called; further calls do
// nothing, and it may be called on another goroutine.
func (c *Consumer) Start(ctx context.Context, msg kafka.Message) (context.Context, func(error)) {
	c = c.orDefault()
	return started(c.begin(ctx, &msg, true, false))
}

// started returns the context of w, and a function that ends it once.
func started(w messaging.Work) (context.Context, func(error)) {
	var ended atomic.Bool
	return w.Context(), func(err error) {
		if !ended.Swap(true) {
			w.End(err)
		}
	}
}

// begin opens the span of one message. If it isNew, it counts as delivered by a
// plain kafka.Reader.
func (c *Consumer) begin(ctx context.Context, msg *kafka.Message, isNew, isRedelivered bool) messaging.Work { //nolint:revive // facts about msg.
	remotes := [...]propagation.Remote{c.config.read(msg)}
	b := messaging.Batch{Destination: msg.Topic, Partition: msg.Partition, Offset: msg.Offset, Messages: 1}
	if isNew {
		b.Partitions = c.partitions
	}
	w := c.recorder.Begin(safe.Context(ctx), messaging.Process, &b, remotes[:]...)
	if isNew {
		c.deliver(w.Context(), msg, &remotes[0])
	}
	if w.IsRecording() {
		attributes := []attribute.KeyValue{keyOffset.Int64(msg.Offset)}
		if isRedelivered {
			attributes = append(attributes, keyRedelivered.Bool(true))
		}
		w.SetAttributes(c.config.content.appendTo(attributes, c.recorder, msg)...)
	}
	return w
}

func (c *Consumer) deliver(ctx context.Context, msg *kafka.Message, remote *propagation.Remote) {
	if !c.recorder.IsObserved() {
		c.recorder.Consumed(ctx, messaging.Process, msg.Topic, msg.Partition, 1)
		return
	}
	if c.config.withoutExtract {
		remote = nil
	}
	m := describe(msg)
	c.partitions.Deliver(ctx, &m, remote)
}

// processBatch calls fn in the span of several messages. If they areNew, they
// count as delivered by a plain kafka.Reader.
func (c *Consumer) processBatch(ctx context.Context, msgs []kafka.Message, areNew bool, fn func(context.Context) error) error { //nolint:revive // a fact about msgs.
	switch {
	case fn == nil:
		return errNilHandler
	case len(msgs) == 0:
		return fn(ctx)
	}
	topic, partition := common(msgs)
	b := messaging.Batch{
		Destination: topic, Partition: partition, Offset: offset(msgs), Messages: len(msgs),
		LinkAttributes: func(i int) []attribute.KeyValue { return varying(&msgs[i], topic, partition) },
	}
	if areNew {
		b.Partitions = c.partitions
	}
	remotes := c.config.readAll(msgs)
	w := c.recorder.Begin(ctx, messaging.Process, &b, remotes...)
	if w.IsRecording() {
		w.SetAttributes(messaging.MessageCount(len(msgs)))
	}
	for i := range msgs {
		if areNew {
			c.deliver(w.Context(), &msgs[i], &remotes[i])
		}
	}
	return w.Run(fn)
}

// offset returns the offset of the only one of msgs, or -1 if there are several.
func offset(msgs []kafka.Message) int64 {
	if len(msgs) == 1 {
		return msgs[0].Offset
	}
	return -1
}

// describe returns msg as package messaging wants it.
func describe(msg *kafka.Message) messaging.Message {
	return messaging.Message{
		Destination: msg.Topic, Partition: msg.Partition, Offset: msg.Offset, Watermark: msg.HighWaterMark,
		Time: msg.Time, Bytes: len(msg.Key) + len(msg.Value), IsAmbiguous: hasDuplicates(msg.Headers),
	}
}

// read returns the context that msg carries.
func (cfg *config) read(msg *kafka.Message) propagation.Remote {
	if cfg.withoutExtract {
		return propagation.Remote{}
	}
	return propagation.Read(msg.Headers, getter{}, cfg.inbound...)
}

func (cfg *config) readAll(msgs []kafka.Message) []propagation.Remote {
	remotes := make([]propagation.Remote, len(msgs))
	for i := range msgs {
		remotes[i] = cfg.read(&msgs[i])
	}
	return remotes
}
