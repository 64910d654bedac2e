// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package waybill_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os/exec"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// The blocks of the README come from here, and from the programs in examples.

// inTrace returns a ctx with a span, as the examples need one.
func inTrace() (context.Context, trace.Span) {
	return sdktrace.NewTracerProvider().Tracer("readme").Start(context.Background(), "work")
}

func Example_global() {
	otel.SetTextMapPropagator(propagation.Default())
	fmt.Println(otel.GetTextMapPropagator().Fields()[0] != "")
	// Output: true
}

func Example_kafka() {
	ctx, span := inTrace()
	defer span.End()
	handle := func(context.Context) error { return nil }

	msg := kafka.Message{Topic: "orders", Value: []byte("42")}
	kafkacarrier.Inject(ctx, &msg)

	err := kafkacarrier.Process(ctx, msg, handle)
	fmt.Println(err, msg.Headers[0].Key)
	// Output: <nil> traceparent
}

func Example_mongoDB() {
	ctx, span := inTrace()
	defer span.End()
	handle := func(context.Context) error { return nil }

	doc := mongocarrier.InjectM(ctx, map[string]any{"order": 42}) // or InjectD, InjectRaw, a struct field

	orders := mongocarrier.NewConsumer("orders")
	err := orders.Process(ctx, mongocarrier.ReadM(doc), handle) // orders is a mongocarrier.NewConsumer("orders")
	fmt.Println(err, len(doc))
	// Output: <nil> 2
}

func Example_process() {
	ctx, span := inTrace()
	defer span.End()

	cmd := exec.Command("report") //nolint:noctx // it is not started here.
	envcarrier.Command(ctx, cmd)  // in the parent

	ctx = envcarrier.Extract(ctx) // in the child, at its start; start a span next
	fmt.Println(ctx != nil)
	// Output: true
}

func Example_job() {
	ctx, span := inTrace()
	defer span.End()

	params, err := jobcarrier.Inject(ctx, map[string]string{"day": "2018-02-07"}, jobcarrier.Databricks())

	ctx = jobcarrier.Extract(ctx, params) // in the run, at its start; start a span next
	fmt.Println(err, trace.SpanContextFromContext(ctx).IsRemote())
	// Output: <nil> true
}

func Example_stage() {
	errInvalid := errors.New("invalid")
	cleanRow := func(ctx context.Context, row string) (int, error) {
		if row == "" {
			stages.FromContext(ctx).Rejected(1, "empty")
			return 0, errInvalid
		}
		stages.FromContext(ctx).Wrote(1)
		return len(row), nil
	}
	ctx := context.Background()

	registry := prometheus.NewRegistry()
	observer, err := metrics.New(registry)
	if err != nil {
		log.Fatal(err)
	}
	pipeline, err := stages.NewPipeline("orders", stages.WithObserver(observer))
	if err != nil {
		log.Fatal(err)
	}
	clean, err := pipeline.Stage("clean")
	if err != nil {
		log.Fatal(err)
	}
	measured := stages.Wrap(clean, cleanRow) // a function of the same type

	fmt.Println(measured(ctx, "42"))
	fmt.Println(measured(ctx, ""))
	// Output:
	// 2 <nil>
	// 0 invalid
}
