// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command otellogs logs with log/slog to OpenTelemetry, through the bridge otelslog: a
// record has the trace and the span that it was logged in, and as attributes the stage
// and the Kafka message. It prints what a collector would receive. With
//
//	OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN=logs
//
// in the environment, a panic of a stage is a log record, too.
package main

import (
	"context"
	"fmt"
	stdlog "log"
	"log/slog"
	"os"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutlog"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/stages"
)

func main() {
	ctx := context.Background()
	exporter, err := stdoutlog.New() // In a service: otlploghttp.New(ctx).
	if err != nil {
		stdlog.Fatal(err)
	}
	logs := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)))
	traces := sdktrace.NewTracerProvider()
	msg := kafka.Message{Topic: "orders", Partition: 3, Offset: 815, Value: []byte("")}
	if err := handle(ctx, traces, logs, msg); err != nil {
		fmt.Fprintln(os.Stderr, "handle:", err)
	}
	if err := logs.Shutdown(ctx); err != nil {
		stdlog.Fatal(err)
	}
}

// newLogger returns a logger whose records go to logs. The bridge adds the span to a
// record; the handler of package stages adds the stage and the message. Give it
// WithGroupedAttrs if errors are logged within groups.
func newLogger(logs log.LoggerProvider) *slog.Logger {
	return slog.New(stages.NewLogHandler(otelslog.NewHandler("orders", otelslog.WithLoggerProvider(logs))))
}

// handle loads the row of a message, in the span of the message and in a stage.
func handle(ctx context.Context, traces trace.TracerProvider, logs log.LoggerProvider, msg kafka.Message) error {
	logger := newLogger(logs)
	pipeline, err := stages.NewPipeline("orders", stages.WithTracerProvider(traces), stages.WithLoggerProvider(logs), stages.WithPanicAsError())
	if err != nil {
		return err
	}
	load, err := pipeline.Stage("load")
	if err != nil {
		return err
	}
	consumer := kafkacarrier.NewConsumer(kafkacarrier.WithTracerProvider(traces))
	return consumer.Process(ctx, msg, func(ctx context.Context) error {
		return load.Run(ctx, func(ctx context.Context) error {
			logger.InfoContext(ctx, "loading", "bytes", len(msg.Value))
			_ = msg.Value[0] // Panics for an empty message.
			return nil
		})
	})
}
