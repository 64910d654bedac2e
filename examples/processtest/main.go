// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command processtest is a job with an OpenTelemetry of its own, like any that a team
// runs. Its test starts it as a process, and checks that its spans belong to the flow.
package main

import (
	"context"
	"log"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/job"
	"github.com/waybill-go/waybill/stages"
)

var load = stages.Must(stages.NewPipeline("load-orders"))

func main() {
	exporter, err := otlptracehttp.New(context.Background()) // OTEL_EXPORTER_OTLP_ENDPOINT is where to.
	if err != nil {
		log.Fatal(err)
	}
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter)))
	job.Main(load, run) // It finds the context, and flushes the provider.
}

func run(ctx context.Context) error {
	_, span := otel.Tracer("processtest").Start(ctx, "read orders")
	defer span.End()
	return nil
}
