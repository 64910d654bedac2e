// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier_test

import (
	"context"
	"fmt"
	"os/exec"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/envcarrier"
)

// A program starts a worker, whose spans continue the trace of the program.
func Example() {
	tracer := sdktrace.NewTracerProvider().Tracer("nightly")
	ctx, span := tracer.Start(context.Background(), "start worker")
	defer span.End()

	cmd := exec.Command("worker", "--day", "2026-02-03")
	envcarrier.Command(ctx, cmd)
	// err := cmd.Run()

	worked := worker(tracer, cmd.Env)
	fmt.Println("one trace:", worked.TraceID() == span.SpanContext().TraceID())
	// Output: one trace: true
}

// worker is the main function of the worker, which is started with environ.
func worker(tracer trace.Tracer, environ []string) trace.SpanContext {
	ctx := envcarrier.ExtractFrom(context.Background(), environ) // envcarrier.Extract(ctx) in the worker itself.
	_, span := tracer.Start(ctx, "work")
	defer span.End()
	return span.SpanContext()
}
