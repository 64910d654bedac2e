// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
)

// complete is what kafka-go calls when the broker has answered for a batch, or
// will not: the one place where the outcome of each message is known. A batch
// may hold messages of many calls, and such as were written to the kafka.Writer
// directly.
func (w *Writer) complete(msgs []kafka.Message, err error) {
	w.record(msgs, err)
	if w.completion != nil {
		w.completion(msgs, err)
	}
}

// record notes the outcome of the messages that are ours and gives them the
// WriterData of the user back.
func (w *Writer) record(msgs []kafka.Message, err error) {
	var onTime, late batch
	for i := range msgs {
		t, ok := msgs[i].WriterData.(*token)
		if !ok || t.call.w != w {
			continue
		}
		msgs[i].WriterData = t.data
		var written []attribute.KeyValue
		if err == nil && w.writer.RequiredAcks != kafka.RequireNone && t.span != nil && t.span.IsRecording() {
			written = []attribute.KeyValue{partitionID(msgs[i].Partition), keyOffset.Int64(msgs[i].Offset)}
		}
		if t.end(err, written) {
			onTime.add(t, &msgs[i])
		} else {
			late.add(t, &msgs[i])
		}
		t.call.settle(err)
	}
	w.countBatch(onTime, err, false)
	w.countBatch(late, err, true)
}

// batch is the messages of one outcome. As kafka-go makes batches, they are all
// for one partition.
type batch struct {
	first           *token
	partition       int
	messages, bytes int
}

func (b *batch) add(t *token, msg *kafka.Message) {
	if b.first == nil {
		b.first, b.partition = t, msg.Partition
	}
	b.messages++
	b.bytes += len(msg.Key) + len(msg.Value)
}

// countBatch counts what was sent, or could not be.
func (w *Writer) countBatch(b batch, err error, late bool) {
	if b.first == nil {
		return
	}
	if w.writer.Async && w.backpressure() != nil {
		w.queued(w.templateOf(b.first.topic), -b.messages)
	}
	if err != nil || w.writer.RequiredAcks == kafka.RequireNone {
		b.partition = -1 // The broker has not said.
	}
	ctx, topic := b.first.call.ctx, b.first.topic
	if in := w.instruments(); in.sent.Enabled(ctx) {
		m := w.measured(opSend, topic, b.partition, err)
		m.late = late
		in.count(ctx, in.sent, b.messages, m)
	}
	if err != nil {
		w.failed(opSend, w.templateOf(topic), errorType(err))
		return
	}
	w.sent(w.templateOf(topic), b.partition, b.messages, b.bytes)
}

// settle notes the outcome of one message. The last one ends an asynchronous
// call; a synchronous one ends when WriteMessages returns.
func (c *call) settle(err error) {
	if err != nil {
		c.fail(err)
	}
	if c.open.Add(-1) > 0 || !c.w.writer.Async {
		return
	}
	if failure := c.failure.Load(); failure != nil {
		err = *failure
	}
	c.end(err)
}

// fail keeps the first error.
func (c *call) fail(err error) { c.failure.CompareAndSwap(nil, &err) }
