// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"sync"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/internal/messaging"
	"github.com/waybill-go/waybill/observe"
)

// call is one WriteMessages under way. It is used again and again.
type call struct {
	sending  messaging.Sending
	config   *config // That of the Writer.
	recorder *messaging.Recorder
	limit    int64           // Of the size of a message.
	messages []kafka.Message // Copies of the messages of the caller.

	encoded encoded // The context of the last message.
	shared  []byte  // The values of encoded, in space; nil before they are there.
	space   space
	before  int // How many headers there were on all messages.
}

var calls = sync.Pool{New: func() any { return new(call) }}

func newCall(cfg *config, r *messaging.Recorder, limit int64, msgs []kafka.Message) *call {
	c, _ := calls.Get().(*call)
	c.config, c.recorder, c.limit = cfg, r, limit
	c.messages = append(c.messages, msgs...)
	c.encoded.bothSpellings = cfg.bothSpellings
	for i := range msgs {
		c.before += len(msgs[i].Headers)
	}
	return c
}

// attach makes each message carry its outcome's place through kafka-go.
func (c *call) attach() {
	for i := range c.messages {
		m := c.sending.Sent(i)
		m.Data, c.messages[i].WriterData = c.messages[i].WriterData, m
	}
}

// release ends the use of c. No message must be known to kafka-go any more.
func (c *call) release() {
	clear(c.messages)
	c.sending.Release()
	c.messages, c.shared, c.space, c.before = c.messages[:0], nil, space{}, 0
	calls.Put(c)
}

// write writes the context of ctx to message i for topic. If it is not fresh, ctx
// is the context of the previous message.
func (c *call) write(ctx context.Context, i int, topic string, fresh bool) { //nolint:revive // a fact about ctx.
	if c.config.withoutInject {
		return
	}
	e, msg := &c.encoded, &c.messages[i]
	if fresh {
		e.encode(ctx, c.config.outbound)
		c.shared = nil
	}
	if e.fields.IsReduced() {
		c.recorder.Drop(observe.DropTooLarge, topic)
	}
	kept, size := e.kept(msg.Headers)
	if e.leaves(msg, kept, c.config.inbound) {
		return
	}
	if !isWithin(msg, kept+e.headers, size+e.size, c.limit) {
		c.writeSmaller(msg, kept, size, topic)
		return
	}
	c.reserve(len(c.messages) - i)
	e.writeTo(msg, kept, &c.space, c.shared, nil)
}

// writeSmaller writes as much of the context as msg has room for.
func (c *call) writeSmaller(msg *kafka.Message, kept, size int, topic string) {
	smaller := c.encoded
	smaller.shrink(msg, kept, size, c.limit)
	if !c.encoded.fields.IsReduced() && sizeOf(msg) <= c.limit {
		c.recorder.Drop(observe.DropTooLarge, topic)
	}
	if smaller.fields.Len() > 0 {
		smaller.write(msg, kept)
	}
}

// reserve makes room for the headers of so many messages, and appends the values
// of a new context.
func (c *call) reserve(messages int) {
	e := &c.encoded
	isFirst := c.space.headers == nil
	switch {
	case isFirst && messages == 1:
		c.space = newSpace(c.before+e.headers, e.values)
	case isFirst:
		c.space.headers = make([]kafka.Header, 0, c.before+messages*e.headers)
	}
	if c.shared != nil {
		return
	}
	if cap(c.space.values)-len(c.space.values) < e.values {
		if isFirst {
			messages = 1 // It may well be that all have this context.
		}
		c.space.values = make([]byte, 0, messages*e.values)
	}
	c.shared = e.appendValues(&c.space)
}

// sentBy returns the outcome's place of msg, or nil if it is not a message of the
// Writer that records with r.
func sentBy(msg *kafka.Message, r *messaging.Recorder) *messaging.Sent {
	if m, ok := msg.WriterData.(*messaging.Sent); ok && m.Owner() == r {
		return m
	}
	return nil
}

// complete gives the messages of a batch that a Writer recorded their outcome,
// and the WriterData of the caller back. A batch may hold messages of many calls,
// and such as were written to the kafka.Writer directly.
func complete(r *messaging.Recorder, msgs []kafka.Message, err error, acks kafka.RequiredAcks) {
	a := messaging.Answer{Err: err, Partition: -1}
	for i := range msgs {
		msg := &msgs[i]
		m := sentBy(msg, r)
		if m == nil {
			continue
		}
		msg.WriterData = m.Data
		bytes := len(msg.Key) + len(msg.Value)
		if err != nil || acks == kafka.RequireNone { // The partition and offset are unknown.
			a.Add(m, bytes)
			continue
		}
		if a.Partition = msg.Partition; m.IsRecording() {
			a.Add(m, bytes, messaging.PartitionID(msg.Partition), keyOffset.Int64(msg.Offset))
		} else {
			a.Add(m, bytes)
		}
	}
	a.Report()
}

// balancer shows the Balancer of the user the messages with the WriterData that
// the caller gave them.
type balancer struct {
	recorder *messaging.Recorder
	next     kafka.Balancer
}

// Balance calls Balance of the user's Balancer.
func (b balancer) Balance(msg kafka.Message, partitions ...int) int {
	if m := sentBy(&msg, b.recorder); m != nil {
		msg.WriterData = m.Data
	}
	return b.next.Balance(msg, partitions...)
}
