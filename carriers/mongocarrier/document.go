// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/waybill-go/waybill/propagation"
)

// Elem is an element of an ordered document: bson.E of both drivers.
type Elem interface {
	~struct {
		Key   string
		Value any
	}
}

// edit is a change of one document of a path: elements are removed, and others
// are set. The document is copied unless inPlace says otherwise, and so are those
// around it.
type edit struct {
	// One element is removed, and set where it stood or last if value is not nil.
	name  fieldName
	value any

	// Instead, for a flat context: what clears clears is removed, and all are set
	// last.
	isFlat bool
	clears propagation.Fields
	all    []elem

	empty   any // What a missing document of the path is made of: one of the user's type.
	inPlace bool
}

// removes reports whether the elements called name are removed.
func (e *edit) removes(name string) bool {
	if e.isFlat {
		return name == extraField || e.clears.Clears(unescapeKey(name))
	}
	return e.name.is(name)
}

// isSet reports whether there is something to set.
func (e *edit) isSet() bool { return e.value != nil || len(e.all) > 0 }

// one returns the element that is set in the place of another.
func (e *edit) one() elem { return elem{e.name.escaped, e.value} }

// editD changes the document at path in doc. It reports false if the path is
// blocked.
func editD[D ~[]E, E Elem](doc D, path string, e *edit) (D, bool) {
	if path != "" {
		return editInD(doc, path, e)
	}
	removed := slices.ContainsFunc(doc, func(at E) bool { return e.removes(elem(at).Key) })
	if !removed && !e.isSet() {
		return doc, true
	}
	out := doc[:0]
	if !e.inPlace {
		out = make(D, 0, len(doc)+len(e.all)+1)
	}
	placed := e.value == nil
	for _, at := range doc {
		switch {
		case !removed || !e.removes(elem(at).Key):
			out = append(out, at)
		case !placed:
			out, placed = append(out, E(e.one())), true
		}
	}
	if !placed {
		out = append(out, E(e.one()))
	}
	for _, more := range e.all {
		out = append(out, E(more))
	}
	if len(out) < len(doc) && e.inPlace {
		clear(doc[len(out):])
	}
	return out, true
}

// editInD changes a document that is nested in doc.
func editInD[D ~[]E, E Elem](doc D, path string, e *edit) (D, bool) {
	name, rest, _ := strings.Cut(path, ".")
	i := indexOf(doc, name)
	child := e.empty
	if i >= 0 {
		child = elem(doc[i]).Value
	} else if !e.isSet() {
		return doc, true
	}
	child, ok := editValue(child, rest, e)
	if !ok {
		return doc, false
	}
	if !e.inPlace {
		doc = append(make(D, 0, len(doc)+1), doc...)
	}
	if i < 0 {
		return append(doc, E(elem{name, child})), true
	}
	doc[i] = E(elem{name, child})
	return doc, true
}

// indexOf returns the index of the first element called name, or -1.
func indexOf[D ~[]E, E Elem](doc D, name string) int {
	return slices.IndexFunc(doc, func(at E) bool { return elem(at).Key == name })
}

// editM changes the document at path in doc. It reports false if the path is
// blocked.
func editM[M ~map[string]any](doc M, path string, e *edit) (M, bool) {
	if path != "" {
		return editInM(doc, path, e)
	}
	switch {
	case doc == nil && !e.isSet():
		return nil, true
	case doc == nil || !e.inPlace:
		doc = cloneM(doc, len(e.all)+1)
	}
	if e.isFlat {
		maps.DeleteFunc(doc, func(name string, _ any) bool { return e.removes(name) })
	} else {
		delete(doc, e.name.key)
		delete(doc, e.name.escaped)
	}
	if e.value != nil {
		doc[e.name.escaped] = e.value
	}
	for _, at := range e.all {
		doc[at.Key] = at.Value
	}
	return doc, true
}

// editInM changes a document that is nested in doc.
func editInM[M ~map[string]any](doc M, path string, e *edit) (M, bool) {
	name, rest, _ := strings.Cut(path, ".")
	child, present := doc[name]
	if !present {
		if !e.isSet() {
			return doc, true
		}
		child = e.empty
	}
	child, ok := editValue(child, rest, e)
	if !ok {
		return doc, false
	}
	if !e.inPlace || doc == nil {
		doc = cloneM(doc, 1)
	}
	doc[name] = child
	return doc, true
}

// cloneM returns a copy of doc with room for more elements.
func cloneM[M ~map[string]any](doc M, more int) M {
	clone := make(M, len(doc)+more)
	maps.Copy(clone, doc)
	return clone
}

// editValue changes the document at path in doc, a nested document of any
// shape, and returns one of the same type, in memory of its own: other documents
// may hold it too. It reports false if doc is not a document.
func editValue(doc any, path string, e *edit) (any, bool) {
	v := reflect.ValueOf(doc)
	if !v.IsValid() {
		return doc, false
	}
	copied := *e
	copied.inPlace = false
	switch t := v.Type(); {
	case t.Kind() == reflect.Map && t.ConvertibleTo(anyMap):
		m, _ := reflect.TypeAssert[map[string]any](v.Convert(anyMap))
		m, ok := editM(m, path, &copied)
		return reflect.ValueOf(m).Convert(t).Interface(), ok
	case isList(t):
		list, ok := editD(listElems(v), path, &copied)
		return listOf(t, list), ok
	case isBytes(t):
		raw := copied.raw()
		edited, err := raw.rewritten(v.Bytes(), path)
		return reflect.ValueOf(edited).Convert(t).Interface(), err == nil
	default:
		return doc, false
	}
}

// elemsOf returns entries as elements of a document.
func elemsOf(entries []entry) []elem {
	all := make([]elem, len(entries))
	for i, at := range entries {
		all[i] = elem{escapeKey(at.key), storable(at.value)}
	}
	return all
}

// storable returns value as BSON can hold it: bytes if it is not UTF-8.
func storable(value string) any {
	if utf8.ValidString(value) {
		return value
	}
	return []byte(value)
}

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

// rewritten returns doc with the document at path changed.
func (e *rawEdit) rewritten(doc []byte, path string) ([]byte, error) {
	return e.appendRewritten(nil, doc, path)
}

// appendRewritten appends doc with the document at path changed to dst, which is
// empty. With an error it returns doc.
func (e *rawEdit) appendRewritten(dst, doc []byte, path string) ([]byte, error) {
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
	start, copied := len(dst), 4
	placed, entered := len(e.block) == 0, false
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
		case entered || string(at.key) != name: // Another one of that name is left as it is.
			continue
		case at.kind != typeDocument:
			return nil, errBlocked
		default:
			if _, err = documentLen(at.value); err != nil {
				return nil, err
			}
			dst = append(dst, doc[copied:at.to-len(at.value)]...)
			if dst, err = e.rewrite(dst, at.value, rest); err != nil {
				return nil, err
			}
			entered, placed = true, true
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
