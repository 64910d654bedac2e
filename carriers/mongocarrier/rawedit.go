// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/propagation"
)

// rawEdit is an edit of a document of bytes. It writes a new document.
type rawEdit struct {
	edit

	block   []byte // The elements that are set, in BSON.
	changed bool   // Whether the new document differs.
}

var (
	errTooLarge = errors.New("the document would exceed 16 MiB")
	errBlocked  = errors.New("the path leads through a value that is not a document")
)

// raw returns e for a document of bytes.
func (e *edit) raw() rawEdit {
	raw := rawEdit{edit: *e}
	if e.value != nil {
		raw.block = appendElem(raw.block, e.one())
	}
	for _, at := range e.all {
		raw.block = appendElem(raw.block, at)
	}
	return raw
}

// apply returns doc with the document at path changed.
func (e *rawEdit) apply(doc []byte, path string) ([]byte, error) {
	return e.appendTo(nil, doc, path)
}

// appendTo appends doc with the document at path changed to dst, which is empty.
// With an error it returns doc.
func (e *rawEdit) appendTo(dst, doc []byte, path string) ([]byte, error) {
	n, err := documentLen(doc)
	if err != nil {
		return doc, err
	}
	const room = 8 // For the type and the length of a document, and two zeros.
	dst = slices.Grow(dst, n+len(e.block)+len(path)+room*(strings.Count(path, ".")+1))
	dst, err = e.rewrite(dst, doc[:n], path)
	switch {
	case err != nil:
		return doc, err
	case !e.changed:
		return doc[:n], nil
	case len(dst) > MaxDocumentBytes && len(dst) > n:
		return doc, errTooLarge
	default:
		return dst, nil
	}
}

// rewrite appends doc with the document at path changed to dst.
func (e *rawEdit) rewrite(dst, doc []byte, path string) (_ []byte, err error) {
	start, copied, placed := len(dst), 4, len(e.block) == 0
	dst = openDocument(dst)
	name, rest, _ := strings.Cut(path, ".")
	for at := range elements(doc) {
		switch {
		case path == "":
			if !e.removesRaw(at.key) {
				continue
			}
			dst = append(dst, doc[copied:at.from]...)
			if !e.isFlat && !placed {
				dst, placed = append(dst, e.block...), true
			}
			e.changed = true
		case string(at.key) != name:
			continue
		case at.kind != typeDocument:
			return nil, errBlocked
		default:
			if _, err := documentLen(at.value); err != nil {
				return nil, err
			}
			dst = append(dst, doc[copied:at.to-len(at.value)]...)
			if dst, err = e.rewrite(dst, at.value, rest); err != nil {
				return nil, err
			}
			name, placed = "", true // Another one of that name is left as it is.
		}
		copied = at.to
	}
	dst = append(dst, doc[copied:len(doc)-1]...)
	if !placed {
		dst, e.changed = e.appendBlock(dst, path), true
	}
	return closeDocument(dst, start), nil
}

// removesRaw is removes for the bytes of a name.
func (e *rawEdit) removesRaw(name []byte) bool {
	if e.isFlat {
		return e.removes(string(name))
	}
	return string(name) == e.name.escaped || string(name) == e.name.key
}

// appendBlock appends the block in a document at path.
func (e *rawEdit) appendBlock(dst []byte, path string) []byte {
	if path == "" {
		return append(dst, e.block...)
	}
	name, rest, _ := strings.Cut(path, ".")
	dst = appendHead(dst, typeDocument, name)
	start := len(dst)
	return closeDocument(e.appendBlock(openDocument(dst), rest), start)
}

// appendElem appends an element with a value that an injection writes: text, or
// a document of it.
func appendElem(dst []byte, at elem) []byte {
	switch value := at.Value.(type) {
	case string:
		return appendString(dst, at.Key, value)
	case []byte:
		return appendString(dst, at.Key, string(value))
	case *Field:
		dst = appendHead(dst, typeDocument, at.Key)
		start := len(dst)
		dst = openDocument(dst)
		for _, e := range value.entries() {
			dst = appendString(dst, escapeKey(e.key), e.value)
		}
		return closeDocument(dst, start)
	case map[string]any:
		dst = appendHead(dst, typeDocument, at.Key)
		start := len(dst)
		dst = openDocument(dst)
		for _, name := range slices.Sorted(maps.Keys(value)) {
			dst = appendElem(dst, elem{name, value[name]})
		}
		return closeDocument(dst, start)
	}
	return dst
}

// appendFields appends an element for each pair of fields.
func appendFields(dst []byte, fields *propagation.Fields) []byte {
	for i := range fields.Len() {
		name, start := escapeKey(fields.Key(i)), len(dst)
		dst = openString(dst, name)
		value := len(dst)
		if dst = appendValue(dst, fields, i); len(dst) == value {
			dst = dst[:start]
			continue
		}
		dst = closeString(dst, start, name)
	}
	return dst
}
