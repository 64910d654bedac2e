// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"

	ddkafka "github.com/DataDog/dd-trace-go/contrib/segmentio/kafka-go/v2"
	konsumer "github.com/Trendyol/otel-kafka-konsumer"

	"github.com/IBM/sarama"
	"github.com/dnwe/otelsarama"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/produce"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kotel"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/propagation"
)

const (
	topic      = "orders"
	plainCalls = "kafka-go alone"
)

// sender returns an op that sends one message of 1 kB with 4 headers, and the
// headers that were sent last. In the middle of every op a kafka.Writer sends
// the message, for the libraries of other clients too: what a library does
// costs more around the work of a client than in a loop of its own, whose code
// and data never leave the caches.
type sender func(ctx context.Context) (op func() error, written func() []header)

// caller is a way to send a message in a span of its own.
type caller struct {
	name  string
	start func(recording) (ctx context.Context, done func())
	send  sender
}

func callers() []caller {
	return []caller{
		{plainCalls, startOpenTelemetry, plainSend},
		{byHand, startOpenTelemetry, handSend},
		{"waybill", startOpenTelemetry, waybillSend},
		{"otel-kafka-konsumer", startOpenTelemetry, konsumerSend},
		{"dd-trace-go", startDatadogRequest, datadogSend},
		{"kotel", startOpenTelemetry, kotelSend},
		{"otelsarama", startOpenTelemetry, saramaSend},
	}
}

// callNotes say what the figures of the table are, and what is in them.
const callNotes = `The first row is kafka-go alone; the others are what is added to it in the same round. The row "by hand" is
the same span with the same attributes through the API of OpenTelemetry, ended in the Completion.
Each records one PRODUCER span and writes its context. The span is a child of the caller's, except with
otelsarama, which takes no context and starts a trace. None records metrics; waybill would with a meter
provider. The partition and offset on the span are those that the broker assigned with waybill, kotel and
otelsarama; otel-kafka-konsumer and dd-trace-go record the zeros of a message that has not been sent.
`

func callTasks() []task {
	var tasks []task
	for _, c := range callers() {
		for _, r := range recordings {
			tasks = append(tasks, task{row: c.name, column: string(r), setup: func() (op, done func()) {
				ctx, done := c.start(r)
				send, _ := c.send(ctx)
				return func() {
					if err := send(); err != nil {
						panic(err)
					}
				}, done
			}})
		}
	}
	return tasks
}

// addedCosts measures tasks as costs does, and takes the cost of the client
// from those of the libraries, round by round.
func addedCosts(tasks []task, rounds int) map[cell]cost {
	all := measured(tasks, rounds)
	for _, round := range all {
		for at, c := range round {
			if at.row != plainCalls {
				plain := round[cell{plainCalls, at.column}]
				round[at] = cost{c.ns - plain.ns, c.bytes - plain.bytes, c.allocs - plain.allocs}
			}
		}
	}
	return medians(all)
}

func message() kafka.Message {
	return kafka.Message{Key: []byte("a key"), Value: make([]byte, 1000), Headers: kafkaHeaders(others(4))}
}

// newWriter returns a kafka.Writer that sends every message at once, to broker.
func newWriter(b *broker) *kafka.Writer {
	return &kafka.Writer{
		Addr: kafka.TCP("127.0.0.1:9092"), Topic: topic, Transport: b,
		BatchSize: 1, RequiredAcks: kafka.RequireOne,
	}
}

func plainSend(ctx context.Context) (func() error, func() []header) {
	b, msg := new(broker), message()
	w := newWriter(b)
	return func() error { return w.WriteMessages(ctx, msg) }, b.headers
}

func waybillSend(ctx context.Context) (func() error, func() []header) {
	b, msg := new(broker), message()
	w := kafkacarrier.NewWriter(newWriter(b), kafkacarrier.WithPropagation(propagation.WithPropagator(traceContext)))
	return func() error { return w.WriteMessages(ctx, msg) }, b.headers
}

func konsumerSend(ctx context.Context) (func() error, func() []header) {
	b, msg := new(broker), message()
	w, err := konsumer.NewWriter(newWriter(b), konsumer.WithPropagator(traceContext))
	if err != nil {
		panic(err)
	}
	return func() error { return w.WriteMessage(ctx, msg) }, b.headers
}

func datadogSend(ctx context.Context) (func() error, func() []header) {
	b, msg := new(broker), message()
	w := ddkafka.WrapWriter(newWriter(b))
	return func() error { return w.WriteMessages(ctx, msg) }, b.headers
}

// kotelSend calls the hooks that franz-go calls for each record, one before and
// one after it is sent.
func kotelSend(ctx context.Context) (func() error, func() []header) {
	t := kotel.NewTracer(kotel.TracerPropagator(traceContext))
	plain, _ := plainSend(ctx)
	msg := message()
	template := records(ofKafka(msg.Headers))
	var r *kgo.Record
	send := func() error {
		r = &kgo.Record{Topic: topic, Key: msg.Key, Value: msg.Value, Headers: template, Context: ctx}
		t.OnProduceRecordBuffered(r)
		err := plain()
		t.OnProduceRecordUnbuffered(r, err)
		return err
	}
	return send, func() []header { return ofRecord(r) }
}

// saramaSend wraps a producer. The library takes no ctx.
func saramaSend(ctx context.Context) (func() error, func() []header) {
	plain, _ := plainSend(ctx)
	p := otelsarama.WrapSyncProducer(saramaConfig(), saramaProducer{send: plain}, otelsarama.WithPropagators(traceContext))
	msg := message()
	template := saramaHeaders(ofKafka(msg.Headers))
	var m *sarama.ProducerMessage
	send := func() error {
		m = &sarama.ProducerMessage{Topic: topic, Key: sarama.ByteEncoder(msg.Key), Value: sarama.ByteEncoder(msg.Value), Headers: template}
		_, _, err := p.SendMessage(m)
		return err
	}
	return send, func() []header { return ofSarama(m.Headers) }
}

func saramaConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V2_0_0_0
	return config
}

// saramaProducer is a sarama producer that calls send in the place of sending.
type saramaProducer struct {
	sarama.SyncProducer

	send func() error
}

func (p saramaProducer) SendMessage(*sarama.ProducerMessage) (partition int32, offset int64, err error) {
	return 0, 0, p.send()
}

// broker is a transport that answers at once. It keeps the last request.
type broker struct {
	last atomic.Pointer[produce.Request]
}

func (b *broker) RoundTrip(_ context.Context, _ net.Addr, req kafka.Request) (kafka.Response, error) {
	switch req := req.(type) {
	case *metadata.Request:
		return &metadata.Response{Topics: []metadata.ResponseTopic{{
			Name: topic, Partitions: []metadata.ResponsePartition{{}},
		}}}, nil
	case *produce.Request:
		b.last.Store(req)
		return &produce.Response{Topics: []produce.ResponseTopic{{
			Topic: topic, Partitions: []produce.ResponsePartition{{}},
		}}}, nil
	default:
		return nil, fmt.Errorf("%T is not expected", req)
	}
}

// headers returns those of the first record of the last request.
func (b *broker) headers() []header {
	record, err := b.last.Load().Topics[0].Partitions[0].RecordSet.Records.ReadRecord()
	if err != nil {
		panic(err)
	}
	return ofKafka(record.Headers)
}
