// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"slices"
	"testing"

	"go.opentelemetry.io/otel"
	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/propagation"
)

// counting is a carrier that keeps every Set.
type counting struct{ sets []string }

func (c *counting) Get(string) string { return "" }
func (c *counting) Keys() []string    { return nil }
func (c *counting) Set(key, _ string) { c.sets = append(c.sets, key) }
func (c *counting) count(key string) (n int) {
	for _, set := range c.sets {
		if set == key {
			n++
		}
	}
	return n
}

// wrapped is a propagator by another name, as those that are chosen by an
// environment variable are.
type wrapped struct{ inner propagation.TextMapPropagator }

func (w *wrapped) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	w.inner.Inject(ctx, carrier)
}

func (w *wrapped) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	return w.inner.Extract(ctx, carrier)
}

func (w *wrapped) Fields() []string { return w.inner.Fields() }

func TestInject_TheWaybillGoesWithTheGlobalPropagatorOnce(t *testing.T) {
	touchGlobals(t)
	ordinary := otelpropagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
	for name, global := range map[string]propagation.TextMapPropagator{
		"never set":                    propagation.Compose(),
		"Default":                      propagation.Default(),
		"ordinary":                     ordinary,
		"ordinary, wrapped":            &wrapped{ordinary},
		"ordinary, opaque":             opaque{ordinary},
		"trace context only":           propagation.TraceContext{},
		"baggage only":                 propagation.Baggage{},
		"another format":               renamed{"b3"},
		"another format and ours":      propagation.Compose(renamed{"b3"}, propagation.WaybillPropagator{}),
		"Default, wrapped":             &wrapped{propagation.Default()},
		"Default, opaque":              opaque{propagation.Default()},
		"ours in a wrapper":            propagation.Compose(propagation.TraceContext{}, &wrapped{propagation.WaybillPropagator{}}),
		"nested":                       propagation.Compose(ordinary, propagation.Compose(propagation.WaybillPropagator{})),
		"ours, twice":                  propagation.Compose(propagation.Default(), propagation.WaybillPropagator{}),
		"ours, twice, and one opaque":  propagation.Compose(propagation.Default(), opaque{propagation.WaybillPropagator{}}),
		"ours, twice, the other first": propagation.Compose(opaque{propagation.WaybillPropagator{}}, propagation.Default()),
	} {
		otel.SetTextMapPropagator(global)
		for range 2 { // The second time from what is remembered.
			carrier := &counting{}
			propagation.InjectTextMap(full(t), carrier)
			if got := carrier.count("waybill"); got != 1 {
				t.Errorf("%s: the waybill is set %d times, want once: %q", name, got, carrier.sets)
			}
			if got := propagation.Encode(full(t)); got.Value("waybill") == "" || !got.Clears("waybill") {
				t.Errorf("%s: Encode has no waybill: %v", name, got.Cleared())
			}
			sent := text(propagation.Map(propagation.ContextWithWaybill(full(t), remotes["a"].Waybill())))
			if got := propagation.Read(sent, textAccessor{}).Waybill(); got.Hops != remotes["a"].Waybill().Hops+1 {
				t.Errorf("%s: the waybill that is read is %v", name, got)
			}
		}
	}
}

func TestInject_AnExplicitPropagatorIsExactlyThatOne(t *testing.T) {
	touchGlobals(t)
	otel.SetTextMapPropagator(propagation.Default())
	for name, tt := range map[string]struct {
		propagator propagation.TextMapPropagator
		want       []string
	}{
		"trace context":     {propagator: propagation.TraceContext{}, want: []string{"traceparent", "tracestate"}},
		"ordinary":          {propagator: openTelemetry, want: []string{"baggage", "traceparent", "tracestate"}},
		"ordinary, wrapped": {propagator: &wrapped{openTelemetry}, want: []string{"baggage", "traceparent", "tracestate"}},
		"another format":    {propagator: renamed{"b3"}, want: []string{"b3"}},
	} {
		option := propagation.WithPropagator(tt.propagator)
		got := textAccessor{}.Keys(text(propagation.Map(full(t), option)))
		if slices.Sort(got); !slices.Equal(got, tt.want) {
			t.Errorf("%s writes %q, want %q", name, got, tt.want)
		}
		carrier := text{"traceparent": traceparentText, "b3": traceparentText, "waybill": waybillText}
		if got := propagation.Read(carrier, textAccessor{}, option); !got.Waybill().IsZero() || got.Err() != nil {
			t.Errorf("%s reads the waybill %v, %v", name, got.Waybill(), got.Err())
		}
	}
}

// The cost of a known global propagator is that of one that is given.
func TestInject_TheGlobalPropagatorIsInspectedOnce(t *testing.T) {
	touchGlobals(t)
	p := &inspected{TextMapPropagator: openTelemetry}
	otel.SetTextMapPropagator(p)
	for range 10 {
		propagation.Map(full(t))
		propagation.Read(text{}, textAccessor{})
	}
	if p.inspections != 1 {
		t.Errorf("Fields was called %d times, want once", p.inspections)
	}
}

type inspected struct {
	propagation.TextMapPropagator

	inspections int
}

func (p *inspected) Fields() []string {
	p.inspections++
	return p.TextMapPropagator.Fields()
}
