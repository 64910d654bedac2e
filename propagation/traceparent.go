// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"encoding/hex"

	"go.opentelemetry.io/otel/trace"
)

// A traceparent of version 00 is 2 digits of version, 32 of trace id, 16 of
// span id and 2 of flags, with a dash between.
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

// parseTraceparent returns the span context that s holds, without a
// tracestate, or why it holds none. It accepts what the propagator of
// OpenTelemetry does, but for a version 00 with a dash at its end.
func parseTraceparent[T ~string | ~[]byte](s T) (sc trace.SpanContext, malformed string) {
	if len(s) < traceparentLen {
		return sc, "shorter than 55 bytes"
	}
	if s[traceIDAt-1] != '-' || s[spanIDAt-1] != '-' || s[flagsAt-1] != '-' {
		return sc, "the fields are not divided by dashes at the fixed places"
	}
	var version, flags [1]byte
	var cfg trace.SpanContextConfig
	ok := decodeHex(version[:], s, 0)
	ok = decodeHex(cfg.TraceID[:], s, traceIDAt) && ok
	ok = decodeHex(cfg.SpanID[:], s, spanIDAt) && ok
	ok = decodeHex(flags[:], s, flagsAt) && ok
	switch {
	case !ok:
		return sc, "a digit is not lower-case hexadecimal"
	case version[0] == 0xff:
		return sc, "version ff is forbidden"
	case version[0] == 0 && len(s) > traceparentLen:
		return sc, "longer than the 55 bytes of version 00"
	case len(s) > traceparentLen && s[traceparentLen] != '-':
		return sc, "no dash after the flags of a later version"
	case version[0] == 0 && trace.TraceFlags(flags[0])&^knownFlags != 0:
		return sc, "a flag is set that version 00 reserves"
	case !cfg.TraceID.IsValid():
		return sc, "the trace id is all zeros"
	case !cfg.SpanID.IsValid():
		return sc, "the span id is all zeros"
	}
	cfg.TraceFlags = trace.TraceFlags(flags[0]) & knownFlags
	cfg.Remote = true
	return trace.NewSpanContext(cfg), ""
}

// decodeHex fills dst from the lower-case hexadecimal digits of s at from, and
// reports whether all of them are such.
func decodeHex[T ~string | ~[]byte](dst []byte, s T, from int) bool {
	var bad byte
	for i := range dst {
		high, low := hexDigit(s[from+2*i]), hexDigit(s[from+2*i+1])
		dst[i] = high<<4 | low&0x0f
		bad |= high | low
	}
	return bad <= 0x0f
}

// hexDigit returns the value of a lower-case hexadecimal digit, or 0xff.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}
