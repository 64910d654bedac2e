// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"sync"

	"github.com/segmentio/kafka-go"
)

// stamper stamps the messages of one call, within the limit of the Writer.
type stamper struct {
	stamp

	w      *Writer
	arena  arena
	ready  []byte // The values of stamp in the arena.
	before int    // How many headers there were on all messages.
	left   int    // How many messages are to come.
}

var stampers = sync.Pool{New: func() any { return new(stamper) }} //nolint:gochecknoglobals // a pool is one by nature.

func newStamper(w *Writer, msgs []kafka.Message) *stamper {
	s, _ := stampers.Get().(*stamper)
	s.w, s.left = w, len(msgs)
	for i := range msgs {
		s.before += len(msgs[i].Headers)
	}
	return s
}

// release ends the use of s.
func (s *stamper) release() {
	s.reset(nil)
	s.w, s.arena, s.ready, s.before, s.left = nil, arena{}, nil, 0, 0
	stampers.Put(s)
}

// put puts the context of ctx on msg. If it is not fresh, ctx is that of the
// call before, and so is what is put on.
func (s *stamper) put(ctx context.Context, msg *kafka.Message, fresh bool) { //nolint:revive // fresh is a fact of ctx.
	left := s.left
	s.left--
	if s.w.cfg.withoutInject {
		return
	}
	if fresh || s.ready == nil || s.w.cfg.keepsExisting() {
		s.prepare(ctx, msg, left)
	}
	if !s.changes(msg.Headers) {
		return
	}
	if s.arena.headers == nil {
		s.arena.headers = make([]kafka.Header, 0, s.before+left*len(s.fields))
	}
	limit := s.w.batchBytes()
	kept := s.arena.keep(msg, &s.stamp)
	without := s.fit(msg, kept, limit, s.w.cfg.maxBytes)
	if without != whole && totalSize(msg) <= limit {
		s.w.dropped(dropTooLarge)
	}
	s.arena.stamp(msg, kept, &s.stamp, s.ready, without)
}

// prepare makes what is put on anew.
func (s *stamper) prepare(ctx context.Context, msg *kafka.Message, left int) {
	s.take(ctx, msg.Headers, s.w.cfg.outbound[:s.w.cfg.outbounds])
	if n := len(s.values); cap(s.arena.values)-len(s.arena.values) < n {
		if s.ready == nil {
			left = 1 // It may well be the only one.
		}
		s.arena.values = make([]byte, 0, left*n)
	}
	s.ready = s.arena.hold(&s.stamp)
}
