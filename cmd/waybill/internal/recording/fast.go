// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package recording

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flow"
)

// scanner reads documents of OTLP as exporters write them, several times faster than
// the parser of pdata: it makes spans without an intermediate form, leaves out
// attributes that nobody wants, and shares the memory of equal texts. It gives up on
// whatever is unusual, which the parser reads then: both read the same. What it passes
// over, such as events, need not be right.
type scanner struct {
	text  []byte
	pos   int
	keep  func(key string) bool // Nil keeps all attributes.
	texts map[string]string     // Shared by their content.
	spans []flow.Span
	bad   bool
}

var scanners = sync.Pool{New: func() any { return &scanner{texts: make(map[string]string)} }}

// scan returns the spans of a document. It reports false if the document is unusual.
func scan(text []byte, keep func(key string) bool) ([]flow.Span, bool) {
	s, ok := scanners.Get().(*scanner)
	if !ok {
		return nil, false
	}
	s.text, s.pos, s.keep, s.spans, s.bad = text, 0, keep, nil, false
	found := false
	s.object(func(key []byte) {
		if found = string(key) == "resourceSpans"; found {
			s.array(s.resource)
		} else {
			s.giveUp()
		}
	})
	s.space()
	spans, done := s.spans, found && !s.bad && s.pos == len(text)
	s.text, s.keep, s.spans = nil, nil, nil
	scanners.Put(s)
	return spans, done
}

func (s *scanner) giveUp() { s.bad, s.pos = true, len(s.text) }

// next returns the next character that is no space, or 0.
func (s *scanner) next() byte {
	s.space()
	if s.pos >= len(s.text) {
		s.giveUp()
		return 0
	}
	return s.text[s.pos]
}

func (s *scanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) expect(c byte) {
	if s.next() != c {
		s.giveUp()
		return
	}
	s.pos++
}

// object calls read with each key of an object; it has to read the value.
func (s *scanner) object(read func(key []byte)) {
	s.expect('{')
	if s.next() == '}' {
		s.pos++
		return
	}
	for !s.bad {
		key := s.quoted()
		s.expect(':')
		read(key)
		if c := s.next(); c != ',' {
			s.expect('}')
			return
		}
		s.pos++
	}
}

// array calls read for each element of an array, which it has to read.
func (s *scanner) array(read func()) {
	s.expect('[')
	if s.next() == ']' {
		s.pos++
		return
	}
	for !s.bad {
		read()
		if c := s.next(); c != ',' {
			s.expect(']')
			return
		}
		s.pos++
	}
}

// quoted returns a text without escapes.
func (s *scanner) quoted() []byte {
	s.expect('"')
	rest := s.text[s.pos:]
	end := bytes.IndexByte(rest, '"')
	if end < 0 || !isPlain(rest[:end]) {
		s.giveUp()
		return nil
	}
	s.pos += end + 1
	return rest[:end]
}

// isPlain reports whether text is what it looks like between quotes.
func isPlain(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c == '\\' {
			return false
		}
	}
	return true
}

// maxShared is how long a text may be to be shared, and maxTexts how many are.
const (
	maxShared = 512
	maxTexts  = 8192
)

// share returns text as a string, which may be that of an earlier text.
func (s *scanner) share(text []byte) string {
	if len(text) > maxShared {
		return string(text)
	}
	if known, ok := s.texts[string(text)]; ok {
		return known
	}
	if len(s.texts) == maxTexts {
		clear(s.texts)
	}
	made := string(text)
	s.texts[made] = made
	return made
}

// value reads a text, which may have escapes.
func (s *scanner) value() string {
	if s.next() != '"' {
		s.giveUp()
		return ""
	}
	from := s.pos
	end := endOfText(s.text, from+1)
	if end >= len(s.text) {
		s.giveUp()
		return ""
	}
	s.pos = end + 1
	text := s.text[from+1 : end]
	if isPlain(text) {
		return s.share(text)
	}
	var decoded string
	if !utf8.Valid(text) || json.Unmarshal(s.text[from:end+1], &decoded) != nil {
		s.giveUp()
	}
	return decoded
}

// number reads an integer, which may be in quotes.
func (s *scanner) number() []byte {
	if s.next() == '"' {
		return s.quoted()
	}
	begin := s.pos
	for s.pos < len(s.text) && (s.text[s.pos] == '-' || '0' <= s.text[s.pos] && s.text[s.pos] <= '9') {
		s.pos++
	}
	digits := s.text[begin:s.pos]
	if s.pos < len(s.text) && bytes.IndexByte([]byte(".eE+"), s.text[s.pos]) >= 0 || len(digits) > 1 && digits[0] == '0' {
		s.giveUp()
	}
	return digits
}

func (s *scanner) integer() int64 {
	n, err := strconv.ParseInt(string(s.number()), 10, 64)
	if err != nil {
		s.giveUp()
	}
	return n
}

// skip passes over a value.
func (s *scanner) skip() {
	depth := 0
	for !s.bad {
		switch c := s.next(); c {
		case '"':
			if s.pos = endOfText(s.text, s.pos+1) + 1; s.pos > len(s.text) {
				s.giveUp()
				return
			}
		case '{', '[':
			depth++
			s.pos++
			continue
		case '}', ']':
			depth--
			s.pos++
		case ',', ':':
			if depth == 0 {
				s.giveUp()
				return
			}
			s.pos++
			continue
		default:
			s.word()
		}
		if depth <= 0 {
			return
		}
	}
}

// word passes over a number, or over true, false or null.
func (s *scanner) word() {
	begin := s.pos
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		if ('a' > c || c > 'z') && ('0' > c || c > '9') && c != '-' && c != '+' && c != '.' && c != 'E' {
			break
		}
		s.pos++
	}
	if !json.Valid(s.text[begin:s.pos]) {
		s.giveUp()
	}
}

func (s *scanner) resource() {
	first := len(s.spans)
	found := make(map[string]string) // The first value of each attribute.
	s.object(func(key []byte) {
		switch string(key) {
		case "resource":
			s.object(func(key []byte) {
				switch string(key) {
				case "attributes":
					s.array(func() {
						kv, ok := s.attribute(flow.NamesProcess)
						if _, known := found[string(kv.Key)]; ok && !known {
							found[string(kv.Key)] = kv.Value.String()
						}
					})
				case "droppedAttributesCount":
					s.integer()
				default:
					s.giveUp()
				}
			})
		case "scopeSpans":
			s.array(s.scope)
		case "schemaUrl":
			s.value()
		default:
			s.giveUp()
		}
	})
	process := flow.ProcessOf(func(key string) string { return found[key] })
	for i := first; i < len(s.spans); i++ {
		s.spans[i].SetProcess(process)
	}
}

func (s *scanner) scope() {
	first, name := len(s.spans), ""
	s.object(func(key []byte) {
		switch string(key) {
		case "scope":
			s.object(func(key []byte) {
				switch string(key) {
				case "name":
					name = s.value()
				case "version", "attributes", "droppedAttributesCount":
					s.skip()
				default:
					s.giveUp()
				}
			})
		case "spans":
			s.array(s.span)
		case "schemaUrl":
			s.value()
		default:
			s.giveUp()
		}
	})
	for i := first; i < len(s.spans); i++ {
		s.spans[i].Scope = name
	}
}

// maxKind is the last kind of a span.
const maxKind = int64(trace.SpanKindConsumer)

func (s *scanner) span() {
	var span flow.Span
	var parent trace.SpanID
	var attributes [32]attribute.KeyValue // Their number is not known before.
	kept := attributes[:0]
	var unsampled []flow.ID // What links say was not sampled.
	flags := uint32(0)
	s.object(func(key []byte) {
		switch string(key) {
		case "traceId":
			s.id(span.ID.Trace[:])
		case "spanId":
			s.id(span.ID.Span[:])
		case "parentSpanId":
			s.id(parent[:])
		case "flags":
			flags = s.flags()
		case "name":
			span.Name = s.value()
		case "kind":
			kind := s.integer()
			if kind < 0 || kind > maxKind {
				s.giveUp()
			}
			span.Kind = trace.SpanKind(kind)
		case "startTimeUnixNano":
			span.Start = s.time()
		case "endTimeUnixNano":
			span.End = s.time()
		case "attributes":
			s.array(func() {
				if kv, ok := s.attribute(s.keep); ok {
					kept = append(kept, kv)
				}
			})
		case "links":
			s.array(func() {
				id, linkFlags := s.link()
				span.Links = append(span.Links, id)
				if isUnsampled(linkFlags) {
					unsampled = append(unsampled, id)
				}
			})
		case "status":
			s.status(&span)
		case "traceState", "events", "droppedAttributesCount", "droppedEventsCount", "droppedLinksCount":
			s.skip()
		default:
			s.giveUp()
		}
	})
	span.Remote, span.RemoteUnknown = flags&remoteFlag != 0, flags&hasRemoteFlag == 0
	if parent.IsValid() {
		span.Parent = flow.ID{Trace: span.ID.Trace, Span: parent}
	}
	span.ParentUnsampled = flags&sampledFlag != 0 && slices.Contains(unsampled, span.Parent)
	if span.Start.IsZero() {
		span.Start = time.Unix(0, 0).UTC()
	}
	span.Attributes = append(make([]attribute.KeyValue, 0, len(kept)), kept...)
	s.spans = append(s.spans, span)
}

// id reads an id in hexadecimal, which may be empty.
func (s *scanner) id(id []byte) {
	clear(id)
	switch text := s.quoted(); len(text) {
	case 0:
	case 2 * len(id):
		if _, err := hex.Decode(id, text); err != nil {
			s.giveUp()
		}
	default:
		s.giveUp()
	}
}

// time reads a time in nanoseconds. Zero is none.
func (s *scanner) time() time.Time {
	n := s.integer()
	if n == 0 {
		return time.Time{}
	}
	if n < 0 {
		s.giveUp()
	}
	return time.Unix(0, n).UTC()
}

// flags reads the flags of a span or of a link.
func (s *scanner) flags() uint32 {
	flags := s.integer()
	if flags < 0 || flags > math.MaxUint32 {
		s.giveUp()
		return 0
	}
	return uint32(flags)
}

func (s *scanner) link() (id flow.ID, flags uint32) {
	s.object(func(key []byte) {
		switch string(key) {
		case "traceId":
			s.id(id.Trace[:])
		case "spanId":
			s.id(id.Span[:])
		case "flags":
			flags = s.flags()
		case "traceState", "attributes", "droppedAttributesCount":
			s.skip()
		default:
			s.giveUp()
		}
	})
	return id, flags
}

func (s *scanner) status(span *flow.Span) {
	s.object(func(key []byte) {
		switch string(key) {
		case "code":
			switch s.integer() {
			case 0, 1:
				span.Status = codes.Unset
			case 2:
				span.Status = codes.Error
			default:
				s.giveUp()
			}
		case "message":
			span.Message = s.value()
		default:
			s.giveUp()
		}
	})
}

// attribute reads an attribute. It reports false if keep does not want it.
func (s *scanner) attribute(keep func(key string) bool) (kv attribute.KeyValue, ok bool) {
	read := false
	s.object(func(key []byte) {
		switch string(key) {
		case "key":
			if read { // The value came first, and was not looked at.
				s.giveUp()
				return
			}
			kv.Key = attribute.Key(s.value())
			ok = keep == nil || keep(string(kv.Key))
		case "value":
			if read = true; ok {
				kv.Value = s.any()
			} else {
				s.skip()
			}
		default:
			s.giveUp()
		}
	})
	if !read {
		s.giveUp()
	}
	return kv, ok
}

// any reads the value of an attribute that is no list.
func (s *scanner) any() (value attribute.Value) {
	read := false
	s.object(func(key []byte) {
		read = true
		switch string(key) {
		case "stringValue":
			value = attribute.StringValue(s.value())
		case "intValue":
			value = attribute.Int64Value(s.integer())
		case "boolValue":
			value = attribute.BoolValue(s.bool())
		case "doubleValue":
			value = attribute.Float64Value(s.float())
		default:
			s.giveUp()
		}
	})
	if !read {
		s.giveUp()
	}
	return value
}

func (s *scanner) bool() bool {
	s.next()
	from := s.pos
	s.word()
	switch string(s.text[from:max(from, s.pos)]) {
	case "true":
		return true
	case "false":
		return false
	default:
		s.giveUp()
		return false
	}
}

func (s *scanner) float() float64 {
	s.next()
	from := s.pos
	s.word()
	if s.bad {
		return 0
	}
	f, err := strconv.ParseFloat(string(s.text[from:s.pos]), 64)
	if err != nil {
		s.giveUp()
	}
	return f
}
