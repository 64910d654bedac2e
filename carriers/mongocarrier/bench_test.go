// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"slices"
	"testing"

	"go.opentelemetry.io/otel"
	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
)

// The benchmarks named Plain are what is written by hand: OpenTelemetry's own
// propagator and a map as the value of the field.

func benchDoc() D {
	return slices.Clip(D{{"_id", 1}, {"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}, {"e", 5}, {"f", 6}, {"g", 7}})
}

func BenchmarkInjectD(b *testing.B) {
	ctx, doc, opt := spanCtx(b, traceparentA), benchDoc(), w3c()
	b.ReportAllocs()
	for b.Loop() {
		mongocarrier.InjectD(ctx, doc, opt)
	}
}

func BenchmarkInjectDWithWaybill(b *testing.B) {
	ctx, doc, opt := spanCtx(b, traceparentA), benchDoc(), full()
	b.ReportAllocs()
	for b.Loop() {
		mongocarrier.InjectD(ctx, doc, opt)
	}
}

func BenchmarkPlainInjectD(b *testing.B) {
	ctx, doc := spanCtx(b, traceparentA), benchDoc()
	p := otelpropagation.TraceContext{}
	b.ReportAllocs()
	for b.Loop() {
		m := otelpropagation.MapCarrier{}
		p.Inject(ctx, m)
		_ = append(doc, E{"_otel", m})
	}
}

func BenchmarkInjectM(b *testing.B) {
	ctx, doc, opt := spanCtx(b, traceparentA), toM(benchDoc()), w3c()
	b.Run("copy", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			mongocarrier.InjectM(ctx, doc, opt)
		}
	})
	inPlace := mongocarrier.WithInPlace()
	b.Run("in place", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			mongocarrier.InjectM(ctx, doc, opt, inPlace)
		}
	})
}

func BenchmarkPlainInjectM(b *testing.B) {
	ctx, doc := spanCtx(b, traceparentA), toM(benchDoc())
	p := otelpropagation.TraceContext{}
	b.ReportAllocs()
	for b.Loop() {
		m := otelpropagation.MapCarrier{}
		p.Inject(ctx, m)
		doc["_otel"] = m
	}
}

func BenchmarkInjectRaw(b *testing.B) {
	ctx, raw, opt := spanCtx(b, traceparentA), slices.Clip(encode(b, benchDoc())), w3c()
	room := make(Raw, len(raw), len(raw)+200)
	b.Run("copy", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = mongocarrier.InjectRaw(ctx, raw, opt)
		}
	})
	inPlace := mongocarrier.WithInPlace()
	b.Run("in place", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = mongocarrier.InjectRaw(ctx, append(room[:0], raw...), opt, inPlace)
		}
	})
}

func BenchmarkCapture(b *testing.B) {
	ctx, opt := spanCtx(b, traceparentA), w3cContext
	b.ReportAllocs()
	for b.Loop() {
		_ = mongocarrier.Capture(ctx, opt)
	}
}

func BenchmarkPlainCapture(b *testing.B) {
	ctx := spanCtx(b, traceparentA)
	p := otelpropagation.TraceContext{}
	b.ReportAllocs()
	for b.Loop() {
		m := otelpropagation.MapCarrier{}
		p.Inject(ctx, m)
	}
}

// BenchmarkInsertMany injects one context into 1000 documents.
func BenchmarkInsertMany(b *testing.B) {
	ctx := spanCtx(b, traceparentA)
	docs := make([]M, 1000)
	for i := range docs {
		docs[i] = M{"_id": i}
	}
	b.Run("shared", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			shared := mongocarrier.WithCaptured(mongocarrier.Capture(ctx))
			for i := range docs {
				mongocarrier.InjectM(ctx, docs[i], shared)
			}
		}
	})
	b.Run("each", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for i := range docs {
				mongocarrier.InjectM(ctx, docs[i])
			}
		}
	})
}

func BenchmarkExtractRaw(b *testing.B) {
	raw, _ := mongocarrier.InjectRaw(spanCtx(b, traceparentA), encode(b, benchDoc()), w3c())
	ctx, opt := b.Context(), w3c()
	b.ReportAllocs()
	for b.Loop() {
		mongocarrier.ExtractRaw(ctx, raw, opt)
	}
}

func BenchmarkExtractD(b *testing.B) {
	doc := append(benchDoc(), E{"_otel", D{{"traceparent", traceparentA}}})
	ctx, opt := b.Context(), w3c()
	b.ReportAllocs()
	for b.Loop() {
		mongocarrier.ExtractD(ctx, doc, opt)
	}
}

func BenchmarkExtractM(b *testing.B) {
	doc := M{"_id": 1, "_otel": M{"traceparent": traceparentA}}
	ctx, opt := b.Context(), w3c()
	b.ReportAllocs()
	for b.Loop() {
		mongocarrier.ExtractM(ctx, doc, opt)
	}
}

func BenchmarkPlainExtract(b *testing.B) {
	doc := M{"_id": 1, "_otel": map[string]string{"traceparent": traceparentA}}
	ctx := b.Context()
	p := otelpropagation.TraceContext{}
	b.ReportAllocs()
	for b.Loop() {
		m, _ := doc["_otel"].(map[string]string)
		p.Extract(ctx, otelpropagation.MapCarrier(m))
	}
}

func BenchmarkNothingThere(b *testing.B) {
	raw, ctx := encode(b, benchDoc()), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		mongocarrier.ExtractRaw(ctx, raw)
	}
}

func BenchmarkProcess(b *testing.B) {
	consumer := mongocarrier.NewConsumer("orders", mongocarrier.WithTracerProvider(otel.GetTracerProvider()))
	remote := mongocarrier.ReadM(M{"_otel": traceparentA}, w3c())
	b.ReportAllocs()
	for b.Loop() {
		_ = consumer.Process(b.Context(), remote, nothing)
	}
}
