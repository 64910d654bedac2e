// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package propagators_test carries contexts in every format over every carrier,
// and compares with what OpenTelemetry's propagators do by themselves.
package propagators_test

import (
	"context"
	"testing"

	"github.com/segmentio/kafka-go"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.opentelemetry.io/contrib/propagators/aws/xray"
	"go.opentelemetry.io/contrib/propagators/b3"
	"go.opentelemetry.io/contrib/propagators/jaeger"
	"go.opentelemetry.io/contrib/propagators/ot"
	"go.opentelemetry.io/otel/baggage"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/propagation"
)

var formats = map[string]propagation.TextMapPropagator{
	"w3c":         propagation.TraceContext{},
	"w3c baggage": propagation.Compose(propagation.TraceContext{}, propagation.Baggage{}),
	"b3 single":   b3.New(b3.WithInjectEncoding(b3.B3SingleHeader)),
	"b3 multi":    b3.New(b3.WithInjectEncoding(b3.B3MultipleHeader)),
	"jaeger":      jaeger.Jaeger{},
	"xray":        xray.Propagator{},
	"ot":          ot.OT{},
	"all": propagation.Compose(propagation.TraceContext{}, propagation.Baggage{}, b3.New(), jaeger.Jaeger{}, xray.Propagator{},
		propagation.WaybillPropagator{}),
	"b3 with baggage and waybill": propagation.Compose(b3.New(), propagation.Baggage{}, propagation.WaybillPropagator{}),
	"default":                     propagation.Default(),
}

// medium is a carrier with what it cannot do.
type medium struct {
	newCarrier func() propagation.TextMapCarrier
	// Names of another form than the propagator's, so that what is found by
	// the beginning of its name is not found.
	normalises bool
}

var media = map[string]medium{
	"OpenTelemetry's map":    {newCarrier: func() propagation.TextMapCarrier { return otelpropagation.MapCarrier{} }},
	"OpenTelemetry's header": {newCarrier: func() propagation.TextMapCarrier { return otelpropagation.HeaderCarrier{} }},
	"Map":                    {newCarrier: func() propagation.TextMapCarrier { return carriers.Map{} }},
	"AnyMap":                 {newCarrier: func() propagation.TextMapCarrier { return carriers.AnyMap{} }},
	"MultiMap":               {newCarrier: func() propagation.TextMapCarrier { return carriers.MultiMap{} }},
	"BytesMap":               {newCarrier: func() propagation.TextMapCarrier { return carriers.BytesMap{} }},
	"FoldedMap":              {newCarrier: func() propagation.TextMapCarrier { return carriers.FoldedMap{} }},
	"FoldedMultiMap":         {newCarrier: func() propagation.TextMapCarrier { return carriers.FoldedMultiMap{} }},
	"Pairs":                  {newCarrier: func() propagation.TextMapCarrier { return new(carriers.Pairs[carriers.Pair]) }},
	"JSON":                   {newCarrier: func() propagation.TextMapCarrier { return carriers.JSON(new(string)) }},
	"Properties":             {newCarrier: func() propagation.TextMapCarrier { return carriers.Properties(new([]byte)) }},
	"Kafka":                  {newCarrier: func() propagation.TextMapCarrier { return kafkacarrier.New(new(kafka.Message)) }},
	"MongoDB D":              {newCarrier: func() propagation.TextMapCarrier { return mongocarrier.NewD(new(bson.D)) }},
	"MongoDB M":              {newCarrier: func() propagation.TextMapCarrier { return mongocarrier.NewM(bson.M{}) }},
	"MongoDB Raw": {newCarrier: func() propagation.TextMapCarrier {
		return mongocarrier.NewRaw(&bson.Raw{5, 0, 0, 0, 0})
	}},
	"environment": {newCarrier: func() propagation.TextMapCarrier { return new(envcarrier.Carrier) }, normalises: true},
}

func TestInject_EveryFormatOverEveryCarrier(t *testing.T) {
	t.Parallel()
	for format, propagator := range formats {
		for name, medium := range media {
			t.Run(format+"/"+name, func(t *testing.T) {
				t.Parallel()
				carrier := medium.newCarrier()
				option := propagation.WithPropagator(propagator)
				for _, ctx := range contexts(t) {
					want := byOpenTelemetry(ctx, t, propagator)
					propagation.InjectTextMap(ctx, carrier, option)

					got := propagation.ExtractTextMap(t.Context(), carrier, option)
					medium.requireSame(t, heldBy(got), want)
					remote := propagation.ReadTextMap(carrier, option)
					medium.requireSame(t, heldBy(remote.Context(t.Context())), want)
					if remote.Err() != nil {
						t.Errorf("Read says %v", remote.Err())
					}
					// And by those who do not know of us.
					medium.requireSame(t, heldBy(propagator.Extract(t.Context(), carrier)), want)
				}
			})
		}
	}
}

// TestExtract_WhatOthersWrite is about carriers that OpenTelemetry's propagators
// wrote to themselves.
func TestExtract_WhatOthersWrite(t *testing.T) {
	t.Parallel()
	for format, propagator := range formats {
		for name, medium := range media {
			t.Run(format+"/"+name, func(t *testing.T) {
				t.Parallel()
				for _, ctx := range contexts(t) {
					carrier := medium.newCarrier()
					propagator.Inject(ctx, carrier)
					got := propagation.ExtractTextMap(t.Context(), carrier, propagation.WithPropagator(propagator))
					medium.requireSame(t, heldBy(got), byOpenTelemetry(ctx, t, propagator))
				}
			})
		}
	}
}

// contexts are all that a context can hold, then little of it, so that what
// stays on a carrier shows.
func contexts(t *testing.T) []context.Context {
	t.Helper()
	state, err := trace.ParseTraceState("vendor=1,other=2")
	if err != nil {
		t.Fatal(err)
	}
	members, err := baggage.Parse("user=alice,tier=gold")
	if err != nil {
		t.Fatal(err)
	}
	full := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0: 0x5f, 8: 0x4b, 15: 1}, SpanID: trace.SpanID{0: 0x1f, 7: 1}, TraceFlags: trace.FlagsSampled, TraceState: state,
	})
	bare := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{0: 0x5e, 8: 0x4b, 15: 2}, SpanID: trace.SpanID{7: 2}})
	return []context.Context{
		baggage.ContextWithBaggage(trace.ContextWithSpanContext(t.Context(), full), members),
		trace.ContextWithSpanContext(t.Context(), bare),
	}
}

// byOpenTelemetry returns what the propagator reads of a map it wrote to.
func byOpenTelemetry(ctx context.Context, t *testing.T, propagator propagation.TextMapPropagator) held {
	t.Helper()
	carrier := otelpropagation.MapCarrier{}
	propagator.Inject(ctx, carrier)
	return heldBy(propagator.Extract(t.Context(), carrier))
}

// held is what a context holds.
type held struct {
	span    trace.SpanContext
	baggage baggage.Baggage
	waybill propagation.Waybill
}

func heldBy(ctx context.Context) held {
	return held{trace.SpanContextFromContext(ctx), baggage.FromContext(ctx), propagation.WaybillFromContext(ctx)}
}

// requireSame checks that got is want, as far as the medium can hold it.
func (m medium) requireSame(t *testing.T, got, want held) {
	t.Helper()
	if !want.span.IsValid() || !got.span.Equal(want.span) || !got.span.IsRemote() {
		t.Errorf("the span context is %v, want %v", text(t, got.span), text(t, want.span))
	}
	if got.waybill.IsZero() != want.waybill.IsZero() {
		t.Errorf("the waybill is %v, want %v", got.waybill, want.waybill)
	}
	if m.normalises {
		return
	}
	if got.baggage.Len() != want.baggage.Len() {
		t.Errorf("the baggage is %q, want %q", got.baggage, want.baggage)
	}
	for _, member := range want.baggage.Members() {
		if got.baggage.Member(member.Key()).Value() != member.Value() {
			t.Errorf("the baggage is %q, want %q", got.baggage, want.baggage)
		}
	}
}

func text(t *testing.T, sc trace.SpanContext) string {
	t.Helper()
	text, err := sc.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
