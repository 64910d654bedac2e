// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package recording

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine is the longest line, and the longest document of several lines, that is read.
const maxLine = 256 << 20

var (
	errTooLong = errors.New("the line is longer than 256 MB")
	errCut     = errors.New("the document is cut off")
)

// splitter cuts text into JSON documents: one a line, or of several lines, one behind
// the other, or the elements of an array. What is between them is damaged. Where a
// document is cut off, the next line that begins one is found again.
type splitter struct {
	emit    func(*piece)
	open    []byte // The document that has not ended yet,
	start   int    // and the line where it begins.
	closing closing
	byLine  bool // Reports whether a document was a line, so that the next may be.
}

// split cuts text into documents.
func split(text *bufio.Reader, emit func(*piece)) {
	s := &splitter{emit: emit}
	for line := 1; ; line++ {
		content, err := readLine(text, maxLine)
		switch {
		case err == nil:
			s.add(line, content)
		case errors.Is(err, io.EOF):
			s.add(line, content)
			s.cutOff(errCut)
			return
		case errors.Is(err, errTooLong):
			s.cutOff(errCut)
			s.damaged(line, err)
		default:
			s.cutOff(errCut)
			s.damaged(line, err)
			return
		}
	}
}

// readLine returns the next line. A line that is longer than limit is passed over.
func readLine(text *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	tooLong := false
	for {
		part, err := text.ReadSlice('\n')
		if tooLong = tooLong || len(line)+len(part) > limit; tooLong {
			line = nil
		} else {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case tooLong && (err == nil || errors.Is(err, io.EOF)):
			return nil, errTooLong
		default:
			return line, err
		}
	}
}

// add adds a line, which is the splitter's from then on.
func (s *splitter) add(line int, content []byte) {
	content = bytes.Trim(bytes.TrimPrefix(content, byteOrderMark), blank)
	if s.open != nil && beginsDocument(content) {
		s.cutOff(errCut)
	}
	if s.open == nil && s.byLine && isDocument(content) {
		s.emit(&piece{line: line, text: content})
		return
	}
	for content = s.next(line, content); len(content) > 0; content = s.next(line, content) {
	}
	if s.closing.inText { // No text goes on in another line.
		s.cutOff(errCut)
	}
}

// The characters that are not part of a document: NUL is what a file is filled with
// that was truncated while it was written.
const (
	blank     = " \t\r\n\x00"
	separator = blank + ",[]"
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// next adds the beginning of content to a document, and returns the rest.
func (s *splitter) next(line int, content []byte) []byte {
	if s.open == nil {
		if content = bytes.TrimLeft(content, separator); len(content) == 0 {
			return nil
		}
		if content[0] != '{' {
			at := bytes.Index(content, document) // Behind what a log puts before each line.
			if at < 0 {
				s.damaged(line, errFormat)
				return nil
			}
			content = content[at:]
		}
		s.start, s.closing = line, closing{}
	}
	n, closed := s.closing.find(content)
	if len(s.open)+n > maxLine {
		s.cutOff(errTooLong)
		return nil
	}
	if closed && s.open == nil {
		s.byLine = n == len(content)
		s.emit(&piece{line: line, text: content[:n:n]})
		return content[n:]
	}
	s.open = append(append(s.open, content[:n]...), '\n')
	if closed {
		s.emit(&piece{line: s.start, text: s.open})
		s.open = nil
	}
	return content[n:]
}

// cutOff ends a document that has not ended, if there is one.
func (s *splitter) cutOff(err error) {
	if s.open != nil {
		s.damaged(s.start, err)
		s.open = nil
	}
	s.closing = closing{}
}

func (s *splitter) damaged(line int, err error) { s.emit(&piece{line: line, err: err}) }

// document begins a document of OTLP.
var document = []byte(`{"resourceSpans"`)

// isDocument reports whether line looks like one document of OTLP, without reading
// all of it: most files are millions of such lines.
func isDocument(line []byte) bool {
	return bytes.HasPrefix(line, document) && line[len(line)-1] == '}' && bytes.Count(line, document[1:]) == 1
}

// beginsDocument reports whether line can only be the first of a document.
func beginsDocument(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte{'{'})
	if !ok {
		return false
	}
	rest = bytes.TrimLeft(rest, blank)
	for i := range formats {
		if key := formats[i].key; len(rest) > len(key)+1 && rest[0] == '"' && rest[len(key)+1] == '"' && string(rest[1:len(key)+1]) == key {
			return formats[i].atTop
		}
	}
	return false
}

// closing finds the end of a JSON value.
type closing struct {
	depth           int
	inText, escaped bool
}

// find returns where the value that text begins, or goes on with, ends, or the length of
// text if it does not.
func (c *closing) find(text []byte) (n int, closed bool) {
	for i, b := range text {
		switch {
		case c.escaped:
			c.escaped = false
		case c.inText:
			c.escaped, c.inText = b == '\\', b != '"'
		case b == '"':
			c.inText = true
		case b == '{' || b == '[':
			c.depth++
		case b == '}' || b == ']':
			if c.depth--; c.depth == 0 {
				return i + 1, true
			}
		}
	}
	return len(text), false
}
