// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kotel"
	"go.opentelemetry.io/contrib/propagators/b3"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/propagation"
)

// The kinds of spans.
var (
	server   = trace.WithSpanKind(trace.SpanKindServer)
	producer = trace.WithSpanKind(trace.SpanKindProducer)
	consumer = trace.WithSpanKind(trace.SpanKindConsumer)
)

// sends returns the attributes of a span that sends to a topic.
func sends(topic string) trace.SpanStartEventOption { return operation("send", topic) }

// processes returns the attributes of a span that handles messages, such as msg.
func processes(msg kafka.Message) trace.SpanStartEventOption { return operation("process", msg.Topic) }

// operation returns the attributes that the semantic conventions ask for.
func operation(name, topic string) trace.SpanStartEventOption {
	return trace.WithAttributes(
		attribute.String("messaging.system", "kafka"), attribute.String("messaging.destination.name", topic),
		attribute.String("messaging.operation.name", name), attribute.String("messaging.operation.type", name))
}

// offset returns the attributes that name a message.
func offset(msg kafka.Message) trace.SpanStartEventOption {
	return trace.WithAttributes(attribute.String("messaging.destination.partition.id", strconv.Itoa(msg.Partition)),
		attribute.Int64("messaging.kafka.offset", msg.Offset))
}

// order returns the message of an order.
func order(topic, what string) kafka.Message { return kafka.Message{Topic: topic, Value: []byte(what)} }

// newWriter returns a writer that records nothing.
func (s *system) newWriter() *kafka.Writer {
	return &kafka.Writer{Addr: kafka.TCP(s.broker), BatchTimeout: 2 * time.Millisecond, RequiredAcks: kafka.RequireAll}
}

// write writes messages and records nothing.
func (s *system) write(ctx context.Context, msgs ...kafka.Message) error {
	w := s.newWriter()
	defer func() { _ = w.Close() }()
	return w.WriteMessages(ctx, msgs...)
}

// writer returns a writer of a service.
func (s *system) writer(of *service, opts ...kafkacarrier.WriterOption) *kafkacarrier.Writer {
	return kafkacarrier.NewWriter(s.newWriter(), append(opts, kafkacarrier.WithTracerProvider(of.provider))...)
}

// produce sends an order with franz-go and its instrumentation.
func (s *system) produce(ctx context.Context, tracer *kotel.Tracer) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.broker), kgo.WithHooks(kotel.NewKotel(kotel.WithTracer(tracer)).Hooks()...))
	if err != nil {
		return err
	}
	defer client.Close()
	return client.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: []byte("book")}).FirstErr()
}

// sendOrders lets a service take orders and send a message for each.
func (s *system) sendOrders(ctx context.Context, from *service, orders ...string) error {
	w := s.writer(from)
	defer func() { _ = w.Close() }()
	for _, what := range orders {
		request, span := from.Start(ctx, "POST /orders", server)
		err := w.WriteMessages(request, order("orders", what))
		span.End()
		if err != nil {
			return err
		}
	}
	return nil
}

// sendB3 lets api send an order with a context in the format B3.
func (s *system) sendB3(ctx context.Context) error {
	ctx, span := s.api.Start(ctx, "send orders", producer, sends("orders"))
	defer span.End()
	msg := order("orders", "book")
	kafkacarrier.Inject(ctx, &msg, propagation.WithPropagator(b3.New()))
	return s.write(ctx, msg)
}

// relay sends what is in an outbox.
func (s *system) relay(ctx context.Context, table outbox) error {
	msg := order("orders", table.order)
	for key, value := range table.context {
		msg.Headers = append(msg.Headers, kafka.Header{Key: key, Value: []byte(value)})
	}
	return s.write(ctx, msg)
}

// sendAndWork lets api send an order, and worker handle it.
func (s *system) sendAndWork(ctx context.Context) error {
	if err := s.sendOrders(ctx, s.api, "book"); err != nil {
		return err
	}
	return s.work(ctx, "orders", 1)
}

// sendOneByOne sends orders, and waits for each to be written.
func (s *system) sendOneByOne(ctx context.Context, orders ...string) error {
	w := s.writer(s.api)
	defer func() { _ = w.Close() }()
	for _, what := range orders {
		if err := w.WriteMessages(ctx, order("orders", what)); err != nil {
			return err
		}
	}
	return nil
}

// fetch returns the first n messages of a topic.
func (s *system) fetch(ctx context.Context, topic string, n int) ([]kafka.Message, error) {
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{s.broker}, Topic: topic, MaxWait: time.Second})
	defer func() { _ = r.Close() }()
	var msgs []kafka.Message
	for range n {
		msg, err := r.FetchMessage(ctx)
		if err != nil {
			return nil, err
		}
		msgs = append(msgs, msg)
	}
	return msgs, nil
}

// work lets worker handle the first n messages of a topic.
func (s *system) work(ctx context.Context, topic string, n int) error {
	msgs, err := s.fetch(ctx, topic, n)
	if err != nil {
		return err
	}
	for _, msg := range msgs {
		if err := s.process(ctx, msg, func(ctx context.Context) error { return s.store(ctx, msg) }); err != nil {
			return err
		}
	}
	return nil
}

// process lets worker handle a message with a function.
func (s *system) process(ctx context.Context, msg kafka.Message, fn func(context.Context) error) error {
	return kafkacarrier.NewConsumer(kafkacarrier.WithTracerProvider(s.worker.provider)).Process(ctx, msg, fn)
}

// store lets worker store orders.
func (s *system) store(ctx context.Context, _ ...kafka.Message) error {
	_, span := s.worker.Start(ctx, "store")
	defer span.End()
	return ctx.Err()
}
