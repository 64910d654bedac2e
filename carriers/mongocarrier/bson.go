// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxDocumentBytes is the size that no document can exceed.
// https://www.mongodb.com/docs/manual/reference/limits/#bson-documents
const MaxDocumentBytes = 16 << 20

// ErrMalformed is returned when the bytes of a document are not BSON.
var ErrMalformed = errors.New("malformed BSON document")

// The types of BSON that this package meets. https://bsonspec.org/spec.html
const (
	typeString   = 0x02
	typeDocument = 0x03
	typeBinary   = 0x05
)

// minDocument is the size of the empty document: its length and its end.
const minDocument = 5

// element is one element of a document of bytes, between the offsets from and
// to of it. It shares the bytes.
type element struct {
	kind     byte
	key      []byte
	value    []byte
	from, to int
}

// documentLen returns the length of the document that b starts with, or why
// there is none. Its elements are walked; documents in it are measured only.
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

// elementAt returns the element at offset at of elements, which end without the
// zero of their document.
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

// valueLen returns the length of the value that b starts with.
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
	case typeDocument, 0x04, 0x0F: // a document, an array, code with its scope.
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

// prefixedLen returns the length that b starts with and more.
func prefixedLen(b []byte, more int) (int, bool) {
	if len(b) < 4 {
		return 0, false
	}
	return int(int32(binary.LittleEndian.Uint32(b))) + more, true //nolint:gosec // the length is signed.
}

// stringLen returns the length of a string: 4 bytes that count the rest, the
// text, and a zero.
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
func elements(doc []byte) iter.Seq[element] { return elementsFrom(doc, 4) }

// elementsFrom returns those of the elements of doc that start at offset at or
// behind it.
func elementsFrom(doc []byte, at int) iter.Seq[element] {
	return func(yield func(element) bool) {
		if len(doc) < minDocument {
			return
		}
		body := doc[:len(doc)-1]
		for at := at; at < len(body); {
			e, ok := elementAt(body, at)
			if !ok || !yield(e) {
				return
			}
			at = e.to
		}
	}
}

// find returns the first element of doc named key.
func find(doc []byte, key string) (element, bool) {
	for e := range elements(doc) {
		if string(e.key) == key {
			return e, true
		}
	}
	return element{}, false
}

// descend returns the element at path in the document that e holds; e itself
// for an empty path.
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

// appendString appends an element that holds value under key: a string, or a
// binary value if it is not UTF-8.
func appendString(dst []byte, key, value string) []byte {
	if utf8.ValidString(value) {
		return appendText(dst, key, value)
	}
	dst = appendHead(dst, typeBinary, key)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(value))) //nolint:gosec // far smaller.
	return append(append(dst, 0), value...)
}

// appendText appends an element that holds the string value under key.
func appendText[T ~string | ~[]byte](dst []byte, key string, value T) []byte {
	dst = appendHead(dst, typeString, key)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(value)+1)) //nolint:gosec // far smaller.
	return append(append(dst, value...), 0)
}

// appendHead appends the type and the name of an element.
func appendHead(dst []byte, kind byte, name string) []byte {
	return append(append(append(dst, kind), name...), 0)
}

// appendElements appends the values of c, whose names are escaped already.
func appendElements(dst []byte, c *TraceContext) []byte {
	for _, f := range c.fields() {
		dst = appendElem(dst, f)
	}
	return dst
}

// appendElem appends an element whose value is one that an inject writes: text,
// which may be no UTF-8, or a context in one of the forms of a sub-document.
func appendElem(dst []byte, e elem) []byte {
	switch value := e.Value.(type) {
	case string:
		return appendString(dst, e.Key, value)
	case []byte:
		return appendString(dst, e.Key, string(value))
	case *TraceContext:
		return appendDocument(appendHead(dst, typeDocument, e.Key), appendElements(nil, value))
	case map[string]any:
		var inner []byte
		for _, key := range slices.Sorted(maps.Keys(value)) {
			inner = appendElem(inner, elem{key, value[key]})
		}
		return appendDocument(appendHead(dst, typeDocument, e.Key), inner)
	}
	return dst
}

// appendDocument appends the document of elements.
func appendDocument(dst, elements []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(elements)+minDocument)) //nolint:gosec // far smaller.
	return append(append(dst, elements...), 0)
}
