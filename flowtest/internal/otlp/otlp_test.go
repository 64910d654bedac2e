// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlp_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowtest/internal/otlp"
)

// contextOf returns the context of span n of trace 7.
func contextOf(n byte, remote bool) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{7}, SpanID: trace.SpanID{n}, TraceFlags: trace.FlagsSampled, Remote: remote})
}

// full is a span in which everything is set.
func full() tracetest.SpanStub {
	start := time.Unix(1_735_732_800, 123_456_789)
	state, _ := trace.ParseTraceState("vendor=1")
	return tracetest.SpanStub{
		Name:        "process orders",
		SpanContext: contextOf(1, false).WithTraceState(state), Parent: contextOf(2, true), SpanKind: trace.SpanKindConsumer,
		StartTime: start, EndTime: start.Add(time.Second),
		Attributes: []attribute.KeyValue{
			attribute.String("text", "a\"<b>\x00"), attribute.Bool("bool", true), attribute.Int64("int", math.MinInt64), attribute.Float64("float", 0.1),
			attribute.StringSlice("texts", []string{"a", ""}), attribute.BoolSlice("bools", []bool{true, false}),
			attribute.Int64Slice("ints", []int64{1, math.MaxInt64}), attribute.Float64Slice("floats", []float64{1.5}),
			{Key: "bytes", Value: attribute.ByteSliceValue([]byte{0, 255})},
			{Key: "mixed", Value: attribute.SliceValue(attribute.IntValue(1), attribute.StringValue("a"))},
			{Key: "map", Value: attribute.MapValue(attribute.Int("traceId", 1), attribute.String("b", "c"))},
			{Key: "empty"},
		},
		Events:            []sdktrace.Event{{Name: "retry", Time: start.Add(time.Millisecond), Attributes: []attribute.KeyValue{attribute.Int("n", 2)}, DroppedAttributeCount: 3}},
		Links:             []sdktrace.Link{{SpanContext: contextOf(3, true), Attributes: []attribute.KeyValue{attribute.Int("n", 1)}, DroppedAttributeCount: 4}},
		Status:            sdktrace.Status{Code: codes.Error, Description: "E11000 duplicate key"},
		DroppedAttributes: 5, DroppedEvents: 6, DroppedLinks: 7,
		Resource:             resource.NewWithAttributes("https://example.org/schema", attribute.String("service.name", "etl-job")),
		InstrumentationScope: instrumentation.Scope{Name: "orders", Version: "1.2.3", SchemaURL: "https://example.org/scope", Attributes: attribute.NewSet(attribute.Int("a", 1))},
	}
}

func written(tb testing.TB, spans ...tracetest.SpanStub) string {
	tb.Helper()
	var b bytes.Buffer
	if err := otlp.Write(&b, spans); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// reader returns the function that reads a form of OTLP.
func reader(form string) func([]byte) ([]otlp.Span, error) {
	if form == "JSON" {
		return otlp.ReadJSON
	}
	return otlp.ReadProtobuf
}

func TestRead_WhatWriteWrote(t *testing.T) {
	t.Parallel()
	root := tracetest.SpanStub{Name: "root", SpanContext: contextOf(9, false), SpanKind: trace.SpanKindServer, StartTime: time.Unix(1, 0), EndTime: time.Unix(2, 0)}
	for name, want := range map[string]tracetest.SpanStub{"full": full(), "root": root} {
		spans, err := otlp.ReadJSON([]byte(written(t, want)))
		if err != nil || len(spans) != 1 {
			t.Fatalf("%s: %d spans, error %v; want 1, nil", name, len(spans), err)
		}
		got := spans[0].SpanStub
		if got.Parent.IsValid() {
			want.Parent = want.Parent.WithTraceFlags(got.Parent.TraceFlags())
		}
		options := cmp.Options{
			cmp.Comparer(func(a, b trace.SpanContext) bool { return a.Equal(b) && a.IsRemote() == b.IsRemote() }),
			cmp.Comparer(func(a, b attribute.Value) bool { return a.Type() == b.Type() && a.String() == b.String() }),
			cmp.Comparer(func(a, b *resource.Resource) bool { return a.Equal(b) && a.SchemaURL() == b.SchemaURL() }),
			cmp.Comparer(func(a, b attribute.Set) bool { return a.Equals(&b) }),
		}
		if d := cmp.Diff(want, got, options); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if spans[0].RemoteUnknown {
			t.Errorf("%s: it is not known whether the parent is remote", name)
		}
	}
}

func TestWrite_Lines(t *testing.T) {
	t.Parallel()
	stub := tracetest.SpanStub{Name: "\xff<\n", SpanContext: contextOf(1, false), Parent: contextOf(2, false)}
	got := written(t, stub, stub)
	for want, count := range map[string]int{
		"\n": 2, `"traceId":"07000000000000000000000000000000"`: 2, `"spanId":"0100000000000000"`: 2,
		`"parentSpanId":"0200000000000000"`: 2, `"name":"` + "\ufffd" + `<\n"`: 2,
	} {
		if strings.Count(got, want) != count {
			t.Errorf("%q occurs %d×, want %d×:\n%s", want, strings.Count(got, want), count, got)
		}
	}
}

// What SDKs send: ids in hexadecimal of any case, enumerations as numbers or names, 64
// bits as text or numbers, and fields of later versions.
func TestRead_JSON(t *testing.T) {
	t.Parallel()
	const start, end = `{"resourceSpans":[{"new":1,"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"job"}}]},"scopeSpans":[{"spans":[{` +
		`"traceId":"0AF7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331",`, `}]}]}]}`
	for name, tt := range map[string]struct {
		fields        string
		kind          trace.SpanKind
		remote        bool
		remoteUnknown bool
	}{
		"numbers": {fields: `"name":"a","kind":5,"startTimeUnixNano":"1","endTimeUnixNano":"2","flags":769,"parentSpanId":"00f067aa0ba902b7"`, kind: trace.SpanKindConsumer, remote: true},
		"names":   {fields: `"name":"a","kind":"SPAN_KIND_SERVER","startTimeUnixNano":1,"endTimeUnixNano":2,"flags":257,"parentSpanId":"00f067aa0ba902b7"`, kind: trace.SpanKindServer},
		"older":   {fields: `"name":"a","kind":1,"parentSpanId":"00f067aa0ba902b7","later":{"traceId":[1]}`, kind: trace.SpanKindInternal, remoteUnknown: true},
		"root":    {fields: `"name":"a","kind":1,"parentSpanId":""`, kind: trace.SpanKindInternal, remoteUnknown: true},
	} {
		spans, err := otlp.ReadJSON([]byte(start + tt.fields + end))
		if err != nil || len(spans) != 1 {
			t.Fatalf("%s: %d spans, error %v; want 1, nil", name, len(spans), err)
		}
		s := spans[0]
		if got := s.SpanContext.TraceID().String() + "-" + s.SpanContext.SpanID().String(); got != "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331" {
			t.Errorf("%s: ids %s", name, got)
		}
		if !s.SpanContext.IsSampled() || s.SpanKind != tt.kind || s.Parent.IsRemote() != tt.remote || s.RemoteUnknown != tt.remoteUnknown {
			t.Errorf("%s: %+v", name, s)
		}
		if service, _ := s.Resource.Set().Value("service.name"); service.AsString() != "job" {
			t.Errorf("%s: service %q, want job", name, service.AsString())
		}
	}
}

func TestRead_Damaged(t *testing.T) {
	t.Parallel()
	span := func(ids string) string { return `{"name":"a",` + ids + `}` }
	document := func(spans ...string) string {
		return `{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Join(spans, ",") + `]}]}]}`
	}
	good := span(`"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331"`)
	for name, tt := range map[string]struct {
		message string
		form    string
		spans   int
		want    string
	}{
		"no JSON":         {message: "garbage", form: "JSON", want: "invalid character"},
		"no protobuf":     {message: "garbage", want: "proto:"},
		"two documents":   {message: "{}{}", form: "JSON", want: "after the JSON document"},
		"another type":    {message: `{"resourceSpans":7}`, form: "JSON", want: "unexpected token 7"},
		"no hexadecimal":  {message: document(good, span(`"traceId":"xx"`)), form: "JSON", want: "traceId: encoding/hex"},
		"no ids":          {message: document(span(`"kind":1`)), form: "JSON", want: `span "a": the ids`},
		"ids of zero":     {message: document(span(`"traceId":"00000000000000000000000000000000","spanId":"b7ad6b7169203331"`)), form: "JSON", want: "the ids"},
		"ids of 64 bits":  {message: document(good, span(`"traceId":"8448eb211c80319c","spanId":"b7ad6b7169203331"`)), form: "JSON", spans: 1, want: "the ids 8448eb211c80319c and"},
		"a long id":       {message: document(span(`"traceId":"` + strings.Repeat("ab", 1<<20) + `","spanId":"b7ad6b7169203331"`)), form: "JSON", want: "the ids abababababababababababababababab and"},
		"a wrong parent":  {message: document(span(`"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","parentSpanId":"ab"`)), form: "JSON", want: "the parent of span"},
		"a wrong link":    {message: document(span(`"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","links":[{}]`)), form: "JSON", want: "a link of span"},
		"deep attributes": {message: strings.Repeat(`{"resourceSpans":`, 20_000), form: "JSON", want: "exceeded max depth"},
	} {
		spans, err := reader(tt.form)([]byte(tt.message))
		if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 500 || len(spans) != tt.spans {
			t.Errorf("%s: %d spans, error %v; want %d, %q", name, len(spans), err, tt.spans, tt.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	var stub bytes.Buffer
	if err := otlp.Write(&stub, []tracetest.SpanStub{full()}); err != nil {
		f.Fatal(err)
	}
	f.Add(stub.Bytes(), "JSON")
	f.Add([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","attributes":[{"key":"a","value":{"arrayValue":{"values":[{}]}}}]}]}]}]}`), "JSON")
	f.Add(binary.AppendUvarint([]byte{10}, 0), "protobuf")
	f.Fuzz(func(t *testing.T, message []byte, form string) {
		spans, err := reader(form)(message)
		if err != nil {
			return
		}
		for _, s := range spans {
			again, err := otlp.ReadJSON([]byte(written(t, s.SpanStub)))
			if err != nil || len(again) != 1 {
				t.Errorf("what was written is not read: %d spans, error %v", len(again), err)
			}
		}
	})
}
