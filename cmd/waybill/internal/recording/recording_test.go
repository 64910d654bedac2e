// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package recording_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/cmd/waybill/internal/recording"
)

// orders is a recording of two services: a message, and its handling.
func orders() ptrace.Traces {
	traces := ptrace.NewTraces()
	for i, service := range []string{"api", "job"} {
		resource := traces.ResourceSpans().AppendEmpty()
		resource.Resource().Attributes().PutStr("service.name", service)
		span := resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.SetTraceID(pcommon.TraceID{15: 1})
		span.SetSpanID(pcommon.SpanID{7: byte(i + 1)})
		span.SetKind(ptrace.SpanKindProducer)
		span.SetName("send orders")
		span.SetStartTimestamp(1_700_000_000_000_000_000)
		span.SetEndTimestamp(1_700_000_000_001_000_000)
		if i == 1 {
			span.SetParentSpanID(pcommon.SpanID{7: 1})
			span.SetFlags(0x301)
			span.SetKind(ptrace.SpanKindConsumer)
			span.SetName("process orders")
			span.Attributes().PutInt("messaging.batch.message_count", 1)
		}
	}
	return traces
}

func ordersJSON(t testing.TB) []byte {
	t.Helper()
	text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(orders())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const jaeger = `{"data":[{"traceID":"1","spans":[
 {"traceID":"1","spanID":"1","operationName":"send orders","startTime":1700000000000000,"duration":1000,"processID":"p1","tags":[{"key":"span.kind","value":"producer"}]},
 {"traceID":"1","spanID":"2","operationName":"process orders","references":[{"refType":"CHILD_OF","traceID":"1","spanID":"1"}],"startTime":1700000000000000,"duration":1000,"processID":"p2","tags":[{"key":"span.kind","value":"consumer"},{"key":"messaging.batch.message_count","type":"int64","value":1}]}],
 "processes":{"p1":{"serviceName":"api"},"p2":{"serviceName":"job"}}}]}`

func zipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// nested returns a span with an attribute of n arrays in each other.
func nested(n int) []byte {
	return []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"k","value":` +
		strings.Repeat(`{"arrayValue":{"values":[`, n) + `{"stringValue":"x"}` + strings.Repeat(`]}}`, n) + `}]}]}]}]}`)
}

// base64IDs returns text with the ids in base64.
func base64IDs(text string) string {
	return regexp.MustCompile(`"([0-9a-f]{32}|[0-9a-f]{16})"`).ReplaceAllStringFunc(text, func(quoted string) string {
		id, err := hex.DecodeString(quoted[1 : len(quoted)-1])
		if err != nil {
			return quoted
		}
		return `"` + base64.StdEncoding.EncodeToString(id) + `"`
	})
}

// framed returns messages behind their sizes, as the file exporter of a collector does.
func framed(messages ...[]byte) []byte {
	var b []byte
	for _, message := range messages {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(message))), message...)
	}
	return b
}

func TestRead(t *testing.T) {
	t.Parallel()
	line := ordersJSON(t)
	proto, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(orders())
	if err != nil {
		t.Fatal(err)
	}
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	var indented bytes.Buffer
	indented.WriteString(strings.ReplaceAll(string(line), `{"scope`, "{\n  \"scope"))
	for _, tt := range []struct {
		name    string
		text    []byte
		spans   int
		damaged []string // What follows the name of the file.
		err     error
	}{
		{name: "empty", err: recording.ErrNoSpans},
		{name: "blank lines", text: []byte("\n\n\n"), err: recording.ErrNoSpans},
		{name: "other signals only", text: []byte(`{"resourceLogs":[]}`), err: recording.ErrNoSpans},
		{name: "lines", text: append(append(bytes.Clone(line), '\n'), line...), spans: 4},
		{name: "a last line without an end", text: append(append(bytes.Clone(line), "\n\n"...), line...), spans: 4},
		{name: "one document of several lines", text: indented.Bytes(), spans: 2},
		{name: "with a byte order mark", text: append([]byte("\xef\xbb\xbf"), line...), spans: 2},
		{name: "protobuf", text: proto, spans: 2},
		{name: "gzip", text: zipped(t, line), spans: 2},
		{name: "zstd", text: encoder.EncodeAll(line, nil), spans: 2},
		{name: "Jaeger", text: []byte(jaeger), spans: 2},
		{name: "Tempo", text: bytes.Replace(line, []byte("resourceSpans"), []byte("batches"), 1), spans: 2},
		{name: "metrics beside spans", text: append(append(bytes.Clone(line), '\n'), `{"resourceMetrics":[]}`...), spans: 2},
		{name: "lines from the middle of one", text: append(append(bytes.Clone(line[100:]), '\n'), line...), spans: 2, damaged: []string{":1"}},
		{name: "a first line that is cut off", text: append(append(bytes.Clone(line[:100]), '\n'), line...), spans: 2, damaged: []string{":1"}},
		{name: "a last line that is cut off", text: append(append(bytes.Clone(line), '\n'), line[:100]...), spans: 2, damaged: []string{":2"}},
		{name: "filled with zeros", text: append(make([]byte, 4096), line...), spans: 2},
		{name: "between the lines of a log", text: fmt.Appendf(nil, "starting\n%s\n\x1b[31mdone\x1b[0m\n", line), spans: 2, damaged: []string{":1", ":3"}},
		{name: "in the lines of a log", text: fmt.Appendf(nil, "2026-11-30 stdout F %s\n2026-11-30 stdout F %[1]s\n", line), spans: 4},
		{name: "documents in one line", text: fmt.Appendf(nil, "%s %[1]s%[1]s", line), spans: 6},
		{name: "documents of several lines", text: fmt.Appendf(nil, "%s\n%[1]s%[1]s\n", &indented), spans: 6},
		{name: "an array of documents", text: fmt.Appendf(nil, "[%s,\n%[1]s]\n", line), spans: 4},
		{name: "one document cut off between others", text: fmt.Appendf(nil, "%s\n%s\n%[1]s\n", &indented, indented.Bytes()[:indented.Len()/2]), spans: 4, damaged: []string{":4"}},
		{name: "values in values", text: nested(100_000), damaged: []string{":1: the document is nested too deeply"}, err: recording.ErrNoSpans},
		{name: "values in values, with an escaped key", text: bytes.ReplaceAll(nested(1_000), []byte("values"), []byte(`v\u0061lues`)), damaged: []string{":1: the document is nested too deeply"}, err: recording.ErrNoSpans},
		{name: "values in a few values", text: nested(20), spans: 1},
		{name: "Jaeger, with a tag named as a key of Tempo", text: []byte(strings.ReplaceAll(jaeger, "messaging.batch.message_count", "batches")), spans: 2},
		{name: "Tempo, version 2", text: fmt.Appendf(nil, `{"trace":%s,"metrics":{}}`, line), spans: 2},
		{name: "Tempo, ids in base64", text: []byte(base64IDs(string(line))), spans: 2},
		{name: "OTLP before 0.15", text: []byte(strings.NewReplacer("scopeSpans", "instrumentationLibrarySpans", `"scope"`, `"instrumentationLibrary"`).Replace(string(line))), spans: 2},
		{name: "the spans of one resource", text: line[len(`{"resourceSpans":[`) : len(line)-len("]}")], spans: 2},
		{name: "protobuf behind its size", text: framed(proto, proto), spans: 4},
		{name: "JSON behind its size, compressed", text: framed(encoder.EncodeAll(line, nil)), spans: 2},
		{name: "a message that is cut off", text: framed(proto, proto)[:len(proto)+20], spans: 2, damaged: []string{":2: the document is cut off"}},
		{name: "protobuf that is cut off", text: proto[:len(proto)-1], spans: 1, damaged: []string{": unexpected EOF"}},
		{name: "UTF-16", text: []byte("\xff\xfe{\x00"), damaged: []string{": this is UTF-16"}, err: recording.ErrNoSpans},
		{name: "a damaged line", text: append(append(bytes.Clone(line), "\n{\"resourceSpans\":[{\n"...), line...), spans: 4, damaged: []string{":2"}},
		{name: "a truncated gzip", text: zipped(t, bytes.Repeat(append(line, '\n'), 1000))[:300], damaged: []string{":"}, spans: -1, err: recording.ErrNoSpans},
		{name: "something else", text: []byte("hello world"), damaged: []string{":"}, err: recording.ErrNoSpans},
		{name: "other JSON", text: []byte(`{"hello":"world"}`), damaged: []string{":1"}, err: recording.ErrNoSpans},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "spans")
			if err := os.WriteFile(file, tt.text, 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := (&recording.Reader{}).Read(t.Context(), file)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error = %v, want %v", err, tt.err)
			}
			if tt.spans >= 0 && len(r.Spans) != tt.spans {
				t.Errorf("%d spans, want %d", len(r.Spans), tt.spans)
			}
			if len(r.Damaged) != len(tt.damaged) {
				t.Fatalf("damaged %v, want %v", r.Damaged, tt.damaged)
			}
			for i, want := range tt.damaged {
				if got := r.Damaged[i].String(); !strings.HasPrefix(got, file+want) {
					t.Errorf("damaged %q, want prefix %q", got, file+want)
				}
			}
		})
	}
}

func TestReadLine_TooLong(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		want       []error // Of each call until the end.
	}{
		{name: "in the middle", text: "a\n" + strings.Repeat("b", 50) + "\nc\n", want: []error{nil, recording.ErrTooLong, nil, io.EOF}},
		{name: "the last, without an end", text: "a\n" + strings.Repeat("b", 50), want: []error{nil, recording.ErrTooLong, io.EOF}},
		{name: "of that length", text: strings.Repeat("b", 39) + "\n", want: []error{nil, io.EOF}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := bufio.NewReaderSize(strings.NewReader(tt.text), 16)
			for n, want := range tt.want {
				if line, err := recording.ReadLine(text, 40); !errors.Is(err, want) {
					t.Errorf("line %d: %q, %v, want %v", n+1, line, err, want)
				}
			}
		})
	}
}

// All formats hold the same spans.
func TestRead_FormatsAgree(t *testing.T) {
	t.Parallel()
	read := func(text string) *recording.Recording {
		r, err := (&recording.Reader{Stdin: strings.NewReader(text)}).Read(t.Context(), recording.Stdin)
		if err != nil {
			t.Fatal(err)
		}
		for i := range r.Spans {
			r.Spans[i].Remote, r.Spans[i].RemoteUnknown, r.Spans[i].Instance = false, false, "" // Jaeger does not say.
			if len(r.Spans[i].Attributes) == 0 {
				r.Spans[i].Attributes = nil
			}
		}
		return r
	}
	diff := cmp.Diff(read(string(ordersJSON(t))).Spans, read(jaeger).Spans, cmp.Comparer(func(a, b attribute.KeyValue) bool { return a == b }))
	if diff != "" {
		t.Errorf("spans of OTLP and Jaeger (-OTLP +Jaeger)\n%s", diff)
	}
}

func TestRead_Unreadable(t *testing.T) {
	t.Parallel()
	if _, err := (&recording.Reader{}).Read(t.Context(), filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error of an absent file = %v", err)
	}
	if _, err := (&recording.Reader{}).Read(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("error of a directory = %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(ordersJSON(f))
	f.Add([]byte(jaeger))
	f.Add(zipped(f, ordersJSON(f)))
	f.Add(framed(ordersJSON(f)))
	f.Add(append([]byte("log\n"), ordersJSON(f)...))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := (&recording.Reader{Stdin: bytes.NewReader(text)}).Read(t.Context(), recording.Stdin)
		if (err != nil) != (len(r.Spans) == 0) {
			t.Errorf("%d spans, and the error %v", len(r.Spans), err)
		}
	})
}

// A link to the parent says whether that was sampled. An exporter that writes no such
// flag says nothing.
func TestConvert_UnsampledParent(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		span, link uint32
		target     byte
		want       bool
	}{
		"not sampled":            {span: 0x301, link: 0x300, target: 1, want: true},
		"sampled":                {span: 0x301, link: 0x301, target: 1},
		"no flags":               {span: 0x300, link: 0x300, target: 1},
		"no flags of links":      {span: 0x301, link: 0, target: 1},
		"a link to another span": {span: 0x301, link: 0x300, target: 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			traces := orders()
			span := traces.ResourceSpans().At(1).ScopeSpans().At(0).Spans().At(0)
			span.SetFlags(tt.span)
			link := span.Links().AppendEmpty()
			link.SetTraceID(span.TraceID())
			link.SetSpanID(pcommon.SpanID{7: tt.target})
			link.SetFlags(tt.link)
			spans := recording.Convert(traces)
			if got := spans[len(spans)-1].ParentUnsampled; got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}

// What comes over the network is no better than what is in a file.
func TestDecodeJSON_Deep(t *testing.T) {
	t.Parallel()
	if _, err := recording.DecodeJSON(nested(1_000)); err == nil || !strings.Contains(err.Error(), "nested too deeply") {
		t.Errorf("error = %v, want that the document is nested too deeply", err)
	}
}
