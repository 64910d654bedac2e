// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"bytes"
	"strings"
	"unsafe"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/propagation"
)

// isKey reports whether a and b differ in case at most.
func isKey(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// index returns the position of the newest value under key that is not empty, or
// -1. A header with exactly this key precedes those that differ in case.
//
// Programs that append headers, such as those with OpenTelemetry for Python,
// write their context after the context of an earlier hop, and all others leave one
// context, so the last one is right.
func index(headers []kafka.Header, key string) int {
	folded := -1
	for i := len(headers) - 1; i >= 0; i-- {
		h := &headers[i]
		switch {
		case len(h.Key) != len(key) || len(h.Value) == 0:
		case h.Key == key:
			return i
		case folded < 0 && strings.EqualFold(h.Key, key):
			folded = i
		}
	}
	return folded
}

// lookup returns the value at index, or nil.
func lookup(headers []kafka.Header, key string) []byte {
	if i := index(headers, key); i >= 0 {
		return headers[i].Value
	}
	return nil
}

// valuesOf returns all values under key that are not empty, in order: the
// values of headers with exactly this key, or else of those that differ in case.
func valuesOf(headers []kafka.Header, key string) []string {
	var exact, folded []string
	for i := range headers {
		h := &headers[i]
		switch {
		case len(h.Key) != len(key) || len(h.Value) == 0:
		case h.Key == key:
			exact = append(exact, string(h.Value))
		case strings.EqualFold(h.Key, key):
			folded = append(folded, string(h.Value))
		}
	}
	if exact != nil {
		return exact
	}
	return folded
}

// keysOf returns the key of every header, each once, in order.
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

// hasDuplicates reports whether headers hold two trace contexts that differ.
func hasDuplicates(headers []kafka.Header) bool {
	const key = "traceparent"
	var first []byte
	for i := range headers {
		h := &headers[i]
		switch {
		case len(h.Key) != len(key) || len(h.Value) == 0 || !strings.EqualFold(h.Key, key):
		case first == nil:
			first = h.Value
		case !bytes.Equal(first, h.Value):
			return true
		}
	}
	return false
}

// carriesContext reports whether headers may carry a context that opts read.
func carriesContext(headers []kafka.Header, opts []propagation.Option) bool {
	if len(headers) == 0 {
		return false
	}
	for i := range headers {
		if propagation.IsContextKey(headers[i].Key) {
			return true
		}
	}
	return !propagation.UsesContextKeys(opts...)
}

// unsentKey is the key of the waybills that this process writes. Its memory is
// its own, and a key that comes from a broker has other memory, so it tells a
// message that is about to be sent from a copy of one that was received: the
// first has counted its hop.
var unsentKey = strings.Clone(waybillKey)

const waybillKey = "waybill"

// ownKey returns key, or [unsentKey] in its place.
func ownKey(key string) string {
	if key == waybillKey {
		return unsentKey
	}
	return key
}

// isUnsent reports whether this process wrote the waybill of headers.
func isUnsent(headers []kafka.Header) bool {
	i := index(headers, waybillKey)
	return i >= 0 && unsafe.StringData(headers[i].Key) == unsafe.StringData(unsentKey)
}

// getter reads headers.
type getter struct{}

var (
	_ propagation.BytesGetter[[]kafka.Header]  = getter{}
	_ propagation.ValuesGetter[[]kafka.Header] = getter{}
	_ propagation.Keyer[[]kafka.Header]        = getter{}
	_ propagation.Indexer[[]kafka.Header]      = getter{}
)

func (getter) Get(headers []kafka.Header, key string) string      { return string(lookup(headers, key)) }
func (getter) GetBytes(headers []kafka.Header, key string) []byte { return lookup(headers, key) }
func (getter) Values(headers []kafka.Header, key string) []string { return valuesOf(headers, key) }
func (getter) Keys(headers []kafka.Header) []string               { return keysOf(headers) }
func (getter) Index(headers []kafka.Header, key string) int       { return index(headers, key) }
