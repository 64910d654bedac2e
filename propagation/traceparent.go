// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"encoding/hex"

	"go.opentelemetry.io/otel/trace"
)

// A traceparent of version 00 is 2 digits of version, 32 of trace id, 16 of
// span id and 2 of flags, with a dash between them.
// https://www.w3.org/TR/trace-context-2/#traceparent-header-field-values
const (
	traceparentLen = 55

	traceIDAt = 3
	spanIDAt  = 36
	flagsAt   = 53

	knownFlags = trace.FlagsSampled | trace.FlagsRandom
)

// appendTraceparent appends the traceparent of sc.
func appendTraceparent(dst []byte, sc trace.SpanContext) []byte {
	traceID, spanID := sc.TraceID(), sc.SpanID()
	dst = append(dst, "00-"...)
	dst = hex.AppendEncode(dst, traceID[:])
	dst = append(dst, '-')
	dst = hex.AppendEncode(dst, spanID[:])
	return append(dst, '-', '0', '0'+byte(sc.TraceFlags()&knownFlags))
}

// parseTraceparent sets parent to the remote span that s identifies, or returns
// the reason why s is malformed. It accepts what OpenTelemetry's propagator
// accepts, except a version 00 value with a trailing dash.
//
// White space around s is not accepted. The grammar has none, and no known
// program writes it; only HTTP allows it around a value, where net/http removes
// it. Six of sixteen other implementations refuse it, so that a value that is
// accepted here would still end the trace at another reader.
func parseTraceparent[T ~string | ~[]byte](parent *trace.SpanContextConfig, s T) (malformed string) {
	if len(s) < traceparentLen {
		return "shorter than 55 bytes"
	}
	if s[traceIDAt-1] != '-' || s[spanIDAt-1] != '-' || s[flagsAt-1] != '-' {
		return "the fields are not divided by dashes at the fixed places"
	}
	var version, flags [1]byte
	ok := decodeHex(version[:], s, 0)
	ok = decodeHex(parent.TraceID[:], s, traceIDAt) && ok
	ok = decodeHex(parent.SpanID[:], s, spanIDAt) && ok
	ok = decodeHex(flags[:], s, flagsAt) && ok
	switch {
	case !ok:
		return "a digit is not lower-case hexadecimal"
	case version[0] == 0xff:
		return "version ff is forbidden"
	case version[0] == 0 && len(s) > traceparentLen:
		return "longer than the 55 bytes of version 00"
	case len(s) > traceparentLen && s[traceparentLen] != '-':
		return "no dash after the flags of a later version"
	case version[0] == 0 && trace.TraceFlags(flags[0])&^knownFlags != 0:
		return "a flag is set that version 00 reserves"
	case !parent.TraceID.IsValid():
		return "the trace id is all zeros"
	case !parent.SpanID.IsValid():
		return "the span id is all zeros"
	}
	parent.TraceFlags = trace.TraceFlags(flags[0]) & knownFlags
	parent.Remote = true
	return ""
}

// decodeHex fills dst from the hexadecimal digits of s at from, and reports
// whether all of them are lower-case digits.
func decodeHex[T ~string | ~[]byte](dst []byte, s T, from int) bool {
	var bad byte
	digits := s[from : from+2*len(dst)]
	for i := range dst {
		high, low := hexDigits[digits[2*i]], hexDigits[digits[2*i+1]]
		dst[i] = high<<4 | low&0x0f
		bad |= high | low
	}
	return bad <= 0x0f
}

// hexDigits is the value of each lower-case hexadecimal digit, and 0xff for every
// other byte.
var hexDigits = func() (digits [256]byte) {
	for c := range digits {
		digits[c] = 0xff
	}
	for value, c := range []byte("0123456789abcdef") {
		digits[c] = byte(value)
	}
	return digits
}()
