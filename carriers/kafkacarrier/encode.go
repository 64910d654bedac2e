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
	fields propagation.Fields
	more   []kafka.Header // Written after the fields.

	replacesAll    bool   // Removes contexts in any format.
	replacesOthers bool   // Also removes the keys of a propagator of other formats.
	removes        string // Another key that is removed; may be empty.
	bothSpellings  bool

	headers int // How many headers are written,
	size    int // their bytes on the wire,
	values  int // and the bytes of the values of the fields.
}

// replacing removes an existing context even if there is none to write.
var replacing = propagation.WithPolicy(propagation.Replace)

// encode makes e what is written for ctx. With a new trace context, contexts in
// all formats are removed, because some reader would continue them; and without
// one, those that come from an untrusted source are.
func (e *encoded) encode(ctx context.Context, opts []propagation.Option) {
	e.fields = propagation.Encode(ctx, opts...)
	if e.replacesAll = e.fields.HasTraceContext(); !e.replacesAll && propagation.IsUntrusted(ctx) {
		e.encodeAlone(ctx, opts)
		return
	}
	e.replacesOthers = !e.replacesAll || !e.fields.UsesContextKeys()
	e.measure()
}

// encodeAlone is encode for messages whose own context must not remain.
func (e *encoded) encodeAlone(ctx context.Context, opts []propagation.Option) {
	var room [8]propagation.Option
	e.fields = propagation.Encode(ctx, append(append(room[:0], opts...), replacing)...)
	e.replacesAll, e.replacesOthers = true, true
	e.measure()
}

// measure counts the headers of e.
func (e *encoded) measure() {
	e.headers, e.size, e.values = len(e.more), 0, 0
	for i := range e.more {
		e.size += headerSize(len(e.more[i].Key), len(e.more[i].Value))
	}
	for i := range e.fields.Len() {
		key, value := e.fields.Key(i), e.fields.ValueLen(i)
		e.values += value
		e.headers++
		e.size += headerSize(len(key), value)
		if e.bothSpellings && otherSpelling(key) != "" {
			e.headers++
			e.size += headerSize(len(key), value)
		}
	}
}

// replaces reports whether a header named key is removed.
func (e *encoded) replaces(key string) bool {
	if e.replacesAll && propagation.IsContextKey(key) || e.replacesOthers && e.fields.Clears(key) {
		return true
	}
	for i := range e.more {
		if isKey(e.more[i].Key, key) {
			return true
		}
	}
	return e.removes != "" && isKey(e.removes, key)
}

// kept returns how many of headers remain, and their bytes on the wire.
func (e *encoded) kept(headers []kafka.Header) (n, size int) {
	for i := range headers {
		if h := &headers[i]; !e.replaces(h.Key) {
			n++
			size += headerSize(len(h.Key), len(h.Value))
		}
	}
	return n, size
}

// leaves reports whether a message of whose headers so many remain is left as it
// is: because nothing changes, or because it keeps the trace context that it
// holds, which inbound reads.
func (e *encoded) leaves(msg *kafka.Message, kept int, inbound []propagation.Option) bool {
	if e.headers == 0 && kept == len(msg.Headers) {
		return true
	}
	return len(msg.Headers) > 0 && e.fields.KeepsExisting() &&
		propagation.Read(msg.Headers, getter{}, inbound...).SpanContext().IsValid()
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
// after them the headers of e. So many headers remain.
func (e *encoded) write(msg *kafka.Message, kept int) {
	s := newSpace(kept+e.headers, e.values)
	e.writeTo(msg, kept, &s, e.appendValues(&s), nil)
}

// appendValues appends the values of the fields to s, so that the headers of any
// number of messages can share them.
func (e *encoded) appendValues(s *space) (values []byte) {
	from := len(s.values)
	for i := range e.fields.Len() {
		s.values = e.fields.AppendValue(s.values, i)
	}
	return s.values[from:]
}

// writeTo is write with headers from s and values of appendValues. It returns the
// headers of e, to be given as same for the next message.
func (e *encoded) writeTo(msg *kafka.Message, kept int, s *space, values []byte, same []kafka.Header) (written []kafka.Header) {
	from := len(s.headers)
	if kept == len(msg.Headers) {
		s.headers = append(s.headers, msg.Headers...)
	} else {
		for i := range msg.Headers {
			if !e.replaces(msg.Headers[i].Key) {
				s.headers = append(s.headers, msg.Headers[i])
			}
		}
	}
	own := len(s.headers)
	if same != nil {
		s.headers = append(s.headers, same...)
	} else {
		s.headers = e.appendHeaders(s.headers, values)
	}
	to := len(s.headers)
	msg.Headers = s.headers[from:to:to]
	return s.headers[own:to:to]
}

// appendHeaders appends the headers of e, with values of appendValues.
func (e *encoded) appendHeaders(headers []kafka.Header, values []byte) []kafka.Header {
	at := 0
	for i := range e.fields.Len() {
		key, to := e.fields.Key(i), at+e.fields.ValueLen(i)
		value := values[at:to:to]
		headers = append(headers, kafka.Header{Key: ownKey(key), Value: value})
		if e.bothSpellings {
			if other := otherSpelling(key); other != "" {
				headers = append(headers, kafka.Header{Key: other, Value: value})
			}
		}
		at = to
	}
	return append(headers, e.more...)
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
var twoSpellings = [...][2]string{
	{"x-b3-traceid", "X-B3-TraceId"},
	{"x-b3-spanid", "X-B3-SpanId"},
	{"x-b3-parentspanid", "X-B3-ParentSpanId"},
	{"x-b3-sampled", "X-B3-Sampled"},
	{"x-b3-flags", "X-B3-Flags"},
	{"x-amzn-trace-id", "X-Amzn-Trace-Id"},
}

// shrink leaves out what would make msg, of whose headers so many remain, longer
// than limit.
func (e *encoded) shrink(msg *kafka.Message, kept, size int, limit int64) {
	e.fields = e.fields.ShrinkFunc(func(f propagation.Fields) bool {
		smaller := encoded{fields: f, bothSpellings: e.bothSpellings}
		smaller.measure()
		return isWithin(msg, kept+smaller.headers, size+smaller.size, limit)
	})
	e.measure()
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
	n, size := new(encoded).kept(msg.Headers)
	return messageSize(msg, n, size)
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
