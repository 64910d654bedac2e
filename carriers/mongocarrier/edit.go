// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"reflect"
	"strings"
)

// change is what an inject does to the elements of one document.
type change struct {
	set     []elem
	remove  []string
	empty   any // what a missing document of the path is made of: one of the user's type.
	copying copying
}

// prepare turns what s holds into the change of a document, and returns the
// path to that document. It reports false if there is nothing to change.
func (s *slip) prepare(cfg *config) (path string, ok bool) {
	if !s.touched {
		return "", false
	}
	if cfg.blocked {
		reportBlocked(cfg.field)
		return "", false
	}
	path, leaf := cfg.place()
	s.change.copying = cfg.copying
	switch {
	case cfg.form == Flat:
		s.change.remove = append(s.change.remove, s.cleared...)
		c := s.unpacked()
		s.change.set = append(s.change.set, c.fields()...)
	case s.isEmpty():
		s.change.remove = append(s.change.remove, leaf)
	default:
		s.change.set = append(s.change.set, elem{leaf, s.content(cfg).value(cfg.form)})
	}
	return path, true
}

// lookup returns the value at path in a document of any shape.
func lookup(doc any, path string) any {
	if path == "" {
		return doc
	}
	name, rest, _ := strings.Cut(path, ".")
	switch doc := source(doc).(type) {
	case nil, *TraceContext, map[string]string:
		return nil
	case map[string]any:
		return lookupM(doc, path)
	case []byte:
		e, _ := descend(element{kind: typeDocument, value: doc}, path)
		return e.source()
	default:
		for _, e := range listElems(reflect.ValueOf(doc)) {
			if e.Key == name {
				return lookup(e.Value, rest)
			}
		}
		return nil
	}
}

// editValue changes the document at path in doc, a nested document of any
// shape, and returns one of the same type, in memory of its own: other documents
// may hold it too. It reports false if doc is none.
func editValue(doc any, path string, c *change) (any, bool) {
	v := reflect.ValueOf(doc)
	if !v.IsValid() {
		return doc, false
	}
	switch t := v.Type(); {
	case t.Kind() == reflect.Map && t.ConvertibleTo(anyMap):
		m, _ := reflect.TypeAssert[map[string]any](v.Convert(anyMap))
		inCopy := *c
		inCopy.copying = copied
		m, ok := editM(m, path, &inCopy)
		return reflect.ValueOf(m).Convert(t).Interface(), ok
	case isList(t):
		list, ok := editD(listElems(v), path, c)
		return listOf(t, list), ok
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		raw, err := editBytes(v.Bytes(), path, c)
		return reflect.ValueOf(raw).Convert(t).Interface(), err == nil
	default:
		return doc, false
	}
}

// editBytes changes the document at path in doc, a nested document of bytes, in
// a copy of it.
func editBytes(doc []byte, path string, c *change) ([]byte, error) {
	n, err := documentLen(doc)
	if err != nil {
		return doc, err
	}
	e := rawEdit{doc: doc[:n], remove: c.remove, copying: copied}
	if err := e.edit(0, path); err != nil {
		return doc, err
	}
	for _, field := range c.set {
		e.leaf, e.block, e.remove = field.Key, appendElem(nil, field), nil
		if err := e.edit(0, path); err != nil {
			return doc, err
		}
	}
	return e.doc, nil
}

// listElems returns the elements of an ordered document of any type.
func listElems(list reflect.Value) []elem {
	elems := make([]elem, list.Len())
	for i := range elems {
		elems[i], _ = reflect.TypeAssert[elem](list.Index(i).Convert(elemType))
	}
	return elems
}

// listOf returns elems as an ordered document of type t.
func listOf(t reflect.Type, elems []elem) any {
	list := reflect.MakeSlice(t, len(elems), len(elems))
	for i, e := range elems {
		list.Index(i).Set(reflect.ValueOf(e).Convert(t.Elem()))
	}
	return list.Interface()
}
