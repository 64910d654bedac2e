// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/propagation"
)

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
		edited, err := raw.apply(v.Bytes(), path)
		return reflect.ValueOf(edited).Convert(t).Interface(), err == nil
	default:
		return doc, false
	}
}
