// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"iter"
	"reflect"
	"strings"
)

// elem is an element of an ordered document, as both drivers define it.
type elem = struct {
	Key   string
	Value any
}

var (
	anyMap    = reflect.TypeFor[map[string]any]()
	textMap   = reflect.TypeFor[map[string]string]()
	elemType  = reflect.TypeFor[elem]()
	bytesType = reflect.TypeFor[[]byte]()
)

// isBytes reports whether t is a slice of bytes.
func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

// isList reports whether t is an ordered document: a slice of elements.
func isList(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().ConvertibleTo(elemType)
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

// mapOf returns a map with text for keys as a map[string]any or a
// map[string]string, or nil for any other map.
func mapOf(m reflect.Value) any {
	t := m.Type()
	switch {
	case t.ConvertibleTo(anyMap):
		return m.Convert(anyMap).Interface()
	case t.ConvertibleTo(textMap):
		return m.Convert(textMap).Interface()
	case t.Key().Kind() != reflect.String || !m.CanInterface():
		return nil
	}
	values := make(map[string]any, m.Len())
	for key, value := range m.Seq2() {
		values[key.String()] = value.Interface()
	}
	return values
}

// maxDepth is the number of pointers and texts that a value may be wrapped in.
const maxDepth = 8

// lookup returns the value at path in a document of any shape.
func lookup(doc any, path string) any {
	for path != "" && doc != nil {
		var name string
		name, path, _ = strings.Cut(path, ".")
		doc = child(doc, name)
	}
	return doc
}

// child returns the value of the field called name in a document of any shape.
func child(doc any, name string) any {
	switch doc := doc.(type) {
	case nil:
		return nil
	case map[string]any:
		return doc[name]
	case []byte:
		if n, err := documentLen(doc); err == nil {
			e, _ := find(doc[:n], name)
			return e.content()
		}
		return nil
	}
	v := reflect.ValueOf(doc)
	for range maxDepth {
		if k := v.Kind(); k != reflect.Pointer && k != reflect.Interface {
			return childOf(v, name)
		}
		v = v.Elem()
	}
	return nil
}

// childOf is child for the types of the drivers and the user.
func childOf(v reflect.Value, name string) any {
	switch v.Kind() {
	case reflect.Map:
		if v.Type().Key().Kind() != reflect.String {
			return nil
		}
		if value := v.MapIndex(reflect.ValueOf(name).Convert(v.Type().Key())); value.IsValid() && value.CanInterface() {
			return value.Interface()
		}
	case reflect.Slice:
		if isBytes(v.Type()) {
			return child(v.Bytes(), name)
		}
		if !isList(v.Type()) {
			return nil
		}
		for i := range v.Len() {
			if e := v.Index(i); e.Field(0).String() == name {
				return e.Field(1).Interface()
			}
		}
	case reflect.Struct:
		if e, ok := rawValue(v); ok {
			return child(e.content(), name)
		}
		for field, value := range structFields(v) {
			if field == name {
				return value
			}
		}
	}
	return nil
}

// rawValue returns the value that a decoder has left as a type and bytes.
func rawValue(v reflect.Value) (element, bool) {
	kind, data := fieldOf(v, "Type"), fieldOf(v, "Value")
	if !kind.IsValid() || kind.Kind() != reflect.Uint8 || !data.IsValid() || data.Type() != bytesType {
		return element{}, false
	}
	return element{kind: byte(kind.Uint()), value: data.Bytes()}, true
}

// fieldOf returns the field of a struct called name, or the zero Value if there is
// none or if it belongs to an embedded pointer that is nil.
func fieldOf(v reflect.Value, name string) reflect.Value {
	field, ok := v.Type().FieldByName(name)
	if !ok {
		return reflect.Value{}
	}
	value, _ := v.FieldByIndexErr(field.Index) // zero with an error.
	return value
}

// maxInlined is the number of structs that may be inlined in each other.
const maxInlined = 4

// structFields returns the fields of a struct with the names that the drivers
// give them. The fields of inlined and embedded structs and the keys of inlined
// maps are treated as fields of the struct.
func structFields(v reflect.Value) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) { eachField(v, 0, yield) }
}

func eachField(v reflect.Value, depth int, yield func(string, any) bool) bool {
	for field, value := range v.Fields() {
		tag, options, _ := strings.Cut(field.Tag.Get("bson"), ",")
		switch {
		case tag == "-" || !value.CanInterface() && !field.Anonymous:
			continue
		case depth < maxInlined && (field.Anonymous || strings.Contains(options, "inline")):
			if isInlined, more := eachInlined(value, depth, yield); !more {
				return false
			} else if isInlined {
				continue
			}
		}
		if tag == "" {
			tag = strings.ToLower(field.Name)
		}
		if value.CanInterface() && !yield(tag, value.Interface()) {
			return false
		}
	}
	return true
}

// eachInlined calls yield for the fields of an inlined value. It reports whether
// the value can be inlined, and whether yield wants more.
func eachInlined(v reflect.Value, depth int, yield func(string, any) bool) (isInlined, more bool) {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Struct:
		return true, eachField(v, depth+1, yield)
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String && v.CanInterface():
		for key, value := range v.Seq2() {
			if !yield(key.String(), value.Interface()) {
				return true, false
			}
		}
		return true, true
	default:
		return false, true
	}
}

// textOf returns a value that is a string, or bytes as they are or as the drivers
// wrap them, and the empty string for any other value.
func textOf(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	case []byte:
		return string(value)
	}
	v := reflect.ValueOf(value)
	for range maxDepth {
		if k := v.Kind(); k != reflect.Pointer && k != reflect.Interface {
			return textOfValue(v)
		}
		v = v.Elem()
	}
	return ""
}

func textOfValue(v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Slice:
		if isBytes(v.Type()) {
			return string(v.Bytes())
		}
	case reflect.Struct:
		if data := fieldOf(v, "Data"); data.IsValid() && data.Type() == bytesType {
			return string(data.Bytes())
		}
		if e, ok := rawValue(v); ok {
			text, _ := e.content().(string)
			return text
		}
	}
	return ""
}
