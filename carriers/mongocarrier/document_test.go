// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/propagation"
)

func order() D {
	return D{{"_id", "o-1"}, {"status", "new"}, {"total", 42}, {"tags", []any{"a", "b"}}, {"meta", D{{"source", "shop"}}}}
}

func TestInject_OneSubDocument(t *testing.T) {
	t.Parallel()
	eachShape(t, func(t *testing.T, s shape) {
		got := plain(t, s.inject(t, stateCtx(t, traceparentA, "vendor=1"), s.make(t, order()), w3c()))
		want := D{{"traceparent", traceparentA}, {"tracestate", "vendor=1"}}
		if diff := cmp.Diff(any(want), at(got, "_otel")); diff != "" {
			t.Error(diff)
		}
		got = plain(t, s.inject(t, spanCtx(t, traceparentA), s.make(t, order()), w3c()))
		if diff := cmp.Diff(any(D{{"traceparent", traceparentA}}), at(got, "_otel")); diff != "" {
			t.Errorf("with no tracestate: %s", diff)
		}
		before := s.make(t, order())
		if diff := cmp.Diff(before, s.inject(t, t.Context(), s.make(t, order()), full())); diff != "" {
			t.Errorf("with no span: %s", diff)
		}
		onlyBaggage := withBaggage(t, t.Context(), "user=alice")
		if diff := cmp.Diff(before, s.inject(t, onlyBaggage, s.make(t, order()), full())); diff != "" {
			t.Errorf("with baggage and no span: %s", diff)
		}
		got = plain(t, s.inject(t, onlyBaggage, s.make(t, order()), full(propagation.WithBaggage("user"))))
		if diff := cmp.Diff(any(D{{"baggage", "user=alice"}}), at(got, "_otel")); diff != "" {
			t.Errorf("with allowed baggage and no span: %s", diff)
		}
	})
}

func TestInject_WaybillOfTheDefaultPropagator(t *testing.T) {
	t.Parallel()
	eachShape(t, func(t *testing.T, s shape) {
		got := at(plain(t, s.inject(t, spanCtx(t, traceparentA), s.make(t, order()), full())), "_otel").(D)
		keys := keysOf(got)
		slices.Sort(keys)
		if diff := cmp.Diff([]string{"traceparent", "waybill"}, keys); diff != "" {
			t.Error(diff)
		}
	})
}

func TestInject_FlagsBitForBit(t *testing.T) {
	t.Parallel()
	for _, flags := range []string{"00", "01", "02", "03"} {
		eachShape(t, func(t *testing.T, s shape) {
			tp := traceparentA[:53] + flags
			doc := s.inject(t, spanCtx(t, tp), s.make(t, order()), w3c())
			if got := traceparent(s.read(doc, w3c())); got != tp {
				t.Errorf("got %s, want %s", got, tp)
			}
		})
	}
}

func TestInject_LeavesNothingOfTheFirstContext(t *testing.T) {
	t.Parallel()
	for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat, mongocarrier.FormProperties} {
		eachShape(t, func(t *testing.T, s shape) {
			opts := []mongocarrier.Option{full(propagation.WithBaggage("user")), mongocarrier.WithForm(form)}
			first := withBaggage(t, stateCtx(t, traceparentA, "vendor=1"), "user=alice")
			doc := s.inject(t, first, s.make(t, order()), opts...)
			if r := s.read(doc, opts...); r.SpanContext().TraceState().Len() != 1 || r.Baggage().Len() != 1 {
				t.Fatalf("the first inject wrote %+v", r)
			}
			doc = s.inject(t, spanCtx(t, traceparentB), doc, opts...)
			r := s.read(doc, opts...)
			if traceparent(r) != traceparentB || r.SpanContext().TraceState().Len() != 0 || r.Baggage().Len() != 0 {
				t.Errorf("form %d holds %s, tracestate %q, baggage %q", form, traceparent(r), r.SpanContext().TraceState(), r.Baggage())
			}
		})
	}
}

func TestInject_PolicyWithoutASpan(t *testing.T) {
	t.Parallel()
	for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat, mongocarrier.FormProperties} {
		eachShape(t, func(t *testing.T, s shape) {
			opts := []mongocarrier.Option{w3c(), mongocarrier.WithForm(form)}
			with := func() any { return s.inject(t, spanCtx(t, traceparentA), s.make(t, order()), opts...) }
			for policy, want := range map[propagation.Policy]any{
				0:                        with(),
				propagation.KeepExisting: with(),
				propagation.Replace:      s.make(t, order()),
			} {
				got := s.inject(t, t.Context(), with(), append(opts, w3c(propagation.WithPolicy(policy)))...)
				if diff := cmp.Diff(plain(t, want), plain(t, got)); diff != "" {
					t.Errorf("form %d, policy %d: %s", form, policy, diff)
				}
			}
			// Nothing to remove.
			got := s.inject(t, t.Context(), s.make(t, order()), append(opts, w3c(propagation.WithPolicy(propagation.Replace)))...)
			if diff := cmp.Diff(s.make(t, order()), got); diff != "" {
				t.Errorf("form %d, nothing there: %s", form, diff)
			}
		})
	}
}

func TestInject_KeepExistingKeepsAValidContextOnly(t *testing.T) {
	t.Parallel()
	keep := w3c(propagation.WithPolicy(propagation.KeepExisting))
	eachShape(t, func(t *testing.T, s shape) {
		doc := s.inject(t, spanCtx(t, traceparentA), s.make(t, order()), keep)
		doc = s.inject(t, spanCtx(t, traceparentB), doc, keep)
		if got := traceparent(s.read(doc, w3c())); got != traceparentA {
			t.Errorf("a valid context became %s", got)
		}
		bad := append(order(), E{"_otel", D{{"traceparent", "garbage"}}})
		doc = s.inject(t, spanCtx(t, traceparentB), s.make(t, bad), keep)
		if got := traceparent(s.read(doc, w3c())); got != traceparentB {
			t.Errorf("garbage was kept: %q", got)
		}
	})
}

func TestInject_ReplacesTheSameElement(t *testing.T) {
	t.Parallel()
	for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat, mongocarrier.FormProperties} {
		eachShape(t, func(t *testing.T, s shape) {
			opts := []mongocarrier.Option{w3c(), mongocarrier.WithForm(form)}
			doc := s.inject(t, spanCtx(t, traceparentA), s.make(t, order()), opts...)
			keys := keysOf(plain(t, doc))
			doc = s.inject(t, spanCtx(t, traceparentB), doc, opts...)
			if diff := cmp.Diff(keys, keysOf(plain(t, doc))); diff != "" {
				t.Errorf("form %d: %s", form, diff)
			}
			if got := traceparent(s.read(doc, opts...)); got != traceparentB {
				t.Errorf("form %d: read %s", form, got)
			}
		})
	}
}

// Where the user has put the field, it stays.
func TestInject_KeepsThePlaceOfTheField(t *testing.T) {
	t.Parallel()
	for _, s := range shapes() {
		if s.name == "M" {
			continue // it has no order.
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, there := range []any{D{}, D{{"traceparent", traceparentB}, {"tracestate", strings.Repeat("v", 200)}}, "text", nil, 7} {
				doc := s.inject(t, spanCtx(t, traceparentA), s.make(t, D{{"_id", "o"}, {"_otel", there}, {"last", 1}}), w3c())
				want := D{{"_id", "o"}, {"_otel", D{{"traceparent", traceparentA}}}, {"last", 1}}
				if diff := cmp.Diff(want, plain(t, doc)); diff != "" {
					t.Errorf("%v: %s", there, diff)
				}
			}
		})
	}
}

// Of two fields of one name the server and the drivers may take either,
// so none is left beside the new context, and none of a stripped document.
func TestInject_RemovesDuplicatesOfTheField(t *testing.T) {
	t.Parallel()
	for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat} {
		for _, path := range []string{"", "meta.trace"} {
			opts := []mongocarrier.Option{w3c(), mongocarrier.WithForm(form), mongocarrier.WithField(path)}
			old := D{{"x", 1}, {"_otel", "old"}, {"y", 2}, {"_otel", D{{"traceparent", traceparentB}}}, {"z", 3}, {"_otel", 7}}
			if form == mongocarrier.FormFlat {
				old = D{{"x", 1}, {"traceparent", "old"}, {"y", 2}, {"traceparent", traceparentB}, {"z", 3}, {"traceparent", 7}}
			}
			if path != "" && form == mongocarrier.FormSubDocument {
				for i := 1; i < len(old); i += 2 {
					old[i].Key = "trace"
				}
				old = D{{"meta", old}}
			} else if path != "" {
				old = D{{"meta", D{{"trace", old}}}}
			}
			for _, s := range shapes() {
				if s.name == "M" { // a map has no duplicates.
					continue
				}
				doc := s.inject(t, spanCtx(t, traceparentA), s.make(t, old), opts...)
				if got := traceparent(s.read(doc, opts...)); got != traceparentA {
					t.Errorf("%s, form %d, %q: read %q", s.name, form, path, got)
				}
				if text := fmt.Sprint(plain(t, doc)); strings.Contains(text, "old") || strings.Contains(text, traceparentB) || strings.Contains(text, "7}") {
					t.Errorf("%s, form %d, %q: left %s", s.name, form, path, text)
				}
				want := D{{"x", 1}, {"y", 2}, {"z", 3}}
				switch {
				case path != "" && form == mongocarrier.FormSubDocument:
					want = D{{"meta", want}}
				case path != "":
					want = D{{"meta", D{{"trace", want}}}}
				}
				if diff := cmp.Diff(s.make(t, want), s.strip(s.make(t, old), opts...)); diff != "" {
					t.Errorf("%s, form %d, %q: stripped: %s", s.name, form, path, diff)
				}
			}
		}
	}
}

func TestInject_ContextIsTheLastElement(t *testing.T) {
	t.Parallel()
	for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormProperties} {
		eachShape(t, func(t *testing.T, s shape) {
			got := plain(t, s.inject(t, spanCtx(t, traceparentA), s.make(t, order()), w3c(), mongocarrier.WithForm(form)))
			if s.name != "M" {
				if diff := cmp.Diff(plain(t, s.make(t, order())), got[:len(got)-1]); diff != "" {
					t.Errorf("the elements of the user: %s", diff)
				}
				return
			}
			for _, e := range plain(t, s.make(t, order())) {
				if diff := cmp.Diff(e.Value, at(got, e.Key)); diff != "" {
					t.Errorf("%s: %s", e.Key, diff)
				}
			}
		})
	}
}

func TestInjectD_SparesTheNextElementOfAnAlias(t *testing.T) {
	t.Parallel()
	base := append(make(D, 0, 8), D{{"_id", 1}, {"a", 1}}...)
	alias := append(base, E{"alias", true}) //nolint:gocritic // two slices, one array: the point.
	got := mongocarrier.InjectD(spanCtx(t, traceparentA), base, w3c())
	if alias[2] != (E{"alias", true}) {
		t.Errorf("the alias holds %v", alias[2])
	}
	if traceparent(mongocarrier.ReadD(got, w3c())) != traceparentA || len(base) != 2 {
		t.Errorf("got %v from %v", got, base)
	}
}

// Two documents start with the same elements.
func TestInjectD_TwiceFromOneBase(t *testing.T) {
	t.Parallel()
	base := append(make(D, 0, 8), E{"_id", 1})
	a := mongocarrier.InjectD(spanCtx(t, traceparentA), base, w3c())
	b := mongocarrier.InjectD(spanCtx(t, traceparentB), base, w3c())
	if got := traceparent(mongocarrier.ReadD(a, w3c())); got != traceparentA {
		t.Errorf("the first holds %s", got)
	}
	if got := traceparent(mongocarrier.ReadD(b, w3c())); got != traceparentB {
		t.Errorf("the second holds %s", got)
	}
}

// Two documents have the same nested one.
func TestInject_DocumentsThatShareANestedOne(t *testing.T) {
	t.Parallel()
	opts := []mongocarrier.Option{w3c(), mongocarrier.WithField("meta.trace")}
	for name, meta := range map[string]any{"D": D{{"source", "shop"}}, "M": M{"source": "shop"}, "Raw": encode(t, D{{"source", "shop"}})} {
		before := fmt.Sprint(meta)
		first := mongocarrier.InjectD(spanCtx(t, traceparentA), D{{"meta", meta}}, opts...)
		second := mongocarrier.InjectM(spanCtx(t, traceparentB), M{"meta": meta}, opts...)
		if got := traceparent(mongocarrier.ReadD(first, opts...)); got != traceparentA {
			t.Errorf("%s: the first has %q", name, got)
		}
		if got := traceparent(mongocarrier.ReadM(second, opts...)); got != traceparentB {
			t.Errorf("%s: the second has %q", name, got)
		}
		if after := fmt.Sprint(meta); after != before {
			t.Errorf("%s became %s", name, after)
		}
	}
}

// The documents of a cursor are one behind the other in one buffer.
func TestInjectRaw_SparesTheNextDocumentOfABatch(t *testing.T) {
	t.Parallel()
	first, second := encode(t, order()), encode(t, D{{"_id", "o-2"}, {"n", 2}})
	batch := slices.Concat([]byte{0x03, '0', 0}, first, []byte{0x03, '1', 0}, second, []byte{0, 0, 0, 0, 0, 0, 0, 1})
	current := batch[3 : 3+len(first)]
	before := slices.Clone(batch)
	out, err := mongocarrier.InjectRaw(spanCtx(t, traceparentA), current, w3c())
	if err != nil || traceparent(mongocarrier.ReadRaw(out, w3c())) != traceparentA {
		t.Fatal(out, err)
	}
	if diff := cmp.Diff(before, batch); diff != "" {
		t.Error(diff)
	}
}

func TestInject_DoesNotModifyTheDocument(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"_otel", "meta.trace", "new.trace"} {
		eachShape(t, func(t *testing.T, s shape) {
			opts := []mongocarrier.Option{w3c(), mongocarrier.WithField(field)}
			doc := s.make(t, order())
			a := s.inject(t, spanCtx(t, traceparentA), doc, opts...)
			if diff := cmp.Diff(s.make(t, order()), doc); diff != "" {
				t.Errorf("%s: the document was written to: %s", field, diff)
			}
			b := s.inject(t, spanCtx(t, traceparentB), a, opts...)
			if traceparent(s.read(a, opts...)) != traceparentA || traceparent(s.read(b, opts...)) != traceparentB {
				t.Errorf("%s: the copies share a context", field)
			}
			if s.inject(t, t.Context(), b, w3c(propagation.WithPolicy(propagation.Replace)), mongocarrier.WithField(field)); traceparent(s.read(b, opts...)) != traceparentB {
				t.Errorf("%s: removing wrote to the document", field)
			}
		})
	}
}

func TestInject_Goroutines(t *testing.T) {
	t.Parallel()
	eachShape(t, func(t *testing.T, s shape) {
		shared := s.inject(t, spanCtx(t, traceparentB), s.make(t, order()), full())
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				tp := fmt.Sprintf("00-%032x-%016x-01", i+1, i+1)
				own := s.inject(t, spanCtx(t, tp), shared, full())
				if got := traceparent(s.read(own, full())); got != tp {
					t.Errorf("got %s, want %s", got, tp)
				}
				if got := traceparent(s.read(shared, full())); got != traceparentB {
					t.Errorf("the shared document became %s", got)
				}
			})
		}
		wg.Wait()
	})
}

func TestInject_EmptyDocuments(t *testing.T) {
	t.Parallel()
	ctx := spanCtx(t, traceparentA)
	if got := traceparent(mongocarrier.ReadD(mongocarrier.InjectD(ctx, D(nil), w3c()), w3c())); got != traceparentA {
		t.Errorf("D: %s", got)
	}
	if got := traceparent(mongocarrier.ReadM(mongocarrier.InjectM(ctx, M(nil), w3c()), w3c())); got != traceparentA {
		t.Errorf("M: %s", got)
	}
	raw, err := mongocarrier.InjectRaw(ctx, Raw{5, 0, 0, 0, 0}, w3c())
	if got := traceparent(mongocarrier.ReadRaw(raw, w3c())); got != traceparentA || err != nil {
		t.Errorf("Raw: %s, %v", got, err)
	}
	if got := mongocarrier.InjectM(t.Context(), M(nil), w3c()); got != nil {
		t.Errorf("M without a span: %v", got)
	}
	if got := mongocarrier.InjectD(t.Context(), D(nil), w3c()); got != nil {
		t.Errorf("D without a span: %v", got)
	}
}

func TestWithField_NestedFields(t *testing.T) {
	t.Parallel()
	for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat, mongocarrier.FormProperties} {
		for _, field := range []string{"meta.trace", "meta.a.b.c", "x.y"} {
			eachShape(t, func(t *testing.T, s shape) {
				opts := []mongocarrier.Option{w3c(), mongocarrier.WithField(field), mongocarrier.WithForm(form)}
				doc := s.inject(t, spanCtx(t, traceparentA), s.make(t, order()), opts...)
				if got := traceparent(s.read(doc, opts...)); got != traceparentA {
					t.Errorf("%s, form %d: read %q", field, form, got)
				}
				got := plain(t, doc)
				for _, key := range keysOf(got) {
					if strings.Contains(key, ".") {
						t.Errorf("a field is named %s", key)
					}
				}
				if diff := cmp.Diff(any("shop"), at(got, "meta", "source")); diff != "" {
					t.Errorf("%s, form %d: %s", field, form, diff)
				}
				doc = s.inject(t, spanCtx(t, traceparentB), doc, opts...)
				if traceparent(s.read(doc, opts...)) != traceparentB || len(plain(t, doc)) != len(got) {
					t.Errorf("%s, form %d: the second inject made %v", field, form, doc)
				}
				if diff := cmp.Diff(any("shop"), at(plain(t, s.strip(doc, opts...)), "meta", "source")); diff != "" {
					t.Errorf("%s, form %d: stripped: %s", field, form, diff)
				}
			})
		}
	}
}

// The drivers recognize a document by its type.
func TestWithField_MakesDocumentsOfTheUsersType(t *testing.T) {
	t.Parallel()
	ctx := spanCtx(t, traceparentA)
	opts := []mongocarrier.Option{w3c(), mongocarrier.WithField("a.b.c.trace")}
	var ofCarrier D
	mongocarrier.NewD(&ofCarrier, opts...).Set("traceparent", traceparentA)
	want := D{{"a", D{{"b", D{{"c", D{{"trace", &mongocarrier.Field{Traceparent: traceparentA}}}}}}}}}
	for what, got := range map[string]D{
		"InjectD":               mongocarrier.InjectD(ctx, D{}, opts...),
		"InjectD, half of them": mongocarrier.InjectD(ctx, D{{"a", D{}}}, opts...),
		"NewD":                  ofCarrier,
	} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	ofMap := M{}
	mongocarrier.NewM(ofMap, opts...).Set("traceparent", traceparentA)
	for what, got := range map[string]M{"InjectM": mongocarrier.InjectM(ctx, M{}, opts...), "NewM": ofMap} {
		if diff := cmp.Diff(M{"a": M{"b": M{"c": M{"trace": &mongocarrier.Field{Traceparent: traceparentA}}}}}, got); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
}

// A nested document of every shape is in one of every other.
func TestWithField_NestedDocumentsOfOtherShapes(t *testing.T) {
	t.Parallel()
	opts := []mongocarrier.Option{w3c(), mongocarrier.WithField("meta.deep.trace")}
	for name, meta := range map[string]func() any{
		"D":              func() any { return D{{"deep", D{{"k", 1}}}} },
		"D of M":         func() any { return D{{"deep", M{"k": 1}}} },
		"M of D":         func() any { return M{"deep": D{{"k", 1}}} },
		"map[string]any": func() any { return map[string]any{"deep": map[string]any{"k": 1}} },
		"Raw":            func() any { return encode(t, D{{"deep", D{{"k", 1}}}}) },
		"M of Raw":       func() any { return M{"deep": encode(t, D{{"k", 1}})} },
		"other D": func() any {
			return []struct {
				Key   string
				Value any
			}{{"deep", D{{"k", 1}}}}
		},
		"empty D": func() any { return D{} },
		"nil M":   func() any { return M(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := mongocarrier.InjectD(spanCtx(t, traceparentA), D{{"meta", meta()}}, opts...)
			if got := traceparent(mongocarrier.ReadD(d, opts...)); got != traceparentA {
				t.Errorf("in D: %q in %v", got, d)
			}
			if got, want := fmt.Sprintf("%T", d[0].Value), fmt.Sprintf("%T", meta()); got != want {
				t.Errorf("the type became %s, not %s", got, want)
			}
			d = mongocarrier.InjectD(spanCtx(t, traceparentB), d, opts...)
			if got := traceparent(mongocarrier.ReadD(d, opts...)); got != traceparentB {
				t.Errorf("in D, again: %q in %v", got, d)
			}
			m := mongocarrier.InjectM(spanCtx(t, traceparentA), M{"meta": meta()}, opts...)
			if got := traceparent(mongocarrier.ReadM(m, opts...)); got != traceparentA {
				t.Errorf("in M: %q in %v", got, m)
			}
			if got := traceparent(mongocarrier.ReadM(mongocarrier.StripM(m, opts...), opts...)); got != "" {
				t.Errorf("stripped: %q", got)
			}
		})
	}
}

func TestInject_KeysThatAFieldCannotHave(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"ot-baggage-a.b", "$where", "a$b", "a\x00b", "100%", "%2E", "", "%", "uberctx-é", "plain"} {
		for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat, mongocarrier.FormProperties} {
			eachShape(t, func(t *testing.T, s shape) {
				p := legacy{key, "value"}
				opts := []mongocarrier.Option{using(p), mongocarrier.WithForm(form)}
				doc := s.inject(t, spanCtx(t, traceparentA), s.make(t, order()), opts...)
				if err := s.read(doc, opts...).Err(); err != nil {
					t.Errorf("form %d, key %q: %v in %v", form, key, err, doc)
				}
				var names []string
				if form == mongocarrier.FormFlat {
					names = keysOf(plain(t, doc))
				} else if sub, ok := at(plain(t, doc), "_otel").(D); ok {
					names = keysOf(sub)
				}
				for _, name := range names {
					if name == "" || name[0] == '$' || strings.ContainsAny(name, ".\x00") {
						t.Errorf("key %q is the field %q", key, name)
					}
				}
				count := len(plain(t, doc))
				if got := plain(t, s.inject(t, spanCtx(t, traceparentA), doc, opts...)); len(got) != count {
					t.Errorf("key %q: a second inject made %v", key, got)
				}
			})
		}
	}
}

func TestInject_ValuesThatAreNotText(t *testing.T) {
	t.Parallel()
	binary := legacy{"grpc-trace-bin", "\x00\x00\xff\xfe\x01"}
	eachShape(t, func(t *testing.T, s shape) {
		for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat} {
			opts := []mongocarrier.Option{using(binary), mongocarrier.WithForm(form)}
			doc := s.inject(t, spanCtx(t, traceparentA), s.make(t, order()), opts...)
			if err := s.read(doc, opts...).Err(); err != nil {
				t.Errorf("form %d: %v in %v", form, err, doc)
			}
			path := []string{"_otel", "grpc-trace-bin"}
			if form == mongocarrier.FormFlat {
				path = path[1:]
			}
			if got := at(plain(t, doc), path...); fmt.Sprintf("%T", got) != "[]uint8" {
				t.Errorf("form %d: stored as %T", form, got)
			}
		}
	})
	// As a decoder gives it back.
	doc := M{"_otel": M{"grpc-trace-bin": Binary{Data: []byte(binary.value)}}}
	if err := mongocarrier.ReadM(doc, using(binary)).Err(); err != nil {
		t.Error(err)
	}
	// A string of a struct cannot hold it.
	if got := mongocarrier.Capture(spanCtx(t, traceparentA), propagation.WithPropagator(binary)); !got.IsZero() {
		t.Errorf("captured %+v", got)
	}
}

func TestRead_FieldOfAnyShape(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"D":                 D{{"traceparent", traceparentA}},
		"M":                 M{"traceparent": traceparentA},
		"map[string]any":    map[string]any{"traceparent": traceparentA},
		"map[string]string": map[string]string{"traceparent": traceparentA},
		"Raw":               encode(t, D{{"traceparent", traceparentA}}),
		"bytes":             []byte(encode(t, D{{"traceparent", traceparentA}})),
		"RawValue":          RawValue{0x03, encode(t, D{{"traceparent", traceparentA}})},
		"RawValue, string":  RawValue{0x02, append(append([]byte{56, 0, 0, 0}, traceparentA...), 0)},
		"Binary in D":       D{{"traceparent", Binary{Data: []byte(traceparentA)}}},
		"bytes in M":        M{"traceparent": []byte(traceparentA)},
		"named in M":        M{"traceparent": named(traceparentA)},
		"Field":             mongocarrier.Field{Traceparent: traceparentA},
		"*Field":            &mongocarrier.Field{Traceparent: traceparentA},
		"LenientField":      mongocarrier.LenientField{Traceparent: traceparentA},
		"tagged struct": struct {
			TP string `bson:"traceparent,omitempty"`
		}{traceparentA},
		"struct":        &struct{ Traceparent string }{traceparentA},
		"string":        traceparentA,
		"named string":  named(traceparentA),
		"properties":    "traceparent=" + traceparentA + "\n",
		"bytes of text": []byte(traceparentA),

		"struct that inlines Field": struct {
			mongocarrier.Field `bson:",inline"`
			N                  int
		}{mongocarrier.Field{Traceparent: traceparentA}, 1},
		"struct that inlines *Field": struct {
			Trace *mongocarrier.Field `bson:",inline"`
		}{&mongocarrier.Field{Traceparent: traceparentA}},
		"struct that embeds one that does": struct {
			Outer struct {
				Inner mongocarrier.Field `bson:",inline"`
			} `bson:",inline"`
		}{struct {
			Inner mongocarrier.Field `bson:",inline"`
		}{mongocarrier.Field{Traceparent: traceparentA}}},
		"struct that inlines a map": struct {
			Trace map[string]any `bson:",inline"`
		}{map[string]any{"traceparent": traceparentA}},
		"struct with a pointer":      struct{ Traceparent *string }{new(traceparentA)},
		"named keys":                 map[named]string{"traceparent": traceparentA},
		"named values":               map[string]named{"traceparent": named(traceparentA)},
		"named keys and values":      map[named]named{"traceparent": named(traceparentA)},
		"named keys of anything":     map[named]any{"traceparent": traceparentA},
		"bytes as values":            map[string][]byte{"traceparent": []byte(traceparentA)},
		"pointer to a map":           &map[named]named{"traceparent": named(traceparentA)},
		"JSON":                       `{"traceparent": "` + traceparentA + `", "n": 7}`,
		"JSON with space":            "\n {\t\"traceparent\" : \"" + traceparentA + "\"}\n",
		"JSON as bytes":              []byte(`{"traceparent":"` + traceparentA + `"}`),
		"JSON in title case":         `{"Traceparent":"` + traceparentA + `"}`,
		"JSON of pairs":              `[["traceparent","` + traceparentA + `"],["n",7]]`,
		"title case in D":            D{{"Traceparent", traceparentA}},
		"title case in M":            M{"Traceparent": traceparentA},
		"title case in text":         map[string]string{"TraceParent": traceparentA},
		"title case in Raw":          encode(t, D{{"Traceparent", traceparentA}}),
		"the own case wins":          D{{"Traceparent", traceparentB}, {"traceparent", traceparentA}},
		"pairs":                      []any{[]any{"traceparent", traceparentA}},
		"pairs of text":              [][]string{{"n", "7"}, {"traceparent", traceparentA}},
		"pairs in arrays":            [][2]string{{"traceparent", traceparentA}},
		"pairs of text and bytes":    []any{[]any{"traceparent", []byte(traceparentA)}},
		"pairs that are documents":   []any{D{{"key", "traceparent"}, {"value", traceparentA}}, M{"key": "n", "value": 7}},
		"pairs that are structs":     []struct{ Key, Value string }{{"traceparent", traceparentA}},
		"pairs that are Raw":         []any{encode(t, D{{"key", "traceparent"}, {"value", traceparentA}})},
		"keys of Extra":              D{{"_otel_extra", D{{"traceparent", traceparentA}}}},
		"keys of Extra in M":         M{"_otel_extra": M{"traceparent": traceparentA}},
		"keys of Extra in Raw":       encode(t, D{{"_otel_extra", D{{"traceparent", traceparentA}}}}),
		"RawValue in D":              D{{"traceparent", RawValue{0x02, append(append([]byte{56, 0, 0, 0}, traceparentA...), 0)}}},
		"RawValue, array of arrays":  RawValue{0x04, encode(t, D{{"0", []any{"traceparent", traceparentA}}})},
		"RawValue, array of objects": RawValue{0x04, encode(t, D{{"0", D{{"key", "traceparent"}, {"value", traceparentA}}}})},
	} {
		d, m := D{{"_id", 1}, {"_otel", value}}, M{"_otel": value}
		if got := traceparent(mongocarrier.ReadD(d, w3c())); got != traceparentA {
			t.Errorf("%s in D: %q", name, got)
		}
		if got := traceparent(mongocarrier.ReadM(m, w3c())); got != traceparentA {
			t.Errorf("%s in M: %q", name, got)
		}
	}
	for name, value := range map[string]any{
		"string":     traceparentA,
		"properties": "#Mon\ntraceparent:" + traceparentA,
		"binary":     []byte(traceparentA),
		"JSON":       `{"traceparent": "` + traceparentA + `"}`,
		"title case": D{{"Traceparent", traceparentA}},
		"pairs":      []any{[]any{"traceparent", traceparentA}},
		"objects":    []any{D{{"key", "traceparent"}, {"value", traceparentA}}},
	} {
		if got := traceparent(mongocarrier.ReadRaw(encode(t, D{{"_otel", value}}), w3c())); got != traceparentA {
			t.Errorf("%s in Raw: %q", name, got)
		}
	}
}

// named is a text of a type of its own.
type named string

// cyclic returns a pointer that leads to itself.
func cyclic() any {
	var value any
	value = &value
	return value
}

// recursive embeds itself.
type recursive struct {
	*recursive `bson:",inline"`
}

func selfContaining() any {
	r := &recursive{}
	r.recursive = r
	return r
}

func recursiveMap() any {
	m := M{}
	m["_otel_extra"] = m
	return m
}

// What is longer than any context is not read.
func TestRead_Bounds(t *testing.T) {
	t.Parallel()
	padded := func(n int) string { return "traceparent=" + traceparentA + "\nx=" + strings.Repeat("x", n) }
	keys := func(n int) D {
		d := D{{"_id", 1}}
		for i := range n {
			d = append(d, E{fmt.Sprint("k", i), "v"})
		}
		return append(d, E{"ot-baggage-x", "v"})
	}
	for name, c := range map[string]struct {
		value  any
		option mongocarrier.Option
		want   bool
	}{
		"text of 64 KiB":              {padded(64<<10 - len(padded(0))), w3c(), true},
		"text of 64 KiB and a byte":   {padded(64<<10 - len(padded(0)) + 1), w3c(), false},
		"value of 16 KiB":             {D{{"k", strings.Repeat("x", 16<<10)}}, using(legacy{"k", strings.Repeat("x", 16<<10)}), true},
		"value of 16 KiB and a byte":  {D{{"k", strings.Repeat("x", 16<<10+1)}}, using(legacy{"k", strings.Repeat("x", 16<<10+1)}), false},
		"a key behind 5000 others":    {keys(5000), using(searching{}), true},
		"1000 pairs before a context": {pairsBefore(1000), w3c(), true},
	} {
		eachShape(t, func(t *testing.T, s shape) {
			doc := s.make(t, D{{"_otel", c.value}})
			if got := s.read(doc, c.option).Err() == nil; got != c.want {
				t.Errorf("%s: read %t, want %t", name, got, c.want)
			}
		})
	}
}

// pairsBefore returns n pairs before one with a context.
func pairsBefore(n int) []any {
	var all []any
	for i := range n {
		all = append(all, []any{fmt.Sprint("k", i), "v"})
	}
	return append(all, []any{"traceparent", traceparentA})
}

// A flat context has the keys that a Field keeps apart.
func TestInject_FlatContextOfAField(t *testing.T) {
	t.Parallel()
	flat := []mongocarrier.Option{w3c(), mongocarrier.WithForm(mongocarrier.FormFlat)}
	eachShape(t, func(t *testing.T, s shape) {
		doc := s.make(t, append(order(), E{"traceparent", traceparentA}, E{"_otel_extra", D{{"b3", "x"}}}))
		got := plain(t, s.inject(t, spanCtx(t, traceparentB), doc, flat...))
		if extra := at(got, "_otel_extra"); extra != nil || at(got, "traceparent") != traceparentB {
			t.Errorf("the document is %v, want nothing of the old context", got)
		}
		if diff := cmp.Diff(s.make(t, order()), s.strip(doc, flat...)); diff != "" {
			t.Errorf("stripped (-want +got):\n%s", diff)
		}
	})
}

func TestExtract_MalformedContext(t *testing.T) {
	t.Parallel()
	ambient := spanCtx(t, traceparentB)
	bad := map[string]any{
		"null":              nil,
		"number":            7,
		"bool":              true,
		"array":             []any{traceparentA},
		"empty":             D{},
		"text":              "hello",
		"long text":         strings.Repeat("x", 100),
		"empty text":        "",
		"number in it":      D{{"traceparent", 7}},
		"null in it":        D{{"traceparent", nil}},
		"array in it":       D{{"traceparent", []any{traceparentA}}},
		"upper case":        D{{"traceparent", strings.ToUpper(traceparentA)}},
		"no trace id":       D{{"traceparent", "00-" + strings.Repeat("0", 32) + traceparentA[35:]}},
		"no span id":        D{{"traceparent", traceparentA[:36] + strings.Repeat("0", 16) + "-01"}},
		"version ff":        D{{"traceparent", "ff" + traceparentA[2:]}},
		"short":             D{{"traceparent", traceparentA[:54]}},
		"long":              D{{"traceparent", traceparentA + "-00"}},
		"only a tracestate": D{{"tracestate", "a=1"}},
	}
	for name, value := range bad {
		eachShape(t, func(t *testing.T, s shape) {
			doc := s.make(t, append(order(), E{"_otel", value}))
			if got := s.extract(ambient, doc, full()); got != ambient {
				t.Errorf("%s: ctx changed", name)
			}
			if r := s.read(doc, full()); r.Err() == nil {
				t.Errorf("%s: read %s", name, traceparent(r))
			}
		})
	}
	for _, value := range []any{
		(*mongocarrier.Field)(nil), M(nil), D(nil), map[string]string(nil), make(chan int), func() {}, 1.5,
		[]string{"a"},
		struct{ a int }{1},
		struct{ *RawValue }{},
		struct{ *Binary }{},
		M{"traceparent": struct{ *Binary }{}},
		RawValue{},
		RawValue{0x03, []byte{9}},
		RawValue{0x02, nil},
		Raw{1, 2},
		(*int)(nil), new(int),
		[3]int{},
		cyclic(), &recursive{}, selfContaining(), recursiveMap(),
		"{", "[", "[[", `{"traceparent":7}`, `{"traceparent":{"traceparent":"x"}}`, `[["traceparent"]]`, `[{"key":7}]`,
		strings.Repeat("[", 60<<10), strings.Repeat(`{"a":`, 10<<10),
		[]any{nil, []any{}, []any{nil, nil}, 7, D(nil), (*int)(nil), [2]any{}},
		[]func(){nil},
		map[int]string{1: traceparentA},
		map[named]func(){"traceparent": nil},
		struct{ traceparent string }{traceparentA},
	} {
		if got := mongocarrier.ExtractM(ambient, M{"_otel": value}, full()); got != ambient {
			t.Errorf("%T: ctx changed", value)
		}
		if got := mongocarrier.ExtractD(ambient, D{{"_otel", value}}, full()); got != ambient {
			t.Errorf("%T: ctx changed", value)
		}
	}
	eachShape(t, func(t *testing.T, s shape) {
		for _, field := range []string{"", "absent", "_id.x", "tags.0", "meta.source.x", "a..b", "."} {
			if got := s.extract(ambient, s.make(t, order()), full(), mongocarrier.WithField(field)); got != ambient {
				t.Errorf("field %q: ctx changed", field)
			}
		}
	})
}

// The waybill goes without a span, but not beside the trace context of another
// flow.
func TestInject_WaybillWithoutASpan(t *testing.T) {
	t.Parallel()
	ctx := sentAgo(t.Context(), time.Minute)
	for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat, mongocarrier.FormProperties} {
		opts := []mongocarrier.Option{full(), mongocarrier.WithForm(form)}
		eachShape(t, func(t *testing.T, s shape) {
			doc := s.inject(t, ctx, s.make(t, order()), opts...)
			r := s.read(doc, opts...)
			if w := r.Waybill(); w.Hops != 1 || r.Err() != propagation.ErrAbsent {
				t.Errorf("form %d: got waybill %v and %v, want one hop and no trace context", form, w, r.Err())
			}
			doc = s.inject(t, spanCtx(t, traceparentA), doc, opts...)
			before := plain(t, doc)
			if diff := cmp.Diff(before, plain(t, s.inject(t, ctx, doc, opts...))); diff != "" {
				t.Errorf("form %d: a trace context was replaced (-before +after):\n%s", form, diff)
			}
			replaced := s.inject(t, ctx, doc, append(opts, full(propagation.WithPolicy(propagation.Replace)))...)
			if r := s.read(replaced, opts...); r.Err() != propagation.ErrAbsent || r.Waybill().Hops != 1 {
				t.Errorf("form %d: Replace: got %v and %v", form, r.SpanContext(), r.Waybill())
			}
		})
	}
	if f := mongocarrier.Capture(ctx, fullContext); f.Waybill == "" || f.Traceparent != "" {
		t.Errorf("captured %+v, want a waybill alone", f)
	}
}

// A document whose context is not trusted does not keep it when it is written
// on, even if no tracer records.
func TestInject_UntrustedContextDoesNotRemain(t *testing.T) {
	t.Parallel()
	for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat, mongocarrier.FormProperties} {
		opts := []mongocarrier.Option{full(propagation.WithBaggage("user")), mongocarrier.WithForm(form)}
		eachShape(t, func(t *testing.T, s shape) {
			theirs := withBaggage(t, stateCtx(t, traceparentA, "v=1"), "user=alice")
			doc := s.inject(t, theirs, s.make(t, order()), opts...)
			c := mongocarrier.NewConsumer("orders", mongocarrier.WithTracerProvider(noop.NewTracerProvider()), mongocarrier.WithStartOptions(propagation.WithUntrusted()))
			err := c.Process(t.Context(), s.read(doc, opts...), func(ctx context.Context) error {
				doc = s.inject(t, ctx, doc, opts...)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if r := s.read(doc, opts...); r.SpanContext().IsValid() || r.Baggage().Len() != 0 || !r.Waybill().IsZero() {
				t.Errorf("form %d: the document still has %v, %v and %v", form, r.SpanContext(), r.Baggage(), r.Waybill())
			}
		})
	}
}

// A nil ctx is treated as one without a span.
func TestInject_NilContext(t *testing.T) {
	t.Parallel()
	var none context.Context
	eachShape(t, func(t *testing.T, s shape) {
		doc := s.inject(t, spanCtx(t, traceparentA), s.make(t, order()), full())
		if got := trace.SpanContextFromContext(s.extract(none, doc, full())); got.TraceID().String() != traceparentA[3:35] {
			t.Errorf("extracted %v", got)
		}
		if got := s.extract(none, s.make(t, order()), full()); got == nil {
			t.Error("the ctx is nil")
		}
		if diff := cmp.Diff(s.make(t, order()), s.inject(t, none, s.make(t, order()), full())); diff != "" {
			t.Error(diff)
		}
	})
}
