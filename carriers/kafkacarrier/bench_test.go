// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/produce"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/propagation"
)

func appHeaders(n int) []kafka.Header {
	headers := make([]kafka.Header, n)
	for i := range headers {
		headers[i] = header("app-"+strconv.Itoa(i), "value")
	}
	return headers
}

// The benchmarks named OTel are what is written by hand: OpenTelemetry's own
// Trace Context over a Carrier.

func BenchmarkInject(b *testing.B) {
	ctx := bareContext(b, traceparentA)
	for _, n := range []int{0, 4, 10} {
		headers := appHeaders(n)
		for name, o := range map[string]propagation.Option{
			"Default": w3c(), "TraceContext": propagation.WithPropagator(propagation.TraceContext{}),
		} {
			b.Run(name+"/headers="+strconv.Itoa(n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					msg := kafka.Message{Headers: headers}
					kafkacarrier.Inject(ctx, &msg, o)
				}
			})
		}
		b.Run("OTel/headers="+strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				msg := kafka.Message{Headers: headers}
				otelpropagation.TraceContext{}.Inject(ctx, kafkacarrier.New(&msg))
			}
		})
	}
}

func BenchmarkInjectAll100(b *testing.B) {
	ctx, o, msgs := bareContext(b, traceparentA), w3c(), make([]kafka.Message, 100)
	b.ReportAllocs()
	for b.Loop() {
		for i := range msgs {
			msgs[i].Headers = nil
		}
		kafkacarrier.InjectAll(ctx, msgs, o)
	}
}

func BenchmarkExtract(b *testing.B) {
	ctx := b.Context()
	for _, n := range []int{0, 10} {
		msg := withHeaders(append(appHeaders(n), header("traceparent", traceparentA))...)
		o := w3c()
		b.Run("Default/headers="+strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				kafkacarrier.Extract(ctx, msg, o)
			}
		})
		b.Run("OTel/headers="+strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				otelpropagation.TraceContext{}.Extract(ctx, kafkacarrier.New(&msg))
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	msg := withHeaders(append(appHeaders(10), header("traceparent", traceparentA))...)
	b.ReportAllocs()
	for b.Loop() {
		kafkacarrier.Read(msg)
	}
}

// sink is a broker that forgets what it is sent.
type sink struct{ broker }

func (s *sink) RoundTrip(ctx context.Context, addr net.Addr, req kafka.Request) (kafka.Response, error) {
	if req, ok := req.(*produce.Request); ok {
		topic := req.Topics[0]
		partition := topic.Partitions[0]
		var err error
		for err == nil {
			_, err = partition.RecordSet.Records.ReadRecord()
		}
		if !errors.Is(err, io.EOF) {
			return nil, err
		}
		return &produce.Response{Topics: []produce.ResponseTopic{{
			Topic: topic.Topic, Partitions: []produce.ResponsePartition{{Partition: partition.Partition}},
		}}}, nil
	}
	return s.broker.RoundTrip(ctx, addr, req)
}

// setups are ways to trace a benchmark; the client alone is none of them.
func setups() map[string]trace.TracerProvider {
	return map[string]trace.TracerProvider{
		"none":      noop.NewTracerProvider(),
		"unsampled": sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())),
		"sampled":   sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample())),
	}
}

// A call with 100 messages of 1 kB; compare the rows with that of Plain.
// The broker costs next to nothing, so a real one shows a smaller difference.
func BenchmarkWriter(b *testing.B) {
	msgs := make([]kafka.Message, 100)
	for i := range msgs {
		msgs[i].Value = make([]byte, 1000)
	}
	newWriter := func() *kafka.Writer {
		w := writerTo(new(broker))
		w.Transport = new(sink)
		return w
	}
	run := func(ctx context.Context, b *testing.B, w kafkacarrier.MessageWriter) {
		b.Helper()
		b.ReportAllocs()
		b.SetBytes(100 * 1000)
		for b.Loop() {
			if err := w.WriteMessages(ctx, msgs...); err != nil {
				b.Fatal(err)
			}
		}
		closeWriter(b, w)
	}
	b.Run("Plain", func(b *testing.B) { run(b.Context(), b, newWriter()) })
	for name, provider := range setups() {
		b.Run("Wrapped/"+name, func(b *testing.B) {
			ctx, span := provider.Tracer("bench").Start(b.Context(), "root")
			defer span.End()
			w := kafkacarrier.NewWriter(newWriter(), withW3C(), kafkacarrier.WithTracerProvider(provider))
			run(ctx, b, w)
		})
	}
}

// The source costs nothing, so that what is left is ours.
func BenchmarkReader(b *testing.B) {
	newSource := func() *endless {
		msg := consumed(1, header("traceparent", traceparentA))
		msg.Time = time.Now()
		return &endless{source: *inGroup(), msg: msg}
	}
	run := func(b *testing.B, r kafkacarrier.MessageReader, process func(context.Context, kafka.Message, func(context.Context) error) error) {
		b.Helper()
		b.ReportAllocs()
		ctx := b.Context()
		for b.Loop() {
			msg, err := r.FetchMessage(ctx)
			if err != nil {
				b.Fatal(err)
			}
			if err := process(ctx, msg, doNothing); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("Plain", func(b *testing.B) {
		run(b, newSource(), func(ctx context.Context, _ kafka.Message, fn func(context.Context) error) error { return fn(ctx) })
	})
	for name, provider := range setups() {
		b.Run("Wrapped/"+name, func(b *testing.B) {
			r := kafkacarrier.NewReaderOf(newSource(), withW3C(), kafkacarrier.WithTracerProvider(provider))
			run(b, r, r.Process)
		})
	}
}
