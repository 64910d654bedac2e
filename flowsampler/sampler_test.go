// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowsampler_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowsampler"
)

func TestNew_Probability(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		probability float64
		lowest      uint64 // the lowest randomness that is kept.
		threshold   string
	}{
		{name: "all", probability: 1, lowest: 0, threshold: "0"},
		{name: "a half", probability: 0.5, lowest: 0x80000000000000, threshold: "8"},
		{name: "a quarter", probability: 0.25, lowest: 0xc0000000000000, threshold: "c"},
		{name: "a hundredth", probability: 0.01, lowest: 0xfd70a400000000, threshold: "fd70a4"},
		{name: "a third", probability: 1.0 / 3, lowest: 0xaaaab000000000, threshold: "aaaab"},
		{name: "one in a million", probability: 1e-6, lowest: 0xffffef39100000, threshold: "ffffef391"},
		{name: "nearly all", probability: 1 - 1e-6, lowest: 0x000010c6f00000, threshold: "000010c6f"},
		{name: "the least", probability: 1.0 / (1 << 56), lowest: 1<<56 - 1, threshold: "ffffffffffffff"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sampler := must(flowsampler.New(tt.probability))
			got := sampler.ShouldSample(root(t.Context(), tt.lowest))
			if want := "ot=th:" + tt.threshold; !isSampled(got) || got.Tracestate.String() != want {
				t.Errorf("at the threshold: %v with %q, want it sampled with %q", got.Decision, got.Tracestate, want)
			}
			if tt.lowest == 0 {
				return
			}
			got = sampler.ShouldSample(root(t.Context(), tt.lowest-1))
			if got.Decision != sdktrace.Drop || got.Tracestate.Len() != 0 {
				t.Errorf("below the threshold: %v with %q, want it dropped with none", got.Decision, got.Tracestate)
			}
		})
	}
}

func TestNew_ZeroKeepsNothing(t *testing.T) {
	t.Parallel()
	sampler := must(flowsampler.New(0))
	for _, randomness := range []uint64{0, 1 << 55, 1<<56 - 1} {
		if got := sampler.ShouldSample(root(t.Context(), randomness)); got.Decision != sdktrace.Drop || got.Tracestate.Len() != 0 {
			t.Errorf("randomness %x: %v with %q, want it dropped with none", randomness, got.Decision, got.Tracestate)
		}
	}
}

func TestNew_Errors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		probability float64
		option      flowsampler.Option
		want        string
	}{
		{name: "not a number", probability: math.NaN(), want: "flowsampler: the probability NaN is not between 0 and 1"},
		{name: "negative", probability: -0.1, want: "flowsampler: the probability -0.1 is not between 0 and 1"},
		{name: "over one", probability: 1.5, want: "flowsampler: the probability 1.5 is not between 0 and 1"},
		{name: "infinite", probability: math.Inf(1), want: "flowsampler: the probability +Inf is not between 0 and 1"},
		{name: "too small to be a threshold", probability: 1e-17, want: "flowsampler: the probability 1e-17 is not between 0 and 1"},
		{name: "no rate", probability: 1, option: flowsampler.WithRateLimit(0, 1), want: "flowsampler: the limit of 0 a second with a burst of 1 is not positive"},
		{name: "negative rate", probability: 1, option: flowsampler.WithRateLimit(-1, 1), want: "flowsampler: the limit of -1 a second with a burst of 1 is not positive"},
		{name: "rate not a number", probability: 1, option: flowsampler.WithRateLimit(math.NaN(), 1), want: "flowsampler: the limit of NaN a second with a burst of 1 is not positive"},
		{name: "infinite rate", probability: 1, option: flowsampler.WithRateLimit(math.Inf(1), 1), want: "flowsampler: the limit of +Inf a second with a burst of 1 is not positive"},
		{name: "no burst", probability: 1, option: flowsampler.WithRateLimit(1, 0), want: "flowsampler: the limit of 1 a second with a burst of 0 is not positive"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sampler, err := flowsampler.New(tt.probability, tt.option)
			if sampler != nil || err == nil || err.Error() != tt.want {
				t.Errorf("New = %v, %v, want nil, %s", sampler, err, tt.want)
			}
			if tt.option == nil {
				return
			}
			if _, err := flowsampler.Wrap(sdktrace.AlwaysSample(), tt.option); err == nil || err.Error() != tt.want {
				t.Errorf("Wrap: %v, want %s", err, tt.want)
			}
		})
	}
	if sampler, err := flowsampler.Wrap(nil); sampler != nil || !errors.Is(err, flowsampler.ErrNil) {
		t.Errorf("Wrap(nil) = %v, %v, want nil, ErrNil", sampler, err)
	}
}

func TestOption_LastOneWins(t *testing.T) {
	t.Parallel()
	attributes := []attribute.KeyValue{attribute.Bool("replay", true)}
	sampler := must(flowsampler.New(0.5,
		flowsampler.WithRateLimit(-1, 0), nil, flowsampler.WithRateLimit(2.5, 10),
		flowsampler.WithKeep(attribute.Int("a", 1)), flowsampler.WithKeep(attributes...)))
	attributes[0] = attribute.Bool("changed", true)
	if got, want := sampler.Description(), "FlowSampler{root:Probability{0.5},limit:2.5/s,burst:10,keep:replay=true}"; got != want {
		t.Errorf("Description = %s, want %s", got, want)
	}
}

func TestSampler_Description(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		sampler *flowsampler.Sampler
		want    string
	}{
		{name: "nil", sampler: nil, want: "FlowSampler{}"},
		{name: "zero", sampler: &flowsampler.Sampler{}, want: "FlowSampler{}"},
		{name: "New", sampler: must(flowsampler.New(0.01)), want: "FlowSampler{root:Probability{0.01}}"},
		{name: "Wrap", sampler: must(flowsampler.Wrap(sdktrace.TraceIDRatioBased(0.01), flowsampler.WithUntrustedLinks())), want: "FlowSampler{root:TraceIDRatioBased{0.01},untrustedLinks}"},
		{name: "panics", sampler: must(flowsampler.Wrap(panicking{})), want: "FlowSampler{root:flowsampler_test.panicking}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.sampler.Description(); got != tt.want {
				t.Errorf("Description = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSampler_FollowsTheParent(t *testing.T) {
	t.Parallel()
	never, always := must(flowsampler.New(0)), must(flowsampler.Wrap(sdktrace.AlwaysSample()))
	for _, flags := range []trace.TraceFlags{0, trace.FlagsSampled, trace.FlagsRandom, trace.FlagsSampled | trace.FlagsRandom} {
		for _, state := range []string{"", "a=b", "ot=th:8;rv:12345678901234;x:y,a=b", "ot=th:zz;rv:1"} {
			remote := remoteContext(1, state, flags)
			for name, sc := range map[string]trace.SpanContext{"remote": remote, "local": remote.WithRemote(false)} {
				p := root(trace.ContextWithSpanContext(t.Context(), sc), 1, remoteContext(2, "ot=rv:ffffffffffffff", trace.FlagsSampled))
				for _, sampler := range []*flowsampler.Sampler{never, always, nil, {}} {
					got := sampler.ShouldSample(p)
					if isSampled(got) != flags.IsSampled() || got.Tracestate.String() != state || len(got.Attributes) > 0 {
						t.Errorf("%s with a %s parent, flags %v, state %q: %v", sampler.Description(), name, flags, state, got)
					}
				}
			}
		}
	}
}

func TestSampler_Tracestate(t *testing.T) {
	t.Parallel()
	full := make([]string, 32)
	for i := range full {
		full[i] = fmt.Sprintf("k%d=v", i)
	}
	long := "ot=x:" + strings.Repeat("y", 250)
	const (
		low  = 0x00000000000007 // is dropped at a half.
		high = 0x90000000000000 // is kept.
	)
	for _, tt := range []struct {
		name    string
		initial string // of the root, given by the caller.
		own     uint64 // the randomness of the trace ID.
		linked  string // the tracestate of the link; "-" means no link.
		from    uint64 // the randomness of its trace ID.
		flags   trace.TraceFlags
		sampled bool
		want    string
	}{
		{name: "begins a flow, kept", own: high, linked: "-", sampled: true, want: "ot=th:8"},
		{name: "begins a flow, dropped", own: low, linked: "-", want: ""},
		{name: "linked trace ID, kept", own: low, from: high, sampled: true, want: "ot=th:8;rv:90000000000000"},
		{name: "linked trace ID, dropped", own: high, from: low, want: "ot=rv:00000000000007"},
		{name: "linked rv, kept", own: low, linked: "ot=rv:90000000000000", from: low, sampled: true, want: "ot=th:8;rv:90000000000000"},
		{name: "linked rv, dropped", own: high, linked: "ot=rv:00000000000007", from: high, want: "ot=rv:00000000000007"},
		{name: "linked and sampled", linked: "ot=th:c;rv:90000000000000", flags: trace.FlagsSampled, sampled: true, want: "ot=th:8;rv:90000000000000"},
		{name: "linked and sampled with unknown probability", linked: "ot=rv:90000000000000", flags: trace.FlagsSampled, sampled: true, want: "ot=rv:90000000000000"},
		{name: "the other members of a link are another trace's", linked: "a=b,ot=p:8;rv:90000000000000;x:y,c=d", sampled: true, want: "ot=th:8;rv:90000000000000"},
		{name: "rv too short", linked: "ot=rv:9000000000000", from: low, want: "ot=rv:00000000000007"},
		{name: "rv too long", linked: "ot=rv:900000000000000", from: low, want: "ot=rv:00000000000007"},
		{name: "rv in upper case", linked: "ot=rv:ABCDEFABCDEFAB", from: low, want: "ot=rv:00000000000007"},
		{name: "rv not hexadecimal", linked: "ot=rv:9000000000000g", from: low, want: "ot=rv:00000000000007"},
		{name: "rv within another", linked: "ot=xrv:90000000000000;y:rv:90000000000000", from: low, want: "ot=rv:00000000000007"},
		{name: "rv in a member of others", linked: "xt=rv:90000000000000,t@ot=rv:90000000000000", from: low, want: "ot=rv:00000000000007"},
		{name: "rv twice", linked: "ot=rv:90000000000000;rv:00000000000007", sampled: true, want: "ot=th:8;rv:90000000000000"},
		{name: "empty sub-keys", linked: "ot=;;rv:90000000000000;", sampled: true, want: "ot=th:8;rv:90000000000000"},

		{name: "given by the caller, kept", initial: "ot=rv:90000000000000", own: low, linked: "ot=rv:00000000000007", sampled: true, want: "ot=th:8;rv:90000000000000"},
		{name: "given by the caller, dropped", initial: "ot=rv:00000000000007", own: high, linked: "-", want: "ot=rv:00000000000007"},
		{name: "marked by the caller", initial: "ot=rv:ffffffffffffff", own: low, linked: "-", sampled: true, want: "ot=th:0;rv:ffffffffffffff"},
		{name: "members of the caller stay", initial: "a=b,ot=p:8;x:y;n:,c=d", own: high, linked: "-", sampled: true, want: "ot=th:8;p:8;x:y;n:,a=b,c=d"},
		{name: "and with a link", initial: "a=b,ot=p:8;x:y,c=d", linked: "ot=rv:00000000000007", want: "ot=rv:00000000000007;p:8;x:y,a=b,c=d"},
		{name: "a threshold is replaced", initial: "ot=th:c;p:8", own: high, linked: "-", sampled: true, want: "ot=th:8;p:8"},
		{name: "a threshold is removed", initial: "ot=p:8;th:c,a=b", own: low, linked: "-", want: "ot=p:8,a=b"},
		{name: "nothing is left", initial: "ot=th:c,a=b", own: low, linked: "-", want: "a=b"},
		{name: "malformed rv of the caller", initial: "ot=rv:9,a=b", own: low, linked: "-", want: "a=b"},
		{name: "not sub-keys", initial: "ot=what,a=b", own: high, linked: "-", sampled: true, want: "ot=th:8,a=b"},
		{name: "full", initial: strings.Join(full, ","), linked: "ot=rv:00000000000007", want: "ot=rv:00000000000007," + strings.Join(full[:31], ",")},
		{name: "full with a member", initial: strings.Join(full[:31], ",") + ",ot=p:8", linked: "ot=rv:00000000000007", want: "ot=rv:00000000000007;p:8," + strings.Join(full[:31], ",")},
		{name: "no room in the member", initial: "a=b," + long, linked: "ot=rv:00000000000007", want: "a=b," + long},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx := trace.ContextWithSpanContext(t.Context(), trace.SpanContext{}.WithTraceState(stateOf(tt.initial)))
			p := root(ctx, tt.own)
			if tt.linked != "-" {
				p = root(ctx, tt.own, trace.SpanContext{}, remoteContext(tt.from, tt.linked, tt.flags), remoteContext(high, "ot=rv:ffffffffffffff", 0))
			}
			got := must(flowsampler.New(0.5)).ShouldSample(p)
			if isSampled(got) != tt.sampled {
				t.Errorf("sampled: %t, want %t", isSampled(got), tt.sampled)
			}
			if diff := cmp.Diff(tt.want, got.Tracestate.String()); diff != "" {
				t.Errorf("tracestate (-want +got):\n%s", diff)
			}
		})
	}
}

// panicking is a sampler that panics.
type panicking struct{}

func (panicking) ShouldSample(sdktrace.SamplingParameters) sdktrace.SamplingResult {
	panic("sampler")
}

func (panicking) Description() string { panic("description") }

// samplerFunc is a sampler without a description.
type samplerFunc func(sdktrace.SamplingParameters) sdktrace.SamplingResult

func (f samplerFunc) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	return f(p)
}

func (samplerFunc) Description() string { return "" }

func TestWrap_PanickingSampler(t *testing.T) {
	t.Parallel()
	sampler := must(flowsampler.Wrap(panicking{}, flowsampler.WithRateLimit(1, 1)))
	for name, tt := range map[string]struct {
		params sdktrace.SamplingParameters
		want   string
	}{
		"begins a flow": {params: root(t.Context(), 5), want: ""},
		"linked":        {params: root(t.Context(), 5, remoteContext(7, "", 0)), want: "ot=rv:00000000000007"},
	} {
		if got := sampler.ShouldSample(tt.params); got.Decision != sdktrace.Drop || got.Tracestate.String() != tt.want {
			t.Errorf("%s: %v, want a drop with %q", name, got, tt.want)
		}
	}
}

func TestWrap_Result(t *testing.T) {
	t.Parallel()
	result := func(decision sdktrace.SamplingDecision, state string) sdktrace.SamplingResult {
		return sdktrace.SamplingResult{Decision: decision, Tracestate: stateOf(state), Attributes: []attribute.KeyValue{attribute.Int("n", 1)}}
	}
	for _, tt := range []struct {
		name   string
		result sdktrace.SamplingResult
		want   string
	}{
		{name: "sampled", result: result(sdktrace.RecordAndSample, ""), want: "ot=rv:00000000000007"},
		{name: "a threshold is kept", result: result(sdktrace.RecordAndSample, "ot=th:c,a=b"), want: "ot=th:c;rv:00000000000007,a=b"},
		{name: "recorded only", result: result(sdktrace.RecordOnly, "ot=th:c,a=b"), want: "ot=rv:00000000000007,a=b"},
		{name: "dropped", result: result(sdktrace.Drop, "a=b"), want: "ot=rv:00000000000007,a=b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var asked []sdktrace.SamplingParameters
			sampler := must(flowsampler.Wrap(samplerFunc(func(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
				asked = append(asked, p)
				return tt.result
			})))
			p := root(t.Context(), 5, remoteContext(7, "", 0))
			got := sampler.ShouldSample(p)
			if got.Decision != tt.result.Decision || len(got.Attributes) != 1 || got.Tracestate.String() != tt.want {
				t.Errorf("ShouldSample = %v, want %v with %q", got, tt.result, tt.want)
			}
			if len(asked) != 1 || asked[0].Name != "root" || len(asked[0].Links) != 1 {
				t.Fatalf("the wrapped sampler was asked %v", asked)
			}
			if got, want := asked[0].TraceID.String(), "01000000000000000700000000000007"; got != want {
				t.Errorf("it was asked with trace ID %s, want %s", got, want)
			}
			if p.TraceID != traceID(5) {
				t.Errorf("the trace ID of the caller was changed to %s", p.TraceID)
			}
		})
	}
}

// panickingContext is a context whose values cannot be read.
type panickingContext struct{ context.Context } //nolint:containedctx // it is a context.

func (panickingContext) Value(any) any { panic("value") }

func TestSampler_NilZeroAndHostileInput(t *testing.T) {
	t.Parallel()
	full := must(flowsampler.New(1, flowsampler.WithRateLimit(1, 1), flowsampler.WithKeep(attribute.StringSlice("a", []string{"b"}))))
	for _, sampler := range []*flowsampler.Sampler{nil, {}, full} {
		for name, p := range map[string]sdktrace.SamplingParameters{
			"zero":          {},
			"nil context":   {Links: root(t.Context(), 5, remoteContext(7, "", 0), remoteContext(8, "", 0)).Links},
			"panics":        root(panickingContext{t.Context()}, 5),
			"invalid links": root(t.Context(), 0, trace.SpanContext{}, trace.SpanContext{}.WithTraceState(stateOf("ot=rv:ffffffffffffff"))),
			"attributes":    {Attributes: []attribute.KeyValue{{}, attribute.StringSlice("a", nil), attribute.Map("a", attribute.Int("b", 1))}},
		} {
			got := sampler.ShouldSample(p)
			if sampler != full && (got.Decision != sdktrace.Drop || got.Tracestate.Len() != 0) {
				t.Errorf("%s, %s: %v, want a drop", sampler.Description(), name, got)
			}
			if name == "panics" && got.Decision != sdktrace.Drop {
				t.Errorf("%s: a context that panics is sampled", sampler.Description())
			}
		}
	}
}

func TestSampler_Concurrent(t *testing.T) {
	t.Parallel()
	const goroutines = 64
	for _, sampler := range []*flowsampler.Sampler{
		must(flowsampler.New(0.5, flowsampler.WithKeep(attribute.Bool("replay", true)))),
		must(flowsampler.Wrap(sdktrace.TraceIDRatioBased(0.5), flowsampler.WithRateLimit(1e-6, 1))),
	} {
		var group sync.WaitGroup
		for g := range goroutines {
			group.Go(func() {
				for i := range uint64(200) {
					randomness := i * 0x1234567890abc & (1<<56 - 1)
					want := isSampled(sampler.ShouldSample(root(t.Context(), uint64(g), remoteContext(randomness, "", 0))))
					got := sampler.ShouldSample(root(t.Context(), uint64(g)+1, remoteContext(0, fmt.Sprintf("ot=rv:%014x", randomness), 0)))
					if isSampled(got) != want {
						t.Errorf("randomness %x is sampled: %t, want %t", randomness, isSampled(got), want)
						return
					}
				}
			})
		}
		group.Wait()
	}
}

func TestSampler_Allocations(t *testing.T) {
	for _, tt := range []struct {
		kind string
		want float64
	}{
		{kind: "child", want: 0},
		{kind: "root", want: 0},
		{kind: "root, sampled", want: 0},
		{kind: "linked", want: 2}, // The text of rv, and the list of members.
		{kind: "linked, randomness given", want: 0},
		{kind: "linked, sampled", want: 0},
	} {
		for _, kind := range spanKinds() {
			if kind.name != tt.kind {
				continue
			}
			sampler := must(flowsampler.New(0.01))
			if got := testing.AllocsPerRun(100, func() { sampler.ShouldSample(kind.params) }); got != tt.want {
				t.Errorf("%s: %g allocations, want %g", tt.kind, got, tt.want)
			}
		}
	}
	limited := must(flowsampler.New(1, flowsampler.WithRateLimit(1, 50)))
	params := root(t.Context(), 5)
	if got := testing.AllocsPerRun(100, func() { limited.ShouldSample(params) }); got != 0 {
		t.Errorf("with a rate limit: %g allocations, want 0", got)
	}
}

func FuzzSampler_Tracestate(f *testing.F) {
	for _, seed := range []string{
		"", "ot=th:8", "ot=rv:90000000000000", "a=b,ot=p:8;rv:00000000000007;th:c,c=d", "ot=;;:;rv:;th:", "ot=rv:9000000000000g",
		strings.Repeat("a=b,", 40), "ot=x:" + strings.Repeat("y", 250), "ot=rv:ffffffffffffff;rv:00000000000000",
	} {
		f.Add(seed, seed, uint64(7), true)
	}
	samplers := []*flowsampler.Sampler{
		must(flowsampler.New(0.5)),
		must(flowsampler.Wrap(sdktrace.TraceIDRatioBased(0.5))),
		must(flowsampler.New(1, flowsampler.WithRateLimit(1000, 1))),
	}
	f.Fuzz(func(t *testing.T, initial, linked string, randomness uint64, sampledLink bool) {
		before, _ := trace.ParseTraceState(initial)
		state, _ := trace.ParseTraceState(linked)
		ctx := trace.ContextWithSpanContext(t.Context(), trace.SpanContext{}.WithTraceState(before))
		link := remoteContext(randomness, "", trace.TraceFlags(0).WithSampled(sampledLink)).WithTraceState(state)
		for _, sampler := range samplers {
			got := sampler.ShouldSample(root(ctx, randomness, link)).Tracestate
			parsed, err := trace.ParseTraceState(got.String())
			if err != nil || parsed.String() != got.String() {
				t.Fatalf("the tracestate %q is not valid: %v", got, err)
			}
			if got.Len() > before.Len()+1 {
				t.Fatalf("%q has become %q", before, got)
			}
			dropped := 0
			before.Walk(func(key, value string) bool {
				if key != "ot" && got.Get(key) != value {
					dropped++
				}
				return true
			})
			if dropped > 0 && (before.Len() < 32 || dropped > 1) {
				t.Fatalf("%q has become %q", before, got)
			}
			// The next root is decided by what this one has passed on.
			sc := remoteContext(^randomness, "", 0).WithTraceState(got)
			again := sampler.ShouldSample(root(t.Context(), 3, sc)).Tracestate
			if given := subValue(got, "rv"); given != "" && subValue(again, "rv") != given {
				t.Fatalf("the randomness %s has become %q", given, again)
			}
		}
	})
}

// subValue returns a sub-value of the member of OpenTelemetry.
func subValue(state trace.TraceState, key string) string {
	for sub := range strings.SplitSeq(state.Get("ot"), ";") {
		if value, ok := strings.CutPrefix(sub, key+":"); ok {
			return value
		}
	}
	return ""
}
