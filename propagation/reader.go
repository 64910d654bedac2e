// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"strings"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
)

// The functions of this file read the formats of this package. The bytes and
// multi of each are the getter as a BytesGetter and as a ValuesGetter, or nil.

// optionals returns the optional interfaces of getter that are looked at first.
// That of a BytesGetter is only looked at for a value that is there.
func optionals[C any](getter Getter[C]) (bytes BytesGetter[C], multi ValuesGetter[C]) {
	if bytes, ok := getter.(BytesGetter[C]); ok {
		return bytes, nil
	}
	multi, _ = getter.(ValuesGetter[C])
	return nil, multi
}

// readTraceContext sets sc to the span context of the carrier, if there is one,
// or returns the reason why it is malformed.
func readTraceContext[C any](sc *trace.SpanContext, carrier C, getter Getter[C], bytes BytesGetter[C], multi ValuesGetter[C]) (malformed string) {
	var parent trace.SpanContextConfig
	if bytes != nil {
		value := bytes.GetBytes(carrier, keyTraceparent)
		if len(value) == 0 {
			return ""
		}
		malformed = parseTraceparent(&parent, value)
	} else {
		value := getter.Get(carrier, keyTraceparent)
		if value == "" {
			return ""
		}
		malformed = parseTraceparent(&parent, value)
	}
	if malformed == "" {
		parent.TraceState = readTracestate(carrier, getter, bytes, multi)
		*sc = trace.NewSpanContext(parent)
	}
	return malformed
}

// readTracestate combines several values, in their order. Beside several
// traceparents they belong to several contexts, and only the value that Get
// returns belongs to the traceparent that Get returns. One that does not parse
// is left out, as the recommendation asks.
// https://www.w3.org/TR/trace-context-2/#tracestate-header
func readTracestate[C any](carrier C, getter Getter[C], bytes BytesGetter[C], multi ValuesGetter[C]) (state trace.TraceState) {
	text, several := readValue(carrier, getter, bytes, multi, keyTracestate)
	if several {
		if multi, ok := getter.(ValuesGetter[C]); ok && len(multi.Values(carrier, keyTraceparent)) > 1 {
			text = getter.Get(carrier, keyTracestate)
		}
	}
	if text != "" && len(text) <= maxValueLen {
		state, _ = trace.ParseTraceState(text)
	}
	return state
}

// readBaggage returns the members that parse; OpenTelemetry's limits apply to
// all values together.
func readBaggage[C any](carrier C, getter Getter[C], bytes BytesGetter[C], multi ValuesGetter[C]) baggage.Baggage {
	text, _ := readValue(carrier, getter, bytes, multi, keyBaggage)
	if text == "" {
		return baggage.Baggage{}
	}
	b, _ := baggage.Parse(text) // What parses is kept, as OpenTelemetry does.
	return b
}

// readWaybill returns the zero Waybill if there is none, or a malformed one.
func readWaybill[C any](carrier C, getter Getter[C], bytes BytesGetter[C]) (w Waybill) {
	if bytes != nil {
		w, _ = parseWaybill(bytes.GetBytes(carrier, keyWaybill))
	} else {
		w, _ = parseWaybill(getter.Get(carrier, keyWaybill))
	}
	return w
}

// readValue returns the value under key, and reports whether it combines several.
func readValue[C any](carrier C, getter Getter[C], bytes BytesGetter[C], multi ValuesGetter[C], key string) (text string, several bool) {
	if bytes != nil {
		if len(bytes.GetBytes(carrier, key)) == 0 {
			return "", false // Without making lists of nothing.
		}
		multi, _ = getter.(ValuesGetter[C])
	}
	if multi == nil {
		return getter.Get(carrier, key), false
	}
	switch values := multi.Values(carrier, key); len(values) {
	case 0:
		return "", false
	case 1:
		return values[0], false
	default:
		return joined(values), true
	}
}

// joined returns values as one list, up to the length that is read at all.
func joined(values []string) string {
	size := 0
	for i, value := range values {
		if size += len(value) + len(","); size > maxValueLen {
			values = values[:i]
			break
		}
	}
	return strings.Join(values, ",")
}
