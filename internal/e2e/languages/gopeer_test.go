// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package languages_test

import (
	"context"
	"testing"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
)

// goPeer is a service in Go, in this process.
type goPeer struct {
	provider trace.TracerProvider
	broker   string
}

func newGoPeer(exporter sdktrace.SpanExporter, broker, service string) *goPeer {
	return &goPeer{broker: broker, provider: sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithSampler(withState{sdktrace.ParentBased(sdktrace.AlwaysSample())}),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", service), attribute.String("service.instance.id", service))),
	)}
}

// withState is a sampler that begins each flow with a tracestate, which must arrive
// wherever the flow does.
type withState struct{ sdktrace.Sampler }

const state = "vendor=1"

func (w withState) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	result := w.Sampler.ShouldSample(p)
	if !trace.SpanContextFromContext(p.ParentContext).IsValid() {
		result.Tracestate, _ = trace.ParseTraceState(state)
	}
	return result
}

// close exports what there is.
func (p *goPeer) close(ctx context.Context, t *testing.T) {
	t.Helper()
	if sdk, ok := p.provider.(*sdktrace.TracerProvider); ok {
		if err := sdk.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	}
}

// produce sends count messages in one span.
func (p *goPeer) produce(ctx context.Context, topic string, count int) error {
	writer := kafkacarrier.NewWriter(
		&kafka.Writer{Addr: kafka.TCP(p.broker), Topic: topic, BatchSize: count, RequiredAcks: kafka.RequireAll},
		kafkacarrier.WithTracerProvider(p.provider),
	)
	ctx, span := p.provider.Tracer("peer").Start(ctx, "orders")
	defer span.End()
	messages := make([]kafka.Message, count)
	for i := range messages {
		messages[i].Value = []byte("order")
	}
	if err := writer.WriteMessages(ctx, messages...); err != nil {
		_ = writer.Close()
		return err
	}
	return writer.Close()
}

// consume handles count messages, and sends each on to the topic next.
func (p *goPeer) consume(ctx context.Context, topic string, count int, next string) error {
	reader := kafkacarrier.NewReader(
		kafka.NewReader(kafka.ReaderConfig{Brokers: []string{p.broker}, Topic: topic, GroupID: topic}),
		kafkacarrier.WithTracerProvider(p.provider),
	)
	defer reader.Close() //nolint:errcheck // what it has read is committed.
	writer := kafkacarrier.NewWriter(&kafka.Writer{Addr: kafka.TCP(p.broker), BatchSize: 1, RequiredAcks: kafka.RequireAll}, kafkacarrier.WithTracerProvider(p.provider))
	defer writer.Close() //nolint:errcheck // each message is written when WriteMessages returns.
	for range count {
		msg, err := reader.FetchMessage(ctx)
		if err != nil {
			return err
		}
		err = reader.Process(ctx, msg, func(ctx context.Context) error {
			ctx, span := p.provider.Tracer("peer").Start(ctx, "handle")
			defer span.End()
			if next == "" {
				return nil
			}
			return writer.WriteMessages(ctx, kafka.Message{Topic: next, Value: msg.Value})
		})
		if err != nil {
			return err
		}
		if err := reader.CommitMessages(ctx, msg); err != nil {
			return err
		}
	}
	return nil
}
