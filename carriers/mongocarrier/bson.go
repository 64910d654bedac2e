// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"
)

// MaxDocumentBytes is the size of the largest document.
// https://www.mongodb.com/docs/manual/reference/limits/#bson-documents
const MaxDocumentBytes = 16 << 20

// ErrMalformed is returned when the bytes of a document are not BSON.
var ErrMalformed = errors.New("mongocarrier: malformed BSON document")

// The types of BSON that this package reads or writes. https://bsonspec.org/spec.html
const (
	typeString   = 0x02
	typeDocument = 0x03
	typeArray    = 0x04
	typeBinary   = 0x05
)

// minDocument is the size of the empty document: its length and its end.
const minDocument = 5

// element is one element of a document of bytes, which it shares. It begins at
// offset from of the document and ends before offset to.
type element struct {
	kind     byte
	key      []byte
	value    []byte
	from, to int
}

// documentLen returns the length of the document at the start of b, or an error
// if there is none. It walks the elements of the document, but not those of
// documents nested in it.
func documentLen(b []byte) (int, error) {
	if len(b) < minDocument {
		return 0, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	n := int(int32(binary.LittleEndian.Uint32(b))) //nolint:gosec // the length is signed.
	switch {
	case n < minDocument || n > len(b):
		return 0, fmt.Errorf("%w: length %d in %d bytes", ErrMalformed, n, len(b))
	case b[n-1] != 0:
		return 0, fmt.Errorf("%w: no zero at its end", ErrMalformed)
	}
	for at := 4; at < n-1; {
		e, ok := elementAt(b[:n-1], at)
		if !ok {
			return 0, fmt.Errorf("%w: element at byte %d", ErrMalformed, at)
		}
		at = e.to
	}
	return n, nil
}

// elementAt returns the element at offset at of elements, which must not include
// the final zero of their document.
func elementAt(elements []byte, at int) (element, bool) {
	name := bytes.IndexByte(elements[at+1:], 0)
	if name < 0 {
		return element{}, false
	}
	value := at + 1 + name + 1
	n, ok := valueLen(elements[at], elements[value:])
	if !ok {
		return element{}, false
	}
	return element{
		kind:  elements[at],
		key:   elements[at+1 : at+1+name],
		value: elements[value : value+n : value+n],
		from:  at,
		to:    value + n,
	}, true
}

// valueLen returns the length of the value at the start of b.
func valueLen(kind byte, b []byte) (int, bool) {
	n, ok := 0, true
	switch kind {
	case 0x06, 0x0A, 0x7F, 0xFF: // undefined, null, the greatest and the least key.
	case 0x08: // a boolean.
		n = 1
	case 0x10: // an int32.
		n = 4
	case 0x01, 0x09, 0x11, 0x12: // a double, a time, a timestamp, an int64.
		n = 8
	case 0x07: // an object id.
		n = 12
	case 0x13: // a decimal.
		n = 16
	case typeString, 0x0D, 0x0E: // a string, code, a symbol.
		n, ok = stringLen(b)
	case 0x0C: // a string and an object id.
		n, ok = stringLen(b)
		n += 12
	case typeDocument, typeArray, 0x0F: // a document, an array, code with its scope.
		n, ok = prefixedLen(b, 0)
		ok = ok && n >= minDocument && n <= len(b) && b[n-1] == 0
	case typeBinary: // a length, a subtype and so many bytes.
		n, ok = prefixedLen(b, 5)
		ok = ok && n >= 5
	case 0x0B: // a regular expression: two texts that end with a zero.
		n, ok = regexLen(b)
	default:
		return 0, false
	}
	return n, ok && n <= len(b)
}

// prefixedLen returns the sum of more and the length at the start of b.
func prefixedLen(b []byte, more int) (int, bool) {
	if len(b) < 4 {
		return 0, false
	}
	return int(int32(binary.LittleEndian.Uint32(b))) + more, true //nolint:gosec // the length is signed.
}

// stringLen returns the length of a string: 4 bytes for the length of the rest,
// the text, and a zero.
func stringLen(b []byte) (int, bool) {
	n, ok := prefixedLen(b, 4)
	return n, ok && n >= minDocument && n <= len(b) && b[n-1] == 0
}

func regexLen(b []byte) (int, bool) {
	pattern := bytes.IndexByte(b, 0)
	if pattern < 0 {
		return 0, false
	}
	flags := bytes.IndexByte(b[pattern+1:], 0)
	return pattern + 1 + flags + 1, flags >= 0
}

// elements returns the elements of doc, up to the first that is malformed.
func elements(doc []byte) iter.Seq[element] {
	return func(yield func(element) bool) {
		if len(doc) < minDocument {
			return
		}
		body := doc[:len(doc)-1]
		for at := 4; at < len(body); {
			e, ok := elementAt(body, at)
			if !ok || !yield(e) {
				return
			}
			at = e.to
		}
	}
}

// find returns the first element of doc named name.
func find(doc []byte, name string) (element, bool) {
	for e := range elements(doc) {
		if string(e.key) == name {
			return e, true
		}
	}
	return element{}, false
}

// document returns the document named name in doc, or nil.
func document(doc []byte, name string) []byte {
	if e, ok := find(doc, name); ok && e.kind == typeDocument {
		return e.value
	}
	return nil
}

// descend returns the element at path in the document e, or e itself if path is
// empty.
func descend(e element, path string) (element, bool) {
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path, ".")
		if e.kind != typeDocument {
			return element{}, false
		}
		var ok bool
		if e, ok = find(e.value, name); !ok {
			return element{}, false
		}
	}
	return e, true
}

// text returns the bytes of a string or of a binary value, not copied, or nil.
func (e element) text() []byte {
	switch e.kind {
	case typeString:
		return e.value[4 : len(e.value)-1]
	case typeBinary:
		return e.value[5:]
	default:
		return nil
	}
}

// maxItems is the number of items of a list that are read.
const maxItems = 1024

// content returns the value of e as a decoder would: a text as a string, a
// document as its bytes, an array as a list, and any other value as nil. It looks
// no deeper than the arrays in an array of pairs.
func (e element) content() any { return e.contentTo(2) }

func (e element) contentTo(depth int) any {
	if n, ok := valueLen(e.kind, e.value); !ok || n != len(e.value) {
		return nil
	}
	switch {
	case e.kind == typeDocument:
		return e.value
	case e.kind == typeArray && depth > 0:
		var items []any
		for item := range elements(e.value) {
			if items = append(items, item.contentTo(depth-1)); len(items) == maxItems {
				break
			}
		}
		return items
	}
	if text := e.text(); text != nil {
		return string(text)
	}
	return nil
}

// appendHead appends the type and the name of an element.
func appendHead(dst []byte, kind byte, name string) []byte {
	return append(append(append(dst, kind), name...), 0)
}

// appendString appends an element that holds value: a string, or a binary value
// if it is not UTF-8.
func appendString(dst []byte, name, value string) []byte {
	at := len(dst)
	dst = append(openString(dst, name), value...)
	return closeString(dst, at, name)
}

// openString appends the start of an element that holds a string. The caller
// appends the bytes of the value and calls closeString.
func openString(dst []byte, name string) []byte {
	return append(appendHead(dst, typeString, name), 0, 0, 0, 0)
}

// closeString ends the element that openString has started at offset at. It
// turns a value that is not UTF-8 into a binary one.
func closeString(dst []byte, at int, name string) []byte {
	head := at + 1 + len(name) + 1
	value := dst[head+4:]
	if utf8.Valid(value) {
		binary.LittleEndian.PutUint32(dst[head:], uint32(len(value)+1)) //nolint:gosec // far smaller.
		return append(dst, 0)
	}
	dst[at] = typeBinary
	binary.LittleEndian.PutUint32(dst[head:], uint32(len(value))) //nolint:gosec // far smaller.
	dst = append(dst, 0)
	copy(dst[head+5:], dst[head+4:]) // makes room for the subtype.
	dst[head+4] = 0
	return dst
}

// openDocument appends the start of a document. The caller appends its elements
// and calls closeDocument.
func openDocument(dst []byte) []byte { return append(dst, 0, 0, 0, 0) }

// closeDocument ends the document that openDocument has started at offset at.
func closeDocument(dst []byte, at int) []byte {
	dst = append(dst, 0)
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at)) //nolint:gosec // far smaller.
	return dst
}
