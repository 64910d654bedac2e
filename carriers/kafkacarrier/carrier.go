// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"slices"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/propagation"
)

// Carrier adapts the headers of one [kafka.Message] to
// [propagation.TextMapCarrier].
//
// It reads the newest value under a key that is not empty; a header with exactly
// this key precedes those that differ in case. It writes one header in place of
// all that have the key in any case. It never writes into the slice that the
// message arrived with, so messages that share headers, as copies in a fan-out
// do, stay independent.
//
// A Carrier serves one injection or extraction and must not be used concurrently;
// make a new one after copying the message. A nil or zero Carrier is empty, and
// Set is a no-op.
type Carrier struct {
	msg *kafka.Message
	own []kafka.Header // The slice that this Carrier made, and may write to.
}

var _ propagation.TextMapCarrier = (*Carrier)(nil)

// New returns the carrier of msg. If msg is nil, the carrier is empty.
func New(msg *kafka.Message) *Carrier { return &Carrier{msg: msg} }

func (c *Carrier) headers() []kafka.Header {
	if c == nil || c.msg == nil {
		return nil
	}
	return c.msg.Headers
}

// Get returns the newest value under key that is not empty, or the empty string.
func (c *Carrier) Get(key string) string { return string(lookup(c.headers(), key)) }

// GetBytes is [Carrier.Get] without a copy. The result belongs to the message and
// must not be modified. It is nil if there is no value under key.
func (c *Carrier) GetBytes(key string) []byte { return lookup(c.headers(), key) }

// Values returns all values under key that are not empty, in order. Values of
// headers that differ in case are returned only if no header has exactly this
// key.
func (c *Carrier) Values(key string) []string { return valuesOf(c.headers(), key) }

// Keys returns the key of every header, each once, in order.
func (c *Carrier) Keys() []string { return keysOf(c.headers()) }

// Index returns the position of the header that [Carrier.Get] reads, or -1. Later
// headers are newer.
func (c *Carrier) Index(key string) int { return index(c.headers(), key) }

// Set replaces every header with the given key, in any case, with one header that
// has the key as given.
func (c *Carrier) Set(key, value string) {
	if c == nil || c.msg == nil {
		return
	}
	same := func(other string) bool { return isKey(other, key) }
	headers := append(c.without(same, 1), kafka.Header{Key: ownKey(key), Value: []byte(value)})
	c.msg.Headers, c.own = headers, headers
}

// Delete removes every header with the given key, in any case.
func (c *Carrier) Delete(key string) {
	is := func(h kafka.Header) bool { return isKey(h.Key, key) }
	if slices.ContainsFunc(c.headers(), is) {
		c.own = c.without(func(other string) bool { return isKey(other, key) }, 0)
		c.msg.Headers = c.own
	}
}

// SetFields removes the headers that fields clear and sets its pairs.
func (c *Carrier) SetFields(fields propagation.Fields) {
	if c == nil || c.msg == nil || fields.IsEmpty() {
		return
	}
	headers := c.without(fields.Clears, fields.Len())
	for i := range fields.Len() {
		value := fields.AppendValue(make([]byte, 0, fields.ValueLen(i)), i)
		headers = append(headers, kafka.Header{Key: ownKey(fields.Key(i)), Value: value})
	}
	c.msg.Headers, c.own = headers, headers
}

// without returns the headers whose keys is does not report, in a slice of the
// Carrier's own with room for so many more.
func (c *Carrier) without(is func(key string) bool, room int) []kafka.Header {
	from := c.msg.Headers
	kept := c.own[:0]
	if !sameArray(c.own, from) {
		kept = make([]kafka.Header, 0, len(from)+room)
	}
	for _, h := range from {
		if !is(h.Key) {
			kept = append(kept, h)
		}
	}
	return kept
}

// sameArray reports whether b is a, and not a slice from elsewhere.
func sameArray(a, b []kafka.Header) bool {
	return len(a) > 0 && len(a) == len(b) && &a[0] == &b[0]
}
