// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// Message describes a message that was delivered.
type Message struct {
	Destination string
	Partition   int
	Offset      int64
	Watermark   int64     // The offset of the next message that will be written.
	Time        time.Time // When the message was made; may be zero.
	Bytes       int       // Of key and value.
	// IsAmbiguous reports whether the message came with several contexts in one
	// format.
	IsAmbiguous bool
}

// Receiving is a call under way that may deliver a message. Exactly one of its
// methods ends it; others have no effect after that.
type Receiving struct {
	p       *Partitions
	ctx     context.Context //nolint:containedctx // the context of the call.
	topic   string
	started time.Time
	blocked time.Time // Zero if nobody observes it.
	call    Call
	isOver  bool
}

// Receive begins a call that may deliver a message from topic, which is empty if
// there are several.
func (p *Partitions) Receive(ctx context.Context, topic string) Receiving {
	now := time.Now()
	return Receiving{p: p, ctx: ctx, topic: topic, started: now, blocked: p.r.Clock(), call: p.Begin(now)}
}

// Started returns when the call began.
func (c *Receiving) Started() time.Time { return c.started }

// NeedsContext reports whether anyone wants to know the contexts of messages.
func (p *Partitions) NeedsContext() bool { return p.r.cfg.WithPollSpan || p.r.cfg.Observer != nil }

// Idle ends a call that delivered nothing.
func (c *Receiving) Idle() {
	if !c.isOver {
		c.isOver = true
		c.p.Polled(c.call)
		c.p.r.Blocked(Poll, c.topic, c.blocked)
	}
}

// Failed ends a call that failed.
func (c *Receiving) Failed(err error) {
	if !c.isOver {
		c.Idle()
		w := c.begin(&Batch{Destination: c.topic, Partition: -1, Started: c.started}, nil)
		w.End(err)
	}
}

// Delivered ends a call that delivered m, which came with the context remote; nil
// if that was not read. The attribute is one of its span.
func (c *Receiving) Delivered(m *Message, remote *propagation.Remote, a attribute.KeyValue) {
	if c.isOver {
		return
	}
	c.isOver = true
	c.p.r.Blocked(Poll, c.topic, c.blocked)
	w := c.begin(&Batch{Destination: m.Destination, Partition: m.Partition, Messages: 1, Started: c.started}, remote)
	c.p.r.Consumed(w.ctx, Poll, m.Destination, m.Partition, 1)
	c.p.Fetched(w.ctx, c.call, m)
	c.p.r.arrivedWith(w.ctx, m, remote)
	if w.IsRecording() {
		w.SetAttributes(a)
	}
	w.End(nil)
}

func (c *Receiving) begin(b *Batch, remote *propagation.Remote) Work {
	switch r := c.p.r; {
	case !r.cfg.WithPollSpan:
		return r.BeginUnseen(c.ctx, Poll, b)
	case remote == nil:
		return r.Begin(c.ctx, Poll, b)
	default:
		return r.Begin(c.ctx, Poll, b, *remote)
	}
}

// Deliver notes that a client has delivered m whose calls are not seen. It came
// with the context remote; nil if that was not read. The span that handles m is in
// ctx.
func (p *Partitions) Deliver(ctx context.Context, m *Message, remote *propagation.Remote) {
	p.r.Consumed(ctx, Process, m.Destination, m.Partition, 1)
	if p.r.cfg.Observer != nil {
		p.Delivered(ctx, m)
		p.r.arrivedWith(ctx, m, remote)
	}
}

// arrivedWith reports the latency of m, and what is wrong with its context.
func (r *Recorder) arrivedWith(ctx context.Context, m *Message, remote *propagation.Remote) {
	if r.cfg.Observer == nil || remote == nil {
		return
	}
	r.Arrived(ctx, m.Destination, remote)
	if m.IsAmbiguous && !remote.Conflict() {
		r.Drop(observe.DropDuplicate, m.Destination)
	}
}
