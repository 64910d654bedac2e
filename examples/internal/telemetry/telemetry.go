// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package telemetry sets up OpenTelemetry for the examples, as a program does it in its
// main function.
package telemetry

import (
	"context"
	"log"
	"os"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/propagation"
)

// Start sets the global tracer provider and the global propagator, and returns a function
// that sends the spans that are left. Spans go to OTEL_EXPORTER_OTLP_ENDPOINT; if it is
// not set, they go nowhere.
func Start(ctx context.Context) (stop func()) {
	var opts []sdktrace.TracerProviderOption
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" {
		exporter, err := otlptracehttp.New(ctx)
		if err != nil {
			log.Fatal(err)
		}
		opts = append(opts, sdktrace.WithBatcher(exporter))
	}
	provider := sdktrace.NewTracerProvider(opts...)
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.Default())
	return func() {
		if err := provider.Shutdown(context.WithoutCancel(ctx)); err != nil {
			log.Print(err)
		}
	}
}
