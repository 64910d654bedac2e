// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	"github.com/waybill-go/waybill/cmd/waybill/internal/recording"
	"github.com/waybill-go/waybill/internal/flow"
)

// savedSpans is how many spans a line of a saved file has at most.
const savedSpans = 1000

// Save writes the spans that are kept as OTLP JSON lines, one or more a flow, the oldest
// flow first.
func (s *Store) Save(w io.Writer) error {
	var flows [][]kept
	s.mu.Lock()
	for e := s.recent.Back(); e != nil; e = e.Prev() {
		if f, ok := e.Value.(*Flow); ok {
			flows = append(flows, slices.Clip(f.spans))
		}
	}
	s.mu.Unlock()
	out := bufio.NewWriterSize(w, 1<<16)
	for _, spans := range flows {
		for len(spans) > 0 {
			n := min(len(spans), savedSpans)
			if err := save(out, spans[:n]); err != nil {
				return err
			}
			spans = spans[n:]
		}
	}
	return out.Flush()
}

func save(out *bufio.Writer, spans []kept) error {
	traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(message(spans))
	if err != nil { // One of them cannot be decoded.
		if len(spans) == 1 {
			return nil // It is no span.
		}
		half := len(spans) / 2
		return errors.Join(save(out, spans[:half]), save(out, spans[half:]))
	}
	line, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
	if err != nil {
		return err
	}
	_, err = out.Write(append(line, '\n'))
	return err
}

// Loaded is what was read from a recording.
type Loaded struct {
	Spans   int
	Damaged int   // Lines or documents that could not be read.
	First   error // Why the first of them could not.
}

// String says what was read.
func (l Loaded) String() string {
	text := "Loaded " + flow.Plural(l.Spans, "span") + "."
	if l.Damaged > 0 {
		text += fmt.Sprintf(" %s could not be read: %v", flow.Plural(l.Damaged, "line"), l.First)
	}
	return text
}

// Load adds the spans of a recording in any format that package recording reads.
func (s *Store) Load(r io.Reader) (Loaded, error) {
	text := bufio.NewReaderSize(r, 1<<20)
	if magic, _ := text.Peek(2); string(magic) == "\x1f\x8b" { // RFC 1952.
		unzipped, err := gzip.NewReader(text)
		if err != nil {
			return Loaded{}, err
		}
		text = bufio.NewReaderSize(unzipped, 1<<20)
	}
	before := s.Totals().Received
	var loaded Loaded
	first, err := readLine(text)
	if err == nil && isExport(first) && s.AddJSON(first) == nil { // Lines, each by itself.
		s.addLines(text, &loaded)
	} else {
		err = s.addOther(io.MultiReader(bytes.NewReader(first), text), &loaded)
	}
	loaded.Spans = s.Totals().Received - before
	return loaded, err
}

// maxLine is the longest line that is read.
const maxLine = 64 << 20

var errLine = errors.New("it is no line of OTLP/JSON")

// readLine returns the next line, as far as it is not too long: it then returns
// [bufio.ErrTooLong] with its beginning.
func readLine(text *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := text.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case !errors.Is(err, bufio.ErrBufferFull):
			return line, err
		case len(line) > maxLine:
			return line, bufio.ErrTooLong
		}
	}
}

// isExport reports whether a line may be an ExportTraceServiceRequest.
func isExport(line []byte) bool { return bytes.Contains(line, []byte(`"resourceSpans"`)) }

// addLines adds the spans of lines of OTLP/JSON.
func (s *Store) addLines(text *bufio.Reader, loaded *Loaded) {
	for {
		line, err := readLine(text)
		if failed := s.addLine(line); failed != nil {
			loaded.damage(failed)
		}
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil && !errors.Is(err, bufio.ErrTooLong):
			loaded.damage(err)
			return // What came before is there.
		}
	}
}

func (l *Loaded) damage(err error) {
	l.Damaged++
	l.First = cmp.Or(l.First, err)
}

// addLine adds the spans of a line of OTLP/JSON.
func (s *Store) addLine(line []byte) error {
	line = bytes.TrimSpace(line)
	switch {
	case isExport(line):
		return s.AddJSON(line)
	case len(line) == 0, bytes.Contains(line, []byte(`"resourceMetrics"`)), bytes.Contains(line, []byte(`"resourceLogs"`)):
		return nil // The file exporter of a collector writes all signals to one file.
	default:
		return errLine
	}
}

// addOther adds the spans of a recording in another format.
func (s *Store) addOther(text io.Reader, loaded *Loaded) error {
	r, err := recording.Read(text, recording.Stdin)
	if err != nil {
		return err
	}
	loaded.Damaged = r.DamagedCount
	if len(r.Damaged) > 0 {
		loaded.First = r.Damaged[0].Err
	}
	for len(r.Spans) > 0 {
		n := min(len(r.Spans), savedSpans)
		message, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(encode(r.Spans[:n]))
		if err != nil {
			return err
		}
		if err := s.AddProtobuf(message); err != nil {
			return err
		}
		r.Spans = r.Spans[n:]
	}
	return nil
}

// encode returns spans as OTLP.
func encode(spans []flow.Span) ptrace.Traces {
	type place struct{ service, instance, scope string }
	traces, lists := ptrace.NewTraces(), make(map[place]ptrace.SpanSlice)
	for i := range spans {
		s := &spans[i]
		at := place{s.Service, s.Instance, s.Scope}
		list, ok := lists[at]
		if !ok {
			resource := traces.ResourceSpans().AppendEmpty()
			resource.Resource().Attributes().PutStr("service.name", s.Service)
			resource.Resource().Attributes().PutStr("service.instance.id", s.Instance)
			scope := resource.ScopeSpans().AppendEmpty()
			scope.Scope().SetName(s.Scope)
			list = scope.Spans()
			lists[at] = list
		}
		encodeSpan(list.AppendEmpty(), s)
	}
	return traces
}

func encodeSpan(to ptrace.Span, s *flow.Span) {
	to.SetTraceID(pcommon.TraceID(s.ID.Trace))
	to.SetSpanID(pcommon.SpanID(s.ID.Span))
	to.SetParentSpanID(pcommon.SpanID(s.Parent.Span))
	if !s.RemoteUnknown {
		to.SetFlags(hasRemoteFlag)
		if s.Remote {
			to.SetFlags(hasRemoteFlag | remoteFlag)
		}
	}
	to.SetName(s.Name)
	to.SetKind(ptrace.SpanKind(s.Kind)) //nolint:gosec // They have the same values.
	to.SetStartTimestamp(pcommon.NewTimestampFromTime(s.Start))
	if !s.End.IsZero() {
		to.SetEndTimestamp(pcommon.NewTimestampFromTime(s.End))
	}
	if s.Status == codes.Error {
		to.Status().SetCode(ptrace.StatusCodeError)
		to.Status().SetMessage(s.Message)
	}
	for _, id := range s.Links {
		link := to.Links().AppendEmpty()
		link.SetTraceID(pcommon.TraceID(id.Trace))
		link.SetSpanID(pcommon.SpanID(id.Span))
	}
	for _, kv := range s.Attributes {
		switch value := kv.Value; value.Type() {
		case attribute.INT64:
			to.Attributes().PutInt(string(kv.Key), value.AsInt64())
		case attribute.BOOL:
			to.Attributes().PutBool(string(kv.Key), value.AsBool())
		case attribute.FLOAT64:
			to.Attributes().PutDouble(string(kv.Key), value.AsFloat64())
		default:
			to.Attributes().PutStr(string(kv.Key), value.String())
		}
	}
}
