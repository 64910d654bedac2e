// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/baggage"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// openTracing looks at every key and has one for each member of the baggage, as
// the propagator of that name does.
type openTracing struct{ propagation.TraceContext }

func (p openTracing) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	p.TraceContext.Inject(ctx, carrier)
	for _, m := range baggage.FromContext(ctx).Members() {
		carrier.Set("ot-baggage-"+m.Key(), m.Value())
	}
}

func (p openTracing) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	var members []baggage.Member
	for _, key := range carrier.Keys() {
		if name, ok := strings.CutPrefix(strings.ToLower(key), "ot-baggage-"); ok && len(members) < 64 {
			if m, err := baggage.NewMember(name, carrier.Get(key)); err == nil {
				members = append(members, m)
			}
		}
	}
	b, _ := baggage.New(members...)
	return baggage.ContextWithBaggage(p.TraceContext.Extract(ctx, carrier), b)
}

func (openTracing) Fields() []string {
	return []string{"traceparent", "tracestate", "ot-tracer-traceid"}
}

// big returns carriers of about size bytes, of which each holds the baggage of
// another context in keys of its own.
func big(size int) map[string]func() propagation.TextMapCarrier {
	const entry = len(`"ot-baggage-0000000":"1",`)
	var pairs carriers.Pairs[userProperty]
	var json, properties strings.Builder
	json.WriteString("{")
	for i := range size/entry + 1 {
		key := fmt.Sprintf("ot-baggage-%d", i)
		pairs = append(pairs, userProperty{key, "1"})
		fmt.Fprintf(&json, "%q:%q,", key, "1")
		fmt.Fprintf(&properties, "%s=1\n", key)
	}
	json.WriteString(`"traceparent":""}`)
	properties.WriteString(strings.Repeat("a\\\n", size/3))
	jsonText, propertiesText := json.String(), properties.String()
	return map[string]func() propagation.TextMapCarrier{
		"Map":            func() propagation.TextMapCarrier { return fill(carriers.Map{}, pairs) },
		"AnyMap":         func() propagation.TextMapCarrier { return fill(carriers.AnyMap{}, pairs) },
		"MultiMap":       func() propagation.TextMapCarrier { return fill(carriers.MultiMap{}, pairs) },
		"BytesMap":       func() propagation.TextMapCarrier { return fill(carriers.BytesMap{}, pairs) },
		"FoldedMap":      func() propagation.TextMapCarrier { return carriers.FoldedMap(fill(carriers.Map{}, pairs)) },
		"FoldedMultiMap": func() propagation.TextMapCarrier { return carriers.FoldedMultiMap(fill(carriers.MultiMap{}, pairs)) },
		"Pairs":          func() propagation.TextMapCarrier { list := pairs; return &list },
		"JSON":           func() propagation.TextMapCarrier { text := jsonText; return carriers.JSON(&text) },
		"Properties":     func() propagation.TextMapCarrier { text := propertiesText; return carriers.Properties(&text) },
	}
}

func fill[C propagation.TextMapCarrier](c C, pairs carriers.Pairs[userProperty]) C {
	for _, p := range pairs {
		c.Set(p.Key, p.Value)
	}
	return c
}

func TestInject_ClearsAnyNumberOfKeys(t *testing.T) {
	t.Parallel()
	option := propagation.WithPropagator(openTracing{})
	for name, newCarrier := range big(16 << 10) {
		carrier := newCarrier()
		if got := propagation.ReadTextMap(carrier, option).Baggage().Len(); got == 0 {
			t.Errorf("%s: the baggage is not read", name)
		}
		propagation.InjectTextMap(sampled(t), carrier, option)
		for _, key := range carrier.Keys() {
			if strings.HasPrefix(key, "ot-baggage-") {
				t.Fatalf("%s: %s stays", name, key)
			}
		}
		if propagation.ReadTextMap(carrier, option).Err() != nil {
			t.Errorf("%s: nothing was written", name)
		}
	}
}

// The time of a call grows as the carrier does, and no faster.
func BenchmarkGrowth(b *testing.B) {
	option := propagation.WithPropagator(openTracing{})
	ctx := sampled(b)
	for size, name := range map[int]string{1 << 10: "1KB", 64 << 10: "64KB", 4 << 20: "4MB"} {
		for kind, newCarrier := range big(size) {
			carrier := newCarrier()
			b.Run("Read/"+kind+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					propagation.ReadTextMap(carrier, option)
				}
			})
			b.Run("Inject/"+kind+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					b.StopTimer()
					carrier := newCarrier()
					b.StartTimer()
					propagation.InjectTextMap(ctx, carrier, option)
				}
			})
		}
	}
}
