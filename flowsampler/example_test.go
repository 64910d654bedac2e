// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowsampler_test

import (
	"context"
	"errors"
	"fmt"
	"math"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowsampler"
	"github.com/waybill-go/waybill/propagation"
)

// A thousand orders are sent, read as files, and reported: three traces each, which
// only links join.
func Example() {
	newTracer := func(service string) trace.Tracer {
		sampler, err := flowsampler.New(0.1)
		if err != nil {
			panic(err)
		}
		return sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler)).Tracer(service)
	}
	send, load, report := newTracer("send"), newTracer("load"), newTracer("report")

	torn := 0
	for range 1000 {
		ctx, sent := send.Start(context.Background(), "send order")
		file := propagation.Map(ctx)
		sent.End()

		ctx, loaded := propagation.Start(context.Background(), load, "load file",
			[]propagation.Remote{readMap(file)}, propagation.AsLink())
		row := propagation.Map(ctx)
		loaded.End()

		_, reported := propagation.Start(context.Background(), report, "report row",
			[]propagation.Remote{readMap(row)}, propagation.AsLink())
		reported.End()

		if sent.SpanContext().IsSampled() != loaded.SpanContext().IsSampled() ||
			sent.SpanContext().IsSampled() != reported.SpanContext().IsSampled() {
			torn++
		}
	}
	fmt.Println("flows that are not whole:", torn)
	// Output: flows that are not whole: 0
}

// readMap reads the context of a carrier that is a map.
func readMap(carrier map[string]string) propagation.Remote {
	return propagation.Read(carrier, propagation.GetterFunc[map[string]string](
		func(c map[string]string, key string) string { return c[key] }))
}

// linkedTo returns a new root that is linked to the span of a traceparent.
func linkedTo(traceparent, tracestate string) sdktrace.SamplingParameters {
	remote := readMap(map[string]string{"traceparent": traceparent, "tracestate": tracestate})
	return sdktrace.SamplingParameters{Links: []trace.Link{remote.Link()}}
}

func newProvider() (*sdktrace.TracerProvider, error) {
	sampler, err := flowsampler.New(0.01)
	if err != nil {
		return nil, err
	}
	return sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler)), nil
}

func ExampleNew() {
	provider, err := newProvider()
	if err != nil {
		panic(err)
	}
	if err = provider.Shutdown(context.Background()); err != nil {
		panic(err)
	}

	_, err = flowsampler.New(math.NaN())
	fmt.Println(err)
	// Output: flowsampler: the probability NaN is not between 0 and 1
}

// A sampler of one's own decides about flows instead of traces.
func ExampleWrap() {
	sampler, err := flowsampler.Wrap(sdktrace.TraceIDRatioBased(0.01))
	if err != nil {
		panic(err)
	}
	fmt.Println(sampler.Description())

	_, err = flowsampler.Wrap(nil)
	fmt.Println(errors.Is(err, flowsampler.ErrNil))
	// Output:
	// FlowSampler{root:TraceIDRatioBased{0.01}}
	// true
}

func ExampleWithRateLimit() {
	sampler, err := flowsampler.New(1, flowsampler.WithRateLimit(0.5, 2))
	if err != nil {
		panic(err)
	}
	for range 3 {
		result := sampler.ShouldSample(sdktrace.SamplingParameters{})
		fmt.Printf("sampled: %t, tracestate: %q\n", result.Decision == sdktrace.RecordAndSample, result.Tracestate)
	}
	// Output:
	// sampled: true, tracestate: ""
	// sampled: true, tracestate: ""
	// sampled: false, tracestate: "ot=rv:00000000000000"
}

func ExampleWithKeep() {
	sampler, err := flowsampler.New(0, flowsampler.WithKeep(attribute.Bool("replay", true)))
	if err != nil {
		panic(err)
	}
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler)).Tracer("orders")

	ctx := context.Background()
	ctx, span := tracer.Start(ctx, "replay orders", trace.WithAttributes(attribute.Bool("replay", true)))
	defer span.End()
	sc := trace.SpanContextFromContext(ctx)
	fmt.Println(sc.IsSampled(), sc.TraceState())
	// Output: true ot=th:0;rv:ffffffffffffff
}

func ExampleWithUntrustedLinks() {
	remote := readMap(map[string]string{"traceparent": "00-0af7651916cd43dd84ffffffffffffff-b7ad6b7169203331-01"})
	for _, option := range []flowsampler.Option{nil, flowsampler.WithUntrustedLinks()} {
		sampler, err := flowsampler.New(1e-9, option)
		if err != nil {
			panic(err)
		}
		tracer := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler)).Tracer("webhooks")
		_, span := propagation.Start(context.Background(), tracer, "receive webhook",
			[]propagation.Remote{remote}, propagation.WithUntrusted())
		fmt.Println("the sender decides:", span.SpanContext().IsSampled())
		span.End()
	}
	// Output:
	// the sender decides: false
	// the sender decides: true
}

func ExampleSampler_ShouldSample() {
	sampler, err := flowsampler.New(0.01)
	if err != nil {
		panic(err)
	}
	const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	for _, tracestate := range []string{"", "ot=rv:feed00c0ffee00"} {
		result := sampler.ShouldSample(linkedTo(traceparent, tracestate))
		fmt.Printf("sampled: %t, tracestate: %s\n", result.Decision == sdktrace.RecordAndSample, result.Tracestate)
	}
	// Output:
	// sampled: false, tracestate: ot=rv:48eb211c80319c
	// sampled: true, tracestate: ot=th:fd70a4;rv:feed00c0ffee00
}

func ExampleSampler_Description() {
	sampler, err := flowsampler.New(0.01, flowsampler.WithRateLimit(100, 200))
	if err != nil {
		panic(err)
	}
	fmt.Println(sampler.Description())
	// Output: FlowSampler{root:Probability{0.01},limit:100/s,burst:200}
}
