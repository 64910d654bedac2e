// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowsampler_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowsampler"
	"github.com/waybill-go/waybill/propagation"
)

// must returns the sampler of a constructor that a test calls with valid arguments.
func must(s *flowsampler.Sampler, err error) *flowsampler.Sampler {
	if err != nil {
		panic(err)
	}
	return s
}

// traceID returns a trace ID with the given randomness.
func traceID(randomness uint64) (id trace.TraceID) {
	id[0] = 1
	binary.BigEndian.PutUint64(id[8:], randomness)
	return id
}

// stateOf parses a tracestate.
func stateOf(text string) trace.TraceState {
	state, err := trace.ParseTraceState(text)
	if err != nil {
		panic(err)
	}
	return state
}

// remoteContext returns the span context of a remote span.
func remoteContext(randomness uint64, state string, flags trace.TraceFlags) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID(randomness), SpanID: trace.SpanID{1}, TraceFlags: flags, TraceState: stateOf(state), Remote: true,
	})
}

// root returns a root span with the given randomness, and links.
func root(ctx context.Context, randomness uint64, links ...trace.SpanContext) sdktrace.SamplingParameters {
	p := sdktrace.SamplingParameters{ParentContext: ctx, TraceID: traceID(randomness), Name: "root"}
	for _, sc := range links {
		p.Links = append(p.Links, trace.Link{SpanContext: sc})
	}
	return p
}

// isSampled reports whether result is to sample the span.
func isSampled(result sdktrace.SamplingResult) bool {
	return result.Decision == sdktrace.RecordAndSample
}

// ids generates the same IDs in each run. It must not be used concurrently.
type ids struct{ random *rand.ChaCha8 }

func newIDs(seed byte) ids { return ids{rand.NewChaCha8([32]byte{seed})} }

func (g ids) NewIDs(ctx context.Context) (id trace.TraceID, _ trace.SpanID) {
	binary.BigEndian.PutUint64(id[:], g.random.Uint64())
	binary.BigEndian.PutUint64(id[8:], g.random.Uint64())
	return id, g.NewSpanID(ctx, id)
}

func (g ids) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	binary.BigEndian.PutUint64(id[:], g.random.Uint64())
	return id
}

// service returns the tracer of a service with its own sampler and no processor.
func service(seed byte, sampler sdktrace.Sampler) trace.Tracer {
	return sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler), sdktrace.WithIDGenerator(newIDs(seed))).Tracer("test")
}

// defaults makes a call independent of the global propagator.
var defaults = propagation.WithPropagator(propagation.Default())

// read returns what a carrier with the given headers holds.
func read(headers map[string]string) propagation.Remote {
	return propagation.Read(headers, propagation.GetterFunc[map[string]string](func(c map[string]string, key string) string {
		return c[key]
	}), defaults)
}

// chain sends one flow through services and returns the root span of each: every
// service starts a trace of its own that is linked to the one before, and does its
// work in a child of the root.
func chain(tb testing.TB, services []trace.Tracer, attributes ...attribute.KeyValue) []trace.SpanContext {
	tb.Helper()
	roots := make([]trace.SpanContext, len(services))
	var received []propagation.Remote
	for i, tracer := range services {
		ctx, span := propagation.Start(tb.Context(), tracer, "process", received,
			propagation.AsLink(), propagation.WithSpanOptions(trace.WithAttributes(attributes...)))
		attributes = nil // Only the first root is marked.
		ctx, work := tracer.Start(ctx, "work")
		if work.SpanContext().IsSampled() != span.SpanContext().IsSampled() {
			tb.Fatalf("service %d: the child is sampled: %t, its root: %t", i, work.SpanContext().IsSampled(), span.SpanContext().IsSampled())
		}
		received = []propagation.Remote{read(propagation.Map(ctx, defaults))}
		work.End()
		span.End()
		roots[i] = span.SpanContext()
	}
	return roots
}

// sampledOf returns how many of roots are sampled.
func sampledOf(roots []trace.SpanContext) (n int) {
	for _, sc := range roots {
		if sc.IsSampled() {
			n++
		}
	}
	return n
}
