// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package recording

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"iter"
	"regexp"
	"sync"

	"github.com/waybill-go/waybill/internal/flow"
)

// isText reports whether a file that begins with head is text, such as JSON lines. OTLP
// messages are not, because they hold control characters.
func isText(head []byte) bool {
	return !bytes.ContainsFunc(bytes.TrimLeft(head, "\x00"), func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\x1b'
	})
}

// formats tells the JSON formats apart by a key that each of their documents has.
var formats = []struct {
	key   string
	atTop bool // No object within a document begins with the key.
	read  func(text []byte) ([]flow.Span, error)
}{
	{"resourceSpans", true, readOTLP},
	{"resource_spans", true, readOTLP},
	{"batches", true, readTempo},
	{"trace", true, readTempoTrace},
	{"data", true, readJaeger},
	{"traceID", false, readJaeger},
	{"scopeSpans", false, readResource},
	// The file exporter of a collector writes all signals to one file.
	{"resourceMetrics", true, readNothing},
	{"resourceLogs", true, readNothing},
	{"resourceProfiles", true, readNothing},
}

var errFormat = errors.New("this is no recording of spans that is known: OTLP, Jaeger or Tempo")

// spansOf returns the spans of one JSON document.
func spansOf(text []byte) ([]flow.Span, error) {
	for key := range keys(text) {
		for i := range formats {
			if formats[i].key == key {
				return formats[i].read(text)
			}
		}
	}
	return nil, errFormat
}

// keys yields the keys of the object that text is.
func keys(text []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		depth := 0
		for i := 0; i < len(text); i++ {
			switch text[i] {
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			case '"':
				begin := i + 1
				if i = endOfText(text, begin); depth != 1 {
					continue
				}
				rest := bytes.TrimLeft(text[min(i+1, len(text)):], blank)
				if len(rest) > 0 && rest[0] == ':' && !yield(string(text[begin:i])) {
					return
				}
			}
		}
	}
}

// endOfText returns where the text that begins at i ends.
func endOfText(text []byte, i int) int {
	for ; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i
}

// readOTLP reads OTLP, and what is almost OTLP: with the names of scopes before version
// 0.15, or with the ids in base64, as protobuf has them in JSON.
func readOTLP(text []byte) ([]flow.Span, error) {
	spans, err := parseOTLP(text)
	switch {
	case err != nil && bytes.ContainsRune(text, '='):
		if other, otherErr := parseOTLP(hexIDs(text)); otherErr == nil {
			return other, nil
		}
	case err == nil && len(spans) == 0 && bytes.Contains(text, []byte(`"instrumentationLibrarySpans"`)):
		text = bytes.ReplaceAll(text, []byte(`"instrumentationLibrarySpans"`), []byte(`"scopeSpans"`))
		return readOTLP(bytes.ReplaceAll(text, []byte(`"instrumentationLibrary"`), []byte(`"scope"`)))
	}
	return spans, err
}

func parseOTLP(text []byte) (spans []flow.Span, err error) {
	traces, err := Unmarshal(text)
	if err != nil {
		return nil, err
	}
	return Convert(traces), nil
}

// plain returns err without the part of the document that the parser quotes.
func plain(err error) error {
	reason, _, _ := bytes.Cut([]byte(err.Error()), []byte(", error found in"))
	return errors.New(string(reason))
}

// base64ID matches a field with an id in base64: of 16 bytes, or of 8.
var base64ID = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`("(?:trace_?[iI][dD]|(?:parent_?[sS]|s)pan_?[iI][dD])"\s*:\s*")([A-Za-z0-9+/]{22}==|[A-Za-z0-9+/]{11}=)"`)
})

// hexIDs returns text with the ids in hexadecimal that are in base64.
func hexIDs(text []byte) []byte {
	return base64ID().ReplaceAllFunc(text, func(field []byte) []byte {
		parts := base64ID().FindSubmatch(field)
		id, err := base64.StdEncoding.AppendDecode(nil, parts[2])
		if err != nil {
			return field
		}
		return append(hex.AppendEncode(bytes.Clone(parts[1]), id), '"')
	})
}

// readTempo reads the answer of Tempo for a trace, which is OTLP under another name.
func readTempo(text []byte) ([]flow.Span, error) {
	var answer struct{ Batches json.RawMessage }
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, err
	}
	return readOTLP(resources(answer.Batches))
}

// readTempoTrace reads the answer of version 2 of the same query.
func readTempoTrace(text []byte) ([]flow.Span, error) {
	var answer struct{ Trace json.RawMessage }
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, err
	}
	for key := range keys(answer.Trace) {
		switch key {
		case "resourceSpans":
			return readOTLP(answer.Trace)
		case "batches":
			return readTempo(answer.Trace)
		}
	}
	return nil, errFormat
}

// readResource reads the spans of one resource.
func readResource(text []byte) ([]flow.Span, error) {
	return readOTLP(resources(append(append([]byte{'['}, text...), ']')))
}

// resources returns the document of OTLP with the resources of list.
func resources(list []byte) []byte {
	return append(append([]byte(`{"resourceSpans":`), list...), '}')
}

func readNothing([]byte) ([]flow.Span, error) { return nil, nil }
