// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongo_test

import (
	"context"
	"encoding/json"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.opentelemetry.io/contrib/propagators/aws/xray"
	"go.opentelemetry.io/contrib/propagators/b3"
	"go.opentelemetry.io/contrib/propagators/jaeger"
	"go.opentelemetry.io/contrib/propagators/ot"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/propagation"
)

// requestID is a propagator of a user's own.
type requestID struct{}

type requestKey struct{}

func (requestID) Inject(ctx context.Context, c propagation.TextMapCarrier) {
	if id, ok := ctx.Value(requestKey{}).(string); ok {
		c.Set("x-request.id", id)
	}
}

func (requestID) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	if id := c.Get("x-request.id"); id != "" {
		return context.WithValue(ctx, requestKey{}, id)
	}
	return ctx
}

func (requestID) Fields() []string { return []string{"x-request.id"} }

// formats are propagators, each with a user's own one.
var formats = map[string]propagation.TextMapPropagator{
	"default":   propagation.Compose(propagation.Default(), requestID{}),
	"b3 single": propagation.Compose(b3.New(b3.WithInjectEncoding(b3.B3SingleHeader)), requestID{}),
	"b3 multi":  propagation.Compose(b3.New(b3.WithInjectEncoding(b3.B3MultipleHeader)), requestID{}),
	"jaeger":    propagation.Compose(jaeger.Jaeger{}, requestID{}),
	"xray":      propagation.Compose(xray.Propagator{}, requestID{}),
	"ot":        propagation.Compose(ot.OT{}, requestID{}),
	"all": propagation.Compose(propagation.Default(), b3.New(), jaeger.Jaeger{}, xray.Propagator{},
		ot.OT{}, requestID{}),
}

// The shapes of a Field in a struct.
type (
	named struct {
		ID    string             `bson:"_id" json:"_id"`
		Trace mongocarrier.Field `bson:"_otel,omitempty" json:"_otel"`
		N     int                `bson:"n" json:"n"`
	}
	inlined struct {
		ID                 string `bson:"_id" json:"_id"`
		mongocarrier.Field `bson:",inline"`
		N                  int `bson:"n" json:"n"`
	}
	inlinedPointer struct {
		ID    string              `bson:"_id" json:"_id"`
		Trace *mongocarrier.Field `bson:",inline" json:"trace"`
		N     int                 `bson:"n" json:"n"`
	}
	inlinedTwice struct {
		Inner inlined `bson:",inline" json:"inner"`
	}
	inlinedWithMap struct {
		ID     string             `bson:"_id" json:"_id"`
		Trace  mongocarrier.Field `bson:",inline" json:"trace"`
		Others map[string]any     `bson:",inline" json:"others"`
	}
)

// Every key of every propagator survives every shape of a Field, in BSON and in
// JSON, and is found in the encoded document too.
func TestField_KeysSurviveEveryShape(t *testing.T) {
	t.Parallel()
	for format, propagator := range formats {
		only := []propagation.Option{propagation.WithPropagator(propagator), propagation.WithBaggage("user")}
		members, err := baggage.Parse("user=alice")
		if err != nil {
			t.Fatal(err)
		}
		ctx := baggage.ContextWithBaggage(context.WithValue(spanCtx(t, traceparentA), requestKey{}, "r-1"), members)
		captured := mongocarrier.Capture(ctx, only...)
		flat := []mongocarrier.Option{mongocarrier.WithPropagation(only...), mongocarrier.WithForm(mongocarrier.FormFlat)}
		field := []mongocarrier.Option{mongocarrier.WithPropagation(only...)}
		for shape, c := range map[string]struct {
			value any
			empty func() (target any, field func() *mongocarrier.Field)
			opts  []mongocarrier.Option // to read the encoded document with.
		}{
			"named": {named{"o-1", captured, 42}, func() (any, func() *mongocarrier.Field) {
				v := &named{}
				return v, func() *mongocarrier.Field { return &v.Trace }
			}, field},
			"inlined": {inlined{"o-1", captured, 42}, func() (any, func() *mongocarrier.Field) {
				v := &inlined{}
				return v, func() *mongocarrier.Field { return &v.Field }
			}, flat},
			"inlined pointer": {inlinedPointer{"o-1", &captured, 42}, func() (any, func() *mongocarrier.Field) {
				v := &inlinedPointer{}
				return v, func() *mongocarrier.Field { return v.Trace }
			}, flat},
			"inlined twice": {inlinedTwice{inlined{"o-1", captured, 42}}, func() (any, func() *mongocarrier.Field) {
				v := &inlinedTwice{}
				return v, func() *mongocarrier.Field { return &v.Inner.Field }
			}, flat},
			"inlined beside a map": {inlinedWithMap{"o-1", captured, map[string]any{"n": 42}}, func() (any, func() *mongocarrier.Field) {
				v := &inlinedWithMap{}
				return v, func() *mongocarrier.Field { return &v.Trace }
			}, flat},
		} {
			what := format + ", " + shape
			for _, codec := range codecs() {
				raw, err := codec.marshal(c.value)
				if err != nil {
					t.Fatalf("%s, %s: %v", what, codec.name, err)
				}
				requireWhole(t, what+", "+codec.name+", raw", mongocarrier.ReadRaw(bson.Raw(raw), c.opts...))
				target, field := c.empty()
				if err := codec.unmarshal(raw, target); err != nil {
					t.Fatalf("%s, %s: %v", what, codec.name, err)
				}
				requireWhole(t, what+", "+codec.name, field().Remote(only...))
			}
			text, err := json.Marshal(c.value)
			if err != nil {
				t.Fatalf("%s, JSON: %v", what, err)
			}
			target, field := c.empty()
			if err := json.Unmarshal(text, target); err != nil {
				t.Fatalf("%s, JSON: %v", what, err)
			}
			requireWhole(t, what+", JSON", field().Remote(only...))
		}
	}
}

// A Field decodes every key that an injection into a document writes, and
// survives JSON after that.
func TestField_DecodesWhatInjectWrites(t *testing.T) {
	t.Parallel()
	for format, propagator := range formats {
		only := []propagation.Option{propagation.WithPropagator(propagator), propagation.WithBaggage("user")}
		members, err := baggage.Parse("user=alice")
		if err != nil {
			t.Fatal(err)
		}
		ctx := baggage.ContextWithBaggage(context.WithValue(spanCtx(t, traceparentA), requestKey{}, "r-1"), members)
		for _, codec := range codecs() {
			raw, err := codec.marshal(mongocarrier.InjectM(ctx, map[string]any{"_id": "o-1"}, mongocarrier.WithPropagation(only...)))
			if err != nil {
				t.Fatal(err)
			}
			var got named
			if err = codec.unmarshal(raw, &got); err != nil {
				t.Fatalf("%s, %s: %v", format, codec.name, err)
			}
			requireWhole(t, format+", "+codec.name, got.Trace.Remote(only...))
			text, err := json.Marshal(got.Trace)
			if err != nil {
				t.Fatal(err)
			}
			var again mongocarrier.Field
			if err = json.Unmarshal(text, &again); err != nil {
				t.Fatal(err)
			}
			requireWhole(t, format+", "+codec.name+", JSON", again.Remote(only...))
			// And what was decoded is written on whole.
			raw, err = codec.marshal(mongocarrier.InjectM(t.Context(), map[string]any{}, mongocarrier.WithPropagation(only...), mongocarrier.WithCaptured(got.Trace)))
			if err != nil {
				t.Fatal(err)
			}
			requireWhole(t, format+", "+codec.name+", captured", mongocarrier.ReadRaw(bson.Raw(raw), mongocarrier.WithPropagation(only...)))
		}
	}
}

// requireWhole fails the test unless remote has the span of traceparentA and the
// id of the request. The format of OpenTracing has half of a trace id.
func requireWhole(t *testing.T, what string, remote propagation.Remote) {
	t.Helper()
	got := remote.SpanContext()
	if want := traceparentA[19:52]; got.TraceID().String()[16:]+"-"+got.SpanID().String() != want {
		t.Errorf("%s: got %v, %v, want %s", what, got, remote.Err(), want)
	}
	ctx := remote.Context(t.Context())
	if id := ctx.Value(requestKey{}); id != "r-1" || !trace.SpanContextFromContext(ctx).IsValid() {
		t.Errorf("%s: the request is %v, want r-1", what, id)
	}
}

// bson.Marshal returns documents with spare capacity, which belongs to them.
func TestInjectRaw_DoesNotModifyWhatTheDriverReturned(t *testing.T) {
	t.Parallel()
	ctx := spanCtx(t, traceparentA)
	for size := range 1200 {
		doc, err := bson.Marshal(bson.D{{Key: "_id", Value: 1}, {Key: "text", Value: string(make([]byte, size))}})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			injected, err := mongocarrier.InjectRaw(ctx, bson.Raw(doc))
			if err != nil {
				t.Fatalf("size %d: %v", size, err)
			}
			if err := injected.Validate(); err != nil {
				t.Fatalf("size %d: the result: %v", size, err)
			}
			if err := bson.Raw(doc).Validate(); err != nil {
				t.Fatalf("size %d: the document: %v", size, err)
			}
		}
	}
}
