// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowsampler_test

import (
	"context"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowsampler"
	"github.com/waybill-go/waybill/propagation"
)

// spanKind is a span that is about to start.
type spanKind struct {
	name   string
	params sdktrace.SamplingParameters
}

// spanKinds returns the cases that cost differently.
func spanKinds() []spanKind {
	link := func(state string) []trace.Link {
		return []trace.Link{{SpanContext: remoteContext(0x11, state, trace.FlagsSampled)}}
	}
	ctx := propagation.ContextWithWaybill(context.Background(), propagation.Waybill{Origin: time.Now(), Sent: time.Now()})
	child := trace.ContextWithSpanContext(ctx, remoteContext(0x22, "ot=th:fd70a4", trace.FlagsSampled))
	return []spanKind{
		{name: "child", params: sdktrace.SamplingParameters{ParentContext: child, TraceID: traceID(0x22)}},
		{name: "root", params: sdktrace.SamplingParameters{ParentContext: ctx, TraceID: traceID(0x33)}},
		{name: "root, sampled", params: sdktrace.SamplingParameters{ParentContext: ctx, TraceID: traceID(0xffffffffffff00)}},
		{name: "linked", params: sdktrace.SamplingParameters{ParentContext: ctx, TraceID: traceID(0x44), Links: link("")}},
		{name: "linked, randomness given", params: sdktrace.SamplingParameters{ParentContext: ctx, TraceID: traceID(0x44), Links: link("ot=rv:00112233445566")}},
		{name: "linked, sampled", params: sdktrace.SamplingParameters{ParentContext: ctx, TraceID: traceID(0x44), Links: link("ot=th:fd70a4;rv:ffffffffffff00")}},
	}
}

func BenchmarkShouldSample(b *testing.B) {
	for _, bench := range []struct {
		name    string
		sampler sdktrace.Sampler
	}{
		{name: "sdk TraceIDRatioBased", sampler: sdktrace.TraceIDRatioBased(0.01)},
		{name: "sdk ParentBased", sampler: sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.01))},
		{name: "New", sampler: must(flowsampler.New(0.01))},
		{name: "New, limited", sampler: must(flowsampler.New(1, flowsampler.WithRateLimit(100, 100)))},
		{name: "Wrap", sampler: must(flowsampler.Wrap(sdktrace.TraceIDRatioBased(0.01)))},
	} {
		for _, kind := range spanKinds() {
			b.Run(bench.name+"/"+kind.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					bench.sampler.ShouldSample(kind.params)
				}
			})
		}
	}
}

// A linked root is started as a receiver does.
func BenchmarkStart_Linked(b *testing.B) {
	headers := map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}
	remotes := []propagation.Remote{read(headers)}
	for _, bench := range []struct {
		name    string
		sampler sdktrace.Sampler
	}{
		{name: "sdk ParentBased", sampler: sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.01))},
		{name: "New", sampler: must(flowsampler.New(0.01))},
		{name: "Wrap", sampler: must(flowsampler.Wrap(sdktrace.TraceIDRatioBased(0.01)))},
	} {
		b.Run(bench.name, func(b *testing.B) {
			tracer := sdktrace.NewTracerProvider(sdktrace.WithSampler(bench.sampler)).Tracer("test")
			b.ReportAllocs()
			for b.Loop() {
				_, span := propagation.Start(b.Context(), tracer, "process", remotes, propagation.AsLink())
				span.End()
			}
		})
	}
}

func BenchmarkShouldSample_Parallel(b *testing.B) {
	sampler := must(flowsampler.New(1, flowsampler.WithRateLimit(100, 100)))
	params := sdktrace.SamplingParameters{ParentContext: b.Context(), TraceID: traceID(0x33)}
	for _, parallelism := range []int{1, 64} {
		b.Run(map[int]string{1: "1", 64: "64"}[parallelism], func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(parallelism)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					sampler.ShouldSample(params)
				}
			})
		})
	}
}
