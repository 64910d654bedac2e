// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command jobparameters carries the trace context in the parameters of a
// Databricks run: it prints the request that starts the run, and what the run
// makes of its parameters.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
)

func main() {
	tracer := sdktrace.NewTracerProvider().Tracer("jobparameters")
	ctx, span := tracer.Start(context.Background(), "trigger")

	// The program that triggers the run. The map is copied, not changed.
	parameters, err := jobcarrier.Inject(ctx, map[string]string{"region": "Taiwan"}, jobcarrier.Databricks())
	if err != nil {
		log.Fatal(err)
	}
	request, err := json.MarshalIndent(jobs.RunNow{JobId: 1, JobParameters: parameters}, "", "  ")
	if err != nil {
		log.Fatal(err)
	}
	span.End()
	fmt.Printf("%s\n", request)

	fmt.Println("one trace:", run(tracer, parameters) == span.SpanContext().TraceID())
}

// run is the run, which is given the parameters.
func run(tracer trace.Tracer, parameters map[string]string) trace.TraceID {
	ctx := jobcarrier.Extract(context.Background(), parameters)
	_, span := tracer.Start(ctx, "report "+parameters["region"])
	defer span.End()
	return span.SpanContext().TraceID()
}
