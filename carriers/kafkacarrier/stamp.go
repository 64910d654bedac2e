// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"strings"
	"sync"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/propagation"
)

// stamp is what one inject puts on messages: the keys it clears and the headers
// it sets. It collects them first, so that the headers of a message, or of a
// whole batch, are made in two allocations, and so that what does not fit can
// be left out before anything is written.
//
// It is the carrier of that inject, and reads the message at hand.
type stamp struct {
	reading []kafka.Header
	cleared []string
	fields  []field
	values  []byte // the values of fields, one after the other.
}

// field is one header to set; its value is values[from:to].
type field struct {
	key      string
	from, to int
}

var _ propagation.TextMapCarrier = (*stamp)(nil)

var stamps = sync.Pool{New: func() any { return new(stamp) }} //nolint:gochecknoglobals // a pool is one by nature.

// take fills s with what an inject of ctx puts on a message with headers.
func (s *stamp) take(ctx context.Context, headers []kafka.Header, cfg *config) {
	s.reading, s.cleared, s.fields, s.values = headers, s.cleared[:0], s.fields[:0], s.values[:0]
	propagation.InjectTextMap(ctx, s, cfg.outbound[:cfg.outbounds]...)
	s.reading = nil
}

func (s *stamp) Get(key string) string         { return string(lookup(s.reading, key)) }
func (s *stamp) GetBytes(key string) []byte    { return lookup(s.reading, key) }
func (s *stamp) Values(key string) []string    { return valuesOf(s.reading, key) }
func (s *stamp) Keys() []string                { return keysOf(s.reading) }
func (s *stamp) Delete(key string)             { s.cleared = append(s.cleared, key) }
func (s *stamp) Set(key, value string)         { s.values = append(s.values, value...); s.set(key, len(value)) }
func (s *stamp) SetBytes(key string, v []byte) { s.values = append(s.values, v...); s.set(key, len(v)) }

// set notes that the last n bytes of values are the value of key.
func (s *stamp) set(key string, n int) {
	key = strings.ToLower(key)
	f := field{key: key, from: len(s.values) - n, to: len(s.values)}
	for i := range s.fields {
		if s.fields[i].key == key {
			s.fields[i] = f
			return
		}
	}
	s.fields = append(s.fields, f)
}

// isEmpty reports whether s changes no message.
func (s *stamp) isEmpty() bool { return len(s.fields) == 0 && len(s.cleared) == 0 }

// replaces reports whether a header named key gives way. With a new context,
// contexts in other formats do so too.
func (s *stamp) replaces(key string) bool {
	if len(s.fields) > 0 && isContextKey(key) {
		return true
	}
	for _, cleared := range s.cleared {
		if sameKey(cleared, key) {
			return true
		}
	}
	for i := range s.fields {
		if sameKey(s.fields[i].key, key) {
			return true
		}
	}
	return false
}

// kept returns how many headers stay, and their bytes on the wire.
func (s *stamp) kept(headers []kafka.Header) (n, bytes int) {
	for i := range headers {
		if h := &headers[i]; !s.replaces(h.Key) {
			n++
			bytes += headerSize(len(h.Key), len(h.Value))
		}
	}
	return n, bytes
}

// appendTo appends the headers of a message that had headers, and the new ones
// with their values in values, which holds a copy of s.values.
func (s *stamp) appendTo(dst, headers []kafka.Header, values []byte) []kafka.Header {
	for i := range headers {
		if !s.replaces(headers[i].Key) {
			dst = append(dst, headers[i])
		}
	}
	for _, f := range s.fields {
		dst = append(dst, kafka.Header{Key: f.key, Value: values[f.from:f.to:f.to]})
	}
	return dst
}

// apply stamps msg. The slice that msg had is not written to.
func (s *stamp) apply(msg *kafka.Message) {
	if s.isEmpty() {
		return
	}
	n, _ := s.kept(msg.Headers)
	values := append(make([]byte, 0, len(s.values)), s.values...)
	s.applyIn(make([]kafka.Header, 0, n+len(s.fields)), msg, values)
}

// applyIn stamps msg with headers at the end of arena, which it returns. The
// slice that msg gets has no spare room, so an append by the user does not
// reach its neighbour in the arena.
func (s *stamp) applyIn(arena []kafka.Header, msg *kafka.Message, values []byte) []kafka.Header {
	from := len(arena)
	arena = s.appendTo(arena, msg.Headers, values)
	if len(s.fields) > 0 || len(arena)-from < len(msg.Headers) {
		msg.Headers = arena[from:len(arena):len(arena)]
	}
	return arena
}
