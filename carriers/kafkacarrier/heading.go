// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/internal/messaging"
	"github.com/waybill-go/waybill/observe"
)

// heading writes contexts to the messages of one call of a Writer, whose headers
// it makes together.
type heading struct {
	config   *config
	recorder *messaging.Recorder
	limit    int64 // Of the size of a message.

	encoded encoded
	values  []byte // Those of encoded, in space.
	space   space
	before  int // How many headers there were on all messages.
	left    int // How many messages are to come.
}

func newHeading(cfg *config, r *messaging.Recorder, limit int64, msgs []kafka.Message) heading {
	h := heading{config: cfg, recorder: r, limit: limit, left: len(msgs)}
	h.encoded.bothSpellings = cfg.bothSpellings
	for i := range msgs {
		h.before += len(msgs[i].Headers)
	}
	return h
}

// write writes the context of ctx to msg, a message for topic. If it is not fresh,
// ctx is that of the message before.
func (h *heading) write(ctx context.Context, msg *kafka.Message, topic string, fresh bool) { //nolint:revive // a fact about ctx.
	left := h.left
	h.left--
	if h.config.withoutInject {
		return
	}
	if fresh {
		h.encoded.encode(ctx, h.config.outbound)
		h.values = nil
	}
	if h.encoded.IsReduced() {
		h.recorder.Drop(observe.DropTooLarge, topic)
	}
	if !h.encoded.changes(msg, h.config.inbound) {
		return
	}
	if !h.encoded.fits(msg, h.limit) {
		h.writeSmaller(msg, topic)
		return
	}
	h.reserve(left)
	h.encoded.writeTo(msg, &h.space, h.values)
}

// writeSmaller writes as much of the context as msg has room for.
func (h *heading) writeSmaller(msg *kafka.Message, topic string) {
	smaller := h.encoded
	smaller.shrink(msg, h.limit)
	if !h.encoded.IsReduced() && sizeOf(msg) <= h.limit {
		h.recorder.Drop(observe.DropTooLarge, topic)
	}
	if smaller.Len() > 0 {
		smaller.write(msg)
	}
}

// reserve makes room for the headers of so many messages, and appends the values
// of a new context.
func (h *heading) reserve(messages int) {
	headers, bytes := h.encoded.added()
	isFirst := h.space.headers == nil
	switch {
	case isFirst && messages == 1:
		h.space = newSpace(h.before+headers, bytes)
	case isFirst:
		h.space.headers = make([]kafka.Header, 0, h.before+messages*headers)
	}
	if h.values != nil {
		return
	}
	if cap(h.space.values)-len(h.space.values) < bytes {
		if isFirst {
			messages = 1 // It may well be that all have this context.
		}
		h.space.values = make([]byte, 0, messages*bytes)
	}
	h.values = h.encoded.appendValues(&h.space)
}
