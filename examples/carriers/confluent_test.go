// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package carriers

import (
	"context"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/waybill-go/waybill/carriers/carriertest"
	"github.com/waybill-go/waybill/propagation"
)

// cgoClients returns the clients that need cgo.
func cgoClients() []client {
	return []client{{name: "confluent-kafka-go", carry: carryConfluent, stored: true}}
}

func carryConfluent(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	m := &kafka.Message{Value: []byte("42")}
	InjectConfluent(ctx, m)
	return propagation.Extract(t.Context(), sendConfluent(t, m), confluentHeaders{})
}

// sendConfluent sends m to a broker and returns it as it is received.
func sendConfluent(t *testing.T, m *kafka.Message) *kafka.Message {
	t.Helper()
	broker, topic := startKafka(t), kafkaTopic
	producer, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": broker})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	m.TopicPartition = kafka.TopicPartition{Topic: &topic, Partition: 0}
	delivered := make(chan kafka.Event, 1)
	if err = producer.Produce(m, delivered); err != nil {
		t.Fatal(err)
	}
	if sent := (<-delivered).(*kafka.Message); sent.TopicPartition.Error != nil {
		t.Fatal(sent.TopicPartition.Error)
	}
	consumer, err := kafka.NewConsumer(&kafka.ConfigMap{"bootstrap.servers": broker, "group.id": t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = consumer.Close() })
	if err = consumer.Assign([]kafka.TopicPartition{{Topic: &topic, Partition: 0, Offset: kafka.OffsetBeginning}}); err != nil {
		t.Fatal(err)
	}
	received, err := consumer.ReadMessage(30 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return received
}

func TestConfluentHeaders(t *testing.T) {
	t.Parallel()
	carriertest.RunAccessors(t, func() *kafka.Message { return &kafka.Message{} }, confluentHeaders{}, confluentHeaders{},
		carriertest.WithFoldedKeys(),
		carriertest.WithFork(func(m *kafka.Message) *kafka.Message { return new(*m) }),
		carriertest.WithEntries(func(m *kafka.Message) int { return len(m.Headers) }))
}

func TestProcessConfluent(t *testing.T) {
	t.Parallel()
	testProcess(t, func(ctx context.Context, process processFunc) error {
		m := &kafka.Message{Value: []byte("42"), Headers: []kafka.Header{{Key: "app", Value: []byte("kept")}, {Key: "Traceparent", Value: []byte("stale")}}}
		InjectConfluent(ctx, m)
		received := sendConfluent(t, m)
		if len(received.Headers) != 4 || received.Headers[0].Key != "app" {
			t.Errorf("the headers are %v; want app, traceparent, tracestate and waybill", received.Headers)
		}
		return ProcessConfluent(t.Context(), process.tracer, received, process.handle)
	})
}
