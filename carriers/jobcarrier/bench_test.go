// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier_test

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"testing"

	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/propagation"
)

func BenchmarkInject(b *testing.B) {
	ctx := spanContext(b)
	params := map[string]string{"day": "mon", "region": "Taiwan"}
	b.Run("Base", func(b *testing.B) { // By hand, without any check.
		b.ReportAllocs()
		for b.Loop() {
			own := maps.Clone(params)
			otelpropagation.TraceContext{}.Inject(ctx, otelpropagation.MapCarrier(own))
		}
	})
	for name, preset := range map[string]jobcarrier.Option{"Instrumented": nil, "Databricks": jobcarrier.Databricks()} {
		b.Run(name, func(b *testing.B) {
			opt := jobcarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{}))
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
		opt := jobcarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{}))
		b.ReportAllocs()
		for b.Loop() {
			jobcarrier.Read(params, opt)
		}
	})
}

func BenchmarkReadArgs(b *testing.B) {
	args := []string{"run", "--day", "mon", "--traceparent=" + traceparent}
	opt := jobcarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{}))
	b.ReportAllocs()
	for b.Loop() {
		jobcarrier.ReadArgs(args, opt)
	}
}

// The time grows in proportion to the input.
func BenchmarkGrowth(b *testing.B) {
	ctx := spanContext(b)
	replace := jobcarrier.WithPropagation(propagation.WithPropagator(openTracing{}), propagation.WithPolicy(propagation.Replace))
	for _, size := range []int{1 << 10, 64 << 10, 4 << 20} {
		params, conf, args := map[string]string{}, map[string]any{}, []string{}
		for i := range size / 32 {
			key := fmt.Sprintf("ot-baggage-%09d", i)
			params[key], conf[key], args = "0123456789", "0123456789", append(args, "--"+key+"=0123456789")
		}
		for name, f := range map[string]func(){
			"Inject":     func() { _, _ = jobcarrier.Inject(ctx, params, replace) },
			"InjectConf": func() { _, _ = jobcarrier.InjectConf(ctx, conf, replace) },
			"InjectArgs": func() { jobcarrier.InjectArgs(ctx, args, replace) },
			"TakeArgs":   func() { jobcarrier.TakeArgs(args, replace) },
			"ReadArgs":   func() { jobcarrier.ReadArgs(args, replace) },
			"Read":       func() { jobcarrier.Read(params, replace) },
			"ReadConf":   func() { jobcarrier.ReadConf(conf, replace) },
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

// openTracing has the keys of OpenTracing.
type openTracing struct{}

func (openTracing) Inject(_ context.Context, c propagation.TextMapCarrier) {
	c.Set("ot-tracer-traceid", "1")
}

func (openTracing) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	c.Keys()
	return ctx
}
func (openTracing) Fields() []string { return []string{"ot-tracer-traceid"} }
