// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"

	"github.com/segmentio/kafka-go"
)

// stamper stamps the messages of one call, within the limit of the Writer.
type stamper struct {
	w       *Writer
	stamped *stamp
	values  []byte // Of what is stamped.
	arena   arena
	headers int // How many there were on all messages.
	left    int // How many messages are to come.
}

func newStamper(w *Writer, msgs []kafka.Message) *stamper {
	s := &stamper{w: w, left: len(msgs)}
	s.stamped, _ = stamps.Get().(*stamp)
	for i := range msgs {
		s.headers += len(msgs[i].Headers)
	}
	return s
}

func (s *stamper) release() { stamps.Put(s.stamped) }

// stamp puts the context of ctx on msg. If it is not fresh, ctx is that of the
// call before, and so is what is stamped.
func (s *stamper) stamp(ctx context.Context, msg *kafka.Message, fresh bool) {
	left := s.left
	s.left--
	if s.w.cfg.withoutInject {
		return
	}
	if fresh || s.values == nil || s.w.cfg.keepsExisting() {
		s.take(ctx, msg, left)
	}
	if s.stamped.isEmpty() {
		return
	}
	if s.arena.headers == nil {
		s.arena.headers = make([]kafka.Header, 0, s.headers+left*len(s.stamped.fields))
	}
	limit := s.w.batchBytes()
	without := s.stamped.fit(msg, limit)
	if without != whole && totalSize(msg) <= limit {
		s.w.dropped(dropTooLarge)
	}
	s.arena.stamp(msg, s.stamped, s.values, without)
}

// take makes what is stamped anew.
func (s *stamper) take(ctx context.Context, msg *kafka.Message, left int) {
	s.stamped.take(ctx, msg.Headers, &s.w.cfg)
	if n := len(s.stamped.values); cap(s.arena.values)-len(s.arena.values) < n {
		if s.values == nil {
			left = 1 // It may well be the only one.
		}
		s.arena.values = make([]byte, 0, left*n)
	}
	s.values = s.arena.hold(s.stamped)
}
