// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package waybill_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/stages"
)

// One order travels from an API over a Kafka record, a stage and a document to
// a job in a process of its own, and stays one trace.
func Example() {
	spans := tracetest.NewSpanRecorder()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	tracer := otel.Tracer("example")

	// The API puts the order on a Kafka record.
	ctx, request := tracer.Start(context.Background(), "POST /orders")
	msg := kafka.Message{Topic: "orders", Value: []byte("42")}
	kafkacarrier.Inject(ctx, &msg)
	request.End()

	// A worker takes it off, cleans it in a stage, and stores a document.
	pipeline, err := stages.NewPipeline("orders")
	if err != nil {
		log.Fatal(err)
	}
	clean, err := pipeline.Stage("clean")
	if err != nil {
		log.Fatal(err)
	}
	store := stages.Wrap(clean, func(ctx context.Context, order []byte) (map[string]any, error) {
		stages.FromContext(ctx).Wrote(1)
		return mongocarrier.InjectM(ctx, map[string]any{"order": string(order)}), nil
	})
	var doc map[string]any
	err = kafkacarrier.Process(context.Background(), msg, func(ctx context.Context) error {
		doc, err = store(ctx, msg.Value)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}

	// A poller finds the document and starts a process with a job.
	var environ []string
	err = mongocarrier.Process(context.Background(), mongocarrier.ReadM(doc), func(ctx context.Context) error {
		environ = envcarrier.Inject(ctx, []string{"PATH=/bin"})
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}

	// The job finds its context in its environment by itself.
	ctx = envcarrier.ExtractFrom(context.Background(), environ)
	_, job := tracer.Start(ctx, "assess order")
	job.End()

	printTrace(spans.Ended(), trace.SpanID{}, 0)
	// Output:
	// POST /orders
	//   process orders
	//     clean
	//       process
	//         assess order
}

// printTrace prints the spans below parent, each level indented.
func printTrace(spans []sdktrace.ReadOnlySpan, parent trace.SpanID, depth int) {
	for _, span := range spans {
		if span.Parent().SpanID() == parent {
			fmt.Println(strings.Repeat("  ", depth) + span.Name())
			printTrace(spans, span.SpanContext().SpanID(), depth+1)
		}
	}
}
