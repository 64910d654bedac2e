// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// requestID is a user's own propagator of a value that is no trace context.
type requestID struct{}

type requestIDKey struct{}

func (requestID) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	if id, ok := ctx.Value(requestIDKey{}).(string); ok {
		carrier.Set("x-request-id", id)
	}
}

func (requestID) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	if id := carrier.Get("x-request-id"); id != "" {
		return context.WithValue(ctx, requestIDKey{}, id)
	}
	return ctx
}

func (requestID) Fields() []string { return []string{"x-request-id"} }

// withRequestID are propagators that carry a request id beside a trace context.
var withRequestID = map[string]propagation.Option{
	"composite": propagation.WithPropagator(propagation.Compose(propagation.Default(), requestID{})),
	"first":     propagation.WithPropagator(propagation.Compose(requestID{}, propagation.Default())),
	"nested":    propagation.WithPropagator(propagation.Compose(propagation.Compose(propagation.Default()), propagation.Compose(requestID{}))),
	"opaque":    propagation.WithPropagator(opaque{propagation.Compose(propagation.Default(), requestID{})}),
}

func requireRequestID(ctx context.Context, t *testing.T, name string, want any) {
	t.Helper()
	if got := ctx.Value(requestIDKey{}); got != want {
		t.Errorf("%s: the request id is %v, want %v", name, got, want)
	}
}

func TestRemote_KeepsWhatPropagatorsExtract(t *testing.T) {
	t.Parallel()
	carrier := text{"traceparent": traceparentText, "tracestate": "a=1", "baggage": "user=alice", "waybill": waybillText, "x-request-id": "r-1"}
	for name, option := range withRequestID {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			remote := propagation.Read(carrier, textAccessor{}, option)
			if remote.Err() != nil || remote.Waybill().String() != waybillText || remote.Conflict() {
				t.Fatalf("Read: %v, %v, conflict %t", remote.Err(), remote.Waybill(), remote.Conflict())
			}
			type key struct{}
			parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
			defer cancel()
			deadline := time.Now().Add(time.Hour)
			parent, cancelTimeout := context.WithDeadline(parent, deadline)
			defer cancelTimeout()
			for kind, ctx := range map[string]context.Context{
				"Context": remote.Context(parent), "Extract": propagation.Extract(parent, carrier, textAccessor{}, option),
			} {
				requireRequestID(ctx, t, kind, "r-1")
				requireBaggage(t, kind, baggage.FromContext(ctx).String(), "user=alice")
				if sc := trace.SpanContextFromContext(ctx); !sc.Equal(spanContextOf(t, traceparentText, "a=1")) || !sc.IsRemote() {
					t.Errorf("%s: the span context is %v", kind, sc)
				}
				if propagation.WaybillFromContext(ctx) != remote.Waybill() {
					t.Errorf("%s: the waybill is %v", kind, propagation.WaybillFromContext(ctx))
				}
				if got, ok := ctx.Deadline(); ctx.Value(key{}) != "kept" || !ok || !got.Equal(deadline) || ctx.Done() == nil {
					t.Errorf("%s: the values or the deadline of the caller are lost", kind)
				}
				again := propagation.Map(ctx, option)
				if again["x-request-id"] != "r-1" || again["traceparent"] != traceparentText || again["baggage"] != "user=alice" {
					t.Errorf("%s: what is sent on is %v", kind, again)
				}
			}
			cancel()
			if remote.Context(parent).Err() == nil {
				t.Error("the cancellation of the caller is lost")
			}
		})
	}
}

func TestRemote_ContextKeepsTheValuesOfTheCaller(t *testing.T) {
	t.Parallel()
	option := withRequestID["composite"]
	own := context.WithValue(full(t), requestIDKey{}, "own")
	for name, tt := range map[string]struct {
		carrier  text
		id       string
		baggage  string
		replaced bool
	}{
		"all":                    {carrier: text{"traceparent": otherText, "baggage": "user=bob", "x-request-id": "r-1"}, id: "r-1", baggage: "user=bob", replaced: true},
		"a trace context":        {carrier: text{"traceparent": otherText}, id: "own", baggage: "user=alice", replaced: true},
		"an id":                  {carrier: text{"x-request-id": "r-1"}, id: "r-1", baggage: "user=alice", replaced: false},
		"nothing":                {carrier: text{"tenant": "acme"}, id: "own", baggage: "user=alice", replaced: false},
		"a malformed one and id": {carrier: text{"traceparent": "00-", "x-request-id": "r-1"}, id: "own", baggage: "user=alice", replaced: false},
	} {
		for kind, ctx := range map[string]context.Context{
			"Context": propagation.Read(tt.carrier, textAccessor{}, option).Context(own),
			"Extract": propagation.Extract(own, tt.carrier, textAccessor{}, option),
		} {
			requireRequestID(ctx, t, name+", "+kind, tt.id)
			requireBaggage(t, name+", "+kind, baggage.FromContext(ctx).String(), tt.baggage)
			if got := trace.SpanContextFromContext(ctx).TraceID() == spanContextOf(t, otherText, "").TraceID(); got != tt.replaced {
				t.Errorf("%s, %s: the span is replaced: %t, want %t", name, kind, got, tt.replaced)
			}
			if unchanged := name == "nothing" || name == "a malformed one and id"; unchanged && ctx != own {
				t.Errorf("%s, %s: the context changed", name, kind)
			}
		}
	}
	// A span that is started in it is found first.
	tracer, _ := tracer()
	ctx := propagation.Read(text{"traceparent": otherText, "x-request-id": "r-1"}, textAccessor{}, option).Context(t.Context())
	started, span := tracer.Start(ctx, "handle")
	defer span.End()
	if !trace.SpanContextFromContext(started).Equal(span.SpanContext()) {
		t.Error("the remote span hides the one that was started")
	}
}

func TestRemote_BaggageRulesApplyBesideOtherValues(t *testing.T) {
	t.Parallel()
	carrier := text{"traceparent": traceparentText, "baggage": "user=alice,secret=x", "x-request-id": "r-1"}
	ambient := contents{baggage: "ambient=1"}.context(t)
	for name, option := range withRequestID {
		for rule, tt := range map[string]struct {
			option     propagation.Option
			read, want string
		}{
			"all":  {option: nil, read: "user=alice,secret=x", want: "user=alice,secret=x"},
			"one":  {option: propagation.WithBaggage("user"), read: "user=alice", want: "user=alice"},
			"none": {option: propagation.WithoutBaggage(), read: "", want: "ambient=1"},
		} {
			remote := propagation.Read(carrier, textAccessor{}, option, tt.option)
			requireBaggage(t, name+", "+rule+", read", remote.Baggage().String(), tt.read)
			ctx := remote.Context(ambient)
			requireBaggage(t, name+", "+rule+", Context", baggage.FromContext(ctx).String(), tt.want)
			requireRequestID(ctx, t, name+", "+rule, "r-1")
		}
	}
}

func TestStart_KeepsWhatPropagatorsExtract(t *testing.T) {
	t.Parallel()
	option := withRequestID["composite"]
	remote := propagation.Read(text{"traceparent": traceparentText, "baggage": "from=a", "x-request-id": "r-1"}, textAccessor{}, option)
	for _, tt := range []struct {
		name    string
		ambient bool
		options []propagation.StartOption
		parent  string
		id      any
	}{
		{name: "no span in ctx", parent: "a", id: "r-1"},
		{name: "a span in ctx", ambient: true, parent: "ambient", id: "r-1"},
		{name: "AsParent", ambient: true, options: []propagation.StartOption{propagation.AsParent()}, parent: "a", id: "r-1"},
		{name: "AsLink", options: []propagation.StartOption{propagation.AsLink()}, parent: "none", id: "r-1"},
		{name: "untrusted", options: []propagation.StartOption{propagation.WithUntrusted()}, parent: "none"},
		{name: "untrusted, a span in ctx", ambient: true, options: []propagation.StartOption{propagation.WithUntrusted()}, parent: "ambient"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tracer, recorder := tracer()
			ctx, span := t.Context(), trace.Span(nil)
			if tt.ambient {
				ctx, span = tracer.Start(ctx, "ambient")
				defer span.End()
			}
			ambient := trace.SpanContextFromContext(ctx)
			started, span := propagation.Start(ctx, tracer, "process", []propagation.Remote{remote}, tt.options...)
			span.End()
			requireRequestID(started, t, "started", tt.id)
			if name := nameOf(recorder.Ended()[0].Parent(), ambient); name != tt.parent {
				t.Errorf("the parent is %s, want %s", name, tt.parent)
			}
			if !trace.SpanContextFromContext(started).Equal(span.SpanContext()) {
				t.Error("ctx does not carry the span that was started")
			}
		})
	}
}

func TestRemote_Unsent(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]propagation.Option{"native": defaults, "beside other values": withRequestID["composite"]} {
		// A message is written and then written again before it is sent, by a
		// function that continues what it carries.
		first := propagation.Map(propagation.ContextWithWaybill(full(t), remotes["a"].Waybill()), option)
		remote := propagation.Read(text(first), textAccessor{}, option)
		again := propagation.Map(remote.Unsent().Context(t.Context()), option)
		before, after := remote.Waybill(), propagation.Read(text(again), textAccessor{}, option).Waybill()
		if after.Hops != before.Hops || !after.Origin.Equal(before.Origin) || after.Sent.Before(before.Sent) {
			t.Errorf("%s: written again the waybill is %v, want the hops of %v", name, after, before)
		}
		if next := propagation.Read(text(propagation.Map(remote.Context(t.Context()), option)), textAccessor{}, option); next.Waybill().Hops != before.Hops+1 {
			t.Errorf("%s: sent on it has %d hops, want %d", name, next.Waybill().Hops, before.Hops+1)
		}
	}
	if zero := (propagation.Remote{}).Unsent(); !zero.Waybill().IsZero() || !errors.Is(zero.Err(), propagation.ErrAbsent) {
		t.Errorf("the zero Remote becomes %v", zero)
	}
}

func TestRemote_Latency(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	const year = 365 * 24 * time.Hour
	waybill := func(total, hop time.Duration) text {
		return text{"waybill": propagation.Waybill{Origin: now.Add(-total), Sent: now.Add(-hop), Hops: 1}.String()}
	}
	for _, tt := range []struct {
		name    string
		carrier text
		opts    []propagation.Option
		want    propagation.Latency
		err     error
	}{
		{name: "none", carrier: text{"traceparent": traceparentText}, err: propagation.ErrAbsent},
		{name: "malformed", carrier: text{"waybill": "00-"}, err: propagation.ErrAbsent},
		{name: "usual", carrier: waybill(time.Hour, time.Second), want: propagation.Latency{Hop: time.Second, Total: time.Hour}},
		{name: "now", carrier: waybill(0, 0)},
		{name: "as old as may be", carrier: waybill(year, 0), want: propagation.Latency{Total: year}},
		{name: "too old", carrier: waybill(year+time.Microsecond, 0), err: propagation.ErrImplausible},
		{name: "sent too long ago", carrier: waybill(0, year+time.Microsecond), err: propagation.ErrImplausible},
		{name: "of 1970", carrier: text{"waybill": "00-00000000000001-00000000000001-0001"}, err: propagation.ErrImplausible},
		{name: "a clock ahead", carrier: waybill(-time.Second, -time.Minute), want: propagation.Latency{Skewed: true}},
		{name: "the sender's clock ahead", carrier: waybill(time.Hour, -time.Minute), want: propagation.Latency{Total: time.Hour, Skewed: true}},
		{name: "a day ahead", carrier: waybill(0, -24*time.Hour), want: propagation.Latency{Skewed: true}},
		{name: "more than a day ahead", carrier: waybill(0, -25*time.Hour), err: propagation.ErrImplausible},
		{name: "of the far future", carrier: text{"waybill": "00-ffffffffffffff-ffffffffffffff-0001"}, err: propagation.ErrImplausible},
		{name: "older than the option", carrier: waybill(2*time.Hour, 0), opts: []propagation.Option{propagation.WithMaxWaybillAge(time.Hour)}, err: propagation.ErrImplausible},
		{
			name: "no limit", carrier: waybill(2*year, year), opts: []propagation.Option{propagation.WithMaxWaybillAge(time.Hour), propagation.WithMaxWaybillAge(0)},
			want: propagation.Latency{Hop: year, Total: 2 * year},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for name, option := range map[string]propagation.Option{"native": defaults, "not native": notNative} {
				got, err := propagation.Read(tt.carrier, textAccessor{}, append(tt.opts, option)...).Latency(now)
				if !errors.Is(err, tt.err) || got != tt.want {
					t.Errorf("%s: Latency() = %+v, %v, want %+v, %v", name, got, err, tt.want, tt.err)
				}
			}
		})
	}
}

func TestRemote_IsEmpty(t *testing.T) {
	t.Parallel()
	option := withRequestID["composite"]
	for name, tt := range map[string]struct {
		carrier text
		want    bool
	}{
		"nothing":              {carrier: nil, want: true},
		"other keys":           {carrier: text{"tenant": "acme"}, want: true},
		"malformed":            {carrier: text{"traceparent": "00-", "x-request-id": "r-1"}, want: true},
		"a trace context":      {carrier: text{"traceparent": traceparentText}, want: false},
		"baggage":              {carrier: text{"baggage": "a=1"}, want: false},
		"a waybill":            {carrier: text{"waybill": waybillText}, want: false},
		"a value of a user's":  {carrier: text{"x-request-id": "r-1"}, want: false},
		"a tracestate by self": {carrier: text{"tracestate": "a=1"}, want: true},
	} {
		remote := propagation.Read(tt.carrier, textAccessor{}, option)
		if got := remote.IsEmpty(); got != tt.want {
			t.Errorf("%s: IsEmpty() = %t, want %t", name, got, tt.want)
		}
		if ctx := t.Context(); (remote.Context(ctx) == ctx) != tt.want {
			t.Errorf("%s: Context changed ctx: %t, want %t", name, tt.want, !tt.want)
		}
	}
}
