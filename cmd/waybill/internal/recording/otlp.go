// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package recording

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"unique"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flow"
)

// splitFields emits the resources of OTLP messages, as an exporter sends them. Each is a
// message, too.
func splitFields(text *bufio.Reader, emit func(*piece)) {
	for {
		field, err := readField(text)
		if err != nil {
			if err != io.EOF { //nolint:errorlint // An end within a message is io.ErrUnexpectedEOF.
				emit(&piece{err: err})
			}
			return
		}
		emit(&piece{text: field})
	}
}

// resourceField is the tag of the resources of an OTLP message: field 1, with a length.
const resourceField = 0x0a

// readField returns the next field of a message. The error is io.EOF at its end.
func readField(source *bufio.Reader) ([]byte, error) {
	tag, err := source.ReadByte()
	if err != nil {
		return nil, err
	}
	if tag != resourceField {
		return nil, errFormat
	}
	size, err := binary.ReadUvarint(source)
	if err != nil || size > maxLine {
		return nil, errFormat
	}
	field := binary.AppendUvarint([]byte{tag}, size)
	return appendFrom(field, source, int(size)) //nolint:gosec // It is at most maxLine.
}

// appendFrom appends the next n bytes of source to text. It allocates no more than source
// has, whatever n says.
func appendFrom(text []byte, source io.Reader, n int) ([]byte, error) {
	b := bytes.NewBuffer(text)
	if _, err := io.CopyN(b, source, int64(n)); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return b.Bytes(), nil
}

// DecodeJSON returns the spans of an ExportTraceServiceRequest of OTLP/JSON.
func DecodeJSON(message []byte) ([]flow.Span, error) { return readOTLP(message) }

// DecodeProtobuf returns the spans of an ExportTraceServiceRequest of OTLP/protobuf.
func DecodeProtobuf(message []byte) ([]flow.Span, error) { return protobufSpans(message) }

func protobufSpans(text []byte) (spans []flow.Span, err error) {
	defer recovered(&err)
	traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(text)
	if err != nil {
		return nil, fmt.Errorf("this is no OTLP message: %w", err)
	}
	return Convert(traces), nil
}

// recovered turns a panic of a parser into an error.
func recovered(err *error) {
	if value := recover(); value != nil {
		*err = fmt.Errorf("the parser failed: %v", value)
	}
}

// The flags of a span and of a link: whether that is sampled, and whether the parent, or
// what is linked, is in another process.
// https://opentelemetry.io/docs/specs/otel/protocol/ (SpanFlags)
const (
	sampledFlag   = 0x1
	hasRemoteFlag = 0x100
	remoteFlag    = 0x200
)

// Convert returns the spans of traces.
func Convert(traces ptrace.Traces) []flow.Span {
	spans := make([]flow.Span, 0, traces.SpanCount())
	for _, resource := range traces.ResourceSpans().All() {
		process := processOf(resource.Resource().Attributes())
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				s := spanOf(span)
				s.Scope = scope.Scope().Name()
				s.SetProcess(process)
				spans = append(spans, s)
			}
		}
	}
	return spans
}

func processOf(resource pcommon.Map) flow.Process {
	return flow.ProcessOf(func(key string) string {
		if value, ok := resource.Get(key); ok {
			return value.AsString()
		}
		return ""
	})
}

func spanOf(span ptrace.Span) flow.Span {
	s := flow.Span{
		ID:            idOf(span.TraceID(), span.SpanID()),
		Remote:        span.Flags()&remoteFlag != 0,
		RemoteUnknown: span.Flags()&hasRemoteFlag == 0,
		Name:          unique.Make(span.Name()).Value(),
		Kind:          trace.SpanKind(span.Kind()),
		Start:         span.StartTimestamp().AsTime(),
		Message:       span.Status().Message(),
	}
	if span.EndTimestamp() != 0 {
		s.End = span.EndTimestamp().AsTime()
	}
	if !span.ParentSpanID().IsEmpty() {
		s.Parent = idOf(span.TraceID(), span.ParentSpanID())
	}
	if span.Status().Code() == ptrace.StatusCodeError {
		s.Status = codes.Error
	}
	isSampled := span.Flags()&sampledFlag != 0
	for _, link := range span.Links().All() {
		id := idOf(link.TraceID(), link.SpanID())
		s.Links = append(s.Links, id)
		s.ParentUnsampled = s.ParentUnsampled || isSampled && id == s.Parent && isUnsampled(link.Flags())
	}
	s.Attributes = make([]attribute.KeyValue, 0, span.Attributes().Len())
	for key, value := range span.Attributes().All() {
		s.Attributes = append(s.Attributes, attributeOf(key, value))
	}
	return s
}

// isUnsampled reports whether the flags of a link say that what it refers to was not
// sampled. That is believed if the span that has the link is marked as sampled, because
// an exporter that does not write this flag writes it on neither.
func isUnsampled(flags uint32) bool { return flags&(hasRemoteFlag|sampledFlag) == hasRemoteFlag }

// attributeOf returns an attribute whose key shares its memory with equal ones, as
// there may be millions.
func attributeOf(key string, value pcommon.Value) attribute.KeyValue {
	key = unique.Make(key).Value()
	switch value.Type() {
	case pcommon.ValueTypeInt:
		return attribute.Int64(key, value.Int())
	case pcommon.ValueTypeBool:
		return attribute.Bool(key, value.Bool())
	case pcommon.ValueTypeDouble:
		return attribute.Float64(key, value.Double())
	default:
		return attribute.String(key, value.AsString())
	}
}

func idOf(traceID pcommon.TraceID, spanID pcommon.SpanID) flow.ID {
	return flow.ID{Trace: trace.TraceID(traceID), Span: trace.SpanID(spanID)}
}
