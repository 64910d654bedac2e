// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest_test

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowtest"
)

func TestChecksThatHold(t *testing.T) {
	t.Parallel()
	for name, over := range map[string]hop{"parent": asParent, "link": asLink} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			passes(t, func(tb testing.TB) {
				r := recorded(tb, over)
				r.RequireConnected()
				r.RequirePath("api POST /orders", "api send orders", "etl-job process orders", "etl-job load")
				r.RequirePath("POST /orders", "load") // The steps between may be left out.
				r.RequirePath("extract")
				r.Span("etl-job load").
					Kind(trace.SpanKindClient).
					Status(codes.Error).
					ErrorType("duplicate_key").
					Attr("db.system.name", "mongodb").
					Attr("etl.rows.written", 0).
					Attr("app.shards", []string{"a", "b"}).
					NoAttr("db.query.text").
					ChildOf("process orders").
					Times(1)
				if got := r.Span("load").Stub().Name; got != "load" {
					t.Errorf("stub of %q", got)
				}
			})
		})
	}
	passes(t, func(tb testing.TB) {
		r := recorded(tb, asParent)
		r.RequireOneTrace()
		r.Span("process orders").Remote().ChildOf("api send orders")
	})
	passes(t, func(tb testing.TB) { recorded(tb, asLink).Span("process orders").LinkedTo("api send orders") })
}

func TestChecksThatFail(t *testing.T) {
	t.Parallel()
	span := func(name string) func(*flowtest.Recording) *flowtest.SpanAssertion {
		return func(r *flowtest.Recording) *flowtest.SpanAssertion { return r.Span(name) }
	}
	load, process, root := span("load"), span("process orders"), span("POST /orders")
	for name, test := range map[string]struct {
		over  hop
		check func(r *flowtest.Recording)
	}{
		"connected": {forgotten, (*flowtest.Recording).RequireConnected},
		"one-trace": {asLink, (*flowtest.Recording).RequireOneTrace},
		"path-broken": {forgotten, func(r *flowtest.Recording) {
			r.RequirePath("api POST /orders", "api send orders", "etl-job process orders", "etl-job load")
		}},
		"path-order":   {asParent, func(r *flowtest.Recording) { r.RequirePath("extract", "load") }},
		"path-unknown": {asParent, func(r *flowtest.Recording) { r.RequirePath("api POST /orders", "api sends orders") }},
		"path-itself":  {asParent, func(r *flowtest.Recording) { r.RequirePath("load", "load") }},
		"path-empty":   {asParent, func(r *flowtest.Recording) { r.RequirePath() }},
		"span-unknown": {asParent, func(r *flowtest.Recording) { r.Span("api load") }},
		"kind":         {asParent, func(r *flowtest.Recording) { load(r).Kind(trace.SpanKindServer) }},
		"status":       {asParent, func(r *flowtest.Recording) { load(r).Status(codes.Ok) }},
		"error-type":   {asParent, func(r *flowtest.Recording) { load(r).ErrorType("timeout") }},
		"attr":         {asParent, func(r *flowtest.Recording) { load(r).Attr("etl.rows.written", "0") }},
		"attr-none":    {asParent, func(r *flowtest.Recording) { load(r).Attr("etl.rows.read", 7) }},
		"no-attr":      {asParent, func(r *flowtest.Recording) { load(r).NoAttr("app.shards") }},
		"remote-local": {asParent, func(r *flowtest.Recording) { load(r).Remote() }},
		"remote-root":  {asParent, func(r *flowtest.Recording) { root(r).Remote() }},
		"child-root":   {asParent, func(r *flowtest.Recording) { root(r).ChildOf("load") }},
		"child-other":  {asParent, func(r *flowtest.Recording) { load(r).ChildOf("api process orders") }},
		"linked-none":  {asParent, func(r *flowtest.Recording) { process(r).LinkedTo("api send orders") }},
		"linked-other": {asLink, func(r *flowtest.Recording) { process(r).LinkedTo("api POST /orders") }},
		"times":        {asParent, func(r *flowtest.Recording) { load(r).Times(2) }},
		"printed-once": {asParent, func(r *flowtest.Recording) { load(r).Times(2).Times(3).Kind(trace.SpanKindServer) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fails(t, name, func(tb testing.TB) { test.check(recorded(tb, test.over)) })
		})
	}
}

func TestChecksOnUnusualSpansFail(t *testing.T) {
	t.Parallel()
	// The parent and the link target are spans that were left out.
	without := func(tb testing.TB, over hop) *flowtest.Recording {
		tb.Helper()
		return flowtest.FromSpans(tb, stubs(tb, over)[2:]...)
	}
	fails(t, "none", func(tb testing.TB) { flowtest.FromSpans(tb).RequireConnected() })
	fails(t, "none-span", func(tb testing.TB) { flowtest.FromSpans(tb).Span("load") })
	fails(t, "child-outside", func(tb testing.TB) { without(tb, asParent).Span("process orders").ChildOf("send orders") })
	fails(t, "linked-outside", func(tb testing.TB) { without(tb, asLink).Span("process orders").LinkedTo("send orders") })
	fails(t, "stub-several", func(tb testing.TB) {
		f := flowtest.New(tb)
		order(f, asParent)
		order(f, asLink)
		f.Wait(time.Second).Span("load").Stub()
	})
	fails(t, "one-of-several", func(tb testing.TB) {
		spans := stubs(tb, asParent)
		spans[0].Name = "load"
		flowtest.FromSpans(tb, spans...).Span("load").Kind(trace.SpanKindClient)
	})
}

func TestRequireStopsTheTestAndChecksDoNot(t *testing.T) {
	t.Setenv("UPDATE_FLOW", "")
	for name, test := range map[string]struct {
		check func(r *flowtest.Recording)
		on    bool
	}{
		"RequireConnected": {(*flowtest.Recording).RequireConnected, false},
		"RequireOneTrace":  {(*flowtest.Recording).RequireOneTrace, false},
		"RequirePath":      {func(r *flowtest.Recording) { r.RequirePath("none") }, false},
		"Span":             {func(r *flowtest.Recording) { r.Span("none") }, false},
		"Kind":             {func(r *flowtest.Recording) { r.Span("load").Kind(0) }, true},
		"Golden":           {func(r *flowtest.Recording) { r.Golden("testdata/none.flow") }, true},
	} {
		on := false
		f := run(t, func(tb testing.TB) {
			test.check(recorded(tb, forgotten))
			on = true
		})
		if !f.failed || on != test.on {
			t.Errorf("%s: failed %v, went on %v, want %v", name, f.failed, on, test.on)
		}
	}
}

func TestFromSpansKeepsACopy(t *testing.T) {
	t.Parallel()
	spans := stubs(t, asParent)
	r := flowtest.FromSpans(t, spans...)
	clear(spans)
	r.Spans()[0].Name = "changed"
	r.RequireConnected()
	if got := r.Spans()[0].Name; got != "send orders" {
		t.Errorf("the first span is %q", got)
	}
}

func TestTreeIsThatOfTheRecording(t *testing.T) {
	t.Parallel()
	r := recorded(t, asLink)
	if got := flowtest.Tree(r.Spans()...); got != r.Tree() || strings.Count(got, "\n") != 5 {
		t.Errorf("trees differ:\n%s\n%s", got, r.Tree())
	}
	if got := flowtest.Tree(); got != "" {
		t.Errorf("tree of nothing: %q", got)
	}
}

func TestStubsWithoutAnythingAreSpans(t *testing.T) {
	t.Parallel()
	if got := flowtest.Tree(tracetest.SpanStub{Name: "work"}); !strings.HasPrefix(got, "work  UNSPECIFIED") {
		t.Errorf("tree of a span without anything: %q", got)
	}
}

func TestAttrComparesValues(t *testing.T) {
	t.Parallel()
	type name string
	type names []name
	for _, test := range []struct {
		got         attribute.Value
		same, other []any
	}{
		{attribute.StringValue("a"), []any{"a", name("a"), attribute.StringValue("a")}, []any{"b", 1, nil, []string{"a"}}},
		{attribute.Int64Value(7), []any{7, int8(7), int64(7), uint(7), uint64(7), time.Duration(7), attribute.IntValue(7)}, []any{7.0, "7", 8, uint64(1<<64 - 1)}},
		{attribute.Int64Value(-1), []any{-1}, []any{uint64(1<<64 - 1)}},
		{attribute.Float64Value(0.5), []any{0.5, float32(0.5)}, []any{0, "0.5"}},
		{attribute.BoolValue(true), []any{true}, []any{false, "true", 1}},
		{attribute.StringSliceValue([]string{"a"}), []any{[]string{"a"}, names{"a"}}, []any{"a", []string{}, []string{"a", "b"}, []any{"a"}}},
		{attribute.Int64SliceValue([]int64{1, 2}), []any{[]int{1, 2}, []int64{1, 2}, []uint16{1, 2}}, []any{[]int{2, 1}, []float64{1, 2}}},
		{attribute.ByteSliceValue([]byte("a")), []any{[]byte("a")}, []any{"a", []int{97}}},
	} {
		stub := tracetest.SpanStub{Name: "work", Attributes: []attribute.KeyValue{{Key: "key", Value: test.got}}}
		for _, want := range test.same {
			passes(t, func(tb testing.TB) { flowtest.FromSpans(tb, stub).Span("work").Attr("key", want) })
		}
		for _, want := range test.other {
			if f := run(t, func(tb testing.TB) { flowtest.FromSpans(tb, stub).Span("work").Attr("key", want) }); !f.failed {
				t.Errorf("%v is %#v", test.got.String(), want)
			}
		}
	}
}

func TestTestThatDoesNotStop(t *testing.T) {
	t.Parallel()
	tb := &lenient{fake{TB: t}}
	r := flowtest.FromSpans(tb)
	r.RequireConnected()
	r.RequireOneTrace()
	r.RequirePath()
	r.RequirePath("a", "b")
	r.Span("none").Kind(0).Remote().ChildOf("x").LinkedTo("x").Stub()
	if got := strings.Count(tb.text.String(), "flowtest: "); got != 6 {
		t.Errorf("%d failures:\n%s", got, tb.text.String())
	}
}

// lenient is a test that goes on after Fatalf.
type lenient struct{ fake }

func (l *lenient) Fatalf(format string, args ...any) { l.Errorf(format, args...) }
