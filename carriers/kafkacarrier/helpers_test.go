// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/propagation"
)

const (
	traceparentA = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	traceparentB = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

	traceA = "0af7651916cd43dd8448eb211c80319c"
	traceB = "4bf92f3577b34da6a3ce929d0e0e4736"
)

// w3c is the option that most tests run with, so that no global matters.
func w3c() propagation.Option { return propagation.WithPropagator(propagation.Default()) }

// clientOption is an option of everything that has propagation.
type clientOption interface {
	kafkacarrier.ClientOption
	kafkacarrier.ForwardOption
}

// withW3C is w3c, and more, for a client.
func withW3C(opts ...propagation.Option) clientOption {
	return kafkacarrier.WithPropagation(append([]propagation.Option{w3c()}, opts...)...)
}

// with returns own options and those that all clients share.
func with[O any](shared []kafkacarrier.ClientOption, own ...O) []O {
	for _, o := range shared {
		if o == nil {
			own = append(own, *new(O))
			continue
		}
		own = append(own, o.(O))
	}
	return own
}

func header(key, value string) kafka.Header { return kafka.Header{Key: key, Value: []byte(value)} }

func withHeaders(headers ...kafka.Header) kafka.Message { return kafka.Message{Headers: headers} }

// remoteContext returns a ctx with the span of traceparent, a vendor's
// tracestate and a user in the baggage.
func remoteContext(t testing.TB, traceparent string) context.Context {
	t.Helper()
	ctx := propagation.ExtractTextMap(t.Context(), mapCarrier{
		"traceparent": traceparent, "tracestate": "vendor=1", "baggage": "user=alice,tier=gold",
	}, propagation.WithPropagator(propagation.Default()))
	if !trace.SpanContextFromContext(ctx).IsValid() || baggage.FromContext(ctx).Len() != 2 {
		t.Fatalf("%s made no context", traceparent)
	}
	return ctx
}

// bareContext is remoteContext with the span alone.
func bareContext(t testing.TB, traceparent string) context.Context {
	t.Helper()
	sc := kafkacarrier.Extract(t.Context(), withHeaders(header("traceparent", traceparent)), w3c())
	return trace.ContextWithSpanContext(t.Context(), trace.SpanContextFromContext(sc))
}

type mapCarrier map[string]string

func (c mapCarrier) Get(key string) string { return c[key] }
func (c mapCarrier) Set(key, value string) { c[key] = value }
func (c mapCarrier) Keys() []string        { return nil }

// values returns the values of headers named exactly key.
func values(headers []kafka.Header, key string) []string {
	var found []string
	for _, h := range headers {
		if h.Key == key {
			found = append(found, string(h.Value))
		}
	}
	return found
}

func keys(headers []kafka.Header) []string {
	found := make([]string, len(headers))
	for i, h := range headers {
		found[i] = h.Key
	}
	return found
}

func traceID(ctx context.Context) string {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() {
		return ""
	}
	return sc.TraceID().String()
}

// remoteTime is when some data set out.
var remoteTime = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// b3 is the part of OpenTelemetry's B3 propagator with several headers that
// matters here.
type b3 struct{}

func (b3) Fields() []string {
	return []string{"x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags"}
}

func (b3) Inject(ctx context.Context, c propagation.TextMapCarrier) {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		c.Set("x-b3-traceid", sc.TraceID().String())
		c.Set("x-b3-spanid", sc.SpanID().String())
		c.Set("x-b3-sampled", "1")
	}
}

func (b3) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	traceID, traceErr := trace.TraceIDFromHex(c.Get("x-b3-traceid"))
	spanID, spanErr := trace.SpanIDFromHex(c.Get("x-b3-spanid"))
	if traceErr != nil || spanErr != nil {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled, Remote: true,
	}))
}
