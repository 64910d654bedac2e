// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/observe"
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
func exampleWriter(opts ...kafkacarrier.WriterOption) (*kafkacarrier.Writer, *broker) {
	b := new(broker)
	w := kafkacarrier.NewWriter(writerTo(b), opts...)
	return w, b
}

// exampleReader returns a Reader of a group that is brought msgs.
func exampleReader(msgs []kafka.Message, opts ...kafkacarrier.ReaderOption) *kafkacarrier.Reader {
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
	writer := kafkacarrier.NewWriter(&kafka.Writer{Addr: kafka.TCP("127.0.0.1:9092"), Topic: "orders"})
	printError(writer.Close())

	fmt.Println(kafkacarrier.NewWriter(nil).WriteMessages(context.Background(), kafka.Message{}))
	// Output: kafkacarrier: the value to wrap is nil
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
	reader := kafkacarrier.NewReader(kafka.NewReader(kafka.ReaderConfig{Brokers: []string{"127.0.0.1:9092"}, Topic: "orders"}))
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
	// process orders messaging.consumer.group.name=workers error.type=*errors.errorString
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
	batch := []kafka.Message{exampleMessage(), {Topic: "orders", Partition: 3}}
	printError(kafkacarrier.ProcessBatch(context.Background(), batch, func(context.Context) error {
		fmt.Println(len(batch), "messages")
		return nil
	}))
	// Output: 2 messages
}

func ExampleStart() {
	ctx, end := kafkacarrier.Start(context.Background(), exampleMessage())
	fmt.Println(trace.SpanContextFromContext(ctx).TraceID())
	end(nil) // Or with the error of what handled the message.
	// Output: 0af7651916cd43dd8448eb211c80319c
}

func ExampleNewConsumer() {
	recorded := exampleSpans()
	consumer := kafkacarrier.NewConsumer(kafkacarrier.WithGroup("workers"), kafkacarrier.WithTracerProvider(recorded))
	printError(consumer.Process(context.Background(), exampleMessage(), func(context.Context) error { return nil }))
	recorded.print("messaging.consumer.group.name", "messaging.kafka.offset")
	// Output: process orders messaging.consumer.group.name=workers messaging.kafka.offset=7
}

func ExampleConsumer_Process() {
	var consumer *kafkacarrier.Consumer // Without options.
	printError(consumer.Process(context.Background(), exampleMessage(), func(ctx context.Context) error {
		fmt.Println(trace.SpanContextFromContext(ctx).TraceID())
		return nil
	}))
	// Output: 0af7651916cd43dd8448eb211c80319c
}

func ExampleConsumer_ProcessBatch() {
	recorded := exampleSpans()
	consumer := kafkacarrier.NewConsumer(kafkacarrier.WithTracerProvider(recorded))
	batch := []kafka.Message{exampleMessage(), {Topic: "orders", Partition: 3}}
	printError(consumer.ProcessBatch(context.Background(), batch, func(context.Context) error { return nil }))
	recorded.print("messaging.batch.message_count")
	// Output: process orders messaging.batch.message_count=2
}

func ExampleConsumer_Start() {
	recorded := exampleSpans()
	consumer := kafkacarrier.NewConsumer(kafkacarrier.WithTracerProvider(recorded))
	ctx, end := consumer.Start(context.Background(), exampleMessage())
	fmt.Println(trace.SpanContextFromContext(ctx).TraceID())
	end(errors.New("out of tea"))
	recorded.print("error.type")
	// Output:
	// 0af7651916cd43dd8448eb211c80319c
	// process orders error.type=*errors.errorString
}

func ExampleForward() {
	msg := exampleMessage()
	for range 2 { // However often it fails.
		msg = kafkacarrier.Forward(context.Background(), msg, "orders.retry",
			kafkacarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{})))
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

// printer is an observer that prints the lag, and does nothing else.
type printer struct{ observe.NoMessaging }

func (printer) Fetched(_ context.Context, f observe.Fetch) {
	fmt.Printf("%s/%d: %d messages behind\n", f.Topic, f.Partition, f.Lag)
}

func (printer) Committed(_ context.Context, c observe.Commit) {
	fmt.Printf("%s/%d: %d messages behind\n", c.Topic, c.Partition, c.Lag)
}

func (printer) Redelivered(observe.Partition) {}
func (printer) Skipped(observe.Gap)           {}

func (printer) Revoked(p observe.Partition) {
	fmt.Printf("%s/%d: gone\n", p.Topic, p.Partition)
}

// stopping is a printer that has seen enough after one look.
type stopping struct {
	printer
	stop context.CancelFunc
}

func (s stopping) Committed(ctx context.Context, c observe.Commit) {
	s.printer.Committed(ctx, c)
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
	// waybill.client.request.duration{operation.name=metadata server.address=broker server.port=9092} 1
	// waybill.client.request.duration{operation.name=produce server.address=broker server.port=9092} 1
}

func ExampleWithPropagation() {
	writer, topic := exampleWriter(kafkacarrier.WithPropagation(
		propagation.WithPropagator(propagation.Default()),
		propagation.WithBaggage("tier"), // No other member is written to the topic.
	))
	printError(writer.WriteMessages(exampleContext(), kafka.Message{Value: []byte("tea")}))
	printError(writer.Close())
	for _, h := range topic.written()[0].Headers {
		fmt.Println(h.Key)
	}
	// Output:
	// traceparent
	// waybill
	// baggage
}

func ExampleWithBothSpellings() {
	writer, topic := exampleWriter(
		kafkacarrier.WithPropagation(propagation.WithPropagator(b3{})), // That of OpenTelemetry.
		kafkacarrier.WithBothSpellings(),
	)
	printError(writer.WriteMessages(exampleContext(), kafka.Message{Value: []byte("tea")}))
	printError(writer.Close())
	for _, h := range topic.written()[0].Headers {
		fmt.Println(h.Key)
	}
	// Output:
	// x-b3-traceid
	// X-B3-TraceId
	// x-b3-spanid
	// X-B3-SpanId
	// x-b3-sampled
	// X-B3-Sampled
}

func ExampleWithoutInject() {
	writer, topic := exampleWriter(kafkacarrier.WithoutInject())
	printError(writer.WriteMessages(exampleContext(), kafka.Message{Value: []byte("tea")}))
	printError(writer.Close())
	fmt.Println(len(topic.written()[0].Headers), "headers")
	// Output: 0 headers
}

func ExampleWithoutExtract() {
	consumer := kafkacarrier.NewConsumer(kafkacarrier.WithoutExtract())
	printError(consumer.Process(context.Background(), exampleMessage(), func(ctx context.Context) error {
		fmt.Println(trace.SpanContextFromContext(ctx).IsRemote()) // It is not the sender's.
		return nil
	}))
	// Output: false
}

func ExampleWithTracerProvider() {
	recorded := exampleSpans()
	_, end := kafkacarrier.NewConsumer(kafkacarrier.WithTracerProvider(recorded)).Start(context.Background(), exampleMessage())
	end(nil)
	recorded.print()
	// Output: process orders
}

func ExampleWithMeterProvider() {
	measured := newMeter()
	_, end := kafkacarrier.NewConsumer(kafkacarrier.WithMeterProvider(measured)).Start(context.Background(), exampleMessage())
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
	consumer := kafkacarrier.NewConsumer(
		kafkacarrier.WithTracerProvider(exampleSpans()), kafkacarrier.WithStartOptions(propagation.AsLink()))
	printError(consumer.Process(context.Background(), exampleMessage(), func(ctx context.Context) error {
		// A trace of its own, which links to that of the message.
		fmt.Println(trace.SpanContextFromContext(ctx).TraceID().String() == traceA)
		return nil
	}))
	// Output: false
}

func ExampleWithMessageContext() {
	writer, topic := exampleWriter(
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
	_, end := kafkacarrier.NewConsumer(kafkacarrier.WithTracerProvider(recorded),
		kafkacarrier.WithTopicTemplate(func(string) string { return "replies-{id}" })).Start(context.Background(), reply)
	end(nil)
	recorded.print("messaging.destination.name")
	// Output: process replies-{id} messaging.destination.name=replies-8f14e45f
}

func ExampleWithGroup() {
	recorded := exampleSpans()
	_, end := kafkacarrier.NewConsumer(kafkacarrier.WithTracerProvider(recorded), kafkacarrier.WithGroup("workers")).Start(context.Background(), exampleMessage())
	end(nil)
	recorded.print("messaging.consumer.group.name")
	// Output: process orders messaging.consumer.group.name=workers
}

func ExampleWithMessageKey() {
	recorded := exampleSpans()
	_, end := kafkacarrier.NewConsumer(kafkacarrier.WithTracerProvider(recorded),
		kafkacarrier.WithMessageKey(func(key []byte) string { return fmt.Sprintf("%d bytes", len(key)) })).Start(context.Background(), exampleMessage())
	end(nil)
	recorded.print("messaging.kafka.message.key")
	// Output: process orders messaging.kafka.message.key=7 bytes
}

func ExampleWithHeaders() {
	recorded := exampleSpans()
	_, end := kafkacarrier.NewConsumer(kafkacarrier.WithTracerProvider(recorded), kafkacarrier.WithHeaders("tenant")).Start(context.Background(), exampleMessage())
	end(nil)
	recorded.print("messaging.header.tenant")
	// Output: process orders messaging.header.tenant=["acme"]
}

func ExampleWithHeaderValues() {
	recorded := exampleSpans()
	_, end := kafkacarrier.NewConsumer(kafkacarrier.WithTracerProvider(recorded), kafkacarrier.WithHeaders("tenant"),
		kafkacarrier.WithHeaderValues(func(_ string, value []byte) string { return string(value[:1]) + "***" }),
	).Start(context.Background(), exampleMessage())
	end(nil)
	recorded.print("messaging.header.tenant")
	// Output: process orders messaging.header.tenant=["a***"]
}

func ExampleWithErrorDescription() {
	recorded := exampleSpans()
	_, end := kafkacarrier.NewConsumer(kafkacarrier.WithTracerProvider(recorded), kafkacarrier.WithErrorDescription(nil)).Start(context.Background(), exampleMessage())
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
	_, end := kafkacarrier.NewConsumer(kafkacarrier.WithMeterProvider(measured), kafkacarrier.WithPartitionMetrics()).Start(context.Background(), exampleMessage())
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
