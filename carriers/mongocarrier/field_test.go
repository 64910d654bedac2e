// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/propagation"
)

func TestCapture(t *testing.T) {
	t.Parallel()
	ctx := withBaggage(t, stateCtx(t, traceparentA, "vendor=1"), "user=alice,tier=gold")
	c := mongocarrier.Capture(ctx, fullContext, propagation.WithBaggage("user"))
	if c.Traceparent != traceparentA || c.Tracestate != "vendor=1" || c.Baggage != "user=alice" || c.Waybill == "" || c.Extra != nil {
		t.Errorf("captured %+v", c)
	}
	remote := c.Remote(fullContext, propagation.WithBaggage("user"))
	if traceparent(remote) != traceparentA || remote.Baggage().Len() != 1 || remote.Waybill().Hops != 1 {
		t.Errorf("read %+v", remote)
	}
	if got := traceparent(mongocarrier.ReadM(M{"_otel": c}, full())); got != traceparentA {
		t.Errorf("in a document: %s", got)
	}
	got := c.Context(t.Context(), fullContext)
	if w := propagation.WaybillFromContext(got); w.Hops != 1 {
		t.Errorf("the waybill is %+v", w)
	}
	if c := mongocarrier.Capture(t.Context(), fullContext); !c.IsZero() {
		t.Errorf("without a span: %+v", c)
	}
	var none context.Context
	if c := mongocarrier.Capture(none, fullContext); !c.IsZero() || c.Context(none, fullContext) == nil {
		t.Errorf("without a ctx: %+v", c)
	}
	if err := (mongocarrier.Field{}).Remote(fullContext).Err(); err != propagation.ErrAbsent {
		t.Errorf("zero: %v", err)
	}
}

func TestField_KeysOfOtherFormats(t *testing.T) {
	t.Parallel()
	p := propagation.WithPropagator(legacy{"$b3.x", "1"})
	c := mongocarrier.Capture(spanCtx(t, traceparentA), p)
	if diff := cmp.Diff(map[string]string{"%24b3%2Ex": "1"}, c.Extra); diff != "" {
		t.Error(diff)
	}
	if err := c.Remote(p).Err(); err != nil {
		t.Error(err)
	}
	if c.IsZero() {
		t.Error("it is zero")
	}
}

// Driver v2 calls the method.
func TestLenientField_DecodesAnything(t *testing.T) {
	t.Parallel()
	read := func(kind byte, value []byte) mongocarrier.LenientField {
		f := mongocarrier.LenientField{Traceparent: "stale", Extra: map[string]string{"stale": "1"}}
		if err := f.UnmarshalBSONValue(kind, value); err != nil {
			t.Errorf("type %#x: %v", kind, err)
		}
		return f
	}
	for _, value := range []any{nil, 7, int32(7), true, "text", []any{traceparentA}, D{}, []byte{1}} {
		kind, b := encodeValue(t, value)
		if f := read(kind, b); f.Remote(fullContext).Err() == nil || f.Traceparent == "stale" || f.Extra["stale"] != "" {
			t.Errorf("%v became %+v", value, f)
		}
	}
	for kind := range 256 {
		for _, value := range [][]byte{nil, {0}, {1, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, everyType(), everyType()[:20]} {
			read(byte(kind), value)
		}
	}
	for _, value := range []any{
		D{{"traceparent", traceparentA}, {"tracestate", "v=1"}, {"b3", "x"}},
		"traceparent=" + traceparentA + "\ntracestate=v=1\nb3=x",
	} {
		kind, b := encodeValue(t, value)
		f := read(kind, b)
		clear(b) // it keeps nothing of the buffer.
		want := mongocarrier.LenientField{Traceparent: traceparentA, Tracestate: "v=1", Extra: map[string]string{"b3": "x"}}
		if diff := cmp.Diff(want, f); diff != "" {
			t.Error(diff)
		}
		if f.IsZero() || traceparent(f.Remote(fullContext)) != traceparentA {
			t.Errorf("read %+v", f)
		}
		if got := f.Context(t.Context(), fullContext); got == t.Context() {
			t.Error("the ctx did not change")
		}
	}
	if !(mongocarrier.LenientField{}).IsZero() {
		t.Error("zero is not zero")
	}
}

func TestField_IsSafeWhenEmbedded(t *testing.T) {
	t.Parallel()
	for _, typ := range []reflect.Type{reflect.TypeFor[mongocarrier.Field](), reflect.TypeFor[*mongocarrier.Field]()} {
		for method := range typ.Methods() {
			name := method.Name
			if strings.Contains(name, "arshal") || slices.Contains([]string{"String", "Error", "Format", "Scan", "Value"}, name) {
				t.Errorf("%s would take over a struct that embeds it: %s", typ, name)
			}
		}
	}
	type order struct {
		mongocarrier.Field
		ID string `json:"id"`
	}
	text, err := json.Marshal(order{mongocarrier.Field{Traceparent: traceparentA}, "o-1"})
	if want := `{"traceparent":"` + traceparentA + `","id":"o-1"}`; err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
}

// The tests with both drivers are in internal/e2e.
func TestField_IsZero(t *testing.T) {
	t.Parallel()
	for _, c := range []mongocarrier.Field{
		{Traceparent: "x"}, {Tracestate: "x"}, {Baggage: "x"}, {Waybill: "x"}, {Extra: map[string]string{"x": "y"}},
	} {
		if c.IsZero() {
			t.Errorf("%+v is zero", c)
		}
	}
	if !(mongocarrier.Field{Extra: map[string]string{}}).IsZero() {
		t.Error("an empty map is something")
	}
}

func TestWithCaptured_DoesNotModifyTheMap(t *testing.T) {
	t.Parallel()
	captured := mongocarrier.Field{Extra: map[string]string{"b3": "1"}, Others: map[string]string{"uber-trace-id": "2"}}
	eachShape(t, func(t *testing.T, s shape) {
		got := at(plain(t, s.inject(t, t.Context(), s.make(t, order()), full(), mongocarrier.WithCaptured(captured))), "_otel")
		if diff := cmp.Diff(any(D{{"b3", "1"}, {"uber-trace-id", "2"}}), got); diff != "" {
			t.Errorf("written (-want +got):\n%s", diff)
		}
		if len(captured.Extra) != 1 || len(captured.Others) != 1 {
			t.Errorf("the captured context became %+v", captured)
		}
	})
}

func TestStrip(t *testing.T) {
	t.Parallel()
	for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat, mongocarrier.FormProperties} {
		eachShape(t, func(t *testing.T, s shape) {
			opts := []mongocarrier.Option{full(), mongocarrier.WithForm(form)}
			doc := s.inject(t, stateCtx(t, traceparentA, "v=1"), s.make(t, order()), opts...)
			if diff := cmp.Diff(s.make(t, order()), s.strip(doc, opts...)); diff != "" {
				t.Errorf("form %d: %s", form, diff)
			}
			if got := traceparent(s.read(doc, opts...)); got != traceparentA {
				t.Errorf("form %d: the document itself lost its context", form)
			}
			if diff := cmp.Diff(s.make(t, order()), s.strip(s.make(t, order()), opts...)); diff != "" {
				t.Errorf("form %d, nothing there: %s", form, diff)
			}
			if diff := cmp.Diff(s.make(t, order()), s.strip(s.make(t, order()), full(), mongocarrier.WithField("status.x"))); diff != "" {
				t.Errorf("form %d, a blocked path: %s", form, diff)
			}
		})
	}
	if mongocarrier.StripD(D(nil)) != nil || mongocarrier.StripM(M(nil)) != nil || mongocarrier.StripRaw(Raw(nil)) != nil {
		t.Error("nil became something")
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	bare := encode(t, order())
	want := mongocarrier.Digest(bare)
	for _, tp := range []string{traceparentA, traceparentB} {
		doc, _ := mongocarrier.InjectRaw(spanCtx(t, tp), slices.Clone(bare), full())
		if mongocarrier.Digest(doc) != want {
			t.Errorf("%s changes the digest", tp)
		}
	}
	if mongocarrier.Digest(encode(t, append(order(), E{"x", 1}))) == want {
		t.Error("another document has the same digest")
	}
}

// A callback that a driver calls again writes the same context, and
// so does a relay for another.
func TestWithCaptured_WritesTheSameAgain(t *testing.T) {
	t.Parallel()
	captured := mongocarrier.Capture(stateCtx(t, traceparentA, "v=1"), fullContext)
	for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat, mongocarrier.FormProperties} {
		eachShape(t, func(t *testing.T, s shape) {
			opts := []mongocarrier.Option{full(), mongocarrier.WithForm(form)}
			again := append(slices.Clip(opts), mongocarrier.WithCaptured(captured))
			relay := spanCtx(t, traceparentB)
			first := plain(t, s.inject(t, relay, s.make(t, order()), again...))
			second := plain(t, s.inject(t, t.Context(), s.make(t, order()), again...))
			if diff := cmp.Diff(first, second); diff != "" {
				t.Errorf("form %d: %s", form, diff)
			}
			doc := s.inject(t, relay, s.make(t, order()), opts...)
			doc = s.inject(t, relay, doc, again...)
			if r := s.read(doc, opts...); traceparent(r) != traceparentA || r.SpanContext().TraceState().Len() != 1 {
				t.Errorf("form %d: read %s", form, traceparent(r))
			}
			// A capture without a tracestate leaves none of another.
			bare := mongocarrier.Capture(spanCtx(t, traceparentB), fullContext)
			doc = s.inject(t, relay, doc, append(slices.Clip(opts), mongocarrier.WithCaptured(bare))...)
			if r := s.read(doc, opts...); traceparent(r) != traceparentB || r.SpanContext().TraceState().Len() != 0 {
				t.Errorf("form %d: read %s, %q", form, traceparent(r), r.SpanContext().TraceState())
			}
			// A zero one is a context without a span.
			zero := append(slices.Clip(opts), mongocarrier.WithCaptured(mongocarrier.Field{}))
			doc = s.inject(t, relay, doc, zero...)
			if got := traceparent(s.read(doc, opts...)); got != traceparentB {
				t.Errorf("form %d: a zero context wrote %q", form, got)
			}
			doc = s.inject(t, relay, doc, append(zero, full(propagation.WithPolicy(propagation.Replace)))...)
			if diff := cmp.Diff(plain(t, s.make(t, order())), plain(t, doc)); diff != "" {
				t.Errorf("form %d: %s", form, diff)
			}
		})
	}
}

// Documents that are inserted together share one text.
func TestWithCaptured_DocumentsShareOneText(t *testing.T) {
	t.Parallel()
	shared := mongocarrier.WithCaptured(mongocarrier.Capture(spanCtx(t, traceparentA), fullContext))
	docs := make([]D, 100)
	for i := range docs {
		docs[i] = mongocarrier.InjectD(t.Context(), D{{"_id", i}}, shared)
		first, same := docs[0][1].Value.(*mongocarrier.Field), docs[i][1].Value.(*mongocarrier.Field)
		if first != same {
			t.Fatal("a second context was made")
		}
	}
	// One that is injected again gets another, and the rest keep theirs.
	docs[0] = mongocarrier.InjectD(spanCtx(t, traceparentB), docs[0], full())
	if got := traceparent(mongocarrier.ReadD(docs[1], full())); got != traceparentA {
		t.Errorf("the second document holds %s", got)
	}
}
