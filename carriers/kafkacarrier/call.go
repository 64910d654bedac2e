// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"sync"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/internal/messaging"
)

// call is one WriteMessages under way. It is used again and again.
type call struct {
	sending  messaging.Sending
	owner    *messaging.Recorder // That of the Writer.
	topic    string              // Empty if the messages have several.
	messages []kafka.Message     // Copies of those of the caller.
	tokens   []token             // One for each message, in order.
}

// token is one message of a call. kafka-go carries it to the Completion as
// WriterData.
type token struct {
	sent  messaging.Sent
	call  *call
	data  any // The WriterData of the caller.
	topic string
}

var calls = sync.Pool{New: func() any { return new(call) }} //nolint:gochecknoglobals // a pool is one by nature.

func newCall(owner *messaging.Recorder, msgs []kafka.Message) *call {
	c, _ := calls.Get().(*call)
	c.owner = owner
	c.messages = append(c.messages, msgs...)
	return c
}

// prepare makes a token for each message. The Writer has a topic, or topic is
// empty.
func (c *call) prepare(topic string) {
	if n := len(c.messages); cap(c.tokens) < n {
		c.tokens = make([]token, n)
	} else {
		c.tokens = c.tokens[:n]
	}
	for i := range c.tokens {
		t := &c.tokens[i]
		if t.call, t.topic = c, topic; topic == "" {
			t.topic = c.messages[i].Topic
		}
		if i == 0 {
			c.topic = t.topic
		} else if t.topic != c.topic {
			c.topic = ""
		}
	}
}

// attach puts the tokens on the messages.
func (c *call) attach() {
	for i := range c.tokens {
		c.tokens[i].data, c.messages[i].WriterData = c.messages[i].WriterData, &c.tokens[i]
	}
}

// release ends the use of c. If it has tokens, kafka-go must not have any of them
// any more: it has called the Completion for all.
func (c *call) release() {
	clear(c.messages)
	clear(c.tokens)
	c.messages, c.tokens = c.messages[:0], c.tokens[:0]
	c.owner, c.topic = nil, ""
	c.sending.Release()
	calls.Put(c)
}

// tokenOf returns the token on msg, or nil if msg is not a message of owner.
func tokenOf(msg *kafka.Message, owner *messaging.Recorder) *token {
	if t, ok := msg.WriterData.(*token); ok && t.call.owner == owner {
		return t
	}
	return nil
}

// queued reports that the messages of c are in the queue of the kafka.Writer, by
// 1, or no longer in it, by -1.
func (c *call) queued(by int) {
	if !c.owner.ObservesQueue() {
		return
	}
	if c.topic != "" {
		c.owner.Queued(c.topic, by*len(c.tokens))
		return
	}
	for i := range c.tokens {
		c.owner.Queued(c.tokens[i].topic, by)
	}
}

// returned ends a synchronous call with the error that it returned.
func (c *call) returned(err error) {
	c.queued(-1)
	for i := range c.tokens {
		c.tokens[i].sent.End(err)
	}
	_, isPerMessage := err.(kafka.WriteErrors) //nolint:errorlint // returned unwrapped.
	c.sending.End(err, err != nil && !isPerMessage)
	if err == nil {
		c.release()
	}
}

// panicked ends a call that did not return.
func (c *call) panicked() {
	c.queued(-1)
	for i := range c.tokens {
		c.tokens[i].sent.EndPanicked()
	}
	c.sending.EndPanicked()
}

// share is the messages of a batch of kafka-go that have one outcome. As kafka-go
// makes batches, they are all for one partition.
type share struct {
	first   *token
	written messaging.Written
}

func (s *share) add(t *token, msg *kafka.Message) {
	if s.first == nil {
		s.first, s.written.Destination, s.written.Partition = t, t.topic, msg.Partition
	}
	s.written.Messages++
	s.written.Bytes += len(msg.Key) + len(msg.Value)
}

// completion is what is known of the batches of a Writer.
type completion struct {
	owner        *messaging.Recorder
	isAsync      bool // Reports whether calls return before their messages are written.
	isPlaceKnown bool // Reports whether the broker tells where messages are written.
}

// complete gives the messages of a batch that are those of the Writer their
// outcome, and the WriterData of the caller back. A batch may hold messages of
// many calls, and such as were written to the kafka.Writer directly.
func (c completion) complete(msgs []kafka.Message, err error) {
	var onTime, late share
	late.written.IsLate = true
	for i := range msgs {
		t := tokenOf(&msgs[i], c.owner)
		if t == nil {
			continue
		}
		msgs[i].WriterData = t.data
		if c.end(t, &msgs[i], err) {
			onTime.add(t, &msgs[i])
		} else {
			late.add(t, &msgs[i])
		}
	}
	c.count(&onTime, err)
	c.count(&late, err)
}

// end gives one message its outcome. It reports false if the message had one.
func (c completion) end(t *token, msg *kafka.Message, err error) (onTime bool) {
	if err == nil && c.isPlaceKnown && t.sent.IsRecording() {
		onTime = t.sent.End(nil, messaging.PartitionID(msg.Partition), keyOffset.Int64(msg.Offset))
	} else {
		onTime = t.sent.End(err)
	}
	if last, failure := t.call.sending.Settle(err); last && c.isAsync {
		t.call.sending.End(failure, false)
	}
	return onTime
}

// count counts messages that were written, or could not be.
func (c completion) count(s *share, err error) {
	if s.first == nil {
		return
	}
	if c.isAsync {
		c.owner.Queued(s.written.Destination, -s.written.Messages)
	}
	if s.written.Err = err; !c.isPlaceKnown {
		s.written.Partition = -1
	}
	s.first.call.sending.Written(s.written)
}

// balancer shows the Balancer of the user the messages with the WriterData that
// the caller gave them.
type balancer struct {
	owner *messaging.Recorder
	next  kafka.Balancer
}

// Balance calls Balance of the user's Balancer.
func (b balancer) Balance(msg kafka.Message, partitions ...int) int {
	if t := tokenOf(&msg, b.owner); t != nil {
		msg.WriterData = t.data
	}
	return b.next.Balance(msg, partitions...)
}
