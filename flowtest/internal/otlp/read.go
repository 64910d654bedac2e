// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"cmp"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is a span of another process.
type Span struct {
	tracetest.SpanStub
	// RemoteUnknown reports that the message does not say where the parent was.
	RemoteUnknown bool
}

// ReadProtobuf returns the spans of an ExportTraceServiceRequest. If some of them have
// wrong ids, it returns the others and an error.
func ReadProtobuf(message []byte) ([]Span, error) {
	data := &tracepb.TracesData{} // The request is the same under another name.
	if err := proto.Unmarshal(message, data); err != nil {
		return nil, err
	}
	return spansOf(data)
}

func spansOf(data *tracepb.TracesData) (spans []Span, err error) {
	for _, ofResource := range data.GetResourceSpans() {
		res := resourceOf(ofResource.GetResource(), ofResource.GetSchemaUrl())
		for _, ofScope := range ofResource.GetScopeSpans() {
			scope := scopeOf(ofScope.GetScope(), ofScope.GetSchemaUrl())
			for _, s := range ofScope.GetSpans() {
				span, damage := spanOf(s)
				if damage != nil {
					err = cmp.Or(err, damage)
					continue
				}
				span.Resource, span.InstrumentationScope = res, scope
				spans = append(spans, span)
			}
		}
	}
	return spans, err
}

func resourceOf(r *resourcepb.Resource, schema string) *resource.Resource {
	return resource.NewWithAttributes(schema, attributesOf(r.GetAttributes())...)
}

func scopeOf(s *commonpb.InstrumentationScope, schema string) instrumentation.Scope {
	return instrumentation.Scope{
		Name: s.GetName(), Version: s.GetVersion(), SchemaURL: schema,
		Attributes: attribute.NewSet(attributesOf(s.GetAttributes())...),
	}
}

// The flags of a span that say where its parent is.
const (
	hasRemoteFlag = uint32(tracepb.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK)
	remoteFlag    = uint32(tracepb.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
)

func spanOf(s *tracepb.Span) (Span, error) {
	flags := s.GetFlags()
	own, err := contextOf(s.GetTraceId(), s.GetSpanId(), flags)
	if err != nil {
		return Span{}, fmt.Errorf("span %.100q: %w", s.GetName(), err)
	}
	span := Span{
		SpanStub: tracetest.SpanStub{
			Name: s.GetName(), SpanContext: own, SpanKind: trace.SpanKind(s.GetKind()),
			StartTime: timeOf(s.GetStartTimeUnixNano()), EndTime: timeOf(s.GetEndTimeUnixNano()),
			Attributes:        attributesOf(s.GetAttributes()),
			Status:            statusOf(s.GetStatus()),
			DroppedAttributes: int(s.GetDroppedAttributesCount()), DroppedEvents: int(s.GetDroppedEventsCount()), DroppedLinks: int(s.GetDroppedLinksCount()),
		},
		RemoteUnknown: flags&hasRemoteFlag == 0,
	}
	if state, err := trace.ParseTraceState(s.GetTraceState()); err == nil {
		span.SpanContext = own.WithTraceState(state)
	}
	if len(s.GetParentSpanId()) > 0 {
		parent, err := contextOf(s.GetTraceId(), s.GetParentSpanId(), flags)
		if err != nil {
			return Span{}, fmt.Errorf("the parent of span %.100q: %w", s.GetName(), err)
		}
		span.Parent = parent.WithRemote(flags&remoteFlag != 0)
	}
	for _, e := range s.GetEvents() {
		span.Events = append(span.Events, sdktrace.Event{
			Name: e.GetName(), Time: timeOf(e.GetTimeUnixNano()), Attributes: attributesOf(e.GetAttributes()), DroppedAttributeCount: int(e.GetDroppedAttributesCount()),
		})
	}
	for _, l := range s.GetLinks() {
		target, err := contextOf(l.GetTraceId(), l.GetSpanId(), l.GetFlags())
		if err != nil {
			return Span{}, fmt.Errorf("a link of span %.100q: %w", s.GetName(), err)
		}
		span.Links = append(span.Links, sdktrace.Link{
			SpanContext: target.WithRemote(l.GetFlags()&remoteFlag != 0), Attributes: attributesOf(l.GetAttributes()), DroppedAttributeCount: int(l.GetDroppedAttributesCount()),
		})
	}
	return span, nil
}

// contextOf returns the context of a span that was exported, and so is sampled unless
// flags, which older SDKs do not send, say otherwise.
func contextOf(traceID, spanID []byte, flags uint32) (trace.SpanContext, error) {
	c := trace.SpanContextConfig{TraceFlags: trace.TraceFlags(flags & 0xff)} //nolint:gosec // It is one byte.
	if flags == 0 {
		c.TraceFlags = trace.FlagsSampled
	}
	if copy(c.TraceID[:], traceID) != len(traceID) || copy(c.SpanID[:], spanID) != len(spanID) || !c.TraceID.IsValid() || !c.SpanID.IsValid() ||
		len(traceID) != len(c.TraceID) || len(spanID) != len(c.SpanID) {
		return trace.SpanContext{}, fmt.Errorf("the ids %x and %x are not those of a trace and a span", clip(traceID), clip(spanID))
	}
	return trace.NewSpanContext(c), nil
}

// clip returns the beginning of id, which may be of any length.
func clip(id []byte) []byte { return id[:min(len(id), 16)] }

// timeOf returns the time of a number of nanoseconds since 1970, which is 0 if there is
// none.
func timeOf(nanoseconds uint64) time.Time {
	if nanoseconds == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(nanoseconds)) //nolint:gosec // A time after 2262 is wrong in any case.
}

func statusOf(s *tracepb.Status) sdktrace.Status {
	code := map[tracepb.Status_StatusCode]codes.Code{
		tracepb.Status_STATUS_CODE_OK: codes.Ok, tracepb.Status_STATUS_CODE_ERROR: codes.Error,
	}[s.GetCode()]
	return sdktrace.Status{Code: code, Description: s.GetMessage()}
}

func attributesOf(kvs []*commonpb.KeyValue) []attribute.KeyValue {
	if len(kvs) == 0 {
		return nil
	}
	attributes := make([]attribute.KeyValue, len(kvs))
	for n, kv := range kvs {
		attributes[n] = attribute.KeyValue{Key: attribute.Key(kv.GetKey()), Value: valueOf(kv.GetValue())}
	}
	return attributes
}

func valueOf(v *commonpb.AnyValue) attribute.Value {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return attribute.StringValue(v.StringValue)
	case *commonpb.AnyValue_BoolValue:
		return attribute.BoolValue(v.BoolValue)
	case *commonpb.AnyValue_IntValue:
		return attribute.Int64Value(v.IntValue)
	case *commonpb.AnyValue_DoubleValue:
		return attribute.Float64Value(v.DoubleValue)
	case *commonpb.AnyValue_BytesValue:
		return attribute.ByteSliceValue(v.BytesValue)
	case *commonpb.AnyValue_ArrayValue:
		return sliceOf(v.ArrayValue.GetValues())
	case *commonpb.AnyValue_KvlistValue:
		return attribute.MapValue(attributesOf(v.KvlistValue.GetValues())...)
	default:
		return attribute.Value{}
	}
}

// sliceOf returns a slice of the type of its elements, if they have the same.
func sliceOf(vs []*commonpb.AnyValue) attribute.Value {
	values := make([]attribute.Value, len(vs))
	kind := attribute.STRING // Of an empty slice.
	for n, v := range vs {
		values[n] = valueOf(v)
		switch {
		case n == 0:
			kind = values[n].Type()
		case kind != values[n].Type():
			kind = attribute.EMPTY
		}
	}
	switch kind {
	case attribute.STRING:
		return attribute.StringSliceValue(each(values, attribute.Value.AsString))
	case attribute.BOOL:
		return attribute.BoolSliceValue(each(values, attribute.Value.AsBool))
	case attribute.INT64:
		return attribute.Int64SliceValue(each(values, attribute.Value.AsInt64))
	case attribute.FLOAT64:
		return attribute.Float64SliceValue(each(values, attribute.Value.AsFloat64))
	default:
		return attribute.SliceValue(values...)
	}
}

func each[A, B any](values []A, convert func(A) B) []B {
	converted := make([]B, len(values))
	for n, v := range values {
		converted[n] = convert(v)
	}
	return converted
}
