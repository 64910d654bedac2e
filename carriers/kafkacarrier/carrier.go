// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"strings"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/propagation"
)

// Carrier is the headers of one message as a [propagation.TextMapCarrier].
//
// It reads the newest value under a key, passes over empty ones, and takes a
// header that differs in case when there is no exact one. It writes one
// lower-case header in the place of all of them, and never into the slice that
// the message arrived with, so messages that share headers, as copies in a
// fan-out do, stay independent.
//
// A Carrier serves one Inject or Extract and must not be used concurrently;
// make a new one after copying the message. The zero Carrier and a nil one hold
// nothing and take nothing.
type Carrier struct {
	msg *kafka.Message
	own []kafka.Header // the slice this Carrier made, to be written to again.
}

var _ propagation.TextMapCarrier = (*Carrier)(nil)

// New returns the carrier of msg. A nil msg is an empty one that takes nothing.
func New(msg *kafka.Message) *Carrier { return &Carrier{msg: msg} }

func (c *Carrier) headers() []kafka.Header {
	if c == nil || c.msg == nil {
		return nil
	}
	return c.msg.Headers
}

// Get returns the newest value under key that is not empty, or "".
func (c *Carrier) Get(key string) string { return string(lookup(c.headers(), key)) }

// GetBytes is [Carrier.Get] without a copy. The result is the message's own and
// must not be changed; it is nil when there is no value.
func (c *Carrier) GetBytes(key string) []byte { return lookup(c.headers(), key) }

// Values returns all values under key that are not empty, in their order; those
// of headers that differ in case only if there is no exact one.
func (c *Carrier) Values(key string) []string { return valuesOf(c.headers(), key) }

func valuesOf(headers []kafka.Header, key string) []string {
	var exact, folded []string
	for _, h := range headers {
		switch {
		case len(h.Value) == 0:
		case h.Key == key:
			exact = append(exact, string(h.Value))
		case sameKey(h.Key, key):
			folded = append(folded, string(h.Value))
		}
	}
	if exact != nil {
		return exact
	}
	return folded
}

// Keys returns the key of every header, each once, in their order.
func (c *Carrier) Keys() []string { return keysOf(c.headers()) }

func keysOf(headers []kafka.Header) []string {
	keys := make([]string, 0, len(headers))
	seen := make(map[string]struct{}, len(headers))
	for _, h := range headers {
		if _, ok := seen[h.Key]; !ok {
			seen[h.Key] = struct{}{}
			keys = append(keys, h.Key)
		}
	}
	return keys
}

// Set replaces every header named key, in whatever case, with one lower-case
// header that holds value.
func (c *Carrier) Set(key, value string) { c.replace(key, []byte(value)) }

// SetBytes is [Carrier.Set] for a value of bytes, which it copies.
func (c *Carrier) SetBytes(key string, value []byte) {
	c.replace(key, append(make([]byte, 0, len(value)), value...))
}

func (c *Carrier) replace(key string, value []byte) {
	if c == nil || c.msg == nil {
		return
	}
	headers := append(c.without(key), kafka.Header{Key: strings.ToLower(key), Value: value})
	c.msg.Headers, c.own = headers, headers
}

// Delete removes every header named key, in whatever case.
func (c *Carrier) Delete(key string) {
	for _, h := range c.headers() {
		if sameKey(h.Key, key) {
			c.own = c.without(key)
			c.msg.Headers = c.own
			return
		}
	}
}

// without returns the headers that are not named key, in a slice of the
// Carrier's own with room for what an inject adds.
func (c *Carrier) without(key string) []kafka.Header {
	from := c.msg.Headers
	kept := c.own[:0]
	if !sameArray(c.own, from) {
		const room = 2 // a traceparent and a waybill.
		kept = make([]kafka.Header, 0, len(from)+room)
	}
	for _, h := range from {
		if !sameKey(h.Key, key) {
			kept = append(kept, h)
		}
	}
	return kept
}

// sameArray reports whether b is a, and not a slice that came from elsewhere.
func sameArray(a, b []kafka.Header) bool {
	return len(a) > 0 && len(a) == len(b) && &a[0] == &b[0]
}
