// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/propagation"
)

// everyType is a document with an element of every type of BSON.
func everyType() Raw {
	element := func(kind byte, name string, value ...byte) []byte {
		return slices.Concat([]byte{kind}, []byte(name), []byte{0}, value)
	}
	text := []byte{3, 0, 0, 0, 'h', 'i', 0}
	empty := []byte{5, 0, 0, 0, 0}
	return frame(slices.Concat(
		element(0x01, "double", make([]byte, 8)...),
		element(0x02, "string", text...),
		element(0x03, "document", empty...),
		element(0x04, "array", empty...),
		element(0x05, "binary", 2, 0, 0, 0, 0, 0xff, 0xfe),
		element(0x06, "undefined"),
		element(0x07, "id", make([]byte, 12)...),
		element(0x08, "bool", 1),
		element(0x09, "time", make([]byte, 8)...),
		element(0x0A, "null"),
		element(0x0B, "regex", 'a', 0, 'i', 0),
		element(0x0C, "pointer", slices.Concat(text, make([]byte, 12))...),
		element(0x0D, "code", text...),
		element(0x0E, "symbol", text...),
		element(0x0F, "scope", slices.Concat([]byte{16, 0, 0, 0}, text, empty)...),
		element(0x10, "int32", 1, 0, 0, 0),
		element(0x11, "timestamp", make([]byte, 8)...),
		element(0x12, "int64", make([]byte, 8)...),
		element(0x13, "decimal", make([]byte, 16)...),
		element(0x7F, "max"),
		element(0xFF, "min"),
	))
}

func TestInjectRaw_RefusesEveryPrefix(t *testing.T) {
	t.Parallel()
	ctx := spanCtx(t, traceparentA)
	whole := everyType()
	if _, err := mongocarrier.InjectRaw(ctx, slices.Clone(whole), w3c()); err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) {
		requireRefused(t, whole[:n:n])
		patched := slices.Clone(whole[:n])
		if n >= 5 { // a length that fits, and no zero or a cut element before it.
			binary.LittleEndian.PutUint32(patched, uint32(n))
			patched[n-1] = 0
			if _, err := decode(patched); err != nil {
				requireRefused(t, patched)
			}
		}
	}
}

func requireRefused(t *testing.T, doc Raw) {
	t.Helper()
	before := slices.Clone(doc)
	got, err := mongocarrier.InjectRaw(spanCtx(t, traceparentA), doc, w3c())
	if !errors.Is(err, mongocarrier.ErrMalformed) {
		t.Errorf("%q: error %v", doc, err)
	}
	if !bytes.Equal(got, before) || !bytes.Equal(doc, before) || len(doc) > 0 && &got[0] != &doc[0] {
		t.Errorf("%q became %q", before, got)
	}
	if got := mongocarrier.ReadRaw(doc, w3c()); got.Err() == nil {
		t.Errorf("%q holds %s", doc, traceparent(got))
	}
	if got := mongocarrier.StripRaw(doc); !bytes.Equal(got, before) {
		t.Errorf("%q stripped is %q", doc, got)
	}
}

func TestInjectRaw_RefusesMalformedElements(t *testing.T) {
	t.Parallel()
	for name, body := range map[string][]byte{
		"unknown type":              {0x20, 'a', 0},
		"no end of the name":        {0x0A, 'a', 'b'},
		"string too long":           {0x02, 'a', 0, 99, 0, 0, 0, 'x', 0},
		"string of length 0":        {0x02, 'a', 0, 0, 0, 0, 0},
		"string of negative length": {0x02, 'a', 0, 0xff, 0xff, 0xff, 0xff, 0},
		"string without its zero":   {0x02, 'a', 0, 1, 0, 0, 0, 'x'},
		"string without a length":   {0x02, 'a', 0, 1},
		"document too long":         {0x03, 'a', 0, 99, 0, 0, 0, 0},
		"document too short":        {0x03, 'a', 0, 4, 0, 0, 0},
		"document without its zero": {0x03, 'a', 0, 5, 0, 0, 0, 1},
		"negative document":         {0x03, 'a', 0, 0xff, 0xff, 0xff, 0xff, 0},
		"negative binary":           {0x05, 'a', 0, 0xff, 0xff, 0xff, 0xff, 0},
		"binary too long":           {0x05, 'a', 0, 9, 0, 0, 0, 0},
		"cut id":                    {0x07, 'a', 0, 1, 2},
		"regex without an end":      {0x0B, 'a', 0, 'x'},
		"regex without flags":       {0x0B, 'a', 0, 'x', 0, 'i'},
		"length near overflow":      {0x02, 'a', 0, 0xff, 0xff, 0xff, 0x7f, 0},
		"pointer near overflow":     {0x0C, 'a', 0, 0xff, 0xff, 0xff, 0x7f, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireRefused(t, frame(body))
			nested := encode(t, D{{"x", 1}})
			requireRefused(t, frame(slices.Concat(nested[4:len(nested)-1], body)))
		})
	}
	for _, doc := range []Raw{nil, {}, {0}, {5, 0, 0, 0}, {4, 0, 0, 0, 0}, {6, 0, 0, 0, 0}, {5, 0, 0, 0, 1}, {0xff, 0xff, 0xff, 0xff, 0}} {
		requireRefused(t, doc)
	}
}

// A nested document that the path leads into is walked too.
func TestInjectRaw_RefusesAMalformedNestedDocument(t *testing.T) {
	t.Parallel()
	bad := frame([]byte{0x20, 'a', 0})
	doc := frame(slices.Concat([]byte{0x03, 'm', 0}, bad))
	before := slices.Clone(doc)
	got, err := mongocarrier.InjectRaw(spanCtx(t, traceparentA), doc, w3c(), mongocarrier.WithField("m.trace"))
	if !errors.Is(err, mongocarrier.ErrMalformed) || !bytes.Equal(got, before) {
		t.Errorf("%v, %q", err, got)
	}
}

func TestInjectRaw_KeepsTheBytesOfTheUser(t *testing.T) {
	t.Parallel()
	for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat, mongocarrier.FormProperties} {
		doc := everyType()
		user := slices.Clone(doc[4 : len(doc)-1])
		for _, tp := range []string{traceparentA, traceparentB, traceparentA} {
			opts := []mongocarrier.Option{full(), mongocarrier.WithForm(form)}
			out, err := mongocarrier.InjectRaw(stateCtx(t, tp, "v="+strings.Repeat("x", int(tp[3]))), doc, opts...)
			if err != nil {
				t.Fatal(err)
			}
			mustDecode(t, out)
			if !bytes.Equal(out[4:4+len(user)], user) || len(out) != int(binary.LittleEndian.Uint32(out)) || out[len(out)-1] != 0 {
				t.Errorf("form %d: %q", form, out)
			}
			if got := traceparent(mongocarrier.ReadRaw(out, opts...)); got != tp {
				t.Errorf("form %d: %s", form, got)
			}
			doc = out
		}
	}
}

// Encoders return documents with spare capacity of any size.
func TestInjectRaw_SpareCapacity(t *testing.T) {
	t.Parallel()
	for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat, mongocarrier.FormProperties} {
		opts := []mongocarrier.Option{full(), mongocarrier.WithForm(form)}
		for size := range 1200 {
			doc := encode(t, D{{"_id", 1}, {"text", strings.Repeat("x", size)}})
			doc = append(make(Raw, 0, len(doc)+size%256), doc...)
			before := slices.Clone(doc[:cap(doc)])
			first, err := mongocarrier.InjectRaw(spanCtx(t, traceparentA), doc, opts...)
			if err != nil {
				t.Fatal(err)
			}
			second, err := mongocarrier.InjectRaw(spanCtx(t, traceparentB), doc, opts...)
			if err != nil {
				t.Fatalf("form %d, size %d: the second call: %v", form, size, err)
			}
			if !bytes.Equal(doc[:cap(doc)], before) {
				t.Fatalf("form %d, size %d: the document was modified", form, size)
			}
			mustDecode(t, first)
			if a, b := traceparent(mongocarrier.ReadRaw(first, opts...)), traceparent(mongocarrier.ReadRaw(second, opts...)); a != traceparentA || b != traceparentB {
				t.Fatalf("form %d, size %d: got %s and %s", form, size, a, b)
			}
		}
	}
}

func TestWithInPlace(t *testing.T) {
	t.Parallel()
	for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat, mongocarrier.FormProperties} {
		for _, field := range []string{"", "meta.trace"} {
			opts := []mongocarrier.Option{full(), mongocarrier.WithForm(form), mongocarrier.WithField(field), mongocarrier.WithInPlace()}
			eachShape(t, func(t *testing.T, s shape) {
				for _, room := range []int{0, 10, 1000} {
					doc := s.make(t, order())
					switch plain := doc.(type) {
					case D:
						doc = append(make(D, 0, len(plain)+room), plain...)
					case Raw:
						doc = append(make(Raw, 0, len(plain)+room), plain...)
					}
					doc = s.inject(t, stateCtx(t, traceparentA, "v="+strings.Repeat("x", 50)), doc, opts...)
					if got := traceparent(s.read(doc, opts...)); got != traceparentA {
						t.Errorf("form %d, field %q: got %q", form, field, got)
					}
					doc = s.inject(t, spanCtx(t, traceparentB), doc, opts...)
					if r := s.read(doc, opts...); traceparent(r) != traceparentB || r.SpanContext().TraceState().Len() != 0 {
						t.Errorf("form %d, field %q, again: got %v", form, field, r.SpanContext())
					}
					doc = s.inject(t, t.Context(), doc, append(opts, full(propagation.WithPolicy(propagation.Replace)))...)
					want := order()
					if field != "" {
						want = nil // The document of the path stays.
					}
					if want != nil && !cmp.Equal(plain(t, s.make(t, want)), plain(t, doc)) {
						t.Errorf("form %d: removed: %s", form, cmp.Diff(plain(t, s.make(t, want)), plain(t, doc)))
					}
				}
			})
		}
	}
	room := append(make(Raw, 0, 1000), encode(t, order())...)
	if got, err := mongocarrier.InjectRaw(spanCtx(t, traceparentA), room, mongocarrier.WithInPlace()); err != nil || &got[0] != &room[0] {
		t.Errorf("a document with room was copied, %v", err)
	}
}

// Bytes behind the document are not part of it.
func TestInjectRaw_LeavesOutExcessBytes(t *testing.T) {
	t.Parallel()
	doc := encode(t, order())
	excess := append(slices.Clone(doc), "excess"...)
	for _, field := range []string{"_otel", "meta.trace"} {
		opts := []mongocarrier.Option{w3c(), mongocarrier.WithField(field)}
		want, _ := mongocarrier.InjectRaw(spanCtx(t, traceparentA), slices.Clone(doc), opts...)
		got, err := mongocarrier.InjectRaw(spanCtx(t, traceparentA), excess, opts...)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %q, %v", field, got, err)
		}
		if string(excess[len(doc):]) != "excess" {
			t.Errorf("%s: excess became %q", field, excess[len(doc):])
		}
	}
}

func TestInjectRaw_ReplacesTheField(t *testing.T) {
	t.Parallel()
	doc := encode(t, D{{"_otel", D{{"traceparent", traceparentB}}}, {"a", 1}})
	got, err := mongocarrier.InjectRaw(spanCtx(t, traceparentA), doc, w3c())
	want := D{{"_otel", D{{"traceparent", traceparentA}}}, {"a", 1}}
	if diff := cmp.Diff(want, mustDecode(t, got)); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestInjectRaw_GrowthInBytes(t *testing.T) {
	t.Parallel()
	grown := func(tracestate string, opts ...mongocarrier.Option) int {
		doc := encode(t, order())
		got, err := mongocarrier.InjectRaw(stateCtx(t, traceparentA, tracestate), slices.Clone(doc), opts...)
		if err != nil {
			t.Fatal(err)
		}
		return len(got) - len(doc)
	}
	state := "v=" + strings.Repeat("x", 250) + ",w=" + strings.Repeat("x", 250) + ",z=" // 508 bytes.
	for name, c := range map[string]struct{ got, want int }{
		"traceparent":             {grown("", w3c()), 85},
		"tracestate of 3":         {grown("a=1", w3c()), 85 + 17 + 3},
		"with a waybill":          {grown("", full()), 85 + 51},
		"flat":                    {grown("", w3c(), mongocarrier.WithForm(mongocarrier.FormFlat)), 73},
		"tracestate of 512":       {grown(state+"xxxx", w3c()), 85 + 17 + 512},
		"tracestate of 513":       {grown(state+"xxxxx", w3c()), 85},
		"a budget without room":   {grown("", full(propagation.WithMaxBytes(10))), 0},
		"a budget for one":        {grown("a=1", full(propagation.WithMaxBytes(11+55))), 85},
		"a budget of less than 0": {grown("", w3c(propagation.WithMaxBytes(-1))), 85},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, c.got, c.want)
		}
	}
}

func TestInject_BaggageIsLimitedByMembers(t *testing.T) {
	t.Parallel()
	keys := make([]string, 0, 20)
	members := make([]string, 0, 20)
	for i := range 20 {
		key := "k" + string(rune('a'+i))
		keys = append(keys, key)
		members = append(members, key+"="+strings.Repeat("v", 97)) // 100 bytes, and a comma.
	}
	ctx := withBaggage(t, spanCtx(t, traceparentA), strings.Join(members, ","))
	eachShape(t, func(t *testing.T, s shape) {
		if got := s.read(s.inject(t, ctx, s.make(t, order()), full()), full(propagation.WithBaggage(keys...))); got.Baggage().Len() != 0 {
			t.Errorf("by default: %q", got.Baggage())
		}
		opts := []mongocarrier.Option{full(propagation.WithBaggage(keys...))}
		got := s.read(s.inject(t, ctx, s.make(t, order()), opts...), opts...).Baggage()
		if got.Len() != 10 {
			t.Errorf("%d members", got.Len())
		}
		for _, m := range got.Members() {
			if m.Value() != strings.Repeat("v", 97) {
				t.Errorf("member %s was cut: %q", m.Key(), m.Value())
			}
		}
		one := []mongocarrier.Option{full(propagation.WithBaggage("kb"))}
		if got := s.read(s.inject(t, ctx, s.make(t, order()), one...), one...).Baggage(); got.Len() != 1 || got.Member("kb").Key() != "kb" {
			t.Errorf("asked for one member: %q", got)
		}
		// Asked for when it was written, and not when it is read.
		if got := s.read(s.inject(t, ctx, s.make(t, order()), one...), full()).Baggage(); got.Len() != 0 {
			t.Errorf("read without asking: %q", got)
		}
		if got := s.read(s.inject(t, ctx, s.make(t, order()), append(one, full(propagation.WithoutBaggage()))...), one...).Baggage(); got.Len() != 0 {
			t.Errorf("after WithoutBaggage: %q", got)
		}
	})
}

func TestInjectRaw_DocumentsAtTheLimit(t *testing.T) {
	reported := recordErrors(t)
	ctx := spanCtx(t, traceparentA)
	sized := func(n int) Raw {
		const overhead = 5 + 1 + 2 + 5 // the document, the name, the subtype and the length.
		return encode(t, D{{"b", make([]byte, n-overhead)}})
	}
	fits := sized(mongocarrier.MaxDocumentBytes - 85)
	got, err := mongocarrier.InjectRaw(ctx, fits, w3c())
	if err != nil || len(got) != mongocarrier.MaxDocumentBytes || traceparent(mongocarrier.ReadRaw(got, w3c())) != traceparentA {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	// At the limit a context of the same size still replaces the other.
	got, err = mongocarrier.InjectRaw(spanCtx(t, traceparentB), got, w3c())
	if err != nil || traceparent(mongocarrier.ReadRaw(got, w3c())) != traceparentB {
		t.Errorf("replaced: %v", err)
	}
	if len(*reported) != 0 {
		t.Errorf("reported %q", *reported)
	}
	for _, opts := range [][]mongocarrier.Option{
		{w3c()},
		{w3c(), mongocarrier.WithForm(mongocarrier.FormFlat)},
		{w3c(), mongocarrier.WithForm(mongocarrier.FormProperties)},
		{w3c(), mongocarrier.WithField("a.b.c")},
	} {
		once := recordErrors(t)
		full := sized(mongocarrier.MaxDocumentBytes - 72)
		before := slices.Clone(full)
		for range 2 {
			got, err := mongocarrier.InjectRaw(ctx, full, opts...)
			if err != nil || !bytes.Equal(got, before) {
				t.Errorf("%d bytes of %d, %v", len(got), len(before), err)
			}
		}
		if len(*once) != 1 || !strings.Contains((*once)[0], "16 MiB") {
			t.Errorf("reported %q", *once)
		}
	}
}

func TestWithField_BlockedPathsAreReportedOnce(t *testing.T) {
	reported := recordErrors(t)
	for _, field := range []string{"status.trace", "tags.trace", "total.a.b", "_id", "_id.trace", "a..b", ".a", "a.", "$a", "a.$b", "a\x00b", "a.\xff"} {
		for _, s := range shapes() {
			for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat, mongocarrier.FormProperties} {
				got := s.inject(t, spanCtx(t, traceparentA), s.make(t, order()), w3c(), mongocarrier.WithField(field), mongocarrier.WithForm(form))
				if diff := cmp.Diff(s.make(t, order()), got); diff != "" && form != mongocarrier.FormFlat {
					t.Errorf("%s in %s: %s", field, s.name, diff)
				}
			}
		}
	}
	if len(*reported) != 1 || !strings.Contains((*reported)[0], "status.trace") {
		t.Errorf("reported %q", *reported)
	}
}

// A document is not written to in vain.
func TestWithField_BlockedPathIsOnlyRead(t *testing.T) {
	t.Parallel()
	doc := encode(t, D{{"meta", D{{"a", D{{"b", "text"}}}}}})
	opts := []mongocarrier.Option{w3c(), mongocarrier.WithField("meta.a.b.c")}
	ctx := spanCtx(t, traceparentA)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { mongocarrier.StripRaw(doc, opts...) })
		all.Go(func() { _, _ = mongocarrier.InjectRaw(ctx, doc, opts...) })
	}
	all.Wait()
}

func TestReadRaw_KeepsNothingOfTheBuffer(t *testing.T) {
	t.Parallel()
	ctx := withBaggage(t, stateCtx(t, traceparentA, "vendor=1"), "user=alice")
	for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat, mongocarrier.FormProperties} {
		opts := []mongocarrier.Option{full(propagation.WithBaggage("user")), mongocarrier.WithForm(form)}
		current, err := mongocarrier.InjectRaw(ctx, encode(t, order()), opts...)
		if err != nil {
			t.Fatal(err)
		}
		remote := mongocarrier.ReadRaw(current, opts...)
		extracted := mongocarrier.ExtractRaw(t.Context(), current, opts...)
		event := encode(t, D{{"operationType", "insert"}, {"fullDocument", mustDecode(t, current)}})
		fromEvent, _ := mongocarrier.ReadChangeEvent(event, opts...)
		for i := range current {
			current[i] = 'X'
		}
		for i := range event {
			event[i] = 'X'
		}
		for _, r := range []propagation.Remote{remote, fromEvent} {
			if traceparent(r) != traceparentA || r.SpanContext().TraceState().Get("vendor") != "1" || r.Baggage().Member("user").Value() != "alice" {
				t.Errorf("form %d: %s, %q, %q", form, traceparent(r), r.SpanContext().TraceState(), r.Baggage())
			}
		}
		if w := propagation.WaybillFromContext(extracted); w.Hops != 1 {
			t.Errorf("form %d: waybill %+v", form, w)
		}
	}
}
