// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strconv"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/propagation"
)

const byHand = "by hand"

// The least code that does what kafkacarrier does for one message: the same
// spans with the same attributes, by the API of OpenTelemetry, with everything
// made once that can be.

// handCarrier appends headers to a message whose headers it owns.
type handCarrier struct{ msg *kafka.Message }

func (c handCarrier) Get(key string) string {
	for _, h := range c.msg.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

func (c handCarrier) Set(key, value string) {
	c.msg.Headers = append(c.msg.Headers, kafka.Header{Key: key, Value: []byte(value)})
}

func (handCarrier) Keys() []string { return nil }

// handAttributes are those of a span of an operation on the topic.
func handAttributes(name, kind string, more ...attribute.KeyValue) trace.SpanStartOption {
	return trace.WithAttributes(append([]attribute.KeyValue{
		attribute.String("messaging.system", "kafka"),
		attribute.String("messaging.operation.name", name),
		attribute.String("messaging.operation.type", kind),
		attribute.String("messaging.destination.name", topic),
	}, more...)...)
}

// handSend starts a span, copies the headers, appends the context, and carries
// the span in WriterData to the Completion, which ends it.
func handSend(ctx context.Context) (func() error, func() []header) {
	b, msg := new(broker), message()
	w := newWriter(b)
	w.Completion = func(msgs []kafka.Message, _ error) {
		for _, m := range msgs {
			span, _ := m.WriterData.(trace.Span)
			if span.IsRecording() {
				span.SetAttributes(
					attribute.String("messaging.destination.partition.id", strconv.Itoa(m.Partition)),
					attribute.Int64("messaging.kafka.offset", m.Offset),
				)
			}
			span.End()
		}
	}
	tracer := otel.Tracer("by hand")
	options := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindProducer),
		handAttributes("send", "send", attribute.String("server.address", "127.0.0.1"), attribute.Int("server.port", 9092)),
	}
	return func() error {
		sending, span := tracer.Start(ctx, "send "+topic, options...) //nolint:spancheck // the Completion ends it.
		m := msg
		m.Headers = append(make([]kafka.Header, 0, len(msg.Headers)+1), msg.Headers...)
		m.WriterData = span
		traceContext.Inject(sending, handCarrier{&m})
		return w.WriteMessages(sending, m) //nolint:spancheck // the Completion ends it.
	}, b.headers
}

// handler is a way to handle a message in a span of its own.
type handler struct {
	name string
	make func() func(msg kafka.Message, fn func(context.Context) error) error
}

func handlers() []handler {
	return []handler{
		{byHand, handProcess},
		{"waybill", waybillHandle},
	}
}

// handProcess continues the context of a message in a span, and links it.
func handProcess() func(msg kafka.Message, fn func(context.Context) error) error {
	tracer := otel.Tracer("by hand")
	kind := trace.WithSpanKind(trace.SpanKindConsumer)
	attributes := handAttributes("process", "process", attribute.String("messaging.destination.partition.id", "0"))
	return func(msg kafka.Message, fn func(context.Context) error) error {
		ctx := traceContext.Extract(context.Background(), handCarrier{&msg})
		ctx, span := tracer.Start(ctx, "process "+topic, kind, attributes,
			trace.WithLinks(trace.Link{SpanContext: trace.SpanContextFromContext(ctx)}))
		defer span.End()
		if span.IsRecording() {
			span.SetAttributes(attribute.Int64("messaging.kafka.offset", msg.Offset))
		}
		return fn(ctx)
	}
}

func waybillHandle() func(msg kafka.Message, fn func(context.Context) error) error {
	c := kafkacarrier.NewConsumer(kafkacarrier.WithPropagation(propagation.WithPropagator(traceContext)))
	return func(msg kafka.Message, fn func(context.Context) error) error {
		return c.Process(context.Background(), msg, fn)
	}
}

// processTasks measure what handling a message costs.
func processTasks() []task {
	var tasks []task
	for _, h := range handlers() {
		for _, r := range recordings {
			tasks = append(tasks, task{row: h.name, column: string(r), setup: func() (op, done func()) {
				_, done = startOpenTelemetry(r)
				process := h.make()
				msg := message()
				msg.Topic, msg.Headers = topic, kafkaHeaders(received(4, r))
				return func() {
					if err := process(msg, func(context.Context) error { return nil }); err != nil {
						panic(err)
					}
				}, done
			}})
		}
	}
	return tasks
}

// received returns n headers of an application and the context of a sender that
// records, or does not.
func received(n int, r recording) []header {
	headers := sent(n)
	if r == unsampled {
		headers[n].value = headers[n].value[:len(headers[n].value)-1] + "0"
	}
	return headers
}
