// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier_test

import (
	"maps"
	"testing"

	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/propagation"
)

func BenchmarkInject(b *testing.B) {
	ctx := spanContext(b)
	params := map[string]string{"day": "mon", "region": "Taiwan"}
	b.Run("Base", func(b *testing.B) { // what is written by hand, with nothing checked.
		b.ReportAllocs()
		for b.Loop() {
			own := maps.Clone(params)
			otelpropagation.TraceContext{}.Inject(ctx, otelpropagation.MapCarrier(own))
		}
	})
	for name, preset := range map[string]jobcarrier.Option{"Instrumented": nil, "Databricks": jobcarrier.Databricks()} {
		b.Run(name, func(b *testing.B) {
			opt := jobcarrier.WithPropagator(propagation.TraceContext{})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := jobcarrier.Inject(ctx, params, opt, preset); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	params := map[string]string{"day": "mon", "traceparent": traceparent}
	b.Run("Base", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			otelpropagation.TraceContext{}.Extract(b.Context(), otelpropagation.MapCarrier(params))
		}
	})
	b.Run("Instrumented", func(b *testing.B) {
		opt := jobcarrier.WithPropagator(propagation.TraceContext{})
		b.ReportAllocs()
		for b.Loop() {
			jobcarrier.Read(params, opt)
		}
	})
}

func BenchmarkReadArgs(b *testing.B) {
	args := []string{"run", "--day", "mon", "--traceparent=" + traceparent}
	opt := jobcarrier.WithPropagator(propagation.TraceContext{})
	b.ReportAllocs()
	for b.Loop() {
		jobcarrier.ReadArgs(args, opt)
	}
}
