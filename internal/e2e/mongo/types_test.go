// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongo_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	bson1 "go.mongodb.org/mongo-driver/bson"
	mongo1 "go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/propagation"
)

const (
	traceparentA = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	traceparentB = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

// Cursors and change streams of both drivers are streams.
var (
	_ mongocarrier.Stream = (*mongo.Cursor)(nil)
	_ mongocarrier.Stream = (*mongo.ChangeStream)(nil)
	_ mongocarrier.Stream = (*mongo1.Cursor)(nil)
	_ mongocarrier.Stream = (*mongo1.ChangeStream)(nil)
)

func w3c() propagation.Option { return propagation.WithPropagator(propagation.TraceContext{}) }

// spanCtx returns a ctx with the span of traceparent and the tracestate
// "vendor=1".
func spanCtx(t testing.TB, traceparent string) context.Context {
	t.Helper()
	c := mongocarrier.Field{Traceparent: traceparent, Tracestate: "vendor=1"}
	sc := c.Remote(w3c()).SpanContext()
	if !sc.IsValid() {
		t.Fatalf("%s is no context", traceparent)
	}
	return trace.ContextWithSpanContext(t.Context(), sc)
}

// traceID returns the trace that remote is of.
func traceID(remote propagation.Remote) string { return remote.SpanContext().TraceID().String() }

// check fails the test if remote is not the context of traceparentA and the
// tracestate "vendor=1".
func check(t *testing.T, what string, remote propagation.Remote) {
	t.Helper()
	if err := remote.Err(); err != nil || traceID(remote) != traceparentA[3:35] || remote.SpanContext().TraceState().Get("vendor") != "1" {
		t.Errorf("%s: %v, %v", what, remote.SpanContext(), err)
	}
}

// codec is what a driver does with the bytes of a document.
type codec struct {
	name      string
	marshal   func(any) ([]byte, error)
	unmarshal func([]byte, any) error
	validate  func([]byte) error
}

func codecs() []codec {
	return []codec{
		{"v1", bson1.Marshal, bson1.Unmarshal, func(b []byte) error { return bson1.Raw(b).Validate() }},
		{"v2", bson.Marshal, bson.Unmarshal, func(b []byte) error { return bson.Raw(b).Validate() }},
	}
}

// Every shape and form of one driver is read in every
// shape of the other.
func TestInject_EveryShapeOfBothDrivers(t *testing.T) {
	t.Parallel()
	ctx := spanCtx(t, traceparentA)
	for _, opts := range [][]mongocarrier.Option{
		{},
		{mongocarrier.WithField("meta.trace")},
		{mongocarrier.WithField("made.on.the.way")},
		{mongocarrier.WithForm(mongocarrier.FormFlat)},
		{mongocarrier.WithForm(mongocarrier.FormFlat), mongocarrier.WithField("meta")},
		{mongocarrier.WithForm(mongocarrier.FormProperties)},
	} {
		written := map[string]any{
			"v1 D": mongocarrier.InjectD(ctx, bson1.D{{Key: "_id", Value: 1}, {Key: "meta", Value: bson1.D{{Key: "k", Value: 1}}}}, opts...),
			"v1 M": mongocarrier.InjectM(ctx, bson1.M{"_id": 1, "meta": bson1.M{"k": 1}}, opts...),
			"v2 D": mongocarrier.InjectD(ctx, bson.D{{Key: "_id", Value: 1}, {Key: "meta", Value: bson.M{"k": 1}}}, opts...),
			"v2 M": mongocarrier.InjectM(ctx, bson.M{"_id": 1, "meta": bson.D{{Key: "k", Value: 1}}}, opts...),
		}
		for what, doc := range written {
			driver := codecs()[0]
			if strings.HasPrefix(what, "v2") {
				driver = codecs()[1]
			}
			raw, err := driver.marshal(doc)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			readAll(t, what, raw, opts)
		}
		raw, err := bson.Marshal(bson.D{{Key: "_id", Value: 1}, {Key: "meta", Value: bson.D{{Key: "k", Value: 1}}}})
		if err != nil {
			t.Fatal(err)
		}
		injected, err := mongocarrier.InjectRaw(ctx, bson.Raw(raw), opts...)
		if err != nil {
			t.Fatal(err)
		}
		readAll(t, "Raw", injected, opts)
		// The same over the one that is there.
		again, err := mongocarrier.InjectRaw(ctx, bson1.Raw(slices.Clone(injected)), opts...)
		if err != nil {
			t.Fatal(err)
		}
		readAll(t, "Raw again", again, opts)
	}
}

// readAll reads raw in every shape that both drivers decode it to.
func readAll(t *testing.T, what string, raw []byte, opts []mongocarrier.Option) {
	t.Helper()
	var (
		d1 bson1.D
		m1 bson1.M
		d2 bson.D
		m2 bson.M
		mm map[string]any
	)
	for _, target := range []any{&d1, &m1} {
		if err := bson1.Unmarshal(raw, target); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for _, target := range []any{&d2, &m2, &mm} {
		if err := bson.Unmarshal(raw, target); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	check(t, what+", as v1 D", mongocarrier.ReadD(d1, opts...))
	check(t, what+", as v1 M", mongocarrier.ReadM(m1, opts...))
	check(t, what+", as v1 Raw", mongocarrier.ReadRaw(bson1.Raw(raw), opts...))
	check(t, what+", as v2 D", mongocarrier.ReadD(d2, opts...))
	check(t, what+", as v2 M", mongocarrier.ReadM(m2, opts...))
	check(t, what+", as v2 Raw", mongocarrier.ReadRaw(bson.Raw(raw), opts...))
	check(t, what+", as map", mongocarrier.ReadM(mm, opts...))
	// A field that a decoder left as it was.
	var lazy struct {
		V1 bson1.RawValue `bson:"-"`
		V2 bson.RawValue  `bson:"_otel"`
	}
	if len(opts) == 0 {
		if err := bson.Unmarshal(raw, &lazy); err != nil {
			t.Fatal(err)
		}
		lazy.V1 = bson1.Raw(raw).Lookup("_otel")
		check(t, what+", as v2 RawValue", mongocarrier.ReadM(map[string]any{"_otel": lazy.V2}))
		check(t, what+", as v1 RawValue", mongocarrier.ReadM(map[string]any{"_otel": lazy.V1}))
	}
}

type order struct {
	ID    string             `bson:"_id"`
	Trace mongocarrier.Field `bson:"_otel,omitempty"`
	Total int                `bson:"total"`
}

func TestField_BothDrivers(t *testing.T) {
	t.Parallel()
	ctx := spanCtx(t, traceparentA)
	for _, field := range []mongocarrier.Field{
		mongocarrier.Capture(ctx),
		{Traceparent: traceparentA, Tracestate: "vendor=1", Extra: map[string]string{"b3": "1", "ot-baggage-a%2Eb": "2"}},
		{},
	} {
		want := order{ID: "o-1", Trace: field, Total: 42}
		var raws [][]byte
		value := want
		for _, c := range append(codecs(), codecs()...) { // v1, v2, v1, v2.
			raw, err := c.marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			value = order{}
			if err := c.unmarshal(raw, &value); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, value); diff != "" {
				t.Errorf("%s: %s", c.name, diff)
			}
			raws = append(raws, raw)
			if _, err := bson.Raw(raw).LookupErr("_otel"); (err == nil) == field.IsZero() {
				t.Errorf("%s: the field is there: %v", c.name, err == nil)
			}
		}
		for _, raw := range raws[1:] {
			if !slices.Equal(raw, raws[0]) && len(field.Extra) < 2 { // a map has no order.
				t.Errorf("%q is not %q", raw, raws[0])
			}
		}
		if field.IsZero() {
			continue
		}
		check(t, "Raw", mongocarrier.ReadRaw(bson.Raw(raws[0])))
		check(t, "field", value.Trace.Remote())
	}
}

// The strict field fails, the lenient one does not.
func TestLenientField_DriverV2(t *testing.T) {
	t.Parallel()
	type lenient struct {
		ID    string                    `bson:"_id"`
		Trace mongocarrier.LenientField `bson:"_otel,omitempty"`
	}
	for _, value := range []any{7, "text", true, bson.A{1, 2}, bson.D{{Key: "traceparent", Value: 7}}, nil, bson.NewObjectID(), bson.D{}} {
		raw, err := bson.Marshal(bson.D{{Key: "_id", Value: "o-1"}, {Key: "_otel", Value: value}})
		if err != nil {
			t.Fatal(err)
		}
		var got lenient
		if err := bson.Unmarshal(raw, &got); err != nil || got.ID != "o-1" || !got.Trace.IsZero() {
			t.Errorf("%v: %+v, %v", value, got, err)
		}
	}
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: "o-1"}, {Key: "_otel", Value: 7}})
	if err != nil {
		t.Fatal(err)
	}
	if err := bson.Unmarshal(raw, new(order)); err == nil {
		t.Error("the strict field took a number")
	}
	want := lenient{"o-1", mongocarrier.LenientField(mongocarrier.Capture(spanCtx(t, traceparentA)))}
	for _, c := range codecs() {
		encoded, err := c.marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got lenient
		if err := c.unmarshal(encoded, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		check(t, c.name, got.Trace.Remote())
	}
	// With v1 the field is any, and is read when it is needed.
	var loose struct {
		Trace any `bson:"_otel"`
	}
	if err := bson1.Unmarshal(raw, &loose); err != nil {
		t.Fatal(err)
	}
	if err := mongocarrier.ReadM(map[string]any{"_otel": loose.Trace}).Err(); err == nil {
		t.Error("a number is a context")
	}
}

func TestField_Embedded(t *testing.T) {
	t.Parallel()
	type embedded struct {
		mongocarrier.Field
		ID    string `bson:"_id"`
		Total int    `bson:"total"`
	}
	type inlined struct {
		mongocarrier.Field `bson:",inline"`
		ID                 string `bson:"_id"`
		Total              int    `bson:"total"`
	}
	c := mongocarrier.Capture(spanCtx(t, traceparentA))
	for _, codec := range codecs() {
		for _, value := range []any{embedded{c, "o-1", 42}, inlined{c, "o-1", 42}, &embedded{c, "o-1", 42}} {
			raw, err := codec.marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			if bson.Raw(raw).Lookup("_id").StringValue() != "o-1" || bson.Raw(raw).Lookup("total").Int32() != 42 {
				t.Errorf("%s: %T became %s", codec.name, value, bson.Raw(raw))
			}
		}
		raw, err := codec.marshal(inlined{c, "o-1", 42})
		if err != nil {
			t.Fatal(err)
		}
		check(t, codec.name+", inline", mongocarrier.ReadRaw(bson.Raw(raw), mongocarrier.WithForm(mongocarrier.FormFlat)))
	}
}

// What is not a document of the user's is one that both
// drivers encode.
func TestSetFields_UpdatesAndSchemasAreBSON(t *testing.T) {
	t.Parallel()
	ctx := spanCtx(t, traceparentA)
	onInsert, set := mongocarrier.SetFields(ctx, mongocarrier.ModeBoth)
	stage, ok := mongocarrier.PipelineStage(ctx, mongocarrier.ModeBoth)
	if !ok {
		t.Fatal("no stage")
	}
	for _, c := range codecs() {
		for _, doc := range []any{
			map[string]any{"$setOnInsert": onInsert, "$set": set},
			stage,
			mongocarrier.JSONSchemaProperties(),
			mongocarrier.CommentDocument(ctx, "find"),
		} {
			raw, err := c.marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.validate(raw); err != nil {
				t.Error(err)
			}
		}
		raw, err := c.marshal(stage)
		if err != nil {
			t.Fatal(err)
		}
		if got := bson.Raw(raw).Lookup("$set", "_otel_last", "$literal", "traceparent").StringValue(); got != traceparentA {
			t.Errorf("%s: the literal is %q", c.name, got)
		}
	}
}
