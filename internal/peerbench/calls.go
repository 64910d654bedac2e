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
)

const (
	topic      = "orders"
	plainCalls = "kafka-go alone"
)

// sender returns an op that sends one message of 1 kB with 4 headers, and the
// headers that were sent last.
type sender func(ctx context.Context) (op func() error, written func() []header)

// caller is a way to send a message in a span of its own.
type caller struct {
	name   string
	client bool // Reports whether a kafka.Writer does its work beneath.
	start  func(recording) (ctx context.Context, done func())
	send   sender
}

func callers() []caller {
	return []caller{
		{plainCalls, true, startOpenTelemetry, plainSend},
		{"waybill", true, startOpenTelemetry, waybillSend},
		{"otel-kafka-konsumer", true, startOpenTelemetry, konsumerSend},
		{"dd-trace-go", true, startDatadogRequest, datadogSend},
		{"kotel", false, startOpenTelemetry, kotelSend},
		{"otelsarama", false, startOpenTelemetry, saramaSend},
	}
}

func callTasks() []task {
	var tasks []task
	for _, c := range callers() {
		for _, r := range recordings {
			tasks = append(tasks, task{c.name, string(r), func() (op, done func()) {
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

// added takes the cost of the client beneath from those of the libraries that
// have one.
func added(all map[cell]cost) map[cell]cost {
	out := map[cell]cost{}
	for _, c := range callers() {
		for _, r := range recordings {
			at, plain := cell{c.name, string(r)}, cost{}
			if c.client && c.name != plainCalls {
				plain = all[cell{plainCalls, string(r)}]
			}
			out[at] = cost{all[at].ns - plain.ns, all[at].bytes - plain.bytes, all[at].allocs - plain.allocs}
		}
	}
	return out
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
	w, err := kafkacarrier.NewWriter(newWriter(b), kafkacarrier.WithPropagator(traceContext))
	if err != nil {
		panic(err)
	}
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

// kotelSend calls the hooks that franz-go calls for each record.
func kotelSend(ctx context.Context) (func() error, func() []header) {
	t := kotel.NewTracer(kotel.TracerPropagator(traceContext))
	msg := message()
	template := records(ofKafka(msg.Headers))
	var r *kgo.Record
	send := func() error {
		r = &kgo.Record{Topic: topic, Key: msg.Key, Value: msg.Value, Headers: template, Context: ctx}
		t.OnProduceRecordBuffered(r)
		t.OnProduceRecordUnbuffered(r, nil)
		return nil
	}
	return send, func() []header { return ofRecord(r) }
}

// saramaSend wraps a producer that does nothing. The library takes no ctx.
func saramaSend(context.Context) (func() error, func() []header) {
	p := otelsarama.WrapSyncProducer(saramaConfig(), nowhere{}, otelsarama.WithPropagators(traceContext))
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

// nowhere is a sarama producer that does nothing.
type nowhere struct{ sarama.SyncProducer }

func (nowhere) SendMessage(*sarama.ProducerMessage) (partition int32, offset int64, err error) {
	return 0, 0, nil
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
