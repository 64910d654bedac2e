// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"math/bits"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/propagation"
)

// encoded is what is written to the headers of messages: the fields of one
// context, and headers of our own.
type encoded struct {
	propagation.Fields

	more    []kafka.Header // Written after the fields.
	removes string         // A key that is removed besides; may be empty.

	replacesAll   bool // Contexts in any format are removed.
	bothSpellings bool
}

// replacing removes an existing context even if there is none to write.
var replacing = propagation.WithPolicy(propagation.Replace) //nolint:gochecknoglobals // constant.

// encode makes e what is written for ctx. With a new trace context, contexts in
// all formats are removed, because some reader would continue them; and without
// one, those that come from an untrusted source are.
func (e *encoded) encode(ctx context.Context, opts []propagation.Option) {
	e.Fields = propagation.Encode(ctx, opts...)
	e.replacesAll = e.HasTraceContext()
	if !e.replacesAll && propagation.IsUntrusted(ctx) {
		e.encodeAlone(ctx, opts)
	}
}

// encodeAlone is encode for messages whose own context must not remain.
func (e *encoded) encodeAlone(ctx context.Context, opts []propagation.Option) {
	e.Fields = propagation.Encode(ctx, append(opts[:len(opts):len(opts)], replacing)...)
	e.replacesAll = true
}

// replaces reports whether a header named key is removed.
func (e *encoded) replaces(key string) bool {
	if e.replacesAll && propagation.IsContextKey(key) || e.Clears(key) {
		return true
	}
	for i := range e.more {
		if isKey(e.more[i].Key, key) {
			return true
		}
	}
	return e.removes != "" && isKey(e.removes, key)
}

// changes reports whether a message gets other headers. If it holds a trace
// context, which inbound reads, it may stay as it is.
func (e *encoded) changes(msg *kafka.Message, inbound []propagation.Option) bool {
	if e.Len()+len(e.more) == 0 && e.removed(msg.Headers) == 0 {
		return false
	}
	return !e.KeepsExisting() || len(msg.Headers) == 0 || !propagation.Read(msg.Headers, getter{}, inbound...).SpanContext().IsValid()
}

// removed returns how many of headers are removed.
func (e *encoded) removed(headers []kafka.Header) (n int) {
	for i := range headers {
		if e.replaces(headers[i].Key) {
			n++
		}
	}
	return n
}

// added returns how many headers are written, and the bytes of their values.
func (e *encoded) added() (headers, bytes int) {
	for i := range e.Len() {
		headers++
		bytes += e.ValueLen(i)
		if e.bothSpellings && otherSpelling(e.Key(i)) != "" {
			headers++
		}
	}
	return headers + len(e.more), bytes
}

// space is where the headers of messages and their values are made. Slices that
// are taken from it have no spare capacity, so that an append to one does not
// reach another.
type space struct {
	headers []kafka.Header
	values  []byte
}

// newSpace returns a space for so many headers and bytes of values. It is one
// allocation for a context and few other headers, which is the usual case.
func newSpace(headers, values int) space {
	const (
		traceparent = 56 // 55 bytes, rounded up,
		both        = 96 // and with the 37 of a waybill.
	)
	switch {
	case values > both || headers > 6:
		return space{headers: make([]kafka.Header, 0, headers), values: make([]byte, 0, values)}
	case headers == 1 && values <= traceparent:
		block := new(struct {
			headers [1]kafka.Header
			values  [traceparent]byte
		})
		return space{headers: block.headers[:0], values: block.values[:0]}
	case headers <= 2:
		block := new(struct {
			headers [2]kafka.Header
			values  [both]byte
		})
		return space{headers: block.headers[:0], values: block.values[:0]}
	case headers <= 5 && values <= traceparent:
		block := new(struct {
			headers [5]kafka.Header
			values  [traceparent]byte
		})
		return space{headers: block.headers[:0], values: block.values[:0]}
	default:
		block := new(struct {
			headers [6]kafka.Header
			values  [both]byte
		})
		return space{headers: block.headers[:0], values: block.values[:0]}
	}
}

// write gives msg the headers that it had, without those that e replaces, and
// after them those of e.
func (e *encoded) write(msg *kafka.Message) {
	headers, bytes := e.added()
	s := newSpace(len(msg.Headers)+headers, bytes)
	e.writeTo(msg, &s, e.appendValues(&s))
}

// appendValues appends the values of the fields to s, so that the headers of any
// number of messages can share them.
func (e *encoded) appendValues(s *space) (values []byte) {
	from := len(s.values)
	for i := range e.Len() {
		s.values = e.AppendValue(s.values, i)
	}
	return s.values[from:]
}

// writeTo is write with headers from s and values of appendValues.
func (e *encoded) writeTo(msg *kafka.Message, s *space, values []byte) {
	from := len(s.headers)
	if e.removed(msg.Headers) == 0 {
		s.headers = append(s.headers, msg.Headers...)
	} else {
		for i := range msg.Headers {
			if !e.replaces(msg.Headers[i].Key) {
				s.headers = append(s.headers, msg.Headers[i])
			}
		}
	}
	at := 0
	for i := range e.Len() {
		key, to := e.Key(i), at+e.ValueLen(i)
		value := values[at:to:to]
		s.headers = append(s.headers, kafka.Header{Key: ownKey(key), Value: value})
		if other := ""; e.bothSpellings {
			if other = otherSpelling(key); other != "" {
				s.headers = append(s.headers, kafka.Header{Key: other, Value: value})
			}
		}
		at = to
	}
	s.headers = append(s.headers, e.more...)
	msg.Headers = s.headers[from:len(s.headers):len(s.headers)]
}

// otherSpelling returns the spelling of key that programs in other languages look
// for, or the empty string if all look for the same.
func otherSpelling(key string) string {
	for _, spellings := range twoSpellings {
		switch key {
		case spellings[0]:
			return spellings[1]
		case spellings[1]:
			return spellings[0]
		}
	}
	return ""
}

// twoSpellings are keys as Python and Go, and as Java, spell them.
var twoSpellings = [...][2]string{ //nolint:gochecknoglobals // constant.
	{"x-b3-traceid", "X-B3-TraceId"},
	{"x-b3-spanid", "X-B3-SpanId"},
	{"x-b3-parentspanid", "X-B3-ParentSpanId"},
	{"x-b3-sampled", "X-B3-Sampled"},
	{"x-b3-flags", "X-B3-Flags"},
	{"x-amzn-trace-id", "X-Amzn-Trace-Id"},
}

// shrink leaves out what would make msg longer than limit, which is the
// BatchBytes of a Writer.
func (e *encoded) shrink(msg *kafka.Message, limit int64) {
	kept, keptBytes := e.kept(msg.Headers)
	e.Fields = e.ShrinkFunc(func(f propagation.Fields) bool {
		smaller := encoded{Fields: f, bothSpellings: e.bothSpellings}
		headers, bytes := smaller.size()
		return isWithin(msg, kept+headers, keptBytes+bytes, limit)
	})
}

// fits reports whether msg is within limit with the headers of e.
func (e *encoded) fits(msg *kafka.Message, limit int64) bool {
	kept, keptBytes := e.kept(msg.Headers)
	headers, bytes := e.size()
	return isWithin(msg, kept+headers, keptBytes+bytes, limit)
}

// kept returns how many of headers remain, and their size.
func (e *encoded) kept(headers []kafka.Header) (n, bytes int) {
	for i := range headers {
		if h := &headers[i]; !e.replaces(h.Key) {
			n++
			bytes += headerSize(len(h.Key), len(h.Value))
		}
	}
	return n, bytes
}

// size returns how many headers the fields are, and their size.
func (e *encoded) size() (n, bytes int) {
	for i := range e.Len() {
		key := e.Key(i)
		times := 1
		if e.bothSpellings && otherSpelling(key) != "" {
			times = 2
		}
		n += times
		bytes += times * headerSize(len(key), e.ValueLen(i))
	}
	return n, bytes
}

// smallestBroker is the smallest limit of messages that a broker is assumed to
// have. A smaller BatchBytes is about batches alone.
const smallestBroker = 4 << 10

// isWithin reports whether msg, with so many headers of so many bytes, is within
// limit: as kafka-go counts it, which otherwise fails the whole call, and as a
// batch of this one record, which a broker otherwise refuses.
func isWithin(msg *kafka.Message, headers, headerBytes int, limit int64) bool {
	if messageSize(msg, headers, headerBytes) > limit {
		return false
	}
	return limit < smallestBroker || batchSize(msg, headers, headerBytes) <= limit
}

// messageSize is what kafka-go counts for msg.
func messageSize(msg *kafka.Message, headers, headerBytes int) int64 {
	// Checksum, magic byte, attributes, timestamp, and the lengths of the key
	// and the value.
	const fixed = 4 + 1 + 1 + 8 + 4 + 4
	return int64(fixed + len(msg.Key) + len(msg.Value) + varintLen(headers) + headerBytes)
}

// batchSize is the size of a record batch that holds msg alone.
// https://kafka.apache.org/documentation/#recordbatch
func batchSize(msg *kafka.Message, headers, headerBytes int) int64 {
	const (
		batch = 61        // What precedes the records.
		fixed = 1 + 1 + 1 // Attributes, and the differences of time and offset to the first record.
	)
	record := fixed + bytesSize(msg.Key) + bytesSize(msg.Value) + varintLen(headers) + headerBytes
	return int64(batch + varintLen(record) + record)
}

// sizeOf is messageSize of msg as it is.
func sizeOf(msg *kafka.Message) int64 {
	bytes := 0
	for i := range msg.Headers {
		bytes += headerSize(len(msg.Headers[i].Key), len(msg.Headers[i].Value))
	}
	return messageSize(msg, len(msg.Headers), bytes)
}

// headerSize is what one header adds to a message.
func headerSize(key, value int) int { return varintLen(key) + key + varintLen(value) + value }

// bytesSize is the size of a key or value in a record.
func bytesSize(b []byte) int {
	if b == nil {
		return 1
	}
	return varintLen(len(b)) + len(b)
}

// varintLen is the length of n, which is not negative, as a zigzag varint.
func varintLen(n int) int {
	return (bits.Len64(uint64(n)<<1|1) + 6) / 7 //nolint:gosec // lengths are not negative.
}
