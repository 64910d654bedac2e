// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/propagation"
)

// exampleContext returns a ctx with a span and a user, as a handler has it.
func exampleContext() context.Context {
	return propagation.ExtractTextMap(context.Background(), mapCarrier{"traceparent": traceparentA, "baggage": "user=alice,tier=gold"},
		propagation.WithPropagator(propagation.Default()))
}

// exampleMessage returns a message as a Reader brings it.
func exampleMessage() kafka.Message {
	return kafka.Message{
		Topic: "orders", Partition: 2, Offset: 7, HighWaterMark: 10, Key: []byte("order-1"), Value: []byte("tea"),
		Headers: []kafka.Header{{Key: "tenant", Value: []byte("acme")}, {Key: "traceparent", Value: []byte(traceparentA)}},
	}
}

// exampleWriter returns a Writer, and the broker that it writes to.
func exampleWriter(opts ...kafkacarrier.Option) (*kafkacarrier.Writer, *broker) {
	b := new(broker)
	w, err := kafkacarrier.NewWriter(writerTo(b), opts...)
	if err != nil {
		panic(err)
	}
	return w, b
}

// exampleReader returns a Reader of a group that is brought msgs.
func exampleReader(msgs []kafka.Message, opts ...kafkacarrier.Option) *kafkacarrier.Reader {
	return kafkacarrier.NewReaderOf(inGroup(msgs...), opts...)
}

// spans is a provider that prints what was recorded.
type spans struct {
	*sdktrace.TracerProvider
	recorder *tracetest.SpanRecorder
}

func exampleSpans() spans {
	recorder := tracetest.NewSpanRecorder()
	return spans{sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)), recorder}
}

// print prints the spans in the order in which they ended, with the attributes
// named.
func (s spans) print(attributes ...string) {
	for _, span := range s.recorder.Ended() {
		fmt.Print(span.Name())
		for _, name := range attributes {
			for _, a := range span.Attributes() {
				if string(a.Key) == name {
					fmt.Printf(" %s=%s", name, a.Value.String())
				}
			}
		}
		fmt.Println()
	}
}

func printHeaders(headers []kafka.Header) {
	for _, h := range headers {
		if h.Key == "waybill" {
			h.Value = []byte("(times)")
		}
		fmt.Printf("%s: %s\n", h.Key, h.Value)
	}
}

func printError(err error) {
	if err != nil {
		fmt.Println(err)
	}
}

func Example() {
	recorded := exampleSpans()
	o := kafkacarrier.WithTracerProvider(recorded)

	// The producer: wrap the writer, change nothing else.
	writer, topic := exampleWriter(o)
	ctx, request := recorded.Tracer("shop").Start(context.Background(), "POST /orders")
	printError(writer.WriteMessages(ctx, kafka.Message{Value: []byte("tea")}))
	request.End()
	printError(writer.Close())

	// The consumer: wrap the reader, and handle the message through it.
	reader := exampleReader(topic.written(), o)
	msg, err := reader.FetchMessage(context.Background())
	printError(err)
	printError(reader.Process(context.Background(), msg, func(ctx context.Context) error {
		same := trace.SpanContextFromContext(ctx).TraceID() == request.SpanContext().TraceID()
		fmt.Printf("%s, one trace: %t\n", msg.Value, same)
		return nil
	}))
	printError(reader.CommitMessages(context.Background(), msg))
	printError(reader.Close())
	recorded.print()
	// Output:
	// tea, one trace: true
	// send orders
	// POST /orders
	// process orders
	// commit orders
}

func ExampleInject() {
	msg := kafka.Message{Value: []byte("tea")}
	kafkacarrier.Inject(exampleContext(), &msg)
	printHeaders(msg.Headers)
	// Output:
	// traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
	// waybill: (times)
}

func ExampleInjectAll() {
	msgs := []kafka.Message{{Value: []byte("tea")}, {Value: []byte("milk")}}
	kafkacarrier.InjectAll(exampleContext(), msgs)
	for _, msg := range msgs {
		fmt.Println(kafkacarrier.Read(msg).SpanContext().TraceID())
	}
	// Output:
	// 0af7651916cd43dd8448eb211c80319c
	// 0af7651916cd43dd8448eb211c80319c
}

func ExampleExtract() {
	ctx := kafkacarrier.Extract(context.Background(), exampleMessage())
	fmt.Println(trace.SpanContextFromContext(ctx).TraceID())
	// Output: 0af7651916cd43dd8448eb211c80319c
}

func ExampleRead() {
	remote := kafkacarrier.Read(exampleMessage())
	fmt.Println(remote.SpanContext().TraceID(), remote.Err())
	fmt.Println(kafkacarrier.Read(kafka.Message{}).Err())
	// Output:
	// 0af7651916cd43dd8448eb211c80319c <nil>
	// the carrier holds no trace context
}

func ExampleNew() {
	var msg kafka.Message
	carrier := kafkacarrier.New(&msg) // It is a TextMapCarrier of OpenTelemetry.
	propagation.TraceContext{}.Inject(exampleContext(), carrier)
	fmt.Println(carrier.Keys())
	// Output: [traceparent]
}

func ExampleNewWriter() {
	writer, err := kafkacarrier.NewWriter(&kafka.Writer{Addr: kafka.TCP("127.0.0.1:9092"), Topic: "orders"})
	printError(err)
	defer writer.Close() //nolint:errcheck // nothing was written.

	_, err = kafkacarrier.NewWriter(nil)
	fmt.Println(err)
	// Output: kafkacarrier: there is nothing to wrap
}

func ExampleWriter_WriteMessages() {
	recorded := exampleSpans()
	writer, topic := exampleWriter(kafkacarrier.WithTracerProvider(recorded))
	printError(writer.WriteMessages(exampleContext(), kafka.Message{Value: []byte("tea")}, kafka.Message{Value: []byte("milk")}))
	printError(writer.Close())
	recorded.print("messaging.kafka.offset", "messaging.batch.message_count")
	fmt.Println(len(topic.written()), "messages")
	// Output:
	// create orders messaging.kafka.offset=0
	// create orders messaging.kafka.offset=1
	// send orders messaging.batch.message_count=2
	// 2 messages
}

func ExampleNewReader() {
	reader, err := kafkacarrier.NewReader(kafka.NewReader(kafka.ReaderConfig{Brokers: []string{"127.0.0.1:9092"}, Topic: "orders"}))
	printError(err)
	fmt.Println(reader.Config().Topic)
	printError(reader.Close())
	// Output: orders
}

func ExampleReader_Process() {
	recorded := exampleSpans()
	reader := exampleReader(nil, kafkacarrier.WithTracerProvider(recorded))
	err := reader.Process(context.Background(), exampleMessage(), func(ctx context.Context) error {
		fmt.Println("in trace", trace.SpanContextFromContext(ctx).TraceID())
		return errors.New("out of tea")
	})
	fmt.Println(err)
	recorded.print("messaging.consumer.group.name", "error.type")
	// Output:
	// in trace 0af7651916cd43dd8448eb211c80319c
	// out of tea
	// process orders messaging.consumer.group.name=workers error.type=_OTHER
}

func ExampleReader_ProcessBatch() {
	recorded := exampleSpans()
	reader := exampleReader(nil, kafkacarrier.WithTracerProvider(recorded))
	batch := []kafka.Message{exampleMessage(), exampleMessage()}
	printError(reader.ProcessBatch(context.Background(), batch, func(context.Context) error { return nil }))
	recorded.print("messaging.batch.message_count", "waybill.link_count")
	// Output: process orders messaging.batch.message_count=2 waybill.link_count=1
}

func ExampleReader_CommitMessages() {
	recorded := exampleSpans()
	reader := exampleReader([]kafka.Message{exampleMessage()}, kafkacarrier.WithTracerProvider(recorded))
	msg, err := reader.FetchMessage(context.Background())
	printError(err)
	printError(reader.CommitMessages(context.Background(), msg))
	recorded.print("messaging.kafka.offset")
	// Output: commit orders messaging.kafka.offset=7
}

func ExampleReader_Forget() {
	reader := exampleReader([]kafka.Message{exampleMessage()}, kafkacarrier.WithObserver(printer{}))
	_, err := reader.FetchMessage(context.Background())
	printError(err)
	reader.Forget("orders", 2) // The program knows that another member has it now.
	// Output:
	// orders/2: 2 messages behind
	// orders/2: gone
}

func ExampleProcess() {
	// A message of a plain kafka.Reader.
	printError(kafkacarrier.Process(context.Background(), exampleMessage(), func(ctx context.Context) error {
		fmt.Println(trace.SpanContextFromContext(ctx).TraceID())
		return nil
	}))
	// Output: 0af7651916cd43dd8448eb211c80319c
}

func ExampleProcessBatch() {
	recorded := exampleSpans()
	batch := []kafka.Message{exampleMessage(), {Topic: "orders", Partition: 3}}
	printError(kafkacarrier.ProcessBatch(context.Background(), batch, func(context.Context) error { return nil },
		kafkacarrier.WithTracerProvider(recorded)))
	recorded.print("messaging.batch.message_count")
	// Output: process orders messaging.batch.message_count=2
}

func ExampleStart() {
	recorded := exampleSpans()
	ctx, end := kafkacarrier.Start(context.Background(), exampleMessage(), kafkacarrier.WithTracerProvider(recorded))
	fmt.Println(trace.SpanContextFromContext(ctx).TraceID())
	end(nil) // Or with the error of what handled the message.
	recorded.print()
	// Output:
	// 0af7651916cd43dd8448eb211c80319c
	// process orders
}

func ExampleForward() {
	msg := exampleMessage()
	for range 2 { // However often it fails.
		msg = kafkacarrier.Forward(context.Background(), msg, "orders.retry", kafkacarrier.WithPropagator(propagation.TraceContext{}))
	}
	fmt.Println(msg.Topic)
	printHeaders(msg.Headers)
	// Output:
	// orders.retry
	// tenant: acme
	// traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
	// waybill-attempt: 2
	// waybill-original-topic: orders
	// waybill-original-partition: 2
	// waybill-original-offset: 7
}

func ExampleSourceOf() {
	msg := kafkacarrier.Forward(context.Background(), exampleMessage(), "orders.dead")
	source, ok := kafkacarrier.SourceOf(msg)
	fmt.Println(source.Topic, source.Partition, source.Offset, source.Attempt, ok)
	// Output: orders 2 7 1 true
}

// exampleClient returns a client of a broker where group workers has committed
// 90 of 100 offsets.
func exampleClient() *kafka.Client {
	return (&groups{committed: map[int]int64{0: 90}}).client()
}

func ExampleReadLag() {
	lags, err := kafkacarrier.ReadLag(context.Background(), exampleClient(), "workers", "orders")
	printError(err)
	for _, l := range lags {
		fmt.Printf("%s/%d: %d messages behind\n", l.Topic, l.Partition, l.Messages())
	}
	// Output: orders/0: 10 messages behind
}

// printer is an Observer that prints the lag, and does nothing else.
type printer struct{}

func (printer) KafkaSent(string, int, int, int)                                      {}
func (printer) KafkaTravelled(context.Context, string, time.Duration, time.Duration) {}
func (printer) KafkaRedelivered(string, string, int)                                 {}
func (printer) KafkaSkipped(string, string, int, int64)                              {}
func (printer) KafkaFailed(string, string, string)                                   {}
func (printer) KafkaDropped(string)                                                  {}

func (printer) KafkaFetched(_, topic string, partition, _ int, lag int64, _ time.Duration) {
	fmt.Printf("%s/%d: %d messages behind\n", topic, partition, lag)
}

func (printer) KafkaCommitted(_, topic string, partition int, lag int64) {
	fmt.Printf("%s/%d: %d messages behind\n", topic, partition, lag)
}

func (printer) KafkaRevoked(_, topic string, partition int) {
	fmt.Printf("%s/%d: gone\n", topic, partition)
}

// stopping is a printer that has seen enough after one look.
type stopping struct {
	printer
	stop context.CancelFunc
}

func (s stopping) KafkaCommitted(group, topic string, partition int, lag int64) {
	s.printer.KafkaCommitted(group, topic, partition, lag)
	s.stop()
}

func ExampleWatchLag() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	// One a group is enough; it returns when ctx is done.
	err := kafkacarrier.WatchLag(ctx, exampleClient(), "workers", []string{"orders"},
		kafkacarrier.WithObserver(stopping{stop: stop}), kafkacarrier.WithInterval(time.Minute))
	fmt.Println(err)
	// Output:
	// orders/0: 10 messages behind
	// orders/0: gone
	// context canceled
}

func ExampleWithInterval() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	_ = kafkacarrier.WatchLag(ctx, exampleClient(), "workers", nil,
		kafkacarrier.WithInterval(10*time.Second), kafkacarrier.WithObserver(stopping{stop: stop}))
	// Output:
	// orders/0: 10 messages behind
	// orders/0: gone
}

func ExampleNewTransport() {
	measured := newMeter()
	writer := &kafka.Writer{
		Addr: kafka.TCP("broker:9092"), Topic: "orders", BatchSize: 1,
		// In the place of a new broker: the kafka.Transport that you have, or nil.
		Transport: kafkacarrier.NewTransport(new(broker), kafkacarrier.WithMeterProvider(measured)),
	}
	printError(writer.WriteMessages(context.Background(), kafka.Message{Value: []byte("tea")}))
	printError(writer.Close())
	measured.print()
	// Output:
	// messaging.client.operation.duration{operation.name=metadata server.address=broker server.port=9092} 1
	// messaging.client.operation.duration{operation.name=produce server.address=broker server.port=9092} 1
}

func ExampleWithPropagator() {
	var msg kafka.Message
	kafkacarrier.Inject(exampleContext(), &msg, kafkacarrier.WithPropagator(propagation.TraceContext{}))
	printHeaders(msg.Headers)
	// Output: traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
}

func ExampleWithPolicy() {
	msg := kafka.Message{Headers: []kafka.Header{{Key: "traceparent", Value: []byte(traceparentB)}}}
	kafkacarrier.Inject(exampleContext(), &msg, kafkacarrier.WithPolicy(propagation.KeepExisting))
	printHeaders(msg.Headers)
	// Output: traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
}

func ExampleWithMaxBytes() {
	var msg kafka.Message
	kafkacarrier.Inject(exampleContext(), &msg, kafkacarrier.WithBaggage("user"), kafkacarrier.WithMaxBytes(70))
	printHeaders(msg.Headers) // Neither the baggage nor the waybill has room.
	// Output: traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
}

func ExampleWithBaggage() {
	var msg kafka.Message
	kafkacarrier.Inject(exampleContext(), &msg, kafkacarrier.WithBaggage("tier"))
	printHeaders(msg.Headers)
	// Output:
	// traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
	// waybill: (times)
	// baggage: tier=gold
}

func ExampleWithoutBaggage() {
	msg := exampleMessage()
	msg.Headers = append(msg.Headers, kafka.Header{Key: "baggage", Value: []byte("user=alice")})
	ctx := kafkacarrier.Extract(context.Background(), msg, kafkacarrier.WithoutBaggage())
	fmt.Println(baggage.FromContext(ctx).Len(), "members")
	// Output: 0 members
}

func ExampleWithoutInject() {
	writer, topic := exampleWriter(kafkacarrier.WithoutInject())
	printError(writer.WriteMessages(exampleContext(), kafka.Message{Value: []byte("tea")}))
	printError(writer.Close())
	fmt.Println(len(topic.written()[0].Headers), "headers")
	// Output: 0 headers
}

func ExampleWithoutExtract() {
	printError(kafkacarrier.Process(context.Background(), exampleMessage(), func(ctx context.Context) error {
		fmt.Println(trace.SpanContextFromContext(ctx).IsRemote()) // It is not the sender's.
		return nil
	}, kafkacarrier.WithoutExtract()))
	// Output: false
}

func ExampleWithTracerProvider() {
	recorded := exampleSpans()
	_, end := kafkacarrier.Start(context.Background(), exampleMessage(), kafkacarrier.WithTracerProvider(recorded))
	end(nil)
	recorded.print()
	// Output: process orders
}

func ExampleWithMeterProvider() {
	measured := newMeter()
	_, end := kafkacarrier.Start(context.Background(), exampleMessage(), kafkacarrier.WithMeterProvider(measured))
	end(nil)
	measured.print()
	// Output:
	// messaging.client.consumed.messages{destination.name=orders operation.name=process} 1
	// messaging.process.duration{destination.name=orders operation.name=process} 1
}

func ExampleWithObserver() {
	reader := exampleReader([]kafka.Message{exampleMessage()}, kafkacarrier.WithObserver(printer{}))
	_, err := reader.FetchMessage(context.Background())
	printError(err)
	printError(reader.Close())
	// Output:
	// orders/2: 2 messages behind
	// orders/2: gone
}

func ExampleWithStartOptions() {
	printError(kafkacarrier.Process(context.Background(), exampleMessage(), func(ctx context.Context) error {
		// A trace of its own, which links to that of the message.
		fmt.Println(trace.SpanContextFromContext(ctx).TraceID().String() == traceA)
		return nil
	}, kafkacarrier.WithTracerProvider(exampleSpans()), kafkacarrier.WithStartOptions(propagation.AsLink())))
	// Output: false
}

func ExampleWithMessageContext() {
	writer, topic := exampleWriter(
		kafkacarrier.WithPropagator(propagation.TraceContext{}),
		kafkacarrier.WithMessageContext(func(msg kafka.Message) context.Context {
			ctx, _ := msg.WriterData.(context.Context)
			return ctx
		}))
	// A batch that two requests have filled.
	request, other := exampleContext(), kafkacarrier.Extract(context.Background(), withHeaders(header("traceparent", traceparentB)))
	printError(writer.WriteMessages(context.Background(), kafka.Message{WriterData: request}, kafka.Message{WriterData: other}))
	printError(writer.Close())
	for _, msg := range topic.written() {
		fmt.Println(kafkacarrier.Read(msg).SpanContext().TraceID())
	}
	// Output:
	// 0af7651916cd43dd8448eb211c80319c
	// 4bf92f3577b34da6a3ce929d0e0e4736
}

func ExampleWithTopicTemplate() {
	recorded := exampleSpans()
	reply := exampleMessage()
	reply.Topic = "replies-8f14e45f"
	_, end := kafkacarrier.Start(context.Background(), reply, kafkacarrier.WithTracerProvider(recorded),
		kafkacarrier.WithTopicTemplate(func(string) string { return "replies-{id}" }))
	end(nil)
	recorded.print("messaging.destination.name")
	// Output: process replies-{id} messaging.destination.name=replies-8f14e45f
}

func ExampleWithGroup() {
	recorded := exampleSpans()
	_, end := kafkacarrier.Start(context.Background(), exampleMessage(), kafkacarrier.WithTracerProvider(recorded), kafkacarrier.WithGroup("workers"))
	end(nil)
	recorded.print("messaging.consumer.group.name")
	// Output: process orders messaging.consumer.group.name=workers
}

func ExampleWithMessageKey() {
	recorded := exampleSpans()
	_, end := kafkacarrier.Start(context.Background(), exampleMessage(), kafkacarrier.WithTracerProvider(recorded),
		kafkacarrier.WithMessageKey(func(key []byte) string { return fmt.Sprintf("%d bytes", len(key)) }))
	end(nil)
	recorded.print("messaging.kafka.message.key")
	// Output: process orders messaging.kafka.message.key=7 bytes
}

func ExampleWithHeaders() {
	recorded := exampleSpans()
	_, end := kafkacarrier.Start(context.Background(), exampleMessage(), kafkacarrier.WithTracerProvider(recorded), kafkacarrier.WithHeaders("tenant"))
	end(nil)
	recorded.print("messaging.header.tenant")
	// Output: process orders messaging.header.tenant=["acme"]
}

func ExampleWithErrorDescription() {
	recorded := exampleSpans()
	_, end := kafkacarrier.Start(context.Background(), exampleMessage(), kafkacarrier.WithTracerProvider(recorded), kafkacarrier.WithErrorDescription(nil))
	end(errors.New("out of tea"))
	fmt.Println(recorded.recorder.Ended()[0].Status().Description)
	// Output: out of tea
}

func ExampleWithoutCreateSpans() {
	recorded := exampleSpans()
	writer, _ := exampleWriter(kafkacarrier.WithTracerProvider(recorded), kafkacarrier.WithoutCreateSpans())
	printError(writer.WriteMessages(context.Background(), kafka.Message{}, kafka.Message{}))
	printError(writer.Close())
	recorded.print("messaging.batch.message_count")
	// Output: send orders messaging.batch.message_count=2
}

func ExampleWithoutCommitSpans() {
	recorded := exampleSpans()
	reader := exampleReader(nil, kafkacarrier.WithTracerProvider(recorded), kafkacarrier.WithoutCommitSpans())
	printError(reader.CommitMessages(context.Background(), exampleMessage()))
	fmt.Println(len(recorded.recorder.Ended()), "spans")
	// Output: 0 spans
}

func ExampleWithPollSpans() {
	recorded := exampleSpans()
	reader := exampleReader([]kafka.Message{exampleMessage()}, kafkacarrier.WithTracerProvider(recorded), kafkacarrier.WithPollSpans())
	_, err := reader.FetchMessage(context.Background())
	printError(err)
	recorded.print("messaging.kafka.offset")
	// Output: poll orders messaging.kafka.offset=7
}

func ExampleWithTimestamps() {
	writer, topic := exampleWriter(kafkacarrier.WithTimestamps())
	before := time.Now().Truncate(time.Millisecond)
	printError(writer.WriteMessages(context.Background(), kafka.Message{Value: []byte("tea")}))
	printError(writer.Close())
	fmt.Println(topic.written()[0].Time.Before(before))
	// Output: false
}

func ExampleWithPartitionMetrics() {
	measured := newMeter()
	_, end := kafkacarrier.Start(context.Background(), exampleMessage(), kafkacarrier.WithMeterProvider(measured), kafkacarrier.WithPartitionMetrics())
	end(nil)
	measured.print()
	// Output:
	// messaging.client.consumed.messages{destination.name=orders destination.partition.id=2 operation.name=process} 1
	// messaging.process.duration{destination.name=orders destination.partition.id=2 operation.name=process} 1
}

func ExampleWithPartitionExpiry() {
	// Partitions move often here, so one that is silent for a minute has gone.
	reader := exampleReader([]kafka.Message{exampleMessage()}, kafkacarrier.WithObserver(printer{}), kafkacarrier.WithPartitionExpiry(time.Minute))
	_, err := reader.FetchMessage(context.Background())
	printError(err)
	// Output: orders/2: 2 messages behind
}
