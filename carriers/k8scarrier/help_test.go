// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03"

// spanContext returns a ctx with the span of traceparent.
func spanContext(t testing.TB) context.Context {
	t.Helper()
	return trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    trace.TraceID{0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c},
		SpanID:     trace.SpanID{0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31},
		TraceFlags: trace.FlagsSampled | trace.FlagsRandom,
	}))
}

// otherSpan returns a ctx with another span.
func otherSpan(t testing.TB) context.Context {
	t.Helper()
	return trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{9}, SpanID: trace.SpanID{9}, TraceFlags: trace.FlagsSampled,
	}))
}

func withTracestate(t testing.TB, ctx context.Context, text string) context.Context { //nolint:revive // t first, as in all helpers.
	t.Helper()
	state, err := trace.ParseTraceState(text)
	if err != nil {
		t.Fatal(err)
	}
	return trace.ContextWithSpanContext(ctx, trace.SpanContextFromContext(ctx).WithTraceState(state))
}

func withBaggage(t testing.TB, ctx context.Context) context.Context { //nolint:revive // t first, as in all helpers.
	t.Helper()
	members, err := baggage.Parse("user=42")
	if err != nil {
		t.Fatal(err)
	}
	return baggage.ContextWithBaggage(ctx, members)
}

// hostile is a propagator that fails the test when it is used.
type hostile struct{ t testing.TB }

func (h hostile) Inject(context.Context, propagation.TextMapCarrier) { h.t.Error("global Inject used") }

func (h hostile) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context {
	h.t.Error("global Extract used")
	return ctx
}

// Fields is asked for to find out what the propagator is.
func (hostile) Fields() []string { return []string{"hostile"} }

// setGlobalPropagator sets p for the time of the test. What was there can not
// come back: OpenTelemetry's own delegates to the first one that is set.
func setGlobalPropagator(t *testing.T, p propagation.TextMapPropagator) {
	t.Helper()
	t.Cleanup(func() { otel.SetTextMapPropagator(propagation.Default()) })
	otel.SetTextMapPropagator(p)
}
