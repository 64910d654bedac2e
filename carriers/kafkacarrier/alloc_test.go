// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package kafkacarrier_test

import (
	"context"
	"testing"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// The tests here are not parallel: others would allocate meanwhile.
func TestAllocations(t *testing.T) {
	app := make([]kafka.Header, 10)
	for i := range app {
		app[i] = header("app", "value")
	}
	with := append(append([]kafka.Header(nil), app...), header("traceparent", traceparentA))
	withWaybill := append(append([]kafka.Header(nil), with...), header("waybill", "00-00064a3f2b1c00-00064a3f2b1c00-0001"))
	ctx, background := bareContext(t, traceparentB), t.Context()
	carriers := map[string]propagation.Option{
		"Default":      w3c(),
		"TraceContext": propagation.WithPropagator(propagation.TraceContext{}),
	}
	for name, o := range carriers {
		msg, batch := kafka.Message{}, make([]kafka.Message, 100)
		for _, tt := range []struct {
			what string
			most float64
			run  func()
		}{
			{"Inject, no headers", 2, func() { msg.Headers = nil; kafkacarrier.Inject(ctx, &msg, o) }},
			{"Inject, 10 headers", 2, func() { msg.Headers = app; kafkacarrier.Inject(ctx, &msg, o) }},
			{"Inject again", 2, func() { kafkacarrier.Inject(ctx, &msg, o) }},
			{"Inject without a span", 0, func() { kafkacarrier.Inject(background, &msg, o) }},
			{"InjectAll, 100 messages", 2, func() {
				for i := range batch {
					batch[i].Headers = app
				}
				kafkacarrier.InjectAll(ctx, batch, o)
			}},
			{"Extract", 2, func() { kafkacarrier.Extract(background, withHeaders(with...), o) }},
			{"Extract with a waybill", 3, func() { kafkacarrier.Extract(background, withHeaders(withWaybill...), o) }},
			{"Extract of nothing", 0, func() { kafkacarrier.Extract(background, withHeaders(app...), o) }},
		} {
			if got := testing.AllocsPerRun(100, tt.run); got > tt.most {
				t.Errorf("%s, %s: %v allocations, want at most %v", name, tt.what, got, tt.most)
			}
		}
	}
	if got := testing.AllocsPerRun(100, func() { kafkacarrier.Read(withHeaders(withWaybill...)) }); got != 0 {
		t.Errorf("Read: %v allocations, want none", got)
	}
	if len(otel.GetTextMapPropagator().Fields()) != 0 {
		t.Error("a test set the global propagator")
	}
}

// A Writer without an address fails right after what is measured here;
// its error is one allocation. The copies of the messages are used again.
func TestWriter_WithoutProvidersAllocatesNothing(t *testing.T) {
	msgs := numbered(100)
	w := kafkacarrier.NewWriter(&kafka.Writer{Topic: "orders"}, withW3C(),
		kafkacarrier.WithTracerProvider(noop.NewTracerProvider()), kafkacarrier.WithMeterProvider(metricnoop.NewMeterProvider()))
	for most, ctx := range map[float64]context.Context{
		1:     t.Context(),
		1 + 2: bareContext(t, traceparentA), // And the headers and the values of all.
	} {
		for _, n := range []int{1, 100} {
			if got := testing.AllocsPerRun(100, func() { _ = w.WriteMessages(ctx, msgs[:n]...) }); got > most {
				t.Errorf("%d messages: %v allocations, want at most %v", n, got, most)
			}
		}
	}
}

// quiet is an Observer that does nothing.
type quiet struct{ observe.NoMessaging }

func TestReader_MeasuringAFetchAllocatesNothing(t *testing.T) {
	w := propagation.Waybill{Origin: remoteTime, Sent: remoteTime, Hops: 1}
	e := &endless{msg: consumed(1, header("traceparent", traceparentA), header("waybill", w.String()))}
	e.msg.Time = remoteTime
	r := kafkacarrier.NewReaderOf(e, withW3C(), kafkacarrier.WithMeterProvider(newMeter()), kafkacarrier.WithObserver(quiet{}), kafkacarrier.WithPartitionMetrics())
	ctx := t.Context()
	if got := testing.AllocsPerRun(200, func() { _, _ = r.FetchMessage(ctx) }); got != 0 {
		t.Errorf("%v allocations, want none", got)
	}
}
