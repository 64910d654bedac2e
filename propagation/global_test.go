// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	traceembedded "go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/propagation"
)

// withoutGlobals is what is written, and read, before a global was ever set.
var withoutGlobals = func() propagation.Remote {
	sent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}})
	ctx := trace.ContextWithSpanContext(context.Background(), sent)
	return propagation.Read(text(propagation.Map(ctx)), textAccessor{})
}()

// touchGlobals keeps t from being parallel, and clears up after it.
func touchGlobals(t *testing.T) {
	t.Helper()
	t.Setenv("WAYBILL_TEST_USES_GLOBALS", "1") // Which forbids t.Parallel.
	t.Cleanup(func() {
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
		otel.SetTracerProvider(noop.NewTracerProvider())
		otel.SetTextMapPropagator(propagation.Compose()) // Without fields, as one that was never set.
	})
}

// failOnLog fails t for whatever OpenTelemetry would report. A test that calls
// it is not parallel.
func failOnLog(t *testing.T) {
	t.Helper()
	touchGlobals(t)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { t.Errorf("an error was reported: %v", err) }))
}

func TestInject_WithoutAGlobalPropagator(t *testing.T) {
	touchGlobals(t)
	if withoutGlobals.Err() != nil || withoutGlobals.Waybill().Hops != 1 {
		t.Errorf("before any was set: %v, %v", withoutGlobals.Err(), withoutGlobals.Waybill())
	}
	for name, p := range map[string]propagation.TextMapPropagator{
		"without fields": propagation.Compose(), "nil": nil, "opaque, without fields": opaque{propagation.Compose()},
	} {
		otel.SetTextMapPropagator(p)
		got := propagation.Map(full(t))
		for _, key := range propagation.Default().Fields() {
			if got[key] == "" {
				t.Errorf("%s: %s is not written", name, key)
			}
		}
		remote := propagation.Read(text(got), textAccessor{}, propagation.WithPropagator(nil))
		if remote.Err() != nil || remote.Baggage().Len() != 1 || remote.Waybill().Hops != 1 {
			t.Errorf("%s: what is read is %v", name, remote)
		}
	}
}

func TestInject_ReadsTheGlobalPropagatorAtTheTimeOfTheCall(t *testing.T) {
	touchGlobals(t)
	option := propagation.WithPropagator(nil)
	for _, tt := range []struct {
		propagator propagation.TextMapPropagator
		want       []string
	}{
		{propagator: renamed{"one"}, want: []string{"one", "waybill"}},
		{propagator: renamed{"two"}, want: []string{"two", "waybill"}},
		{propagator: &renamed{"three"}, want: []string{"three", "waybill"}},
		{propagator: &renamed{"four"}, want: []string{"four", "waybill"}},
		{propagator: propagation.Compose(renamed{"five"}, propagation.Baggage{}), want: []string{"baggage", "five", "waybill"}},
		{propagator: propagation.Compose(renamed{"six"}, propagation.Baggage{}), want: []string{"baggage", "six", "waybill"}},
		{propagator: uncomparable{renamed{"seven"}, nil}, want: []string{"seven", "waybill"}},
		{propagator: uncomparable{renamed{"eight"}, nil}, want: []string{"eight", "waybill"}},
		{propagator: propagation.TraceContext{}, want: []string{"traceparent", "tracestate", "waybill"}},
		{propagator: propagation.Compose(), want: []string{"baggage", "traceparent", "tracestate", "waybill"}},
	} {
		otel.SetTextMapPropagator(tt.propagator)
		for range 2 {
			carrier := text{}
			propagation.Inject(full(t), carrier, textAccessor{}, option)
			keys := textAccessor{}.Keys(carrier)
			slices.Sort(keys)
			if !slices.Equal(keys, tt.want) {
				t.Errorf("%v writes %q, want %q", tt.propagator, keys, tt.want)
			}
		}
	}
}

// uncomparable is a propagator that panics when it is compared.
type uncomparable struct {
	renamed

	list []string
}

// forbidden is a propagator and a tracer provider that must not be used.
type forbidden struct {
	traceembedded.TracerProvider

	t *testing.T
}

func (f forbidden) Inject(context.Context, propagation.TextMapCarrier) {
	f.t.Error("the global propagator was used to inject")
}

func (f forbidden) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context {
	f.t.Error("the global propagator was used to extract")
	return ctx
}

func (f forbidden) Fields() []string {
	f.t.Error("the global propagator was asked for its fields")
	return []string{"forbidden"}
}

func (f forbidden) Tracer(string, ...trace.TracerOption) trace.Tracer {
	f.t.Error("the global tracer provider was used")
	return nil
}

func TestOptions_LeaveTheGlobalsAlone(t *testing.T) {
	touchGlobals(t)
	ctx := full(t)
	otel.SetTextMapPropagator(forbidden{t: t})
	otel.SetTracerProvider(forbidden{t: t})
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { t.Errorf("an error was reported: %v", err) }))
	for _, p := range []propagation.TextMapPropagator{propagation.Default(), opaque{propagation.Default()}, renamed{"x"}} {
		for _, option := range []propagation.Option{
			nil, propagation.WithPolicy(propagation.Replace), propagation.WithPolicy(propagation.KeepExisting),
			propagation.WithMaxBytes(200), propagation.WithBaggage("user"), propagation.WithoutBaggage(),
		} {
			// In either order, as an option that is applied late must not ask the global.
			for _, options := range [][]propagation.Option{{propagation.WithPropagator(p), option}, {option, propagation.WithPropagator(p)}} {
				carrier := text(propagation.Map(ctx, options...))
				propagation.Inject(ctx, carrier, textAccessor{}, options...)
				propagation.InjectTextMap(ctx, otelpropagation.MapCarrier(carrier), options...)
				propagation.Extract(ctx, carrier, textAccessor{}, options...)
				propagation.ExtractTextMap(ctx, otelpropagation.MapCarrier(carrier), options...)
				if remote := propagation.ReadTextMap(otelpropagation.MapCarrier(carrier), options...); remote.Err() != nil {
					t.Errorf("%v: %v", options, remote.Err())
				}
				if remote := propagation.Read(carrier, textAccessor{}, options...); remote.Err() != nil {
					t.Errorf("%v: %v", options, remote.Err())
				}
			}
		}
	}
	own, recorder := tracer()
	for _, option := range []propagation.StartOption{
		nil, propagation.AsParent(), propagation.AsLink(), propagation.WithUntrusted(), propagation.WithMaxAge(time.Hour),
		propagation.WithLinkAttributes(func(int) []attribute.KeyValue { return nil }), propagation.WithSpanOptions(),
	} {
		_, span := propagation.Start(ctx, own, "process", named("a", "b"), option)
		span.End()
	}
	if len(recorder.Ended()) != 7 {
		t.Errorf("%d spans of the tracer that was given, want 7", len(recorder.Ended()))
	}
	_, span := propagation.Start(ctx, nil, "process", named("a"))
	span.End()
}

// It says most with -race.
func TestInject_TheGlobalPropagatorMayChangeAtAnyTime(t *testing.T) {
	touchGlobals(t)
	ctx := full(t)
	var workers sync.WaitGroup
	for _, p := range []propagation.TextMapPropagator{renamed{"one"}, &renamed{"two"}, propagation.Default(), propagation.Compose()} {
		workers.Go(func() {
			for range 50 {
				otel.SetTextMapPropagator(p)
				got := propagation.Map(ctx)
				if got["one"] != traceparentText && got["two"] != traceparentText && got["traceparent"] != traceparentText {
					t.Errorf("nothing whole was written: %v", got)
				}
				propagation.Extract(ctx, text(got), textAccessor{})
			}
		})
	}
	workers.Wait()
}
