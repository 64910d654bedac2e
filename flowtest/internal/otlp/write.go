// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"io"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/slim/otlp/trace/v1"
)

// Write writes spans as lines of OTLP/JSON, a line for each span, as the file exporter
// of a collector does.
func Write(w io.Writer, spans []tracetest.SpanStub) error {
	for i := range spans {
		line, err := marshalJSON(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{dataOf(&spans[i])}})
		if err != nil {
			return err
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

func dataOf(s *tracetest.SpanStub) *tracepb.ResourceSpans {
	return &tracepb.ResourceSpans{
		Resource:  &resourcepb.Resource{Attributes: keyValues(s.Resource.Attributes())},
		SchemaUrl: text(s.Resource.SchemaURL()),
		ScopeSpans: []*tracepb.ScopeSpans{{
			Scope:     scope(s.InstrumentationScope),
			SchemaUrl: text(s.InstrumentationScope.SchemaURL),
			Spans:     []*tracepb.Span{span(s)},
		}},
	}
}

func scope(s instrumentation.Scope) *commonpb.InstrumentationScope {
	return &commonpb.InstrumentationScope{Name: text(s.Name), Version: text(s.Version), Attributes: keyValues(s.Attributes.ToSlice())}
}

func span(s *tracetest.SpanStub) *tracepb.Span {
	traceID, spanID := ids(s.SpanContext)
	made := &tracepb.Span{
		TraceId: traceID, SpanId: spanID, TraceState: s.SpanContext.TraceState().String(),
		Flags: flags(s.SpanContext, s.Parent),
		Name:  text(s.Name), Kind: tracepb.Span_SpanKind(s.SpanKind), //nolint:gosec // The numbers are the same.
		StartTimeUnixNano: nanoseconds(s.StartTime), EndTimeUnixNano: nanoseconds(s.EndTime),
		Attributes: keyValues(s.Attributes), Status: status(s.Status),
		DroppedAttributesCount: count(s.DroppedAttributes), DroppedEventsCount: count(s.DroppedEvents), DroppedLinksCount: count(s.DroppedLinks),
	}
	if s.Parent.SpanID().IsValid() {
		_, made.ParentSpanId = ids(s.Parent)
	}
	for _, e := range s.Events {
		made.Events = append(made.Events, &tracepb.Span_Event{
			Name: text(e.Name), TimeUnixNano: nanoseconds(e.Time), Attributes: keyValues(e.Attributes), DroppedAttributesCount: count(e.DroppedAttributeCount),
		})
	}
	for _, l := range s.Links {
		target, of := ids(l.SpanContext)
		made.Links = append(made.Links, &tracepb.Span_Link{
			TraceId: target, SpanId: of, TraceState: l.SpanContext.TraceState().String(),
			Flags:      flags(l.SpanContext, l.SpanContext),
			Attributes: keyValues(l.Attributes), DroppedAttributesCount: count(l.DroppedAttributeCount),
		})
	}
	return made
}

// text returns s without what protobuf does not take for text.
func text(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

func ids(sc trace.SpanContext) (traceID, spanID []byte) {
	t, s := sc.TraceID(), sc.SpanID()
	return t[:], s[:]
}

// flags returns the trace flags of one context, and whether another one is remote.
func flags(own, other trace.SpanContext) uint32 {
	f := uint32(own.TraceFlags()) | hasRemoteFlag
	if other.IsRemote() {
		f |= remoteFlag
	}
	return f
}

func nanoseconds(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(t.UnixNano(), 0)) //nolint:gosec // It is not negative.
}

func count(n int) uint32 { return uint32(max(n, 0)) } //nolint:gosec // Counts are small.

func status(s sdktrace.Status) *tracepb.Status {
	code := map[codes.Code]tracepb.Status_StatusCode{codes.Ok: tracepb.Status_STATUS_CODE_OK, codes.Error: tracepb.Status_STATUS_CODE_ERROR}[s.Code]
	return &tracepb.Status{Code: code, Message: text(s.Description)}
}

func keyValues(attributes []attribute.KeyValue) []*commonpb.KeyValue {
	return each(attributes, func(kv attribute.KeyValue) *commonpb.KeyValue {
		return &commonpb.KeyValue{Key: text(string(kv.Key)), Value: anyValue(kv.Value)}
	})
}

func anyValue(v attribute.Value) *commonpb.AnyValue {
	switch v.Type() {
	case attribute.BOOL:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: v.AsBool()}}
	case attribute.INT64:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: v.AsInt64()}}
	case attribute.FLOAT64:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: v.AsFloat64()}}
	case attribute.STRING:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: text(v.AsString())}}
	case attribute.BYTESLICE:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: v.AsByteSlice()}}
	case attribute.BOOLSLICE:
		return arrayValue(each(v.AsBoolSlice(), attribute.BoolValue))
	case attribute.INT64SLICE:
		return arrayValue(each(v.AsInt64Slice(), attribute.Int64Value))
	case attribute.FLOAT64SLICE:
		return arrayValue(each(v.AsFloat64Slice(), attribute.Float64Value))
	case attribute.STRINGSLICE:
		return arrayValue(each(v.AsStringSlice(), attribute.StringValue))
	case attribute.SLICE:
		return arrayValue(v.AsSlice())
	case attribute.MAP:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{Values: keyValues(v.AsMap())}}}
	default:
		return &commonpb.AnyValue{}
	}
}

func arrayValue(values []attribute.Value) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: each(values, anyValue)}}}
}
