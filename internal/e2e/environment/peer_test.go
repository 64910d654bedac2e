// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package environment_test

import (
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/contrib/propagators/b3"
	"go.opentelemetry.io/contrib/propagators/envcar"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/propagation"
)

// peer returns OpenTelemetry's carrier, which writes to environ.
func peer(environ *[]string) *envcar.Carrier {
	return &envcar.Carrier{SetEnvFunc: func(name, value string) { *environ = append(*environ, name+"="+value) }}
}

func FuzzNormalize_OpenTelemetry(f *testing.F) {
	for _, seed := range []string{"", "traceparent", "Content-Type", "01239", "🧳", "Mój Bagaż", "ß", "\xff\xfe", "a\x00b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		var environ []string
		peer(&environ).Set(key, "v")
		if got, want := envcarrier.Normalize(key)+"=v", environ[0]; got != want {
			t.Errorf("%q goes under %q, want %q", key, got, want)
		}
	})
}

// Each reads what the other writes, and both list the same names.
func TestInject_OpenTelemetry(t *testing.T) {
	for name, p := range map[string]propagation.TextMapPropagator{
		"W3C":       propagation.TraceContext{},
		"B3":        b3.New(b3.WithInjectEncoding(b3.B3MultipleHeader)),
		"single B3": b3.New(b3.WithInjectEncoding(b3.B3SingleHeader)),
	} {
		t.Run(name, func(t *testing.T) {
			sc := trace.NewSpanContext(trace.SpanContextConfig{
				TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, Remote: true,
			})
			ctx := trace.ContextWithRemoteSpanContext(t.Context(), sc)
			ours := envcarrier.Inject(ctx, nil, envcarrier.WithPropagation(propagation.WithPropagator(p)))
			var theirs []string
			p.Inject(ctx, peer(&theirs))
			if slices.Sort(theirs); !slices.Equal(slices.Sorted(slices.Values(ours)), theirs) {
				t.Errorf("%q, and OpenTelemetry writes %q", ours, theirs)
			}
			if got := envcarrier.ReadFrom(theirs, envcarrier.WithPropagation(propagation.WithPropagator(p))).SpanContext(); !got.Equal(sc) {
				t.Errorf("of OpenTelemetry's it reads %+v", got)
			}
			for _, entry := range ours {
				key, value, _ := strings.Cut(entry, "=")
				t.Setenv(key, value)
			}
			if got := trace.SpanContextFromContext(p.Extract(t.Context(), peer(nil))); !got.Equal(sc) {
				t.Errorf("OpenTelemetry's reads %+v", got)
			}
			if got := envcarrier.Read(envcarrier.WithPropagation(propagation.WithPropagator(p))).SpanContext(); !got.Equal(sc) {
				t.Errorf("of this process it reads %+v", got)
			}
		})
	}
}

// BenchmarkExtract reads the environment of this process.
func BenchmarkExtract(b *testing.B) {
	b.Setenv("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	b.Run("OpenTelemetry", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			propagation.TraceContext{}.Extract(b.Context(), &envcar.Carrier{})
		}
	})
	b.Run("waybill", func(b *testing.B) {
		opt := envcarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{}))
		b.ReportAllocs()
		for b.Loop() {
			envcarrier.Extract(b.Context(), opt)
		}
	})
}
