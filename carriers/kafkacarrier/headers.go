// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"math/bits"
	"strings"

	"github.com/segmentio/kafka-go"
)

// lookup returns the newest value under key that is not empty. A header named
// exactly key counts before one that differs in case.
//
// Appenders, such as OpenTelemetry for Python, put their context after that of
// an earlier hop, and everyone else leaves one, so the last is the one to take.
func lookup(headers []kafka.Header, key string) []byte {
	var folded []byte
	for i := len(headers) - 1; i >= 0; i-- {
		h := &headers[i]
		switch {
		case len(h.Value) == 0:
		case h.Key == key:
			return h.Value
		case folded == nil && sameKey(h.Key, key):
			folded = h.Value
		}
	}
	return folded
}

// sameKey reports whether a and b differ in case at most.
func sameKey(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// wireSize is what kafka-go counts for msg against Writer.BatchBytes if it had
// so many headers, of headerBytes in all. It must count as kafka-go does,
// because a message over the limit fails the whole call.
func wireSize(msg *kafka.Message, headers, headerBytes int) int64 {
	// Checksum, magic byte, attributes, timestamp, and the lengths of the key
	// and the value.
	const fixed = 4 + 1 + 1 + 8 + 4 + 4
	return int64(fixed + len(msg.Key) + len(msg.Value) + varintLen(headers) + headerBytes)
}

// totalSize is wireSize of msg as it is.
func totalSize(msg *kafka.Message) int64 {
	size := 0
	for i := range msg.Headers {
		size += headerSize(len(msg.Headers[i].Key), len(msg.Headers[i].Value))
	}
	return wireSize(msg, len(msg.Headers), size)
}

// headerSize is what one header adds to a message.
func headerSize(keyLen, valueLen int) int {
	return varintLen(keyLen) + keyLen + varintLen(valueLen) + valueLen
}

// varintLen is the length of n, which is not negative, as a zigzag varint.
func varintLen(n int) int {
	return (bits.Len64(uint64(n)<<1|1) + 6) / 7 //nolint:gosec // lengths are not negative.
}

// isContextKey reports whether key belongs to a tracing format, whoever's: a
// message with a new context must not keep an old one in another format, which
// some reader would continue.
func isContextKey(key string) bool {
	if key == "" {
		return false
	}
	switch key[0] | ' ' { // in lower case.
	case 't', 'b', 'w', 'u', 'x', 'o':
	default:
		return false
	}
	for _, name := range contextKeys {
		if sameKey(key, name) {
			return true
		}
	}
	for _, prefix := range contextPrefixes {
		if len(key) > len(prefix) && strings.EqualFold(key[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

var (
	// contextKeys are the headers of W3C Trace Context and Baggage, the
	// waybill, B3 in one header, Jaeger and X-Ray.
	contextKeys = [...]string{"traceparent", "tracestate", "baggage", "waybill", "b3", "uber-trace-id", "x-amzn-trace-id"} //nolint:gochecknoglobals // constant.

	// contextPrefixes start the headers of B3, of the baggage of Jaeger and
	// OpenTracing, and of Datadog.
	contextPrefixes = [...]string{"x-b3-", "uberctx-", "ot-tracer-", "ot-baggage-", "x-datadog-"} //nolint:gochecknoglobals // constant.
)
