// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// double is a propagator of which each method may be replaced.
type double struct {
	inject  func(context.Context, propagation.TextMapCarrier)
	extract func(context.Context, propagation.TextMapCarrier) context.Context
	fields  func() []string
}

func (d *double) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	if d.inject == nil { // Panics if d is nil.
		carrier.Set("b3", "half")
		return
	}
	d.inject(ctx, carrier)
}

func (d *double) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	if d.extract == nil {
		return ctx
	}
	return d.extract(ctx, carrier)
}

func (d *double) Fields() []string {
	if d.fields == nil {
		return []string{"b3"}
	}
	return d.fields()
}

// hostilePropagators do what a propagator of others might.
var hostilePropagators = map[string]propagation.TextMapPropagator{
	"a typed nil":    (*double)(nil),
	"Fields panics":  &double{fields: func() []string { panic("no") }},
	"Fields is nil":  &double{fields: func() []string { return nil }},
	"Fields repeats": &double{fields: func() []string { return []string{"b3", "B3", "", "b3"} }},
	"Inject panics": &double{inject: func(_ context.Context, carrier propagation.TextMapCarrier) {
		carrier.Set("b3", "half")
		panic("no")
	}},
	"Inject panics with nil": &double{inject: func(context.Context, propagation.TextMapCarrier) { panic(error(nil)) }},
	"Inject sets empty texts": &double{inject: func(_ context.Context, carrier propagation.TextMapCarrier) {
		carrier.Set("", "")
		carrier.Set("b3", "")
	}},
	"Inject sets a thousand keys": &double{inject: func(_ context.Context, carrier propagation.TextMapCarrier) {
		for i := range 1000 {
			carrier.Set("uberctx-"+string(rune('a'+i%26))+repeated(i), "x")
		}
	}},
	"Inject deletes": &double{inject: func(_ context.Context, carrier propagation.TextMapCarrier) {
		carrier.Set("b3", "x")
		carrier.Set("b3", "")
		for _, key := range carrier.Keys() {
			carrier.Set(key, "")
		}
	}},
	"Extract panics":      &double{extract: func(context.Context, propagation.TextMapCarrier) context.Context { panic("no") }},
	"Extract returns nil": &double{extract: func(context.Context, propagation.TextMapCarrier) context.Context { return nil }},
	"Extract returns another context": &double{extract: func(context.Context, propagation.TextMapCarrier) context.Context {
		return context.Background()
	}},
	"Extract writes": &double{extract: func(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
		carrier.Set("traceparent", "stolen")
		return ctx
	}},
	"Extract reads all": &double{extract: func(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
		for _, key := range append(carrier.Keys(), "", "absent") {
			carrier.Get(key)
		}
		return ctx
	}},
}

// What a propagator of others does is contained, and does not keep the formats
// beside it from being written and read.
func TestInject_HostilePropagators(t *testing.T) {
	touchGlobals(t)
	for name, p := range hostilePropagators {
		t.Run(name, func(t *testing.T) {
			beside := propagation.WithPropagator(propagation.Compose(propagation.Default(), p))
			before := propagation.WithPropagator(propagation.Compose(p, propagation.Default()))
			otel.SetTextMapPropagator(p)
			for option, whole := range map[string]bool{"alone": false, "global": false, "beside": true, "before": true} {
				opts := map[string][]propagation.Option{
					"alone": {propagation.WithPropagator(p)}, "global": nil, "beside": {beside}, "before": {before},
				}[option]
				for _, ctx := range []context.Context{nil, t.Context(), full(t), propagation.ContextWithWaybill(t.Context(), remotes["a"].Waybill())} {
					carrier := stale()
					propagation.Inject(ctx, carrier, textAccessor{}, opts...)
					propagation.Inject(ctx, carrier, setOnly, opts...)
					propagation.InjectTextMap(ctx, &ownList{}, opts...)
					propagation.Map(ctx, append(opts, propagation.WithMaxBytes(100), propagation.WithPolicy(propagation.KeepExisting))...)
					propagation.Encode(ctx, opts...).Shrink(1)
					propagation.Extract(ctx, carrier, textAccessor{}, opts...)
					remote := propagation.Read(carrier, textAccessor{}, opts...)
					if remote.Context(ctx) == nil {
						t.Error("Context returned nil")
					}
					started, span := propagation.Start(ctx, nil, "process", []propagation.Remote{remote}, propagation.WithUntrusted())
					span.End()
					if started == nil || carrier["tenant"] != "acme" {
						t.Errorf("%s: the carrier is %v", option, carrier)
					}
				}
				if !whole {
					continue
				}
				carrier := stale()
				propagation.Inject(full(t), carrier, textAccessor{}, opts...)
				if carrier["traceparent"] != traceparentText || carrier["tracestate"] != "vendor=1" || carrier["baggage"] != "user=alice" {
					t.Errorf("%s: the other formats are not written: %v", option, carrier)
				}
				if carrier["b3"] == "half" && name == "Inject panics" {
					t.Errorf("%s: half a context is written", option)
				}
				if name == "Extract returns another context" && option == "beside" {
					continue // It has thrown away what was read before.
				}
				remote := propagation.Read(carrier, textAccessor{}, opts...)
				if !remote.SpanContext().Equal(spanContextOf(t, traceparentText, "vendor=1")) || remote.Baggage().Len() != 1 || remote.Waybill().IsZero() {
					t.Errorf("%s: the other formats are not read: %v", option, remote)
				}
				if got := trace.SpanContextFromContext(propagation.Extract(t.Context(), carrier, textAccessor{}, opts...)); !got.Equal(remote.SpanContext()) {
					t.Errorf("%s: Extract gives %v", option, got)
				}
			}
		})
	}
}
