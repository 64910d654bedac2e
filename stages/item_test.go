// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// through puts a value into a queue with one context and takes it with another.
func through(t *testing.T, producer, consumer context.Context) stages.Item[int] { //nolint:revive // Helpers begin with t.
	t.Helper()
	q := mustQueue(t, nil, 1)
	mustPut(t, q, producer, 1)
	item, err := q.Take(consumer)
	if err != nil {
		t.Fatal(err)
	}
	return item
}

func TestItem_ContextHasTheValuesOfTheProducer(t *testing.T) {
	t.Parallel()
	type common struct{}
	type own struct{}
	origin := time.Unix(1_700_000_000, 0)
	member, err := baggage.NewMember("tenant", "blue")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	producer := context.WithValue(baggage.ContextWithBaggage(t.Context(), bag), common{}, "producer")
	producer = propagation.ContextWithWaybill(producer, propagation.Waybill{Origin: origin})
	producer = stages.ContextWithLogAttrs(producer, slog.Int("offset", 7))
	consumer := context.WithValue(context.WithValue(t.Context(), common{}, "consumer"), own{}, "consumer")
	item := through(t, producer, consumer)
	ctx := item.Context(consumer)
	if got := ctx.Value(common{}); got != "producer" {
		t.Errorf("value that both have = %v, want producer", got)
	}
	if got := ctx.Value(own{}); got != "consumer" {
		t.Errorf("value of the consumer = %v, want consumer", got)
	}
	if got := propagation.WaybillFromContext(ctx).Origin; !got.Equal(origin) {
		t.Errorf("origin = %v, want %v", got, origin)
	}
	if got := baggage.FromContext(ctx).Member("tenant").Value(); got != "blue" {
		t.Errorf("baggage = %q, want blue", got)
	}
	if remote := item.Remote(); !remote.Waybill().Origin.Equal(origin) || remote.Baggage().Len() != 1 {
		t.Errorf("Remote = %+v, %v, want the waybill and the baggage", remote.Waybill(), remote.Baggage())
	}
}

// A producer that has returned does not cancel what it has put.
func TestItem_ContextIsDoneWithTheConsumers(t *testing.T) {
	t.Parallel()
	errStopped := errors.New("stopped")
	producer, cancelProducer := context.WithCancelCause(t.Context())
	consumer, cancelConsumer := context.WithCancelCause(t.Context())
	ctx := through(t, producer, consumer).Context(consumer)
	derived, cancel := context.WithCancel(ctx)
	defer cancel()
	cancelProducer(errors.New("the producer has returned"))
	if ctx.Err() != nil || derived.Err() != nil || context.Cause(ctx) != nil {
		t.Errorf("Err = %v, %v, cause = %v, want nil", ctx.Err(), derived.Err(), context.Cause(ctx))
	}
	cancelConsumer(errStopped)
	<-derived.Done()
	if ctx.Err() != context.Canceled || context.Cause(ctx) != errStopped || context.Cause(derived) != errStopped {
		t.Errorf("Err = %v, causes = %v, %v, want Canceled, %v", ctx.Err(), context.Cause(ctx), context.Cause(derived), errStopped)
	}
}

// What a consumer counts is not counted for the producer.
func TestItem_ContextBelongsToTheRunOfTheConsumer(t *testing.T) {
	t.Parallel()
	q := mustQueue(t, nil, 1)
	p := mustPipeline(t)
	_ = mustStage(t, p, "transform").Run(t.Context(), func(ctx context.Context) error { return q.Put(ctx, 1) })
	item, err := q.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := stages.FromContext(item.Context(t.Context())); got != nil {
		t.Errorf("run = %v, want none: the consumer is in no run", got)
	}
	if id, ok := observe.StageFromContext(item.Context(t.Context())); ok {
		t.Errorf("stage = %v, want none", id)
	}
	_ = mustStage(t, p, "load").Run(t.Context(), func(ctx context.Context) error {
		if got := stages.FromContext(item.Context(ctx)); got == nil || got != stages.FromContext(ctx) {
			t.Errorf("run = %p, want that of the consumer, %p", got, stages.FromContext(ctx))
		}
		return nil
	})
}

func TestItem_Spans(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		produce, local bool // Reports whether the producer and the consumer have a span.
		parent         string
		links          int
	}{
		{name: "a span of the producer is the parent and linked", produce: true, parent: "transform", links: 1},
		{name: "a span of the consumer stays the parent", produce: true, local: true, parent: "worker", links: 1},
		{name: "without a span of the producer there is no link", local: true, parent: "worker"},
		{name: "without any span the run is a root"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			tracer := r.spansProvider(t).Tracer("test")
			spans := map[string]trace.SpanContext{}
			start := func(name string, wanted bool) context.Context {
				if !wanted {
					return t.Context()
				}
				ctx, span := tracer.Start(t.Context(), name)
				span.End()
				spans[name] = span.SpanContext()
				return ctx
			}
			producer := start("transform", tt.produce)
			consumer := start("worker", tt.local)
			r.spans.Reset()
			ctx := through(t, producer, consumer).Context(consumer)
			_ = r.Run(ctx, func(ctx context.Context) error {
				return r.Run(ctx, func(context.Context) error { return nil }) // Inside, the item is not linked again.
			})
			stubs := r.spans.GetSpans()
			inner, outer := stubs[0], stubs[1]
			if got, want := outer.Parent.SpanID(), spans[tt.parent].SpanID(); got != want {
				t.Errorf("parent = %v, want %v", got, want)
			}
			if len(outer.Links) != tt.links {
				t.Fatalf("links = %v, want %d", outer.Links, tt.links)
			}
			if tt.links == 1 && outer.Links[0].SpanContext.SpanID() != spans["transform"].SpanID() {
				t.Errorf("linked to %v, want %v", outer.Links[0].SpanContext.SpanID(), spans["transform"].SpanID())
			}
			if len(inner.Links) != 0 || inner.Parent.SpanID() != outer.SpanContext.SpanID() {
				t.Errorf("inner run: links = %v, parent = %v, want none, the outer run", inner.Links, inner.Parent.SpanID())
			}
		})
	}
}

// The stage's own start options are shared by all its runs.
func TestItem_LinkIsOfOneRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	producer, span := sdktrace.NewTracerProvider().Tracer("test").Start(t.Context(), "transform")
	defer span.End()
	_ = r.Run(through(t, producer, t.Context()).Context(t.Context()), func(context.Context) error { return nil })
	_ = r.Run(t.Context(), func(context.Context) error { return nil })
	if stubs := r.spans.GetSpans(); len(stubs[0].Links) != 1 || len(stubs[1].Links) != 0 {
		t.Errorf("links = %v, %v, want one, none", stubs[0].Links, stubs[1].Links)
	}
}

func TestItem_HostileContextOfTheProducer(t *testing.T) {
	t.Parallel()
	item := through(t, hostileContext{Context: t.Context(), value: true}, t.Context())
	if remote := item.Remote(); remote.SpanContext().IsValid() {
		t.Errorf("Remote = %v, want none", remote.SpanContext())
	}
}

func TestItem_HostileSpanOfTheConsumer(t *testing.T) {
	t.Parallel()
	producer, span := sdktrace.NewTracerProvider(sdktrace.WithSyncer(tracetest.NewInMemoryExporter())).Tracer("test").Start(t.Context(), "transform")
	defer span.End()
	consumer := trace.ContextWithSpan(t.Context(), spanWithoutContext{})
	ctx := through(t, producer, t.Context()).Context(consumer)
	if got := trace.SpanFromContext(ctx); got != span {
		t.Errorf("span = %v, want that of the producer", got)
	}
}
