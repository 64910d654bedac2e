// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"testing"

	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// The benchmarks named opentelemetry make the calls that the others replace.

func BenchmarkInject(b *testing.B) {
	for name, ctx := range map[string]context.Context{
		"trace": contents{traceparent: traceparentText}.context(b), "all": full(b), "none": b.Context(),
	} {
		own, carrier, headers := text{}, otelpropagation.MapCarrier{}, &list{}
		run(b, name+"/waybill", func() { propagation.Inject(ctx, own, textAccessor{}, w3c) })
		run(b, name+"/waybill-bytes", func() { propagation.Inject(ctx, headers, listAccessor{}, w3c) })
		run(b, name+"/waybill-default", func() { propagation.Inject(ctx, own, textAccessor{}, defaults) })
		run(b, name+"/opentelemetry", func() { openTelemetry.Inject(ctx, carrier) })
	}
}

func BenchmarkExtract(b *testing.B) {
	for name, held := range map[string]text{
		"trace": {"traceparent": traceparentText}, "none": {}, "malformed": {"traceparent": otherText[:54]},
		"all": {"traceparent": traceparentText, "tracestate": "vendor=1", "baggage": "user=alice"},
	} {
		ctx, carrier, headers := b.Context(), otelpropagation.MapCarrier(held), &list{}
		for key, value := range held {
			listAccessor{}.Set(headers, key, value)
		}
		run(b, name+"/waybill", func() { propagation.Extract(ctx, held, textAccessor{}, w3c) })
		run(b, name+"/waybill-bytes", func() { propagation.Extract(ctx, headers, listAccessor{}, w3c) })
		run(b, name+"/waybill-read", func() { propagation.Read(held, textAccessor{}, w3c).Link() })
		run(b, name+"/opentelemetry", func() { openTelemetry.Extract(ctx, carrier) })
	}
}

// BenchmarkJournal measures what a journal costs a call that is noted, and one that is
// not although another context asks for a journal. Off is what BenchmarkInject and
// BenchmarkExtract measure; run it in a process of its own.
func BenchmarkJournal(b *testing.B) {
	ctx := contents{traceparent: traceparentText}.context(b)
	carrier, other := text{}, new(propagation.Journal)
	inject := func(ctx context.Context) func() {
		return func() { propagation.Inject(ctx, carrier, textAccessor{}, w3c) }
	}
	run(b, "off", inject(ctx))
	done, cancel := context.WithCancel(b.Context())
	defer cancel()
	asked := propagation.ContextWithJournal(done, other)
	run(b, "on-elsewhere", inject(ctx))
	run(b, "on", inject(trace.ContextWithSpanContext(asked, trace.SpanContextFromContext(ctx))))
}

func BenchmarkStart(b *testing.B) {
	tracer, _ := tracer(parentBased())
	batch := many(100)
	run(b, "one/waybill", func() {
		_, span := propagation.Start(b.Context(), tracer, "process", batch[:1], propagation.WithUntrusted())
		span.End()
	})
	run(b, "hundred/waybill", func() {
		_, span := propagation.Start(b.Context(), tracer, "process", batch)
		span.End()
	})
	run(b, "hundred/opentelemetry", func() {
		links := make([]trace.Link, 0, len(batch))
		for _, remote := range batch {
			links = append(links, remote.Link())
		}
		_, span := tracer.Start(b.Context(), "process", trace.WithNewRoot(), trace.WithLinks(links...))
		span.End()
	})
}

// w3c is the propagator that OpenTelemetry's users have.
var w3c = propagation.WithPropagator(openTelemetry)

func run(b *testing.B, name string, f func()) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f()
		}
	})
}
