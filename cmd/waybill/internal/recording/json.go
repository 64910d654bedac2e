// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package recording

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"runtime"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/waybill-go/waybill/internal/flow"
)

// isJSON reports whether a file that begins with head is JSON.
func isJSON(head []byte) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	return len(head) > 0 && (head[0] == '{' || head[0] == '[')
}

// maxLine is the longest line that is read.
const maxLine = 256 << 20

var errTooLong = errors.New("the line is longer than 256 MB")

// piece is a line, or a document of several lines, and what it holds.
type piece struct {
	line  int
	text  []byte
	spans []flow.Span
	err   error
	done  chan struct{}
}

// readJSON reads JSON lines. If the first line is not a document by itself, the whole
// file is one document.
func (r *Recording) readJSON(name string, text *bufio.Reader) {
	pieces := make(chan *piece, runtime.GOMAXPROCS(0))
	go split(text, pieces)
	for p := range pieces {
		<-p.done
		if p.err != nil {
			r.damage(name, p.line, p.err)
			continue
		}
		r.Spans = append(r.Spans, p.spans...)
	}
}

// split sends the pieces of text in order; each is parsed meanwhile.
func split(text *bufio.Reader, pieces chan<- *piece) {
	defer close(pieces)
	for line := 1; ; line++ {
		read, err := readLine(text)
		trimmed := bytes.TrimSpace(bytes.TrimPrefix(read, []byte("\xef\xbb\xbf")))
		if line == 1 && len(trimmed) > 0 && err == nil && !isDocument(trimmed) {
			rest, restErr := io.ReadAll(io.LimitReader(text, maxLine))
			pieces <- parse(&piece{text: append(read, rest...), err: restErr})
			return
		}
		if len(trimmed) > 0 || err != nil && !errors.Is(err, io.EOF) {
			p := &piece{line: line, text: trimmed}
			if err != nil && !errors.Is(err, io.EOF) {
				p.err = err
			}
			pieces <- parse(p)
		}
		if err != nil && !errors.Is(err, errTooLong) {
			return
		}
	}
}

// readLine returns the next line. A line that is too long is passed over.
func readLine(text *bufio.Reader) ([]byte, error) {
	var line []byte
	tooLong := false
	for {
		part, err := text.ReadSlice('\n')
		if tooLong = tooLong || len(line)+len(part) > maxLine; !tooLong {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case tooLong && err == nil:
			return nil, errTooLong
		default:
			return line, err
		}
	}
}

// isDocument reports whether the brackets of line are closed at its end.
func isDocument(line []byte) bool {
	depth, inText, escaped := 0, false, false
	for _, c := range line {
		switch {
		case escaped:
			escaped = false
		case inText:
			escaped, inText = c == '\\', c != '"'
		case c == '"':
			inText = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
	}
	return depth == 0 && !inText
}

// parse parses p in another goroutine.
func parse(p *piece) *piece {
	p.done = make(chan struct{})
	go func() {
		defer close(p.done)
		if p.err == nil {
			p.spans, p.err = spansOf(p.text)
		}
		p.text = nil
	}()
	return p
}

// formats tells the JSON formats apart by a key that each of their documents has.
var formats = []struct {
	key  string
	read func(text []byte) ([]flow.Span, error)
}{
	{`"resourceSpans"`, readOTLP},
	{`"batches"`, readTempo},
	{`"scopeSpans"`, readOTLP},
	{`"traceID"`, readJaeger},
}

var errFormat = errors.New("this is no recording of spans that is known: OTLP, Jaeger or Tempo")

// spansOf returns the spans of one JSON document.
func spansOf(text []byte) ([]flow.Span, error) {
	for _, format := range formats {
		if bytes.Contains(text, []byte(format.key)) {
			return format.read(text)
		}
	}
	if bytes.Contains(text, []byte(`"resourceMetrics"`)) || bytes.Contains(text, []byte(`"resourceLogs"`)) {
		return nil, nil // The file exporter of a collector writes all signals to one file.
	}
	return nil, errFormat
}

func readOTLP(text []byte) (spans []flow.Span, err error) {
	defer recovered(&err)
	traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(text)
	if err != nil {
		return nil, err
	}
	return Convert(traces), nil
}

// readTempo reads the answer of Tempo for a trace, which is OTLP under another name.
func readTempo(text []byte) ([]flow.Span, error) {
	text = bytes.Replace(text, []byte(`"batches"`), []byte(`"resourceSpans"`), 1)
	return readOTLP(bytes.ReplaceAll(text, []byte(`"instrumentationLibrarySpans"`), []byte(`"scopeSpans"`)))
}
