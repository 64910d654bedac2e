// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command kafka carries the trace context in the headers of a Kafka message,
// with drop-in wrappers for the Writer and the Reader of kafka-go. The broker
// runs inside of it.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/examples/internal/local"
)

const topic = "quakes"

func main() {
	otel.SetTracerProvider(sdktrace.NewTracerProvider())
	addr, stop, err := local.StartKafka(topic)
	if err != nil {
		log.Fatal(err)
	}
	err = run(context.Background(), addr)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, addr string) error {
	writer := kafkacarrier.NewWriter(&kafka.Writer{Addr: kafka.TCP(addr), Topic: topic, BatchSize: 1})
	defer writer.Close()
	reader := kafkacarrier.NewReader(kafka.NewReader(kafka.ReaderConfig{Brokers: []string{addr}, Topic: topic, MaxWait: time.Second}))
	defer reader.Close()

	sendCtx, publish := otel.Tracer("kafka").Start(ctx, "publish")
	defer publish.End()
	if err := writer.WriteMessages(sendCtx, kafka.Message{Value: []byte("Taiwan")}); err != nil {
		return err
	}

	msg, err := reader.ReadMessage(ctx)
	if err != nil {
		return err
	}
	for _, h := range msg.Headers {
		fmt.Printf("%-12s %s\n", h.Key, h.Value)
	}
	return reader.Process(ctx, msg, func(ctx context.Context) error {
		span := trace.SpanContextFromContext(ctx)
		fmt.Printf("processing %s, one trace: %t\n", msg.Value, span.TraceID() == publish.SpanContext().TraceID())
		return nil
	})
}
