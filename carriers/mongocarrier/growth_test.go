// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/propagation"
)

// searching is a propagator that lists the keys of a carrier and asks for each
// that begins with ot-baggage-, as that of OpenTracing does.
type searching struct{}

func (searching) Inject(context.Context, propagation.TextMapCarrier) {}

func (searching) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	found := 0
	for _, key := range c.Keys() {
		if strings.HasPrefix(key, "ot-baggage-") && c.Get(key) != "" {
			found++
		}
	}
	if found == 0 {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, Remote: true,
	}))
}

func (searching) Fields() []string { return []string{"ot-tracer-traceid"} }

// hostileContexts returns values of a field, each of about n bytes, that may
// take a reader quadratic time.
func hostileContexts(n int) map[string]any {
	keys := make(D, n/28)
	var pairs []any
	for i := range keys {
		keys[i] = E{fmt.Sprintf("ot-baggage-%07d", i), "v"}
		pairs = append(pairs, []any{keys[i].Key, "v"})
	}
	nested := D{}
	for range min(n/20, 5000) { // The encoder of the test is recursive.
		nested = D{{"_otel_extra", nested}}
	}
	return map[string]any{
		"keys":            keys,
		"pairs":           pairs,
		"one long value":  D{{"traceparent", strings.Repeat("x", n)}, {"tracestate", strings.Repeat("a=b,", n/4)}},
		"nested":          nested,
		"nested extra":    D{{"_otel_extra", keys}},
		"continued lines": strings.Repeat("a\\\n", n/3),
		"lines":           strings.Repeat("a=1\n", n/4),
		"JSON":            "{" + strings.Repeat(`"a":1,`, n/6) + `"a":1}`,
		"JSON arrays":     strings.Repeat("[", n),
		"text":            strings.Repeat("x", n),
		"percent signs":   D{{strings.Repeat("%", n), "v"}},
	}
}

// readers are all functions that read a document with value in the field.
func readers(t testing.TB, value any) map[string]func() {
	t.Helper()
	opts := []mongocarrier.Option{mongocarrier.WithPropagation(
		propagation.WithPropagator(propagation.Compose(propagation.Default(), searching{})), propagation.WithBaggage("user"))}
	flat := append(slices.Clone(opts), mongocarrier.WithForm(mongocarrier.FormFlat))
	doc := D{{"_id", 1}, {"_otel", value}}
	raw := encode(t, doc)
	outer, _ := value.(D)
	rawOuter, unordered := encode(t, outer), toM(outer)
	kind, bytes := encodeValue(t, value)
	parts := make(D, len(outer))
	for i, e := range outer {
		parts[i] = E{"_otel." + e.Key, e.Value}
	}
	insert := encode(t, D{{"operationType", "insert"}, {"fullDocument", doc}})
	update := encode(t, updateEvent(parts, doc, nil))
	updateFlat := encode(t, updateEvent(outer, outer, nil))
	return map[string]func(){
		"ReadD":                 func() { mongocarrier.ReadD(doc, opts...) },
		"ReadD, flat":           func() { mongocarrier.ReadD(outer, flat...) },
		"ReadM":                 func() { mongocarrier.ReadM(M{"_otel": value}, opts...) },
		"ReadM, flat":           func() { mongocarrier.ReadM(unordered, flat...) },
		"ReadRaw":               func() { mongocarrier.ReadRaw(raw, opts...) },
		"ReadRaw, flat":         func() { mongocarrier.ReadRaw(rawOuter, flat...) },
		"ReadChangeEvent":       func() { mongocarrier.ReadChangeEvent(insert, opts...) },
		"ReadChangeEvent, part": func() { mongocarrier.ReadChangeEvent(update, opts...) },
		"ReadChangeEvent, flat": func() { mongocarrier.ReadChangeEvent(updateFlat, flat...) },
		"IsOnlyContext":         func() { mongocarrier.IsOnlyContext(update, opts...) },
		"IsOnlyContext, flat":   func() { mongocarrier.IsOnlyContext(updateFlat, flat...) },
		"CommentDocument":       func() { mongocarrier.CommentDocument(spanCtx(t, traceparentA), value) },
		"LenientField": func() {
			var f mongocarrier.LenientField
			_ = f.UnmarshalBSONValue(kind, bytes)
			f.Remote()
		},
		"Carrier":         func() { d := doc; mongocarrier.NewD(&d, opts...).Keys() },
		"Carrier, set":    func() { d := doc; mongocarrier.NewD(&d, opts...).Set("k", "v") },
		"InjectRaw":       func() { _, _ = mongocarrier.InjectRaw(spanCtx(t, traceparentA), raw, opts...) },
		"InjectRaw, flat": func() { _, _ = mongocarrier.InjectRaw(spanCtx(t, traceparentA), rawOuter, flat...) },
		"InjectD, flat":   func() { mongocarrier.InjectD(spanCtx(t, traceparentA), outer, flat...) },
		"InjectM, flat":   func() { mongocarrier.InjectM(spanCtx(t, traceparentA), unordered, flat...) },
		"StripRaw, flat":  func() { mongocarrier.StripRaw(rawOuter, flat...) },
	}
}

// Reading 4 MiB takes less than 0.4 s on an idle machine, and more than 40 s if the
// time is quadratic. The limit leaves room for a machine that does other work.
func TestRead_HostileContexts(t *testing.T) {
	t.Parallel()
	const limit = 30 * time.Second
	for name, value := range hostileContexts(4 << 20) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for reader, read := range readers(t, value) {
				start := time.Now()
				read()
				if elapsed := time.Since(start); elapsed > limit {
					t.Errorf("%s: %v, want less than %v", reader, elapsed, limit)
				}
			}
		})
	}
}

func BenchmarkRead_Growth(b *testing.B) {
	for _, n := range []int{1 << 10, 64 << 10, 4 << 20} {
		for name, value := range hostileContexts(n) {
			for reader, read := range readers(b, value) {
				b.Run(strings.ReplaceAll(reader+"/"+name+"/"+strconv.Itoa(n), " ", "_"), func(b *testing.B) {
					b.SetBytes(int64(n))
					for b.Loop() {
						read()
					}
				})
			}
		}
	}
}
