// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
)

type E struct {
	Key   string
	Value any
}
type (
	D   []E
	M   map[string]any
	Raw []byte
)

func spanCtx() context.Context {
	return trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2}, SpanID: trace.SpanID{3}, TraceFlags: 1,
	}))
}

func TestSmoke(t *testing.T) {
	ctx := spanCtx()
	d := mongocarrier.InjectD(ctx, D{{"_id", 1}})
	t.Log(d, mongocarrier.ReadD(d).SpanContext())
	m := mongocarrier.InjectM(ctx, M(nil), mongocarrier.WithField("a.b.c"))
	t.Log(m, mongocarrier.ReadM(m, mongocarrier.WithField("a.b.c")).SpanContext())
	r, err := mongocarrier.InjectRaw(ctx, Raw{5, 0, 0, 0, 0})
	t.Logf("%d %q %v %v", len(r), r, err, mongocarrier.ReadRaw(r).SpanContext())
	room := make(D, 1, 8)
	t.Log("D", testing.AllocsPerRun(100, func() { mongocarrier.InjectD(ctx, room) }))
	mm := M{}
	t.Log("M", testing.AllocsPerRun(100, func() { mongocarrier.InjectM(ctx, mm) }))
	five := Raw{5, 0, 0, 0, 0}
	full := five[:5:5]
	absent := M{"a": 1}
	base := make(Raw, 5, 500)
	t.Log("Raw grow", testing.AllocsPerRun(100, func() { mongocarrier.InjectRaw(ctx, full) }))
	t.Log("Raw room", testing.AllocsPerRun(100, func() {
		doc := append(base[:0], 5, 0, 0, 0, 0)
		mongocarrier.InjectRaw(ctx, doc)
	}))
	t.Log("Capture", testing.AllocsPerRun(100, func() { mongocarrier.Capture(ctx) }))
	bg := context.Background()
	t.Log("ExtractRaw", testing.AllocsPerRun(100, func() { mongocarrier.ExtractRaw(bg, r) }))
	t.Log("ExtractD", testing.AllocsPerRun(100, func() { mongocarrier.ExtractD(bg, d) }))
	t.Log("ExtractM absent", testing.AllocsPerRun(100, func() { mongocarrier.ExtractM(bg, absent) }))
	t.Log("no span", testing.AllocsPerRun(100, func() { mongocarrier.InjectD(bg, room) }))
	t.Log("no span raw", testing.AllocsPerRun(100, func() { mongocarrier.InjectRaw(bg, r) }))
	tc := mongocarrier.Capture(ctx)
	t.Log("Context", testing.AllocsPerRun(100, func() { tc.Context(bg) }))
}
