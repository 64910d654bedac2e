// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/propagation"
)

// shape is one of the shapes of a document, so that a rule is tested on all.
type shape struct {
	name    string
	make    func(t testing.TB, doc D) any
	inject  func(t testing.TB, ctx context.Context, doc any, opts ...mongocarrier.Option) any
	extract func(ctx context.Context, doc any, opts ...mongocarrier.Option) context.Context
	read    func(doc any, opts ...mongocarrier.Option) propagation.Remote
	strip   func(doc any, opts ...mongocarrier.Option) any
	carrier func(t testing.TB, doc D, opts ...mongocarrier.Option) *mongocarrier.Carrier
}

func shapes() []shape {
	return []shape{
		{
			name: "D",
			make: func(_ testing.TB, doc D) any { return slices.Clone(doc) },
			inject: func(_ testing.TB, ctx context.Context, doc any, opts ...mongocarrier.Option) any {
				return mongocarrier.InjectD(ctx, doc.(D), opts...)
			},
			extract: func(ctx context.Context, doc any, opts ...mongocarrier.Option) context.Context {
				return mongocarrier.ExtractD(ctx, doc.(D), opts...)
			},
			read: func(doc any, opts ...mongocarrier.Option) propagation.Remote {
				return mongocarrier.ReadD(doc.(D), opts...)
			},
			strip: func(doc any, opts ...mongocarrier.Option) any { return mongocarrier.StripD(doc.(D), opts...) },
			carrier: func(_ testing.TB, doc D, opts ...mongocarrier.Option) *mongocarrier.Carrier {
				return mongocarrier.NewD(&doc, opts...)
			},
		},
		{
			name: "M",
			make: func(_ testing.TB, doc D) any { return toM(doc) },
			inject: func(_ testing.TB, ctx context.Context, doc any, opts ...mongocarrier.Option) any {
				return mongocarrier.InjectM(ctx, doc.(M), opts...)
			},
			extract: func(ctx context.Context, doc any, opts ...mongocarrier.Option) context.Context {
				return mongocarrier.ExtractM(ctx, doc.(M), opts...)
			},
			read: func(doc any, opts ...mongocarrier.Option) propagation.Remote {
				return mongocarrier.ReadM(doc.(M), opts...)
			},
			strip: func(doc any, opts ...mongocarrier.Option) any { return mongocarrier.StripM(doc.(M), opts...) },
			carrier: func(_ testing.TB, doc D, opts ...mongocarrier.Option) *mongocarrier.Carrier {
				return mongocarrier.NewM(toM(doc), opts...)
			},
		},
		{
			name: "Raw",
			make: func(t testing.TB, doc D) any { t.Helper(); return encode(t, doc) },
			inject: func(t testing.TB, ctx context.Context, doc any, opts ...mongocarrier.Option) any {
				t.Helper()
				out, err := mongocarrier.InjectRaw(ctx, doc.(Raw), opts...)
				if err != nil {
					t.Fatal(err)
				}
				return out
			},
			extract: func(ctx context.Context, doc any, opts ...mongocarrier.Option) context.Context {
				return mongocarrier.ExtractRaw(ctx, doc.(Raw), opts...)
			},
			read: func(doc any, opts ...mongocarrier.Option) propagation.Remote {
				return mongocarrier.ReadRaw(doc.(Raw), opts...)
			},
			strip: func(doc any, opts ...mongocarrier.Option) any { return mongocarrier.StripRaw(doc.(Raw), opts...) },
			carrier: func(t testing.TB, doc D, opts ...mongocarrier.Option) *mongocarrier.Carrier {
				t.Helper()
				raw := encode(t, doc)
				return mongocarrier.NewRaw(&raw, opts...)
			},
		},
	}
}

// eachShape runs test on every shape.
func eachShape(t *testing.T, test func(t *testing.T, s shape)) {
	t.Helper()
	for _, s := range shapes() {
		t.Run(s.name, func(t *testing.T) { t.Parallel(); test(t, s) })
	}
}

// toM returns doc as an unordered document, all the way down.
func toM(doc D) M {
	m := make(M, len(doc))
	for _, e := range doc {
		if nested, ok := e.Value.(D); ok {
			m[e.Key] = toM(nested)
		} else {
			m[e.Key] = e.Value
		}
	}
	return m
}

// plain returns a document of any shape as an ordered one of plain values. The
// elements of an unordered one are sorted.
func plain(t testing.TB, doc any) D {
	t.Helper()
	switch doc := doc.(type) {
	case Raw:
		return mustDecode(t, doc)
	case D:
		out := D{}
		for _, e := range doc {
			out = append(out, E{e.Key, plainValue(t, e.Value)})
		}
		return out
	case M:
		out := D{}
		for _, key := range slices.Sorted(maps.Keys(doc)) {
			out = append(out, E{key, plainValue(t, doc[key])})
		}
		return out
	default:
		t.Fatalf("no document: %T", doc)
		return nil
	}
}

func plainValue(t testing.TB, value any) any {
	t.Helper()
	switch v := value.(type) {
	case D, M, Raw:
		return plain(t, v)
	case map[string]any:
		return plain(t, M(v))
	case *mongocarrier.Field:
		return fieldsOf(*v)
	default:
		return value
	}
}

// fieldsOf returns the elements that both drivers make of c.
func fieldsOf(c mongocarrier.Field) D {
	out := D{}
	for _, f := range []E{
		{"traceparent", c.Traceparent}, {"tracestate", c.Tracestate}, {"baggage", c.Baggage}, {"waybill", c.Waybill},
	} {
		if f.Value != "" {
			out = append(out, f)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.Extra)) {
		out = append(out, E{key, c.Extra[key]})
	}
	return out
}
