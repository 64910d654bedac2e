// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/internal/local"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/propagation"
)

// kafkaTopic is the topic of the tests, of one partition.
const kafkaTopic = "orders"

// startKafka starts a broker and returns its address.
func startKafka(t *testing.T) string {
	t.Helper()
	addr, stop, err := local.StartKafka(kafkaTopic)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return addr
}

func carryFranz(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	r := kgo.StringRecord("42")
	InjectFranz(ctx, r)
	return propagation.Extract(t.Context(), sendFranz(t, r), franzHeaders{})
}

// sendFranz sends r to a broker and returns it as it is received.
func sendFranz(t *testing.T, r *kgo.Record) *kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(startKafka(t)), kgo.DefaultProduceTopic(kafkaTopic),
		kgo.ConsumeTopics(kafkaTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	fetches := client.PollRecords(ctx, 1)
	if err := fetches.Err(); err != nil || fetches.NumRecords() != 1 {
		t.Fatalf("%d records, %v", fetches.NumRecords(), err)
	}
	return fetches.Records()[0]
}

func carrySarama(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	msg := &sarama.ProducerMessage{Topic: kafkaTopic, Value: sarama.StringEncoder("42")}
	InjectSarama(ctx, msg)
	var headers []sarama.RecordHeader
	for _, h := range sendSarama(t, msg).Headers {
		headers = append(headers, *h)
	}
	return propagation.Extract(t.Context(), &headers, saramaHeaders{})
}

// sendSarama sends msg to a broker and returns it as it is received.
func sendSarama(t *testing.T, msg *sarama.ProducerMessage) *sarama.ConsumerMessage {
	t.Helper()
	config := sarama.NewConfig()
	config.Producer.Return.Successes = true
	brokers := []string{startKafka(t)}
	producer, err := sarama.NewSyncProducer(brokers, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = producer.Close() })
	if _, _, err = producer.SendMessage(msg); err != nil {
		t.Fatal(err)
	}
	consumer, err := sarama.NewConsumer(brokers, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = consumer.Close() })
	partition, err := consumer.ConsumePartition(kafkaTopic, 0, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = partition.Close() })
	select {
	case received := <-partition.Messages():
		return received
	case <-time.After(30 * time.Second):
		t.Fatal("no message was received")
		return nil
	}
}

// processFunc is what a message is handled with.
type processFunc struct {
	tracer trace.Tracer
	handle func(context.Context) error
}

var errHandled = errors.New("handled")

// testProcess checks what run makes of a message that it sends in the context of a
// span: the span that handles it, and the error of the handler.
func testProcess(t *testing.T, run func(ctx context.Context, process processFunc) error) {
	t.Helper()
	f := flowtest.New(t)
	ctx, send := inSpan(t, f.Service("producer").Tracer("test"))
	err := run(ctx, processFunc{
		tracer: f.Service("consumer").Tracer("test"),
		handle: func(ctx context.Context) error {
			_, load := f.Service("consumer").Tracer("test").Start(ctx, "load")
			load.End()
			return errHandled
		},
	})
	send.End()
	if err != errHandled {
		t.Errorf("it returns %v, want the error of the handler", err)
	}
	fl := f.Wait(5 * time.Second)
	fl.RequireOneTrace()
	fl.RequirePath("producer send", "consumer process "+kafkaTopic, "consumer load")
	fl.Span("process " + kafkaTopic).Kind(trace.SpanKindConsumer).Remote().ChildOf("producer send").LinkedTo("producer send").Times(1)
}

func TestProcessFranz(t *testing.T) {
	t.Parallel()
	testProcess(t, func(ctx context.Context, process processFunc) error {
		r := kgo.StringRecord("42")
		r.Headers = []kgo.RecordHeader{{Key: "app", Value: []byte("kept")}, {Key: "Traceparent", Value: []byte("stale")}}
		InjectFranz(ctx, r)
		received := sendFranz(t, r)
		if len(received.Headers) != 4 || received.Headers[0].Key != "app" {
			t.Errorf("the headers are %v; want app, traceparent, tracestate and waybill", received.Headers)
		}
		return ProcessFranz(t.Context(), process.tracer, received, process.handle)
	})
}

func TestProcessSarama(t *testing.T) {
	t.Parallel()
	testProcess(t, func(ctx context.Context, process processFunc) error {
		msg := &sarama.ProducerMessage{Topic: kafkaTopic, Value: sarama.StringEncoder("42"), Headers: []sarama.RecordHeader{
			{Key: []byte("app"), Value: []byte("kept")}, {Key: []byte("Traceparent"), Value: []byte("stale")},
		}}
		InjectSarama(ctx, msg)
		received := sendSarama(t, msg)
		if len(received.Headers) != 4 || string(received.Headers[0].Key) != "app" {
			t.Errorf("the headers are %v; want app, traceparent, tracestate and waybill", received.Headers)
		}
		return ProcessSarama(t.Context(), process.tracer, received, process.handle)
	})
}

func TestKafkaHeaders_CopiesStayIndependent(t *testing.T) {
	t.Parallel()
	shared := make([]kgo.RecordHeader, 1, 8)
	shared[0] = kgo.RecordHeader{Key: "app", Value: []byte("kept")}
	first, second := &kgo.Record{Headers: shared}, &kgo.Record{Headers: shared}
	InjectFranz(inAnySpan(t), first)
	InjectFranz(inAnySpan(t), second)
	if a, b := (franzHeaders{}).Get(first, "traceparent"), (franzHeaders{}).Get(second, "traceparent"); a == b || a == "" || b == "" {
		t.Errorf("two records that share their headers carry %q and %q; want their own contexts", a, b)
	}
	if len(shared[:2][1].Key) > 0 {
		t.Errorf("the shared memory has %v", shared[:2])
	}
}
