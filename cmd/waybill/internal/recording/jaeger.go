// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package recording

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flow"
)

// The JSON of Jaeger's user interface and its query API.
// https://www.jaegertracing.io/docs/latest/apis/
type (
	jaegerDocument struct {
		Data []jaegerTrace `json:"data"`
	}
	jaegerTrace struct {
		TraceID   string                   `json:"traceID"`
		Spans     []jaegerSpan             `json:"spans"`
		Processes map[string]jaegerProcess `json:"processes"`
	}
	jaegerSpan struct {
		TraceID       string            `json:"traceID"`
		SpanID        string            `json:"spanID"`
		ParentSpanID  string            `json:"parentSpanID"`
		OperationName string            `json:"operationName"`
		References    []jaegerReference `json:"references"`
		StartTime     int64             `json:"startTime"` // In microseconds.
		Duration      int64             `json:"duration"`  // In microseconds.
		Tags          []jaegerTag       `json:"tags"`
		ProcessID     string            `json:"processID"`
	}
	jaegerReference struct {
		RefType string `json:"refType"`
		TraceID string `json:"traceID"`
		SpanID  string `json:"spanID"`
	}
	jaegerTag struct {
		Key   string `json:"key"`
		Value any    `json:"value"`
	}
	jaegerProcess struct {
		ServiceName string      `json:"serviceName"`
		Tags        []jaegerTag `json:"tags"`
	}
)

func readJaeger(text []byte) ([]flow.Span, error) {
	var document jaegerDocument
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	if len(document.Data) == 0 {
		var one jaegerTrace
		if err := json.Unmarshal(text, &one); err != nil || len(one.Spans) == 0 {
			return nil, errFormat
		}
		document.Data = []jaegerTrace{one}
	}
	var spans []flow.Span
	for _, t := range document.Data {
		for i := range t.Spans {
			spans = append(spans, t.convert(&t.Spans[i]))
		}
	}
	return spans, nil
}

var jaegerKinds = map[string]trace.SpanKind{
	"server": trace.SpanKindServer, "client": trace.SpanKindClient,
	"producer": trace.SpanKindProducer, "consumer": trace.SpanKindConsumer, "internal": trace.SpanKindInternal,
}

func (t *jaegerTrace) convert(span *jaegerSpan) flow.Span {
	process := t.Processes[span.ProcessID]
	s := flow.Span{
		ID: jaegerID(span.TraceID, span.SpanID), RemoteUnknown: true,
		Name:  span.OperationName,
		Start: time.UnixMicro(span.StartTime).UTC(), End: time.UnixMicro(span.StartTime + span.Duration).UTC(),
	}
	if span.ParentSpanID != "" {
		s.Parent = jaegerID(span.TraceID, span.ParentSpanID)
	}
	for _, ref := range span.References {
		switch id := jaegerID(ref.TraceID, ref.SpanID); {
		case ref.RefType == "CHILD_OF" && ref.TraceID == span.TraceID && s.Parent == flow.ID{}:
			s.Parent = id
		case id != s.Parent:
			s.Links = append(s.Links, id)
		}
	}
	addTags(&s, span.Tags)
	s.SetProcess(process.process())
	return s
}

// process returns what the tags say. Clients of Jaeger have a tag of their own for the host.
func (p jaegerProcess) process() flow.Process {
	tags := map[string]string{"service.name": p.ServiceName}
	for _, tag := range p.Tags {
		key := tag.Key
		if key == "hostname" {
			key = "host.name"
		}
		tags[key] = fmt.Sprint(tag.Value)
	}
	return flow.ProcessOf(func(key string) string { return tags[key] })
}

// addTags adds tags to s: some of them are fields of a span.
func addTags(s *flow.Span, tags []jaegerTag) {
	for _, tag := range tags {
		switch text := fmt.Sprint(tag.Value); tag.Key {
		case "span.kind":
			s.Kind = jaegerKinds[text]
		case "otel.status_code":
			if text == "ERROR" {
				s.Status = codes.Error
			}
		case "error":
			if text == "true" {
				s.Status = codes.Error
			}
		case "otel.status_description":
			s.Message = text
		case "otel.scope.name", "otel.library.name":
			s.Scope = text
		default:
			s.Attributes = append(s.Attributes, tagOf(tag.Key, tag.Value))
		}
	}
}

func tagOf(key string, value any) attribute.KeyValue {
	switch v := value.(type) {
	case bool:
		return attribute.Bool(key, v)
	case float64:
		if v == float64(int64(v)) {
			return attribute.Int64(key, int64(v))
		}
		return attribute.Float64(key, v)
	default:
		return attribute.String(key, fmt.Sprint(value))
	}
}

// jaegerID returns the id of hexadecimal texts. Jaeger leaves out leading zeros.
func jaegerID(traceID, spanID string) flow.ID {
	var id flow.ID
	decode(id.Trace[:], traceID)
	decode(id.Span[:], spanID)
	return id
}

// decode writes the bytes of text to the end of id, or nothing if it is malformed.
func decode(id []byte, text string) {
	if len(text) > 2*len(id) {
		return
	}
	text = strings.Repeat("0", 2*len(id)-len(text)) + text
	if decoded, err := hex.DecodeString(text); err == nil {
		copy(id, decoded)
	}
}
