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
	"github.com/waybill-go/waybill/observe"
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

var defaultConsumer = sync.OnceValue(func() *Consumer { return NewConsumer() }) //nolint:gochecknoglobals // a constant, made late.

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
// baggage, the waybill and what else the propagator extracts of msg.
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
	remote := c.config.read(&msg)
	w := c.begin(safe.Context(ctx), &msg, &remote, false)
	c.deliver(w.Context(), &msg, &remote)
	if c.recorder.IsObserved() {
		c.partitions.BeginWork()
		defer c.partitions.EndWork()
	}
	return w.Run(fn)
}

// ProcessBatch calls fn in one span for all of msgs, with a link to the context
// of each, and returns what fn returned. Equal contexts are linked once, and at
// most 128, chosen evenly; the attribute waybill.link_count is the number of
// distinct contexts, and messaging.batch.message_count that of messages.
//
// What all messages have in common is on the span; where they differ, the topic,
// partition and offset of each are on its link. Without messages fn is called
// with ctx and no span. In all else it is like [Consumer.Process].
func (c *Consumer) ProcessBatch(ctx context.Context, msgs []kafka.Message, fn func(context.Context) error) error {
	if fn == nil {
		return errNilHandler
	}
	c, ctx = c.orDefault(), safe.Context(ctx)
	if len(msgs) == 0 {
		return fn(ctx)
	}
	remotes := c.config.readAll(msgs)
	w := c.beginBatch(ctx, msgs, remotes)
	for i := range msgs {
		c.deliver(w.Context(), &msgs[i], &remotes[i])
	}
	if c.recorder.IsObserved() {
		c.partitions.BeginWork()
		defer c.partitions.EndWork()
	}
	return w.Run(fn)
}

// Start is [Consumer.Process] for a handler that is not a function: it opens the
// span and returns the ctx to handle msg with, and a function that ends the span
// with the error of the handler. That function must be called; further calls do
// nothing, and it may be called on another goroutine.
func (c *Consumer) Start(ctx context.Context, msg kafka.Message) (context.Context, func(error)) {
	c = c.orDefault()
	remote := c.config.read(&msg)
	w := c.begin(safe.Context(ctx), &msg, &remote, false)
	c.deliver(w.Context(), &msg, &remote)
	if !c.recorder.IsObserved() {
		return w.Context(), endOnce(w, nil)
	}
	c.partitions.BeginWork()
	return w.Context(), endOnce(w, c.partitions)
}

// endOnce returns a function that ends w once, and work on partitions, which may
// be nil.
func endOnce(w messaging.Work, partitions *messaging.Partitions) func(error) {
	var ended atomic.Bool
	return func(err error) {
		if ended.Swap(true) {
			return
		}
		w.End(err)
		if partitions != nil {
			partitions.EndWork()
		}
	}
}

// begin opens the span of one message, which came with the context remote.
func (c *Consumer) begin(ctx context.Context, msg *kafka.Message, remote *propagation.Remote, redelivered bool) messaging.Work { //nolint:revive // redelivered is recorded.
	w := c.recorder.Begin(ctx, messaging.Process, &messaging.Batch{
		Destination: msg.Topic, Partition: msg.Partition, Messages: 1, Remotes: []propagation.Remote{*remote},
	})
	if w.IsRecording() {
		attributes := append(make([]attribute.KeyValue, 0, 8), keyOffset.Int64(msg.Offset))
		if redelivered {
			attributes = append(attributes, keyRedelivered.Bool(true))
		}
		w.SetAttributes(c.config.content.appendTo(attributes, c.recorder, msg)...)
	}
	w.SetContext(&handling{Context: w.Context()})
	return w
}

// beginBatch opens the span of several messages, which came with the contexts
// remotes.
func (c *Consumer) beginBatch(ctx context.Context, msgs []kafka.Message, remotes []propagation.Remote) messaging.Work {
	topic, partition := common(msgs)
	w := c.recorder.Begin(ctx, messaging.Process, &messaging.Batch{
		Destination: topic, Partition: partition, Messages: len(msgs), Remotes: remotes,
		Attributes:     []attribute.KeyValue{messaging.MessageCount(len(msgs))},
		LinkAttributes: func(i int) []attribute.KeyValue { return varying(&msgs[i], topic, partition) },
	})
	w.SetContext(&handling{Context: w.Context()})
	return w
}

// deliver counts a message that is handled as delivered.
func (c *Consumer) deliver(ctx context.Context, msg *kafka.Message, remote *propagation.Remote) {
	c.recorder.Consumed(ctx, messaging.Process, msg.Topic, msg.Partition, 1)
	if c.recorder.IsObserved() {
		c.partitions.Delivered(ctx, deliveryOf(msg))
		c.arrived(ctx, msg, remote)
	}
}

// arrived reports the latency of a message, and what is wrong with its context.
func (c *Consumer) arrived(ctx context.Context, msg *kafka.Message, remote *propagation.Remote) {
	if c.config.withoutExtract {
		return
	}
	c.recorder.Arrived(ctx, msg.Topic, remote)
	if !remote.Conflict() && hasDuplicates(msg.Headers) {
		c.recorder.Drop(observe.DropDuplicate, msg.Topic)
	}
}

func deliveryOf(msg *kafka.Message) *messaging.Delivery {
	return &messaging.Delivery{
		Topic: msg.Topic, Partition: msg.Partition, Offset: msg.Offset, Watermark: msg.HighWaterMark,
		Time: msg.Time, Bytes: len(msg.Key) + len(msg.Value),
	}
}

// read returns the context that msg carries.
func (cfg *config) read(msg *kafka.Message) propagation.Remote {
	if cfg.withoutExtract || len(msg.Headers) == 0 {
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
