// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowsampler_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowsampler"
)

// begin starts n flows and returns how many are kept.
func begin(tb testing.TB, sampler *flowsampler.Sampler, n int) (kept int) {
	tb.Helper()
	for i := range n {
		if isSampled(sampler.ShouldSample(root(tb.Context(), uint64(i)))) {
			kept++
		}
	}
	return kept
}

func TestWithRateLimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		perSecond float64
		burst     int
		step      time.Duration // between rounds of a thousand flows.
		rounds    int
		first     int
		want      int // in all rounds after the first.
	}{
		{name: "steady", perSecond: 10, burst: 1, step: 100 * time.Millisecond, rounds: 100, first: 1, want: 100},
		{name: "burst", perSecond: 10, burst: 50, step: time.Second, rounds: 10, first: 50, want: 100},
		{name: "burst is refilled", perSecond: 10, burst: 50, step: 5 * time.Second, rounds: 3, first: 50, want: 150},
		{name: "burst is never exceeded", perSecond: 10, burst: 50, step: time.Hour, rounds: 3, first: 50, want: 150},
		{name: "fraction", perSecond: 0.1, burst: 1, step: time.Second, rounds: 100, first: 1, want: 10},
		{name: "fraction above one", perSecond: 1.5, burst: 3, step: 2 * time.Second, rounds: 10, first: 3, want: 30},
		{name: "one in a day", perSecond: 1.0 / 86400, burst: 1, step: 12 * time.Hour, rounds: 10, first: 1, want: 5},
		{name: "one in ten years", perSecond: 1.0 / (10 * 365 * 86400), burst: 2, step: time.Hour, rounds: 10, first: 2, want: 0},
		{name: "hardly ever", perSecond: 1e-300, burst: 1 << 62, step: time.Hour, rounds: 10, first: 1, want: 0},
		{name: "hardly a limit", perSecond: 1e300, burst: 1 << 62, step: time.Hour, rounds: 10, first: 1000, want: 10_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sampler := must(flowsampler.New(1, flowsampler.WithRateLimit(tt.perSecond, tt.burst)))
				if got := begin(t, sampler, 1000); got != tt.first {
					t.Errorf("at first %d flows are kept, want %d", got, tt.first)
				}
				got := 0
				for range tt.rounds {
					time.Sleep(tt.step)
					got += begin(t, sampler, 1000)
				}
				if got != tt.want {
					t.Errorf("in %v %d flows are kept, want %d", time.Duration(tt.rounds)*tt.step, got, tt.want)
				}
			})
		})
	}
}

func TestWithRateLimit_Concurrent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const goroutines, burst = 64, 1000
		sampler := must(flowsampler.New(1, flowsampler.WithRateLimit(10, burst)))
		for round, want := range []int64{burst, 100} {
			var kept atomic.Int64
			var group sync.WaitGroup
			for range goroutines {
				group.Go(func() { kept.Add(int64(begin(t, sampler, 100))) })
			}
			group.Wait()
			if got := kept.Load(); got != want {
				t.Errorf("round %d: %d flows are kept, want %d", round, got, want)
			}
			time.Sleep(10 * time.Second)
		}
	})
}

func TestWithRateLimit_ADroppedFlowIsDroppedByAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		services := []trace.Tracer{
			service(1, must(flowsampler.New(0.5, flowsampler.WithRateLimit(1, 10)))),
			service(2, must(flowsampler.New(0.5))),
			service(3, must(flowsampler.New(0.9, flowsampler.WithRateLimit(1e-6, 1)))), // begins no flows.
			service(4, must(flowsampler.Wrap(&above{}))),
		}
		whole, limited := 0, 0
		for range 1000 {
			roots := chain(t, services)
			first := roots[0]
			for i, sc := range roots {
				if sc.IsSampled() && subValue(sc.TraceState(), "th") != "" && first.IsSampled() {
					t.Fatalf("root %d of a flow under a limit has the threshold %q", i, sc.TraceState())
				}
			}
			switch n := sampledOf(roots); {
			case n == len(roots):
				whole++
			case first.IsSampled():
				t.Fatalf("%d of %d roots of a kept flow are kept", n, len(roots))
			case subValue(first.TraceState(), "rv") == "00000000000000":
				limited++
				if n > 0 {
					t.Fatalf("%d of %d roots are kept of a flow over the limit", n, len(roots))
				}
			}
		}
		if whole != 10 || limited < 400 {
			t.Errorf("%d flows are whole and %d over the limit, want 10 and about 490", whole, limited)
		}
	})
}

// above is a sampler by trace ID that keeps all but the lowest.
type above struct{}

func (*above) Description() string { return "above" }

func (*above) ShouldSample(p sdktrace.SamplingParameters) (result sdktrace.SamplingResult) {
	if p.TraceID[9] > 0 {
		result.Decision = sdktrace.RecordAndSample
	}
	return result
}

func TestWithRateLimit_CountsOnlyWhatIsKept(t *testing.T) {
	t.Parallel()
	sampler := must(flowsampler.New(0.5, flowsampler.WithRateLimit(1e-6, 1)))
	if got := begin(t, sampler, 100); got != 0 { // Their randomness is low.
		t.Fatalf("%d flows are kept, want 0", got)
	}
	if got := sampler.ShouldSample(root(t.Context(), 0x90000000000000)); !isSampled(got) || got.Tracestate.Len() != 0 {
		t.Errorf("ShouldSample = %v, want the token to be there still, and no threshold", got)
	}
	if got := sampler.ShouldSample(root(t.Context(), 0x90000000000000)); isSampled(got) || got.Tracestate.String() != "ot=rv:00000000000000" {
		t.Errorf("ShouldSample = %v, want a drop that is marked", got)
	}
}
