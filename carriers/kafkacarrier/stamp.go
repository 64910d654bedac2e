// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"slices"
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
// It is the carrier of that inject, with [pen] to write to it, and reads the
// message at hand.
type stamp struct {
	reading    []kafka.Header
	cleared    []string
	fields     []field
	values     []byte // The values of fields, one after the other.
	contextual bool   // Reports whether fields hold a context.
	encoded    propagation.Fields
}

// field is one header to set; its value is values[from:to].
type field struct {
	key      string
	from, to int
}

var stamps = sync.Pool{New: func() any { return new(stamp) }} //nolint:gochecknoglobals // a pool is one by nature.

// take fills s with what an inject of ctx puts on a message with headers. That
// is nothing if the propagator panics.
func (s *stamp) take(ctx context.Context, headers []kafka.Header, opts []propagation.Option) {
	defer func() {
		if recover() != nil {
			s.reset(nil)
		}
	}()
	s.reset(headers)
	propagation.Inject(ctx, s, pen{}, opts...)
	s.contextual = len(s.fields) > 0
	s.reading = nil
}

// reset makes s that of a message with headers, with nothing to put on it.
func (s *stamp) reset(headers []kafka.Header) {
	s.reading = headers
	s.cleared, s.fields, s.values = s.cleared[:0], s.fields[:0], s.values[:0]
	s.contextual = false
	s.encoded = propagation.Fields{}
}

// pen writes to a stamp and reads the message it is for.
type pen struct{}

func (pen) Get(s *stamp, key string) string      { return string(lookup(s.reading, key)) }
func (pen) GetBytes(s *stamp, key string) []byte { return lookup(s.reading, key) }
func (pen) Values(s *stamp, key string) []string { return valuesOf(s.reading, key) }
func (pen) Keys(s *stamp) []string               { return keysOf(s.reading) }
func (pen) Delete(s *stamp, key string)          { s.cleared = append(s.cleared, key) }

func (pen) SetFields(s *stamp, fields propagation.Fields) {
	s.encoded = fields
	for i := range fields.Len() {
		s.values = fields.AppendValue(s.values, i)
		s.set(fields.Key(i), fields.ValueLen(i))
	}
}

func (pen) Set(s *stamp, key, value string) {
	s.values = append(s.values, value...)
	s.set(key, len(value))
}

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

// level is how much of a stamp is left out, so that the rest fits: what others
// can best do without goes first, and a value is never cut.
type level int

const (
	whole level = iota
	withoutBaggage
	withoutTracestate
	withoutWaybill
	nothing // The message stays as it is.
)

// levelWithout returns the first level that leaves out a header named key.
func levelWithout(key string) level {
	switch {
	case key == "baggage", strings.HasPrefix(key, "uberctx-"), strings.HasPrefix(key, "ot-baggage-"):
		return withoutBaggage
	case key == "tracestate":
		return withoutTracestate
	case key == "waybill":
		return withoutWaybill
	default:
		return nothing
	}
}

// isIn reports whether f is part of what is left at a level.
func (f *field) isIn(without level) bool { return without == whole || levelWithout(f.key) > without }

// isEmpty reports whether s changes no message.
func (s *stamp) isEmpty() bool {
	return len(s.fields) == 0 && len(s.cleared) == 0 && s.encoded.IsEmpty()
}

// replaces reports whether a header named key gives way. With a new context,
// contexts in other formats do so too.
func (s *stamp) replaces(key string) bool {
	if s.contextual {
		if isContextKey(key) {
			return true
		}
	}
	if s.encoded.Clears(key) {
		return true
	}
	if holdsKey(s.cleared, key) {
		return true
	}
	for i := range s.fields {
		if sameKey(s.fields[i].key, key) {
			return true
		}
	}
	return false
}

func holdsKey(keys []string, key string) bool {
	return slices.ContainsFunc(keys, func(k string) bool { return sameKey(k, key) })
}

// changes reports whether a message with headers gets others.
func (s *stamp) changes(headers []kafka.Header) bool {
	if len(s.fields) > 0 {
		return true
	}
	for i := range headers {
		if s.replaces(headers[i].Key) {
			return true
		}
	}
	return false
}

// fit returns how much of s has to be left out for msg, of whose headers those
// in kept stay, to be within limit bytes as kafka-go counts them, and for s to
// add at most budget bytes to it, if that is more than 0.
func (s *stamp) fit(msg *kafka.Message, kept []kafka.Header, limit int64, budget int) level {
	size := 0
	for i := range kept {
		size += headerSize(len(kept[i].Key), len(kept[i].Value))
	}
	for without := range nothing {
		n, bytes, own := s.added(without)
		if wireSize(msg, len(kept)+n, size+bytes) <= limit && (budget <= 0 || own <= budget) {
			return without
		}
	}
	return nothing
}

// added returns how many headers s sets at a level, their bytes on the wire,
// and those of their keys and values alone.
func (s *stamp) added(without level) (n, bytes, own int) {
	for i := range s.fields {
		if f := &s.fields[i]; f.isIn(without) {
			n++
			bytes += headerSize(len(f.key), f.to-f.from)
			own += len(f.key) + f.to - f.from
		}
	}
	return n, bytes, own
}

// arena holds the headers of many messages in two arrays.
type arena struct {
	headers []kafka.Header
	values  []byte
}

// newArena makes room for so many headers and bytes of values: where those are
// the context alone and a few headers, as most often, in one allocation.
func newArena(headers, values int) arena {
	const traceparent = 56 // 55 bytes, rounded up.
	switch {
	case values > traceparent || headers > 5:
		return arena{headers: make([]kafka.Header, 0, headers), values: make([]byte, 0, values)}
	case headers == 1:
		block := new(struct {
			headers [1]kafka.Header
			values  [traceparent]byte
		})
		return arena{headers: block.headers[:0], values: block.values[:0]}
	default:
		block := new(struct {
			headers [5]kafka.Header
			values  [traceparent]byte
		})
		return arena{headers: block.headers[:0], values: block.values[:0]}
	}
}

// hold copies the values of s, so that messages can be stamped with them.
func (a *arena) hold(s *stamp) (values []byte) {
	from := len(a.values)
	a.values = append(a.values, s.values...)
	return a.values[from:]
}

// keep adds the headers of msg that s does not replace, and returns them.
func (a *arena) keep(msg *kafka.Message, s *stamp) (kept []kafka.Header) {
	from := len(a.headers)
	for i := range msg.Headers {
		if !s.replaces(msg.Headers[i].Key) {
			a.headers = append(a.headers, msg.Headers[i])
		}
	}
	return a.headers[from:]
}

// stamp gives msg, in the place of its headers, those that were kept last, and
// those of s, whose values are held in values. The slice that msg had is not
// written to, and the one it gets has no spare room, so that an append to it
// does not reach its neighbour.
func (a *arena) stamp(msg *kafka.Message, kept []kafka.Header, s *stamp, values []byte, without level) {
	from := len(a.headers) - len(kept)
	if without == nothing || len(s.fields) == 0 && len(kept) == len(msg.Headers) {
		a.headers = a.headers[:from] // The message stays as it is.
		return
	}
	for i := range s.fields {
		if f := &s.fields[i]; f.isIn(without) {
			a.headers = append(a.headers, kafka.Header{Key: f.key, Value: values[f.from:f.to:f.to]})
		}
	}
	msg.Headers = a.headers[from:len(a.headers):len(a.headers)]
}

// apply stamps one message.
func (s *stamp) apply(msg *kafka.Message) {
	if !s.changes(msg.Headers) {
		return
	}
	a := newArena(len(msg.Headers)+len(s.fields), len(s.values))
	a.stamp(msg, a.keep(msg, s), s, a.hold(s), whole)
}

// applyAll stamps all of msgs with the same values.
func (s *stamp) applyAll(msgs []kafka.Message) {
	if s.isEmpty() {
		return
	}
	headers := 0
	for i := range msgs {
		headers += len(msgs[i].Headers) + len(s.fields)
	}
	a := arena{headers: make([]kafka.Header, 0, headers), values: make([]byte, 0, len(s.values))}
	values := a.hold(s)
	for i := range msgs {
		a.stamp(&msgs[i], a.keep(&msgs[i], s), s, values, whole)
	}
}
