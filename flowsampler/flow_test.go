// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowsampler_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowsampler"
	"github.com/waybill-go/waybill/propagation"
)

func TestSampler_KeepsWholeFlows(t *testing.T) {
	t.Parallel()
	const (
		flows  = 100_000
		traces = 4
		rate   = 0.01
	)
	for _, tt := range []struct {
		name string
		new  func() (*flowsampler.Sampler, error)
	}{
		{name: "New", new: func() (*flowsampler.Sampler, error) { return flowsampler.New(rate) }},
		{name: "Wrap", new: func() (*flowsampler.Sampler, error) {
			return flowsampler.Wrap(sdktrace.TraceIDRatioBased(rate))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			services := make([]trace.Tracer, traces)
			for i := range services {
				services[i] = service(byte(20+i), must(tt.new()))
			}
			keptFlows, whole := 0, 0
			for range flows {
				switch sampledOf(chain(t, services)) {
				case 0:
				case traces:
					whole++
					fallthrough
				default:
					keptFlows++
				}
			}
			if share := float64(whole) / float64(keptFlows); share < 0.999 {
				t.Errorf("%d of %d kept flows are whole, want 99.9 %%", whole, keptFlows)
			}
			if got := float64(keptFlows) / flows; math.Abs(got-rate) > 0.0005 {
				t.Errorf("%.4f %% of the flows are kept, want 1 ± 0.05", got*100)
			}
		})
	}
}

func TestSampler_HigherProbabilityKeepsMoreOfTheSameFlows(t *testing.T) {
	t.Parallel()
	probabilities := []float64{0.1, 0.5, 0.2, 1}
	services := make([]trace.Tracer, len(probabilities))
	for i, p := range probabilities {
		services[i] = service(byte(i), must(flowsampler.New(p)))
	}
	counts := make([]int, len(probabilities))
	const flows = 10_000
	for range flows {
		roots := chain(t, services)
		for i := range roots {
			if !roots[i].IsSampled() {
				continue
			}
			counts[i]++
			for j := range roots {
				if probabilities[j] >= probabilities[i] && !roots[j].IsSampled() {
					t.Fatalf("a flow is kept with %g and dropped with %g", probabilities[i], probabilities[j])
				}
			}
		}
	}
	for i, p := range probabilities {
		if got := float64(counts[i]) / flows; math.Abs(got-p) > 0.02 {
			t.Errorf("service %d keeps %g of the flows, want %g", i, got, p)
		}
	}
}

func TestSampler_ReceiverOfMessagesContinuesTheTrace(t *testing.T) {
	t.Parallel()
	sender, receiver := service(1, must(flowsampler.New(0.5))), service(2, must(flowsampler.New(0.01)))
	for range 100 {
		ctx, sent := sender.Start(t.Context(), "send")
		_, received := propagation.Start(t.Context(), receiver, "process", []propagation.Remote{read(propagation.Map(ctx, defaults))})
		if received.SpanContext().TraceID() != sent.SpanContext().TraceID() {
			t.Fatal("the receiver did not continue the trace")
		}
		if got, want := received.SpanContext().IsSampled(), sent.SpanContext().IsSampled(); got != want {
			t.Fatalf("the child of a remote parent is sampled: %t, the parent: %t", got, want)
		}
		if got, want := received.SpanContext().TraceState().String(), sent.SpanContext().TraceState().String(); got != want {
			t.Fatalf("the tracestate is %q, that of the parent %q", got, want)
		}
	}
}

// messages returns n remotes with different randomness. The data of the one at
// earliest entered the flow first; none has a waybill if earliest is negative.
func messages(n, earliest int) []propagation.Remote {
	remotes := make([]propagation.Remote, n)
	for i := range remotes {
		headers := map[string]string{"traceparent": fmt.Sprintf("00-%032x-%016x-00", i+1, i+1)}
		if earliest >= 0 {
			origin := time.Date(2026, 1, 1, 0, i+1, 0, 0, time.UTC)
			if i == earliest {
				origin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			}
			headers["waybill"] = propagation.Waybill{Origin: origin, Sent: origin, Hops: 1}.String()
		}
		remotes[i] = read(headers)
	}
	return remotes
}

func TestSampler_SeveralRemotes(t *testing.T) {
	t.Parallel()
	local := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID(0xabc), SpanID: trace.SpanID{9},
	}))
	for _, tt := range []struct {
		name    string
		inSpan  bool // of this process.
		remotes []propagation.Remote
		want    string // the tracestate.
	}{
		{name: "no remotes", remotes: nil, want: ""},
		{name: "one", remotes: messages(1, 0), want: "ot=rv:00000000000001"},
		{name: "earliest first", remotes: messages(3, 0), want: "ot=rv:00000000000001"},
		{name: "earliest last", remotes: messages(3, 2), want: "ot=rv:00000000000003"},
		{name: "no waybills", remotes: messages(3, -1), want: "ot=rv:00000000000001"},
		{name: "only one waybill", remotes: append(messages(2, -1), messages(3, 2)[2]), want: "ot=rv:00000000000003"},
		{name: "more than can be linked", remotes: messages(1000, 777), want: "ot=rv:0000000000030a"},
		{name: "the last of more than can be linked", remotes: messages(1000, 999), want: "ot=rv:000000000003e8"},
		{name: "in a local span", inSpan: true, remotes: messages(3, 1), want: "ot=rv:00000000000002"},
		{name: "only a local span", inSpan: true, remotes: nil, want: "ot=rv:00000000000abc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			if tt.inSpan {
				ctx = local
			}
			_, span := propagation.Start(ctx, service(1, must(flowsampler.New(0.01))), "process", tt.remotes, propagation.AsLink())
			if got := span.SpanContext().TraceState().String(); got != tt.want {
				t.Errorf("tracestate is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSampler_EarliestOfAnEnclosingSpanIsForgotten(t *testing.T) {
	t.Parallel()
	tracer := service(1, must(flowsampler.New(0.01)))
	ctx, outer := propagation.Start(t.Context(), tracer, "outer", messages(3, 2))
	_, inner := propagation.Start(ctx, tracer, "inner", messages(2, 0), propagation.AsLink())
	if got := outer.SpanContext().TraceState().String(); got != "ot=rv:00000000000003" {
		t.Fatalf("tracestate of the outer span is %q", got)
	}
	if got, want := inner.SpanContext().TraceState().String(), "ot=rv:00000000000001"; got != want {
		t.Errorf("tracestate is %q, want %q", got, want)
	}
}

func TestSampler_UntrustedRemotes(t *testing.T) {
	t.Parallel()
	const everyone = "ffffffffffffff" // would be kept by everyone.
	stranger := read(map[string]string{
		"traceparent": "00-01000000000000000" + "0" + everyone + "-0000000000000001-01",
		"tracestate":  "ot=th:0;rv:" + everyone,
	})
	local := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID(0xabc), SpanID: trace.SpanID{9},
	}))
	for _, tt := range []struct {
		name    string
		inSpan  bool // of this process.
		start   []propagation.StartOption
		sampler []flowsampler.Option
		sampled bool
		state   string
	}{
		{name: "trusted", start: []propagation.StartOption{propagation.AsLink()}, sampled: true, state: "ot=th:0;rv:ffffffffffffff"},
		{name: "untrusted", start: []propagation.StartOption{propagation.WithUntrusted()}, sampled: false, state: ""},
		{name: "untrusted, asked for", start: []propagation.StartOption{propagation.WithUntrusted()}, sampler: []flowsampler.Option{flowsampler.WithUntrustedLinks()}, sampled: true, state: "ot=th:0;rv:ffffffffffffff"},
		{name: "untrusted, in a local span", inSpan: true, start: []propagation.StartOption{propagation.AsLink(), propagation.WithUntrusted()}, sampled: false, state: "ot=rv:00000000000abc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			if tt.inSpan {
				ctx = local
			}
			tracer := service(1, must(flowsampler.New(0.01, tt.sampler...)))
			ctx, span := propagation.Start(ctx, tracer, "process", []propagation.Remote{stranger}, tt.start...)
			sc := span.SpanContext()
			if sc.IsSampled() != tt.sampled || sc.TraceState().String() != tt.state {
				t.Errorf("sampled %t with %q, want %t with %q", sc.IsSampled(), sc.TraceState(), tt.sampled, tt.state)
			}
			// What is linked in a span of an untrusted remote is as untrusted.
			_, inner := propagation.Start(ctx, tracer, "inner", []propagation.Remote{stranger}, propagation.AsLink())
			if got := inner.SpanContext().IsSampled(); got != tt.sampled {
				t.Errorf("the span linked inside is sampled: %t, want %t", got, tt.sampled)
			}
		})
	}
}

func TestWithKeep_MarksTheWholeFlow(t *testing.T) {
	t.Parallel()
	replay := attribute.Bool("replay", true)
	services := []trace.Tracer{
		service(1, must(flowsampler.New(0.01, flowsampler.WithKeep(attribute.String("user_agent.synthetic.type", "test"), replay), flowsampler.WithRateLimit(1e-6, 1)))),
		service(2, must(flowsampler.New(0.001))), // needs no option.
		service(3, must(flowsampler.Wrap(sdktrace.NeverSample()))),
		service(4, must(flowsampler.New(0))),
	}
	for range 100 {
		for i, sc := range chain(t, services, attribute.String("order", "42"), replay) {
			if got, want := sc.TraceState().String(), "ot=th:0;rv:ffffffffffffff"; !sc.IsSampled() || got != want {
				t.Fatalf("root %d: sampled %t with %q, want true with %q", i, sc.IsSampled(), got, want)
			}
		}
	}
	for _, other := range [][]attribute.KeyValue{nil, {attribute.Bool("replay", false)}, {attribute.String("replay", "true")}} {
		marked := 0
		for range 20 {
			marked += sampledOf(chain(t, services, other...))
		}
		if marked > 4 {
			t.Errorf("%d roots of 20 flows with the attributes %v are kept", marked, other)
		}
	}
}

func TestWithKeep_ChildFollowsItsParent(t *testing.T) {
	t.Parallel()
	sampler := must(flowsampler.New(1, flowsampler.WithKeep(attribute.Bool("replay", true))))
	p := sdktrace.SamplingParameters{
		ParentContext: trace.ContextWithRemoteSpanContext(t.Context(), remoteContext(1, "ot=rv:00000000000007,a=b", 0)),
		TraceID:       traceID(1),
		Attributes:    []attribute.KeyValue{attribute.Bool("replay", true)},
	}
	if got := sampler.ShouldSample(p); got.Decision != sdktrace.Drop || got.Tracestate.String() != "ot=rv:00000000000007,a=b" {
		t.Errorf("ShouldSample = %v, want a drop with the tracestate of the parent", got)
	}
}

func TestWithKeep_MarksTheFlowOfALink(t *testing.T) {
	t.Parallel()
	sampler := must(flowsampler.New(0.01, flowsampler.WithKeep(attribute.Bool("replay", true))))
	p := root(t.Context(), 5, remoteContext(7, "ot=rv:00000000000007", 0))
	p.Attributes = []attribute.KeyValue{attribute.Bool("replay", true)}
	if got := sampler.ShouldSample(p); !isSampled(got) || got.Tracestate.String() != "ot=th:0;rv:ffffffffffffff" {
		t.Errorf("ShouldSample = %v, want the flow to be marked as kept", got)
	}
}
