// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command firstflow is the smallest flow over Kafka: a producer sends an order
// in a span, and a consumer handles it in a span of the same trace. The broker
// runs in the same process.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/examples/internal/local"
)

func publish(ctx context.Context, broker string) error {
	w := kafkacarrier.NewWriter(&kafka.Writer{Addr: kafka.TCP(broker), Topic: "orders", RequiredAcks: kafka.RequireAll})
	defer w.Close()
	return w.WriteMessages(ctx, kafka.Message{Value: []byte("order 42")}) // span "send orders"
}

func consume(ctx context.Context, broker string) error {
	r := kafkacarrier.NewReader(kafka.NewReader(kafka.ReaderConfig{Brokers: []string{broker}, Topic: "orders"}))
	defer r.Close()
	msg, err := r.FetchMessage(ctx)
	if err != nil {
		return err
	}
	return r.Process(ctx, msg, func(ctx context.Context) error { // span "process orders", child of "send orders"
		return handle(ctx, msg.Value)
	}) // With a GroupID, r.CommitMessages(ctx, msg) comes next.
}

func handle(ctx context.Context, order []byte) error {
	fmt.Printf("handling %s in trace %s\n", order, trace.SpanContextFromContext(ctx).TraceID())
	return nil
}

func main() {
	otel.SetTracerProvider(sdktrace.NewTracerProvider()) // Yours has an exporter.
	broker, stop, err := local.StartKafka("orders")
	if err != nil {
		log.Fatal(err)
	}
	err = run(broker)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(broker string) error {
	ctx, span := otel.Tracer("shop").Start(context.Background(), "POST /orders")
	fmt.Printf("publishing in trace %s\n", span.SpanContext().TraceID())
	err := publish(ctx, broker)
	span.End()
	if err != nil {
		return err
	}
	return consume(context.Background(), broker)
}
