// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package recording_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/waybill-go/waybill/cmd/waybill/internal/recording"
	"github.com/waybill-go/waybill/internal/flow"
)

// numbered returns a line with one span, whose name is its number.
func numbered(n int) string {
	return fmt.Sprintf(`{"resourceSpans":[{"resource":{},"scopeSpans":[{"spans":[{"traceId":"%032x","spanId":"%016x","name":"%d"}]}]}]}`+"\n", n+1, n+1, n)
}

func TestReader_Each_InOrder(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for n := range 1000 {
		text.WriteString(numbered(n))
	}
	next := 0
	r, err := (&recording.Reader{Stdin: strings.NewReader(text.String())}).Each(t.Context(), func(spans []flow.Span) error {
		for _, s := range spans {
			if s.Name != strconv.Itoa(next) {
				t.Errorf("span %q comes as number %d", s.Name, next)
			}
			next++
		}
		return nil
	}, recording.Stdin)
	if err != nil || r.Count != 1000 || next != 1000 || len(r.Spans) != 0 {
		t.Errorf("%d spans were counted, %d handed on and %d kept, %v; want 1000, 1000 and 0", r.Count, next, len(r.Spans), err)
	}
}

func TestReader_Each_Stops(t *testing.T) {
	t.Parallel()
	in, out := io.Pipe() // It never ends.
	t.Cleanup(func() { _ = in.Close() })
	go func() {
		for n := 0; ; n++ {
			if _, err := io.WriteString(out, numbered(n)); err != nil {
				return
			}
		}
	}()
	enough := errors.New("enough")
	left := 10
	_, err := (&recording.Reader{Stdin: in}).Each(t.Context(), func([]flow.Span) error {
		if left--; left == 0 {
			return enough
		}
		return nil
	}, recording.Stdin)
	if !errors.Is(err, enough) {
		t.Errorf("error %v, want the one of take", err)
	}
}

// A reader that waits for input ends with its context.
func TestReader_Each_Canceled(t *testing.T) {
	t.Parallel()
	in, out := io.Pipe()
	t.Cleanup(func() { _ = in.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { _, _ = io.WriteString(out, numbered(0)) }() // The reader has closed it, or the test fails.
	r, err := (&recording.Reader{Stdin: in}).Each(ctx, func([]flow.Span) error {
		cancel()
		return nil
	}, recording.Stdin)
	if !errors.Is(err, context.Canceled) || r.Count != 1 {
		t.Errorf("%d spans and the error %v, want 1 and that of the context", r.Count, err)
	}
}

func TestReader_Idle(t *testing.T) {
	t.Parallel()
	in, out := io.Pipe()
	idle := 0
	rd := &recording.Reader{Stdin: in, Idle: func() {
		idle++
		_ = out.Close() // There is no more.
	}}
	go func() { _, _ = io.WriteString(out, numbered(0)) }() // Likewise.
	if r, err := rd.Read(t.Context(), recording.Stdin); err != nil || len(r.Spans) != 1 || idle == 0 {
		t.Errorf("%d spans, idle %d times, %v", len(r.Spans), idle, err)
	}
}

func TestReader_Progress(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "spans.jsonl")
	text := numbered(0) + numbered(1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var reported []recording.Progress
	rd := &recording.Reader{Progress: func(p recording.Progress) { reported = append(reported, p) }}
	if _, err := rd.Read(t.Context(), file, file); err != nil {
		t.Fatal(err)
	}
	if len(reported) == 0 || reported[0].Size != int64(2*len(text)) || reported[0].Bytes == 0 || reported[0].Spans == 0 {
		t.Errorf("reported %+v, want both files of %d bytes", reported, len(text))
	}
}

// A file that is followed may grow, become shorter, and be replaced.
func TestReader_Follow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "spans.jsonl")
	write := func(name, text string, flag int) {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|flag, 0o600)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := f.WriteString(text); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	write(file, numbered(0)+numbered(1), 0)
	ctx, cancel := context.WithCancel(t.Context())
	steps := map[string]func(){ // What is done when a span has come.
		"1": func() { write(file, numbered(2)[:20], os.O_APPEND); write(file, numbered(2)[20:], os.O_APPEND) },
		"2": func() { write(file, numbered(3), os.O_TRUNC) },
		"3": func() {
			write(file+".next", numbered(4), 0)
			if err := os.Rename(file+".next", file); err != nil {
				t.Error(err)
			}
		},
		"4": cancel,
	}
	var got []string
	_, err := (&recording.Reader{Follow: true}).Each(ctx, func(spans []flow.Span) error {
		for _, s := range spans {
			got = append(got, s.Name)
			if step := steps[s.Name]; step != nil {
				step()
			}
		}
		return nil
	}, file)
	if want := "0 1 2 3 4"; strings.Join(got, " ") != want || !errors.Is(err, context.Canceled) {
		t.Errorf("spans %v, %v; want %s", got, err, want)
	}
}

// What comes before the place where a file was cut off is used.
func TestReader_CutOff(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for n := range 5000 {
		text.WriteString(numbered(n))
	}
	var compressed bytes.Buffer
	encoder, err := zstd.NewWriter(&compressed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(encoder, text.String()); err != nil {
		t.Fatal(err)
	}
	if err := encoder.Close(); err != nil {
		t.Fatal(err)
	}
	gz := zipped(t, []byte(text.String()))
	for name, cut := range map[string][]byte{"gzip": gz[:len(gz)*3/4], "zstd": compressed.Bytes()[:compressed.Len()*3/4]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := (&recording.Reader{Stdin: bytes.NewReader(cut)}).Read(t.Context(), recording.Stdin)
			if err != nil || len(r.Spans) < 500 || len(r.Spans) >= 5000 || r.DamagedCount == 0 {
				t.Fatalf("%d spans, %d damaged places, %v; want some of 5000, and a damage", len(r.Spans), r.DamagedCount, err)
			}
			if got := r.Damaged[len(r.Damaged)-1]; got.Line != len(r.Spans)+1 || !strings.Contains(got.Err.Error(), "unexpected EOF") {
				t.Errorf("damaged %q, want line %d and an unexpected end", got, len(r.Spans)+1)
			}
		})
	}
}

// A recording of another kind gets a sentence that says what to use instead.
func TestReader_Hints(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{name: "empty", want: "no spans in standard input: it is empty"},
		{name: "metrics", text: `{"resourceMetrics":[]}`, want: "there are only metrics, logs or profiles"},
		{
			name: "stdouttrace", want: "the stdouttrace exporter of Go",
			text: "{\n\t\"Name\": \"run\",\n\t\"SpanContext\": {\n\t\t\"TraceID\": \"0102\",\n\t\t\"SpanID\": \"01\"\n\t}\n}\n",
		},
		{
			name: "Python's console", want: "the ConsoleSpanExporter of Python",
			text: "{\n    \"name\": \"run\",\n    \"context\": {\n        \"trace_id\": \"0x0102\"\n    }\n}\n",
		},
		{
			name: "Node's console", want: "the ConsoleSpanExporter of Node",
			text: "{\n  resource: {\n    attributes: {}\n  },\n  instrumentationScope: { name: 'x' },\n  traceId: '0102',\n}\n",
		},
		{
			name: "Java's log", want: "the logging exporter of Java",
			text: "[otel.javaagent] INFO io.opentelemetry.exporter.logging.LoggingSpanExporter - 'run' : 0102 01 INTERNAL [tracer: x:] {}\n",
		},
		{name: "a collector's log", text: "ResourceSpans #0\nScopeSpans #0\nSpan #0\n    Trace ID       : 0102\n", want: "the debug exporter of a collector"},
		{name: "Zipkin", text: `[{"traceId":"1","id":"1","localEndpoint":{"serviceName":"api"}}]`, want: "Zipkin"},
		{name: "a catalog", text: `{"waybill_catalog": 1, "spans": 3}`, want: "waybill catalog with --diff"},
		{name: "a page", text: "<!doctype html>\n<title>flow</title>", want: "the recording that it was made from"},
		{name: "UTF-16", text: "\xff\xfe{\x00}\x00", want: "UTF-16"},
		{name: "zip", text: "PK\x03\x04\x00\x00", want: "zip archive"},
		{name: "xz", text: "\xfd7zXZ\x00\x00", want: "compressed with xz"},
		{name: "tar", text: "a" + strings.Repeat("\x00", 256) + "ustar\x00", want: "tar archive"},
		{name: "something", text: "\x7fELF\x00\x01\x02", want: "no recording of spans that is known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := (&recording.Reader{Stdin: strings.NewReader(tt.text)}).Read(t.Context(), recording.Stdin)
			if !errors.Is(err, recording.ErrNoSpans) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with %q", err, tt.want)
			}
		})
	}
}
