// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package collector_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowsampler"
	"github.com/waybill-go/waybill/propagation"
)

const samplingPath = "../../docs/collector/sampling.yaml"

// flowOf sends one flow of four traces and returns the IDs of the kept ones.
func flowOf(tracer trace.Tracer, number int, attributes ...attribute.KeyValue) (kept []pcommon.TraceID) {
	var received []propagation.Remote
	for hop := range 4 {
		ctx, span := propagation.Start(context.Background(), tracer, "process", received, propagation.AsLink(),
			propagation.WithSpanOptions(trace.WithAttributes(append(attributes, attribute.Int("flow", number))...)))
		if attributes = nil; hop == 2 && number%10 == 0 {
			span.SetStatus(codes.Error, "")
		}
		if span.SpanContext().IsSampled() {
			kept = append(kept, pcommon.TraceID(span.SpanContext().TraceID()))
		}
		headers := propagation.Map(ctx)
		received = []propagation.Remote{propagation.Read(headers, propagation.GetterFunc[map[string]string](
			func(c map[string]string, key string) string { return c[key] }))}
		span.End()
	}
	return kept
}

// byFlow returns the number of spans of each flow.
func byFlow(t *testing.T, spans []ptrace.Span) map[int64]int {
	t.Helper()
	counts := make(map[int64]int)
	for _, span := range spans {
		flow, ok := span.Attributes().Get("flow")
		if !ok {
			t.Fatal("a span has no number of its flow")
		}
		counts[flow.Int()]++
	}
	return counts
}

func newSender(t *testing.T, probability float64) *receiver {
	t.Helper()
	sampler, err := flowsampler.New(probability, flowsampler.WithKeep(attribute.Bool("replay", true)))
	if err != nil {
		t.Fatal(err)
	}
	return newReceiver(t, sdktrace.WithSampler(sampler))
}

func TestSampling_ProbabilisticSamplerKeepsWholeFlows(t *testing.T) {
	const flows = 4000
	sender := newSender(t, 0.5)
	kept := 0
	for i := range flows {
		if len(flowOf(sender.Tracer("test"), i)) > 0 {
			kept++
		}
	}
	spans := newPipeline(t, samplingPath, "traces/flows").run(t, sender.received(t))
	counts := byFlow(t, spans)
	for flow, n := range counts {
		if n != 4 {
			t.Errorf("%d of 4 traces of flow %d are stored", n, flow)
		}
	}
	if share := float64(len(counts)) / float64(kept); math.Abs(share-0.5) > 0.05 {
		t.Errorf("%d of %d flows are stored, want a half", len(counts), kept)
	}
	for _, span := range spans {
		state, err := trace.ParseTraceState(span.TraceState().AsRaw())
		if subs := strings.Split(state.Get("ot"), ";"); err != nil || !slices.Contains(subs, "th:c") {
			t.Fatalf("the tracestate of a stored span is %q, want the threshold of a quarter", span.TraceState().AsRaw())
		}
	}
}

func TestSampling_TailSamplingKeepsErrorsAndMarkedFlows(t *testing.T) {
	sender := newSender(t, 0.2)
	var marked []pcommon.TraceID
	for i := range 500 {
		flowOf(sender.Tracer("test"), i)
	}
	for i := range 5 {
		marked = append(marked, flowOf(sender.Tracer("test"), 1001+i, attribute.Bool("replay", true))...)
	}
	if len(marked) != 5*4 {
		t.Fatalf("%d traces of the marked flows are kept, want 20", len(marked))
	}
	batches := sender.received(t)
	sent := 0
	for _, batch := range batches {
		sent += batch.SpanCount()
	}
	spans := newPipeline(t, samplingPath, "traces/errors").run(t, batches)
	stored := 0
	for _, span := range spans {
		switch {
		case slices.Contains(marked, span.TraceID()):
			stored++
		case span.Status().Code() != ptrace.StatusCodeError:
			t.Errorf("a trace without an error is stored")
		}
	}
	if stored != len(marked) {
		t.Errorf("%d of %d traces of marked flows are stored", stored, len(marked))
	}
	if errors := len(spans) - stored; errors == 0 || errors >= sent-len(marked) {
		t.Errorf("%d traces with an error are stored of %d", errors, sent)
	}
}
