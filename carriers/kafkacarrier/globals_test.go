// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"errors"
	"testing"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// hostile is global providers that must not be used.
type hostile struct {
	noop.TracerProvider
	metricnoop.MeterProvider
	t *testing.T
}

type (
	hostileTracer     struct{ hostile }
	hostileMeter      struct{ hostile }
	hostilePropagator struct{ t *testing.T }
)

func (h hostileTracer) Tracer(name string, _ ...trace.TracerOption) trace.Tracer {
	h.t.Errorf("the global tracer provider was asked for %s", name)
	return noop.Tracer{}
}

func (h hostileMeter) Meter(name string, _ ...metric.MeterOption) metric.Meter {
	h.t.Errorf("the global meter provider was asked for %s", name)
	return metricnoop.Meter{}
}

func (h hostilePropagator) Inject(context.Context, propagation.TextMapCarrier) {
	h.t.Error("the global propagator injected")
}

func (h hostilePropagator) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context {
	h.t.Error("the global propagator extracted")
	return ctx
}

func (h hostilePropagator) Fields() []string { return []string{"hostile"} }

// resetGlobals leaves globals behind that do nothing.
func resetGlobals() {
	otel.SetTracerProvider(noop.NewTracerProvider())
	otel.SetMeterProvider(metricnoop.NewMeterProvider())
	otel.SetTextMapPropagator(propagation.Compose())
}

// Not parallel: it sets the globals.
func TestOptionsWinOverTheGlobals(t *testing.T) {
	t.Cleanup(resetGlobals)
	otel.SetTracerProvider(hostileTracer{hostile{t: t}})
	otel.SetMeterProvider(hostileMeter{hostile{t: t}})
	otel.SetTextMapPropagator(hostilePropagator{t})

	f, m, e := flowtest.New(t), newMeter(), &events{}
	carried := []propagation.Option{
		nil, w3c(), propagation.WithPolicy(propagation.Replace), propagation.WithMaxBytes(1 << 10), propagation.WithBaggage("user"),
	}
	client := []kafkacarrier.ClientOption{
		nil, kafkacarrier.WithPropagation(carried...), kafkacarrier.WithTracerProvider(f.Service("all")), kafkacarrier.WithMeterProvider(m),
		kafkacarrier.WithObserver(e), kafkacarrier.WithMessageKey(nil), kafkacarrier.WithHeaders("app"), kafkacarrier.WithHeaderValues(nil),
		kafkacarrier.WithErrorDescription(nil),
		kafkacarrier.WithPartitionMetrics(), kafkacarrier.WithTopicTemplate(nil), nil,
	}
	ctx, root := f.Service("all").Tracer("test").Start(t.Context(), "root")
	msgs := numbered(2)
	kafkacarrier.Inject(ctx, &msgs[0], carried...)
	kafkacarrier.InjectAll(ctx, msgs, carried...)
	kafkacarrier.Extract(ctx, msgs[0], carried...)
	kafkacarrier.Read(msgs[0], carried...)
	forwarded := kafkacarrier.Forward(ctx, msgs[0], "", nil, kafkacarrier.WithPropagation(carried...), kafkacarrier.WithBothSpellings())

	plain := writerTo(&broker{})
	plain.Transport = kafkacarrier.NewTransport(plain.Transport, nil, kafkacarrier.WithMeterProvider(m))
	w := kafkacarrier.NewWriter(plain, with[kafkacarrier.WriterOption](client,
		kafkacarrier.WithTimestamps(), kafkacarrier.WithMessageContext(nil), kafkacarrier.WithBothSpellings())...)
	r := kafkacarrier.NewReaderOf(inGroup(msgs...), with[kafkacarrier.ReaderOption](client,
		kafkacarrier.WithPollSpans(), kafkacarrier.WithStartOptions(propagation.AsLink()), kafkacarrier.WithPartitionExpiry(0))...)
	c := kafkacarrier.NewConsumer(with[kafkacarrier.ConsumerOption](client,
		kafkacarrier.WithStartOptions(propagation.AsLink()), kafkacarrier.WithPartitionExpiry(0), kafkacarrier.WithGroup("g"))...)
	msg, err := r.FetchMessage(ctx)
	_, end := r.Start(ctx, msg)
	end(nil)
	_, end = c.Start(ctx, msg)
	end(nil)
	watching, stop := context.WithCancel(ctx)
	stop()
	if lagErr := kafkacarrier.WatchLag(watching, new(groups).client(), "g", nil, nil, kafkacarrier.WithObserver(e), kafkacarrier.WithInterval(0)); !errors.Is(lagErr, context.Canceled) {
		t.Errorf("WatchLag returns %v, want Canceled", lagErr)
	}
	if err = errors.Join(err, w.WriteMessages(ctx, msgs...), w.WriteMessages(ctx, forwarded), w.Close(),
		r.Process(ctx, msg, doNothing), r.ProcessBatch(ctx, msgs, doNothing), r.CommitMessages(ctx, msg), r.Close(),
		c.Process(ctx, msg, doNothing), c.ProcessBatch(ctx, msgs, doNothing)); err != nil {
		t.Fatal(err)
	}
	root.End()
	if got := len(recorded(t, f)); got != 13 {
		t.Errorf("%d spans were recorded, want 13", got)
	}
	if len(m.series(t)) == 0 || len(e.take()) == 0 {
		t.Error("a provider that was given was not used")
	}
}

// Not parallel: it sets the globals.
func TestGlobalsAreReadAtTheTimeOfTheCall(t *testing.T) {
	t.Cleanup(resetGlobals)
	resetGlobals()
	b := &broker{}
	w := kafkacarrier.NewWriter(writerTo(b))
	defer closeWriter(t, w)
	f := flowtest.New(t)
	otel.SetTracerProvider(f.Service("api"))
	otel.SetTextMapPropagator(propagation.TraceContext{})
	if err := w.WriteMessages(t.Context(), value("1")); err != nil {
		t.Fatal(err)
	}
	if got := len(recorded(t, f)); got != 1 {
		t.Errorf("%d spans were recorded, want 1", got)
	}
	if got := keys(b.written()[0].Headers); len(got) != 2 || got[0] != "traceparent" || got[1] != "waybill" {
		t.Errorf("the headers are %q", got)
	}
	if got := kafkacarrier.Read(b.written()[0]).SpanContext(); got.SpanID() != recorded(t, f)[0].SpanContext.SpanID() {
		t.Errorf("Read gives %v", got)
	}
}

// Not parallel: it sets the globals. Each provider that is installed
// is used from then on, not only the first.
func TestTheGlobalMeterProviderMayChange(t *testing.T) {
	t.Cleanup(resetGlobals)
	r := kafkacarrier.NewReaderOf(&endless{msg: consumed(1)})
	for range 2 {
		m := newMeter()
		otel.SetMeterProvider(m)
		if _, err := r.FetchMessage(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := m.series(t)["messaging.client.consumed.messages{destination.name=orders operation.name=poll}"]; got != 1 {
			t.Errorf("%d messages were counted, want 1", got)
		}
	}
}

// incomparable is a provider of a type that cannot be compared.
type incomparable struct {
	metric.MeterProvider
	_ []string
}

func TestMeterProviderNeedNotBeComparable(t *testing.T) {
	t.Parallel()
	m := newMeter()
	for range 2 {
		c := kafkacarrier.NewConsumer(withW3C(), kafkacarrier.WithMeterProvider(incomparable{MeterProvider: m}))
		if err := c.Process(t.Context(), consumed(1), doNothing); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.series(t)["messaging.process.duration{destination.name=orders operation.name=process}"]; got != 2 {
		t.Errorf("%d messages were counted, want 2", got)
	}
}

// Panics of what the user hands in are kept away from the call.
func TestPanicsOfObserversAndTracersAreContained(t *testing.T) {
	t.Parallel()
	shared := []kafkacarrier.ClientOption{
		withW3C(), kafkacarrier.WithTracerProvider(brokenTracer{}), kafkacarrier.WithObserver(brokenObserver{}), kafkacarrier.WithMeterProvider(newMeter()),
	}
	w := kafkacarrier.NewWriter(writerTo(&broker{}), with[kafkacarrier.WriterOption](shared,
		kafkacarrier.WithMessageContext(func(kafka.Message) context.Context { panic("context") }))...)
	old := consumed(1, header("traceparent", traceparentA), header("traceparent", traceparentB), header("waybill", propagation.Waybill{Origin: remoteTime, Sent: remoteTime}.String()))
	r := kafkacarrier.NewReaderOf(inGroup(old, old, consumed(9)), with[kafkacarrier.ReaderOption](shared, kafkacarrier.WithPollSpans())...)
	for range 3 {
		msg, fetchErr := r.FetchMessage(t.Context())
		if err := errors.Join(fetchErr, r.Process(t.Context(), msg, doNothing), r.CommitMessages(t.Context(), msg)); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(w.WriteMessages(t.Context(), numbered(3)...), w.WriteMessages(t.Context(), value("1")), w.Close(), r.Close()); err != nil {
		t.Error(err)
	}
}

type brokenTracer struct{ noop.TracerProvider }

func (brokenTracer) Tracer(string, ...trace.TracerOption) trace.Tracer { return broken{} }

type broken struct{ noop.Tracer }

func (broken) Start(context.Context, string, ...trace.SpanStartOption) (context.Context, trace.Span) {
	panic("tracer")
}

// brokenObserver is nil inside, so each of its methods panics.
type brokenObserver struct{ observe.MessagingObserver }

// A tracer that gives no span is one that gives a span of no one.
func TestTracerWithoutSpansRecordsNothing(t *testing.T) {
	t.Parallel()
	b := &broker{}
	w := kafkacarrier.NewWriter(writerTo(b), withW3C(), kafkacarrier.WithTracerProvider(emptyTracer{}))
	ctx := bareContext(t, traceparentA)
	if err := errors.Join(w.WriteMessages(ctx, numbered(2)...), w.WriteMessages(ctx, value("1")), w.Close()); err != nil {
		t.Error(err)
	}
	for _, m := range b.written() {
		if got := values(m.Headers, "traceparent"); len(got) != 1 || got[0] != traceparentA {
			t.Errorf("it carries %q", got)
		}
	}
}

type emptyTracer struct{ noop.TracerProvider }

func (emptyTracer) Tracer(string, ...trace.TracerOption) trace.Tracer { return empty{} }

type empty struct{ noop.Tracer }

func (empty) Start(context.Context, string, ...trace.SpanStartOption) (context.Context, trace.Span) {
	return nil, nil
}
