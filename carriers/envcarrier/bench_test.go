// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier_test

import (
	"strconv"
	"strings"
	"testing"

	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/propagation"
)

func BenchmarkInject(b *testing.B) {
	ctx := spanContext(b)
	environ := make([]string, 50)
	for i := range environ {
		environ[i] = "NAME_" + strconv.Itoa(i) + "=value"
	}
	b.Run("Base", func(b *testing.B) { // what is written by hand, without scrubbing.
		b.ReportAllocs()
		var child []string
		for b.Loop() {
			carrier := otelpropagation.MapCarrier{}
			otelpropagation.TraceContext{}.Inject(ctx, carrier)
			child = append(make([]string, 0, len(environ)+len(carrier)), environ...)
			for key, value := range carrier {
				child = append(child, strings.ToUpper(key)+"="+value)
			}
		}
		if len(child) != len(environ)+1 {
			b.Errorf("%d variables", len(child))
		}
	})
	b.Run("Instrumented", func(b *testing.B) {
		b.ReportAllocs()
		opt := envcarrier.WithPropagator(propagation.TraceContext{})
		for b.Loop() {
			envcarrier.Inject(ctx, environ, opt)
		}
	})
}

func BenchmarkReadFrom(b *testing.B) {
	environ := []string{"PATH=/bin", "HOME=/root", "TRACEPARENT=" + traceparent}
	b.Run("Base", func(b *testing.B) { // what is written by hand.
		b.ReportAllocs()
		for b.Loop() {
			carrier := otelpropagation.MapCarrier{}
			for _, entry := range environ {
				name, value, _ := strings.Cut(entry, "=")
				carrier[strings.ToLower(name)] = value
			}
			otelpropagation.TraceContext{}.Extract(b.Context(), carrier)
		}
	})
	b.Run("Instrumented", func(b *testing.B) {
		opt := envcarrier.WithPropagator(propagation.TraceContext{})
		b.ReportAllocs()
		for b.Loop() {
			envcarrier.ReadFrom(environ, opt)
		}
	})
}

func BenchmarkNormalize(b *testing.B) {
	for _, key := range []string{"traceparent", "x-b3-traceid", "Mój Bagaż"} {
		b.Run(key, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				envcarrier.Normalize(key)
			}
		})
	}
}
