// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier_test

import (
	"fmt"
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
	b.Run("Base", func(b *testing.B) { // By hand, without removing another context.
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
		opt := envcarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{}))
		for b.Loop() {
			envcarrier.Inject(ctx, environ, opt)
		}
	})
}

func BenchmarkReadFrom(b *testing.B) {
	environ := []string{"PATH=/bin", "HOME=/root", "TRACEPARENT=" + traceparent}
	b.Run("Base", func(b *testing.B) { // By hand.
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
		opt := envcarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{}))
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

// The time grows in proportion to an environment, even if all of it is removed.
func BenchmarkGrowth(b *testing.B) {
	ctx := spanContext(b)
	opt := envcarrier.WithPropagation(propagation.WithPropagator(openTracing{}))
	for _, size := range []int{1 << 10, 64 << 10, 4 << 20} {
		environ := make([]string, size/32)
		for i := range environ {
			environ[i] = fmt.Sprintf("OT_BAGGAGE_%09d=0123456789", i)
		}
		values := lastValues(environ)
		for name, f := range map[string]func(){
			"Inject":    func() { envcarrier.Inject(ctx, environ, opt) },
			"InjectMap": func() { envcarrier.InjectMap(ctx, values, opt) },
			"ReadFrom":  func() { envcarrier.ReadFrom(environ, opt) },
			"Keys":      func() { (*envcarrier.Carrier)(&environ).Keys() },
		} {
			b.Run(name+"/"+strconv.Itoa(size), func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					f()
				}
			})
		}
	}
}
