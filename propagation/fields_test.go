// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// notNative is the default propagator, called through its interface only.
var notNative = propagation.WithPropagator(opaque{propagation.Default()})

// held returns the pairs of f, read in each way there is.
func held(t *testing.T, f propagation.Fields) text {
	t.Helper()
	got, size := text{}, 0
	for i := range f.Len() {
		value := f.AppendValue([]byte("before "), i)
		if f.ValueLen(i) != len(value)-len("before ") {
			t.Errorf("ValueLen(%d) = %d, want %d", i, f.ValueLen(i), len(value)-len("before "))
		}
		got[f.Key(i)] = strings.TrimPrefix(string(value), "before ")
		size += len(f.Key(i)) + f.ValueLen(i)
	}
	if diff := cmp.Diff(got, text(maps.Collect(f.All()))); diff != "" {
		t.Errorf("All differs from AppendValue (-want +got):\n%s", diff)
	}
	for key, want := range got {
		if value := f.Value(strings.ToUpper(key)); value != want {
			t.Errorf("Value(%q) = %q, want %q", strings.ToUpper(key), value, want)
		}
	}
	if f.Size() != size {
		t.Errorf("Size() = %d, want %d", f.Size(), size)
	}
	return got
}

func TestEncode_IsWhatInjectWrites(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]propagation.Option{
		"default":            {defaults},
		"not native":         {notNative},
		"trace context only": {propagation.WithPropagator(propagation.TraceContext{})},
		"another format":     {propagation.WithPropagator(openTracing{})},
		"without baggage":    {defaults, propagation.WithoutBaggage()},
		"little room":        {defaults, propagation.WithMaxBytes(70)},
		"no room":            {defaults, propagation.WithMaxBytes(1)},
		"no fields":          {propagation.WithPropagator(propagation.Compose())},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // Both are sent at one time.
				got := held(t, propagation.Encode(full(t), opts...))
				if diff := cmp.Diff(text(propagation.Map(full(t), opts...)), got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestEncode_WithoutASpan(t *testing.T) {
	t.Parallel()
	waybill, err := propagation.ParseWaybill(waybillText)
	if err != nil {
		t.Fatal(err)
	}
	var none func(testing.TB) context.Context
	bare := func(t testing.TB) context.Context { t.Helper(); return t.Context() }
	inFlow := func(t testing.TB) context.Context {
		t.Helper()
		return propagation.ContextWithWaybill(t.Context(), waybill)
	}
	withBaggage := func(t testing.TB) context.Context {
		t.Helper()
		return baggage.ContextWithBaggage(inFlow(t), baggageOf(t, "user=alice,secret=x"))
	}
	for _, tt := range []struct {
		name    string
		ctx     func(testing.TB) context.Context // nil for a nil one.
		opts    []propagation.Option
		want    []string
		empty   bool
		keeping bool
	}{
		{name: "nothing in ctx", ctx: bare, empty: true},
		{name: "a nil ctx", ctx: none, empty: true},
		{name: "nothing in ctx, KeepExisting", ctx: bare, opts: []propagation.Option{propagation.WithPolicy(propagation.KeepExisting)}, empty: true},
		{name: "nothing in ctx, Replace", ctx: bare, opts: []propagation.Option{propagation.WithPolicy(propagation.Replace)}},
		{name: "a waybill", ctx: inFlow, want: []string{"waybill"}, keeping: true},
		{name: "a waybill, KeepExisting", ctx: inFlow, opts: []propagation.Option{propagation.WithPolicy(propagation.KeepExisting)}, want: []string{"waybill"}, keeping: true},
		{name: "a waybill, Replace", ctx: inFlow, opts: []propagation.Option{propagation.WithPolicy(propagation.Replace)}, want: []string{"waybill"}},
		{name: "a waybill and baggage", ctx: withBaggage, want: []string{"baggage", "waybill"}, keeping: true},
		{name: "baggage that is not allowed", ctx: withBaggage, opts: []propagation.Option{propagation.WithoutBaggage()}, want: []string{"waybill"}, keeping: true},
		{name: "no room for the baggage", ctx: withBaggage, opts: []propagation.Option{propagation.WithMaxBytes(50)}, want: []string{"waybill"}, keeping: true},
		{name: "no room", ctx: withBaggage, opts: []propagation.Option{propagation.WithMaxBytes(10)}, empty: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var ctx context.Context
			if tt.ctx != nil {
				ctx = tt.ctx(t)
			}
			for format, option := range map[string]propagation.Option{"native": defaults, "not native": notNative} {
				f := propagation.Encode(ctx, append([]propagation.Option{option}, tt.opts...)...)
				if got := slices.Sorted(maps.Keys(held(t, f))); !slices.Equal(got, tt.want) {
					t.Errorf("%s: keys = %q, want %q", format, got, tt.want)
				}
				if f.IsEmpty() != tt.empty || f.KeepsExisting() != tt.keeping || f.HasTraceContext() {
					t.Errorf("%s: IsEmpty, KeepsExisting, HasTraceContext = %t, %t, %t, want %t, %t, false",
						format, f.IsEmpty(), f.KeepsExisting(), f.HasTraceContext(), tt.empty, tt.keeping)
				}
				if got := f.Value("waybill"); got != "" && !strings.HasSuffix(got, "-0003") {
					t.Errorf("%s: the waybill is %q, want one hop more than %q", format, got, waybillText)
				}
			}
		})
	}
}

// halfB3 writes a sampling decision even without a span, as B3 does.
type halfB3 struct{ propagation.TraceContext }

func (halfB3) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	carrier.Set("x-b3-sampled", "0")
	carrier.Set("x-request-id", "r-1")
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		carrier.Set("X-B3-TraceId", sc.TraceID().String())
	}
}

func (halfB3) Fields() []string { return []string{"X-B3-TraceId", "x-b3-sampled"} }

func TestEncode_WritesNoHalfContextOfAnotherFormat(t *testing.T) {
	t.Parallel()
	option := propagation.WithPropagator(halfB3{})
	if diff := cmp.Diff(text{"x-request-id": "r-1"}, held(t, propagation.Encode(t.Context(), option))); diff != "" {
		t.Errorf("without a span (-want +got):\n%s", diff)
	}
	if got := propagation.Encode(full(t), option); got.Len() != 3 || !got.HasTraceContext() {
		t.Errorf("with a span: %v", maps.Collect(got.All()))
	}
}

// waybillAndBaggage is a context without a span.
func waybillAndBaggage(t testing.TB) context.Context {
	t.Helper()
	return propagation.ContextWithWaybill(contents{baggage: "user=alice"}.context(t), remotes["a"].Waybill())
}

func TestFields_Shrink(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ctx   func(testing.TB) context.Context
		opts  propagation.Option
		order [][]string // The keys that are left, step by step.
	}{
		"native": {ctx: full, opts: defaults, order: [][]string{
			{"baggage", "traceparent", "tracestate", "waybill"}, {"traceparent", "tracestate", "waybill"}, {"traceparent", "waybill"}, {"traceparent"}, nil,
		}},
		"not native": {ctx: full, opts: notNative, order: [][]string{
			{"baggage", "traceparent", "tracestate", "waybill"}, {"traceparent", "tracestate", "waybill"}, {"traceparent", "waybill"}, {"traceparent"}, nil,
		}},
		"baggage in keys of its own": {
			ctx: contents{traceparentText, "a=1", "user=alice,tier=gold"}.context, opts: propagation.WithPropagator(openTracing{}),
			order: [][]string{{"ot-baggage-tier", "ot-baggage-user", "traceparent", "tracestate"}, {"traceparent", "tracestate"}, {"traceparent"}, nil},
		},
		"without a span": {
			ctx: waybillAndBaggage, opts: defaults,
			order: [][]string{{"baggage", "waybill"}, {"waybill"}, nil},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := tt.ctx(t)
			f := propagation.Encode(ctx, tt.opts)
			for step, want := range tt.order {
				shrunk := f.Shrink(f.Size())
				steps := 0
				byFunc := propagation.Encode(ctx, tt.opts).ShrinkFunc(func(propagation.Fields) bool { steps++; return steps > step })
				for by, got := range map[string]propagation.Fields{"Shrink": shrunk, "ShrinkFunc": byFunc} {
					if keys := slices.Sorted(maps.Keys(held(t, got))); !slices.Equal(keys, want) {
						t.Errorf("%s, step %d: keys = %q, want %q", by, step, keys, want)
					}
					if got.IsReduced() != (step > 0) || got.HasTraceContext() != slices.Contains(want, "traceparent") {
						t.Errorf("%s, step %d: IsReduced, HasTraceContext = %t, %t", by, step, got.IsReduced(), got.HasTraceContext())
					}
					if got.Cleared() == nil {
						t.Errorf("%s, step %d: nothing is cleared", by, step)
					}
				}
				if want != nil {
					f = f.Shrink(f.Size() - 1)
				}
			}
			whole := propagation.Encode(ctx, tt.opts)
			for _, same := range []propagation.Fields{whole.Shrink(0), whole.Shrink(-1), whole.Shrink(whole.Size()), whole.ShrinkFunc(nil)} {
				if same.Len() != whole.Len() || same.IsReduced() {
					t.Errorf("without a limit %d of %d pairs are left", same.Len(), whole.Len())
				}
			}
		})
	}
}

func TestFields_ShrinkLeavesCopiesAlone(t *testing.T) {
	t.Parallel()
	ctx := contents{traceparentText, "a=1", "user=alice,tier=gold"}.context(t)
	for name, option := range map[string]propagation.Option{"native": defaults, "another format": propagation.WithPropagator(openTracing{})} {
		f := propagation.Encode(ctx, option)
		before := held(t, f)
		f.Shrink(1)
		f.Without("traceparent")
		f.ShrinkFunc(func(propagation.Fields) bool { return false })
		if diff := cmp.Diff(before, held(t, f)); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}

func TestFields_Without(t *testing.T) {
	t.Parallel()
	f := propagation.Encode(full(t), defaults)
	if got := f.Without("Baggage"); got.Value("baggage") != "" || got.Len() != 3 || !got.HasTraceContext() || !got.Clears("baggage") {
		t.Errorf("Without(Baggage) = %v", maps.Collect(got.All()))
	}
	if got := f.Without("traceparent"); got.HasTraceContext() || got.Len() != 3 {
		t.Errorf("Without(traceparent) = %v", maps.Collect(got.All()))
	}
	if got := f.Without("absent"); got.Len() != 4 || got.IsReduced() {
		t.Errorf("Without(absent) = %v", maps.Collect(got.All()))
	}
}

func TestFields_Clears(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		fields propagation.Fields
		key    string
		want   bool
	}{
		{name: "a field", fields: propagation.Encode(full(t), defaults), key: "tracestate", want: true},
		{name: "another spelling", fields: propagation.Encode(full(t), defaults), key: "TraceState", want: true},
		{name: "the user's", fields: propagation.Encode(full(t), defaults), key: "tenant", want: false},
		{name: "empty", fields: propagation.Encode(full(t), defaults), key: "", want: false},
		{name: "another format", fields: propagation.Encode(full(t), defaults), key: "b3", want: false},
		{name: "old baggage of OpenTracing", fields: propagation.Encode(full(t), propagation.WithPropagator(openTracing{})), key: "OT-Baggage-Old", want: true},
		{name: "no member of it", fields: propagation.Encode(full(t), propagation.WithPropagator(openTracing{})), key: "ot-baggage-", want: false},
		{name: "not a field, but written", fields: propagation.Encode(full(t), propagation.WithPropagator(halfB3{})), key: "X-Request-ID", want: true},
		{name: "the zero Fields", fields: propagation.Fields{}, key: "traceparent", want: false},
	} {
		if got := tt.fields.Clears(tt.key); got != tt.want {
			t.Errorf("%s: Clears(%q) = %t, want %t", tt.name, tt.key, got, tt.want)
		}
	}
}

func TestFields_Zero(t *testing.T) {
	t.Parallel()
	var f propagation.Fields
	if !f.IsEmpty() || f.Len() != 0 || f.Size() != 0 || f.Cleared() != nil || f.KeepsExisting() || f.HasTraceContext() || f.IsReduced() || f.Value("traceparent") != "" {
		t.Errorf("the zero Fields is %v", f)
	}
	if got := f.Shrink(1); !got.IsEmpty() || got.IsReduced() {
		t.Errorf("shrunk: %v", got)
	}
}

func TestEncode_LongTracestate(t *testing.T) {
	t.Parallel()
	const longest = 512
	for n, want := range map[int]bool{longest: true, longest + 1: false} {
		half := (n - 5) / 2
		state := "a=" + repeated(half) + ",b=" + repeated(n-5-half)
		for format, option := range map[string]propagation.Option{"native": defaults, "not native": notNative} {
			f := propagation.Encode(contents{traceparentText, state, ""}.context(t), option)
			if written := f.Value("tracestate") == state; written != want || f.IsReduced() == want || f.Value("traceparent") == "" {
				t.Errorf("%s: a tracestate of %d bytes is written: %t, want %t", format, n, written, want)
			}
		}
	}
}

func TestIsContextKey(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]bool{
		"traceparent": true, "TRACESTATE": true, "Baggage": true, "waybill": true, "b3": true, "X-B3-TraceId": true, "uber-trace-id": true,
		"uberctx-user": true, "X-Amzn-Trace-Id": true, "ot-tracer-traceid": true, "ot-baggage-user": true, "x-datadog-parent-id": true,
		"elasticapmtraceparent": true, "sentry-trace": true, "sw8": true, "X_INSTANA_T": true, "X-Instana-S": true,
		"": false, "tenant": false, "trace": false, "traceparents": false, "b": false, "ot-baggage-": false, "x-b3-": false,
		"waybill-attempt": false, "dd-pathway-ctx-base64": false, "x-request-id": false,
	} {
		if got := propagation.IsContextKey(key); got != want {
			t.Errorf("IsContextKey(%q) = %t, want %t", key, got, want)
		}
	}
}

// Fields and a Remote are values that goroutines share.
func TestFields_ConcurrentUse(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 16, 128} {
		option := withRequestID["composite"]
		ctx := context.WithValue(full(t), requestIDKey{}, "r-1")
		fields := propagation.Encode(ctx, option)
		remote := propagation.Read(text(maps.Collect(fields.All())), textAccessor{}, option)
		var workers sync.WaitGroup
		for range n {
			workers.Go(func() {
				carrier := stale()
				textAccessor{}.apply(carrier, fields.Without("baggage").Shrink(200))
				if carrier["traceparent"] != traceparentText || carrier["baggage"] != "" || carrier["x-request-id"] != "r-1" {
					t.Errorf("the carrier is %v", carrier)
				}
				if fields.ShrinkFunc(func(f propagation.Fields) bool { return f.Len() < 2 }).Len() > 1 {
					t.Error("the fields are not reduced")
				}
				again := propagation.Encode(remote.Context(t.Context()), option)
				if again.Value("x-request-id") != "r-1" || again.Value("traceparent") != traceparentText {
					t.Errorf("what is sent on is %v", maps.Collect(again.All()))
				}
				started, span := propagation.Start(t.Context(), nil, "process", []propagation.Remote{remote}, propagation.WithUntrusted())
				span.End()
				requireRequestID(started, t, "untrusted", nil)
			})
		}
		workers.Wait()
	}
}

// apply writes fields as a carrier does.
func (a textAccessor) apply(c text, fields propagation.Fields) {
	maps.DeleteFunc(c, func(key, _ string) bool { return fields.Clears(key) })
	for key, value := range fields.All() {
		a.Set(c, key, value)
	}
}
