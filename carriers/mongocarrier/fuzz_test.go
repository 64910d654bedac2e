// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
)

// FuzzInjectRaw compares the walk over bytes with an independent reader: what
// that accepts is accepted, what is refused comes back as it was, and of what
// is written the user's part has not changed.
func FuzzInjectRaw(f *testing.F) {
	f.Add([]byte(everyType()), "_otel", 0)
	f.Add([]byte(encode(f, order())), "meta.trace", 1)
	f.Add([]byte(encode(f, order())), "meta", 2)
	f.Add([]byte(encode(f, append(order(), E{"_otel", D{{"traceparent", traceparentB}}}))), "_otel", 0)
	f.Add([]byte(encode(f, D{{"_otel", []any{[]any{"traceparent", traceparentB}, D{{"key", "b3"}, {"value", "x"}}}}})), "_otel", 0)
	f.Add([]byte(encode(f, D{{"", D{{"", D{}}}}, {"_otel_extra", D{{"b3", "x"}}}})), "a.b", 1)
	f.Add([]byte{5, 0, 0, 0, 0}, "a.b.c", 0)
	f.Add([]byte{5, 0, 0, 0, 1}, "", 0)
	ctx := spanCtx(f, traceparentA)
	f.Fuzz(func(t *testing.T, doc []byte, field string, form int) {
		opts := []mongocarrier.Option{w3c(), mongocarrier.WithField(field), mongocarrier.WithForm(mongocarrier.Form(form))}
		before := slices.Clone(doc)
		whole := doc
		if len(doc) >= 5 {
			if n := int(int32(binary.LittleEndian.Uint32(doc))); n >= 5 && n <= len(doc) {
				whole = doc[:n]
			}
		}
		want, wantErr := decode(whole)
		mongocarrier.ReadRaw(Raw(doc), opts...)
		mongocarrier.ReadChangeEvent(Raw(doc), opts...)
		mongocarrier.ReadRaw(Raw(doc), append(opts, using(searching{}))...)
		mongocarrier.ReadM(M{"_otel": RawValue{0x04, doc}, "meta": Raw(doc)}, opts...)
		mongocarrier.NewRaw((*Raw)(&doc), opts...).Keys()
		mongocarrier.IsOnlyContext(Raw(doc), opts...)
		if !bytes.Equal(doc, before) {
			t.Fatal("reading writes")
		}
		got, err := mongocarrier.InjectRaw(ctx, slices.Clone(doc), opts...)
		if err != nil {
			if !errors.Is(err, mongocarrier.ErrMalformed) || !bytes.Equal(got, before) {
				t.Fatalf("refused with %v, and %q became %q", err, before, got)
			}
			if wantErr == nil {
				t.Fatalf("%q is well-formed: %v", before, err)
			}
			return
		}
		if wantErr != nil {
			return // malformed in a nested document, which nobody walks.
		}
		if bytes.Equal(got, before) {
			return // a path that is blocked.
		}
		after, err := decode(got)
		if err != nil {
			t.Fatalf("%q became %q", before, got)
		}
		if tp := traceparent(mongocarrier.ReadRaw(Raw(got), opts...)); tp != traceparentA {
			t.Fatalf("%q holds %q", got, tp)
		}
		if len(after) < len(want) {
			t.Fatalf("%v became %v", want, after)
		}
		stripped := mongocarrier.StripRaw(Raw(got), opts...)
		if _, err := decode(stripped); err != nil {
			t.Fatalf("%q stripped is %q", got, stripped)
		}
	})
}

// FuzzProperties round-trips any key and value.
func FuzzProperties(f *testing.F) {
	f.Add("traceparent", traceparentA)
	f.Add(" #!:=\\", "\n\r\t\f \\u0041")
	f.Add("", " ")
	f.Add("{", "0")
	f.Fuzz(func(t *testing.T, key, value string) {
		if value == "" || !isText(key) || !isText(value) {
			return
		}
		opts := []mongocarrier.Option{using(legacy{key, value}), mongocarrier.WithForm(mongocarrier.FormProperties)}
		if key == "baggage" || key == "tracestate" {
			return // they have limits.
		}
		doc := mongocarrier.InjectM(spanCtx(t, traceparentA), M{}, opts...)
		if err := mongocarrier.ReadM(doc, opts...).Err(); err != nil {
			t.Fatalf("%q: %v", doc["tracingspancontext"], err)
		}
	})
}

func isText(s string) bool { return bytes.Equal(bytes.ToValidUTF8([]byte(s), nil), []byte(s)) }

// FuzzReadText never panics, and never finds a context in garbage.
func FuzzReadText(f *testing.F) {
	for _, seed := range []string{"traceparent=" + traceparentA, "#c\n\\u", traceparentA, "a\\\n b", ":\\"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if r := mongocarrier.ReadM(M{"_otel": text}, full()); r.Err() == nil && !r.SpanContext().IsValid() {
			t.Fatalf("%q", text)
		}
	})
}

// FuzzLenientField takes any value of any type.
func FuzzLenientField(f *testing.F) {
	f.Add(byte(0x03), []byte(encode(f, D{{"traceparent", traceparentA}})))
	f.Add(byte(0x02), []byte{1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, kind byte, value []byte) {
		var field mongocarrier.LenientField
		if err := field.UnmarshalBSONValue(kind, value); err != nil {
			t.Fatal(err)
		}
	})
}
