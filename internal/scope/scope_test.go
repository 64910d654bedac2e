// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package scope_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/internal/scope"
)

const schemaURL = "https://opentelemetry.io/schemas/1.43.0"

// bundle is a provider of a type that cannot be compared.
type bundle struct {
	trace.TracerProvider
	_ []string
}

func TestTracerNamesItsScope(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))

	_, span := scope.NewTracer("stages", provider, schemaURL).Get().Start(t.Context(), "work")
	span.End()

	got := spans.Ended()[0].InstrumentationScope()
	if got.Name != "github.com/waybill-go/waybill/stages" || got.Version != scope.Version || got.SchemaURL != schemaURL {
		t.Errorf("scope = %+v", got)
	}
}

func TestTracerIsKeptForItsProvider(t *testing.T) {
	t.Parallel()
	tests := map[string]trace.TracerProvider{
		"pointer":        sdktrace.NewTracerProvider(),
		"value":          tracenoop.NewTracerProvider(),
		"not comparable": bundle{TracerProvider: sdktrace.NewTracerProvider()},
	}
	for name, provider := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tracer := scope.NewTracer("stages", provider, schemaURL)
			if tracer.Get() != tracer.Get() {
				t.Error("two tracers of one provider")
			}
		})
	}
}

// TestTracerFollowsTheGlobalProvider installs global providers, so it does not
// run beside others.
func TestTracerFollowsTheGlobalProvider(t *testing.T) {
	before := otel.GetTracerProvider()
	t.Cleanup(func() { otel.SetTracerProvider(before) })
	tracer := scope.NewTracer("stages", nil, schemaURL)
	tracer.Get()

	for range 2 {
		spans := tracetest.NewSpanRecorder()
		otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
		_, span := tracer.Get().Start(t.Context(), "work")
		span.End()
		if len(spans.Ended()) != 1 {
			t.Error("the span did not reach the provider installed last")
		}
	}
	for name, provider := range map[string]trace.TracerProvider{
		"pointer": sdktrace.NewTracerProvider(), "value": tracenoop.NewTracerProvider(),
	} {
		otel.SetTracerProvider(provider)
		if n := testing.AllocsPerRun(100, func() { tracer.Get() }); n != 0 {
			t.Errorf("%s: asking for a tracer allocates %v times", name, n)
		}
	}
	otel.SetTracerProvider(bundle{TracerProvider: sdktrace.NewTracerProvider()})
	tracer.Get()
	tracer.Get()
}

// failing is a provider that panics until it is told not to.
type failing struct {
	trace.TracerProvider
	panics bool
}

func (p *failing) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	if p.panics {
		panic("no tracer")
	}
	return p.TracerProvider.Tracer(name, opts...)
}

func TestProviderThatPanicsHasNoTracerNow(t *testing.T) {
	t.Parallel()
	provider := &failing{TracerProvider: sdktrace.NewTracerProvider(), panics: true}
	tracer := scope.NewTracer("stages", provider, schemaURL)
	if got := tracer.Get(); got != nil {
		t.Errorf("it has %v", got)
	}
	provider.panics = false
	if tracer.Get() == nil {
		t.Error("it still has none when the provider works")
	}
}

func TestMeterUsesItsProvider(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	counter, err := scope.Meter("stages", provider, schemaURL).Int64Counter("rows")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 1)

	var got metricdata.ResourceMetrics
	if err := reader.Collect(context.WithoutCancel(t.Context()), &got); err != nil {
		t.Fatal(err)
	}
	if n := len(got.ScopeMetrics); n != 1 || got.ScopeMetrics[0].Scope.Name != "github.com/waybill-go/waybill/stages" {
		t.Errorf("%d scopes: %+v", n, got.ScopeMetrics)
	}
	if scope.Meter("stages", noop.NewMeterProvider(), schemaURL) == nil {
		t.Error("no meter")
	}
}

// noMeter is a provider that panics, or one that returns no meter.
type noMeter struct {
	metric.MeterProvider
	panics bool
}

func (p noMeter) Meter(string, ...metric.MeterOption) metric.Meter {
	if p.panics {
		panic("no meter")
	}
	return nil
}

func TestProviderWithoutAMeterMeasuresNothing(t *testing.T) {
	t.Parallel()
	for _, panics := range []bool{true, false} {
		if _, err := scope.Meter("stages", noMeter{panics: panics}, schemaURL).Int64Counter("x"); err != nil {
			t.Errorf("panics %t: %v", panics, err)
		}
	}
}
