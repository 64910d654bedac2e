// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
)

func extract[C any](ctx context.Context, carrier C, getter Getter[C], cfg *config) context.Context {
	var r Remote
	if cfg.codec.native {
		readNative(&r, carrier, getter, cfg)
		return r.in(ctx)
	}
	extracted := extractForeign(ctx, carrier, getter, cfg)
	if spanContext(extracted).Equal(spanContext(ctx)) {
		if read(&r, carrier, getter, cfg); r.err != nil {
			return ctx // Its companions do not count without the trace context.
		}
	}
	return extracted
}

// read makes the zero Remote r what the carrier holds: a whole context or none,
// so after a malformed trace context nothing else.
func read[C any](r *Remote, carrier C, getter Getter[C], cfg *config) {
	if cfg.codec.native {
		readNative(r, carrier, getter, cfg)
		return
	}
	nothing := context.Background() //nolint:forbidigo // what is extracted must not mix with a caller's context.
	ctx := extractForeign(nothing, carrier, getter, cfg)
	sc := spanContext(ctx)
	if !sc.IsValid() {
		if r.err = whyForeign(carrier, getter, cfg.codec); r.err != nil {
			return
		}
	}
	r.spanContext, r.baggage, r.waybill = sc, baggage.FromContext(ctx), WaybillFromContext(ctx)
}

// readNative is read for the formats of this package.
func readNative[C any](r *Remote, carrier C, getter Getter[C], cfg *config) {
	bytesGetter, _ := getter.(BytesGetter[C])
	if cfg.codec.traceContext {
		parent, malformed := readTraceparent(carrier, getter, bytesGetter)
		if malformed != "" {
			r.err = &MalformedError{Key: keyTraceparent, Reason: malformed}
			return
		}
		if parent.TraceID.IsValid() {
			parent.TraceState = parseTracestate(getter.Get(carrier, keyTracestate))
			r.spanContext = trace.NewSpanContext(parent)
		}
	}
	if cfg.codec.baggage && (!cfg.baggage.restricted || len(cfg.baggage.keys) > 0) {
		r.baggage = cfg.baggage.filter(readBaggage(carrier, getter, bytesGetter))
	}
	if cfg.codec.waybill {
		r.waybill = readWaybill(carrier, getter, bytesGetter)
	}
}

// readTraceparent returns the zero config when there is none.
func readTraceparent[C any](carrier C, getter Getter[C], bytesGetter BytesGetter[C]) (parent trace.SpanContextConfig, malformed string) {
	if bytesGetter != nil {
		if value := bytesGetter.GetBytes(carrier, keyTraceparent); len(value) > 0 {
			malformed = parseTraceparent(&parent, value)
		}
		return parent, malformed
	}
	if value := getter.Get(carrier, keyTraceparent); value != "" {
		malformed = parseTraceparent(&parent, value)
	}
	return parent, malformed
}

func readWaybill[C any](carrier C, getter Getter[C], bytesGetter BytesGetter[C]) Waybill {
	if bytesGetter != nil {
		w, _ := parseWaybill(bytesGetter.GetBytes(carrier, keyWaybill))
		return w
	}
	w, _ := parseWaybill(getter.Get(carrier, keyWaybill))
	return w
}

// parseTracestate returns the tracestate that text holds; one that does not
// parse is left out, as the recommendation asks.
// https://www.w3.org/TR/trace-context-2/#a-traceparent-is-received
func parseTracestate(text string) trace.TraceState {
	if text == "" {
		return trace.TraceState{}
	}
	state, _ := trace.ParseTraceState(text)
	return state
}

// readBaggage returns the members that parse; OpenTelemetry's limits apply to
// all values together.
func readBaggage[C any](carrier C, getter Getter[C], bytesGetter BytesGetter[C]) baggage.Baggage {
	if bytesGetter != nil && len(bytesGetter.GetBytes(carrier, keyBaggage)) == 0 {
		return baggage.Baggage{} // Without making lists of nothing.
	}
	var text string
	if multi, ok := getter.(ValuesGetter[C]); ok {
		text = strings.Join(multi.Values(carrier, keyBaggage), ",")
	} else {
		text = getter.Get(carrier, keyBaggage)
	}
	b, _ := baggage.Parse(text) // what parses is kept, as OpenTelemetry does.
	return b
}

// extractForeign lets another propagator read the carrier.
func extractForeign[C any](ctx context.Context, carrier C, getter Getter[C], cfg *config) context.Context {
	if !cfg.baggage.restricted {
		return callExtract(ctx, carrier, getter, cfg.codec)
	}
	extracted := callExtract(baggage.ContextWithoutBaggage(ctx), carrier, getter, cfg.codec)
	if passed := cfg.baggage.filter(baggage.FromContext(extracted)); passed.Len() > 0 {
		return baggage.ContextWithBaggage(extracted, passed)
	}
	return baggage.ContextWithBaggage(extracted, baggage.FromContext(ctx))
}

// callExtract returns ctx if the propagator panics on what the carrier holds.
func callExtract[C any](ctx context.Context, carrier C, getter Getter[C], c *codec) (extracted context.Context) {
	defer func() {
		if recover() != nil || extracted == nil {
			extracted = ctx //nolint:fatcontext // set once, in place of the result.
		}
	}()
	return c.propagator.Extract(ctx, textMapOf(carrier, getter, nil))
}

// whyForeign says why another propagator did not accept the trace context that
// is there; it is nil when there is none. A field that nobody here knows may
// hold anything, and says nothing of the trace context.
func whyForeign[C any](carrier C, getter Getter[C], c *codec) error {
	for _, key := range c.fields {
		if !isTraceContext(key) {
			continue
		}
		value := getter.Get(carrier, key)
		if len(value) <= 1 { // B3 has a sampling decision alone: 0, 1 or d.
			continue
		}
		if key == keyTraceparent {
			if malformed := parseTraceparent(&trace.SpanContextConfig{}, value); malformed != "" {
				return &MalformedError{Key: key, Reason: malformed}
			}
		}
		return &MalformedError{Key: key, Reason: "the propagator did not accept it"}
	}
	return nil
}

// isTraceContext knows the fields that the W3C, B3, Jaeger, X-Ray and
// OpenTracing formats keep the ids of a span in.
func isTraceContext(key string) bool {
	switch key {
	case keyTraceparent, "b3", "x-b3-traceid", "x-b3-spanid", "uber-trace-id", "X-Amzn-Trace-Id", "ot-tracer-traceid", "ot-tracer-spanid":
		return true
	default:
		return false
	}
}
