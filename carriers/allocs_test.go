//go:build !race

// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers_test

import (
	"testing"

	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// TestAllocations pins the heap allocations of one call on a carrier that was
// injected before, as the conversion of a message that is at hand.
func TestAllocations(t *testing.T) {
	ctx, empty := sampled(t), t.Context()
	propagator := propagation.WithPropagator(propagation.Default())
	list := &struct {
		user             userProperties
		json, properties string
	}{}
	json, properties := carriers.JSON(&list.json), carriers.Properties(&list.properties)
	for _, tt := range []struct {
		name         string
		carrier      func() carrier
		inject, read float64
	}{
		// Inject: the text of traceparent and waybill.
		{name: "Map", carrier: func() carrier { return carriers.Map(injectedMap) }, inject: 1, read: 0},
		{name: "FoldedMap", carrier: func() carrier { return carriers.FoldedMap(injectedMap) }, inject: 1, read: 0},
		// And a box for each string.
		{name: "AnyMap", carrier: func() carrier { return carriers.AnyMap(injectedAnyMap) }, inject: 3, read: 0},
		// And a list for each value.
		{name: "MultiMap", carrier: func() carrier { return carriers.MultiMap(injectedMultiMap) }, inject: 3, read: 0},
		{name: "FoldedMultiMap", carrier: func() carrier { return carriers.FoldedMultiMap(injectedMultiMap) }, inject: 3, read: 0},
		// The bytes of each value.
		{name: "BytesMap", carrier: func() carrier { return carriers.BytesMap(injectedBytesMap) }, inject: 2, read: 0},
		// And the new list.
		{name: "Pairs", carrier: func() carrier { return (*carriers.Pairs[userProperty])(&list.user) }, inject: 2, read: 0},
		// A text is read whole by each call, and written once.
		{name: "JSON", carrier: func() carrier { return json }, inject: 10, read: 4},
		{name: "Properties", carrier: func() carrier { return properties }, inject: 7, read: 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			propagation.InjectTextMap(ctx, tt.carrier(), propagator)
			if got := testing.AllocsPerRun(100, func() { propagation.InjectTextMap(ctx, tt.carrier(), propagator) }); got > tt.inject {
				t.Errorf("inject: %v allocations, want at most %v", got, tt.inject)
			}
			read := func() { propagation.ReadTextMap(tt.carrier(), propagator) }
			if got := testing.AllocsPerRun(100, read); got > tt.read {
				t.Errorf("read: %v allocations, want at most %v", got, tt.read)
			}
			if got := testing.AllocsPerRun(100, func() { propagation.InjectTextMap(empty, tt.carrier(), propagator) }); got > 0 {
				t.Errorf("inject without a span: %v allocations, want none", got)
			}
		})
	}
}

var (
	injectedMap      = map[string]string{}
	injectedAnyMap   = map[string]any{}
	injectedMultiMap = map[string][]string{}
	injectedBytesMap = map[string][]byte{}
)

func BenchmarkInject(b *testing.B) {
	ctx := sampled(b)
	trace := propagation.WithPropagator(propagation.TraceContext{})
	b.Run("waybill", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			propagation.InjectTextMap(ctx, carriers.Map(injectedMap), trace)
		}
	})
	b.Run("opentelemetry", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			propagation.TraceContext{}.Inject(ctx, otelpropagation.MapCarrier(injectedMap))
		}
	})
}

func BenchmarkExtract(b *testing.B) {
	ctx := sampled(b)
	trace := propagation.WithPropagator(propagation.TraceContext{})
	propagation.InjectTextMap(ctx, carriers.Map(injectedMap), trace)
	b.Run("waybill", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			propagation.ExtractTextMap(ctx, carriers.Map(injectedMap), trace)
		}
	})
	b.Run("opentelemetry", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			propagation.TraceContext{}.Extract(ctx, otelpropagation.MapCarrier(injectedMap))
		}
	})
}

// The floor of texts is another: each call reads the whole.
func BenchmarkText(b *testing.B) {
	ctx := sampled(b)
	propagator := propagation.WithPropagator(propagation.Default())
	for name, text := range map[string]string{"json": `{"customer":"acme","rows":12}`, "properties": "customer=acme\nrows=12\n"} {
		bind := carriers.JSON[string]
		if name == "properties" {
			bind = carriers.Properties[string]
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				held := text
				propagation.InjectTextMap(ctx, bind(&held), propagator)
			}
		})
	}
}
