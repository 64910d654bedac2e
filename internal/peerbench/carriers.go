// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	ddkafka "github.com/DataDog/dd-trace-go/contrib/segmentio/kafka-go/v2"
	konsumer "github.com/Trendyol/otel-kafka-konsumer"

	"github.com/IBM/sarama"
	"github.com/dnwe/otelsarama"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kotel"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/propagation"
)

// header is one header of any client.
type header struct{ key, value string }

// injector returns an op that puts the context of ctx on n new messages with
// headers, and the headers of the last one as they are now.
type injector func(ctx context.Context, headers []header, n int) (op func(), written func() []header)

// extractor returns an op that takes the context off n messages with headers,
// and the id of the trace that it found last.
type extractor func(ctx context.Context, headers []header, n int) (op func(), traceID func() string)

// carrier is a way to put a context on a message or take it off.
type carrier struct {
	name    string
	batch   bool // Reports whether it is of interest for batches only.
	inject  injector
	extract extractor
	prepare func() (done func()) // nil when there is nothing to prepare.
}

var traceContext propagation.TextMapPropagator = propagation.TraceContext{}

func carriers() []carrier {
	same := []propagation.Option{propagation.WithPropagator(traceContext)} // What the others write.
	all := []propagation.Option{propagation.WithPropagator(propagation.Default())}
	set := time.Unix(1_750_000_000, 0)
	waybill := header{"waybill", propagation.Waybill{Origin: set, Sent: set, Hops: 1}.String()}
	return []carrier{
		{name: "waybill", inject: waybillInject(same), extract: waybillExtract(same)},
		{name: "waybill, InjectAll", batch: true, inject: waybillInjectAll(same)},
		{name: "waybill, Read (for links)", extract: waybillRead(same)},
		{name: "waybill, Default", inject: waybillInject(all), extract: waybillExtract(all, waybill)},
		{name: "kotel", inject: kotelInject, extract: kotelExtract},
		{name: "otelsarama", inject: saramaInject, extract: saramaExtract},
		{name: "otel-kafka-konsumer", inject: konsumerInject, extract: konsumerExtract},
		{name: "dd-trace-go", extract: datadogExtract, prepare: func() func() { return startDatadog(sampled) }},
	}
}

// carrierTasks measures each carrier on one message with 0, 4 and 10 headers
// besides, and on 100 messages with 4.
func carrierTasks() (inject, extract []task) {
	ctx := requestContext()
	shapes := []struct {
		column     string
		headers, n int
	}{
		{"0 headers", 0, 1},
		{"4 headers", 4, 1},
		{"10 headers", 10, 1},
		{"100 messages, 4 headers", 4, 100},
	}
	for _, c := range carriers() {
		for _, s := range shapes {
			if c.batch && s.n == 1 {
				continue
			}
			prepare := c.prepare
			if prepare == nil {
				prepare = func() func() { return func() {} }
			}
			if c.inject != nil {
				inject = append(inject, task{row: c.name, column: s.column, setup: func() (op, done func()) {
					done = prepare()
					op, _ = c.inject(ctx, others(s.headers), s.n)
					return op, done
				}})
			}
			if c.extract != nil {
				extract = append(extract, task{row: c.name, column: s.column, setup: func() (op, done func()) {
					done = prepare()
					op, _ = c.extract(context.Background(), sent(s.headers), s.n)
					return op, done
				}})
			}
		}
	}
	return inject, extract
}

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func spanContext() trace.SpanContext {
	traceID, _ := trace.TraceIDFromHex(traceparent[3:35])
	spanID, _ := trace.SpanIDFromHex(traceparent[36:52])
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled})
}

// others returns n headers of an application.
func others(n int) []header {
	headers := make([]header, n)
	for i := range headers {
		headers[i] = header{fmt.Sprintf("application-header-%d", i), "a value of middle size"}
	}
	return headers
}

// sent returns n headers of an application and the context of a sender, which
// stands last, as everyone writes it.
func sent(n int) []header { return append(others(n), header{"traceparent", traceparent}) }

// kafkaHeaders returns headers in a slice that is full, as that of a message
// from a literal or a broker is.
func kafkaHeaders(headers []header) []kafka.Header {
	out := make([]kafka.Header, len(headers))
	for i, h := range headers {
		out[i] = kafka.Header{Key: h.key, Value: []byte(h.value)}
	}
	return out
}

func ofKafka(headers []kafka.Header) []header {
	var out []header
	for _, h := range headers {
		out = append(out, header{h.Key, string(h.Value)})
	}
	return out
}

func waybillInject(opts []propagation.Option) injector {
	return func(ctx context.Context, headers []header, n int) (func(), func() []header) {
		template, msgs := kafkaHeaders(headers), make([]kafka.Message, n)
		op := func() {
			for i := range msgs {
				msgs[i].Headers = template
				kafkacarrier.Inject(ctx, &msgs[i], opts...)
			}
		}
		return op, func() []header { return ofKafka(msgs[n-1].Headers) }
	}
}

func waybillInjectAll(opts []propagation.Option) injector {
	return func(ctx context.Context, headers []header, n int) (func(), func() []header) {
		template, msgs := kafkaHeaders(headers), make([]kafka.Message, n)
		op := func() {
			for i := range msgs {
				msgs[i].Headers = template
			}
			kafkacarrier.InjectAll(ctx, msgs, opts...)
		}
		return op, func() []header { return ofKafka(msgs[n-1].Headers) }
	}
}

func waybillExtract(opts []propagation.Option, more ...header) extractor {
	return func(ctx context.Context, headers []header, n int) (func(), func() string) {
		msgs := messages(slices.Concat(headers, more), n)
		var got context.Context
		op := func() {
			for i := range msgs {
				got = kafkacarrier.Extract(ctx, msgs[i], opts...)
			}
		}
		return op, func() string { return traceOf(got) }
	}
}

func waybillRead(opts []propagation.Option) extractor {
	return func(_ context.Context, headers []header, n int) (func(), func() string) {
		msgs := messages(headers, n)
		var got trace.SpanContext
		op := func() {
			for i := range msgs {
				got = kafkacarrier.Read(msgs[i], opts...).SpanContext()
			}
		}
		return op, func() string { return got.TraceID().String() }
	}
}

func messages(headers []header, n int) []kafka.Message {
	msgs := make([]kafka.Message, n)
	for i := range msgs {
		msgs[i].Headers = kafkaHeaders(headers)
	}
	return msgs
}

func traceOf(ctx context.Context) string { return trace.SpanContextFromContext(ctx).TraceID().String() }

func konsumerInject(ctx context.Context, headers []header, n int) (func(), func() []header) {
	template, msgs := kafkaHeaders(headers), make([]kafka.Message, n)
	op := func() {
		for i := range msgs {
			msgs[i].Headers = template
			traceContext.Inject(ctx, konsumer.NewMessageCarrier(&msgs[i]))
		}
	}
	return op, func() []header { return ofKafka(msgs[n-1].Headers) }
}

func konsumerExtract(ctx context.Context, headers []header, n int) (func(), func() string) {
	msgs := messages(headers, n)
	var got context.Context
	op := func() {
		for i := range msgs {
			got = traceContext.Extract(ctx, konsumer.NewMessageCarrier(&msgs[i]))
		}
	}
	return op, func() string { return traceOf(got) }
}

// datadogExtract returns dd-trace-go's own span context, not a context.Context.
// What injects there is not exported: see the table of calls.
func datadogExtract(_ context.Context, headers []header, n int) (func(), func() string) {
	msgs := messages(headers, n)
	var got string
	op := func() {
		for i := range msgs {
			if sc, err := ddkafka.ExtractSpanContext(msgs[i]); err == nil && got == "" {
				got = sc.TraceID()
			}
		}
	}
	return op, func() string { return got }
}

func records(headers []header) []kgo.RecordHeader {
	out := make([]kgo.RecordHeader, len(headers))
	for i, h := range headers {
		out[i] = kgo.RecordHeader{Key: h.key, Value: []byte(h.value)}
	}
	return out
}

func kotelInject(ctx context.Context, headers []header, n int) (func(), func() []header) {
	template, msgs := records(headers), make([]kgo.Record, n)
	op := func() {
		for i := range msgs {
			msgs[i].Headers = template
			traceContext.Inject(ctx, kotel.NewRecordCarrier(&msgs[i]))
		}
	}
	return op, func() []header { return ofRecord(&msgs[n-1]) }
}

func ofRecord(r *kgo.Record) []header {
	var out []header
	for _, h := range r.Headers {
		out = append(out, header{h.Key, string(h.Value)})
	}
	return out
}

func kotelExtract(ctx context.Context, headers []header, n int) (func(), func() string) {
	msgs := make([]kgo.Record, n)
	for i := range msgs {
		msgs[i].Headers = records(headers)
	}
	var got context.Context
	op := func() {
		for i := range msgs {
			got = traceContext.Extract(ctx, kotel.NewRecordCarrier(&msgs[i]))
		}
	}
	return op, func() string { return traceOf(got) }
}

func saramaInject(ctx context.Context, headers []header, n int) (func(), func() []header) {
	template, msgs := saramaHeaders(headers), make([]sarama.ProducerMessage, n)
	op := func() {
		for i := range msgs {
			msgs[i].Headers = template
			traceContext.Inject(ctx, otelsarama.NewProducerMessageCarrier(&msgs[i]))
		}
	}
	return op, func() []header { return ofSarama(msgs[n-1].Headers) }
}

func saramaExtract(ctx context.Context, headers []header, n int) (func(), func() string) {
	msgs := make([]sarama.ConsumerMessage, n)
	for i := range msgs {
		for _, h := range saramaHeaders(headers) {
			msgs[i].Headers = append(msgs[i].Headers, &h)
		}
	}
	var got context.Context
	op := func() {
		for i := range msgs {
			got = traceContext.Extract(ctx, otelsarama.NewConsumerMessageCarrier(&msgs[i]))
		}
	}
	return op, func() string { return traceOf(got) }
}

func saramaHeaders(headers []header) []sarama.RecordHeader {
	out := make([]sarama.RecordHeader, len(headers))
	for i, h := range headers {
		out[i] = sarama.RecordHeader{Key: []byte(h.key), Value: []byte(h.value)}
	}
	return out
}

func ofSarama(headers []sarama.RecordHeader) []header {
	var out []header
	for _, h := range headers {
		out = append(out, header{string(h.Key), string(h.Value)})
	}
	return out
}
