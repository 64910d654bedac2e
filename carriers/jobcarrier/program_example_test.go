// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier_test

import (
	"context"
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
)

// A program starts a run of a Databricks job, whose spans continue the trace of
// the program.
func Example() {
	tracer := sdktrace.NewTracerProvider().Tracer("trigger")
	ctx, span := tracer.Start(context.Background(), "trigger report")
	defer span.End()

	parameters, err := jobcarrier.Inject(ctx, map[string]string{"day": "2026-02-03"}, jobcarrier.Databricks())
	if err != nil {
		fmt.Println(err) // The run can be started without the context.
	}
	// _, err = client.Jobs.RunNow(ctx, jobs.RunNow{JobId: id, JobParameters: parameters})

	reported := report(tracer, parameters)
	fmt.Println("one trace:", reported.TraceID() == span.SpanContext().TraceID())
	// Output: one trace: true
}

// report is the main function of the run, which gets the parameters.
func report(tracer trace.Tracer, parameters map[string]string) trace.SpanContext {
	ctx := jobcarrier.Extract(context.Background(), parameters)
	_, span := tracer.Start(ctx, "report "+parameters["day"])
	defer span.End()
	return span.SpanContext()
}
