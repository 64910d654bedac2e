// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"context"
	"reflect"
	"strings"

	"github.com/waybill-go/waybill/propagation"
)

// elem is an element of an ordered document, as both drivers define it.
type elem = struct {
	Key   string
	Value any
}

// readValue returns the context that value holds: a field in whatever shape a
// decoder has given it.
func readValue(value any, cfg *config) propagation.Remote {
	return propagation.Read(source(value), propagation.Getter[any](valueGetter{}), cfg.forward[:]...)
}

// extractValue returns ctx with the context that value holds.
func extractValue(ctx context.Context, value any, cfg *config) context.Context {
	return propagation.Extract(ctx, source(value), propagation.Getter[any](valueGetter{}), cfg.forward[:]...)
}

// source returns value in one of the shapes that valueGetter reads: a
// *TraceContext, a map of text or of anything, the bytes of a document, or a
// document that is a slice of elements. What is none of them is nil.
func source(value any) any {
	switch v := value.(type) {
	case nil:
		return nil
	case *TraceContext:
		if v == nil {
			return nil
		}
		return v
	case map[string]any, map[string]string:
		return v
	case string:
		return parseText(v)
	case []byte:
		return bytesSource(v)
	}
	return reflectSource(reflect.ValueOf(value))
}

// reflectSource is source for types of the drivers and of the user.
func reflectSource(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return source(v.Elem().Interface())
	case reflect.String:
		return parseText(v.String())
	case reflect.Map:
		for _, as := range []reflect.Type{anyMap, textMap} {
			if v.Type().ConvertibleTo(as) {
				return v.Convert(as).Interface()
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return bytesSource(v.Bytes())
		}
		if isList(v.Type()) {
			return v.Interface()
		}
	case reflect.Struct:
		return structSource(v)
	}
	return nil
}

var (
	anyMap    = reflect.TypeFor[map[string]any]()    //nolint:gochecknoglobals // constant.
	textMap   = reflect.TypeFor[map[string]string]() //nolint:gochecknoglobals // constant.
	elemType  = reflect.TypeFor[elem]()              //nolint:gochecknoglobals // constant.
	traceType = reflect.TypeFor[TraceContext]()      //nolint:gochecknoglobals // constant.
)

// isList reports whether t is an ordered document: a slice of elements.
func isList(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().ConvertibleTo(elemType)
}

// bytesSource is the source of a document of bytes, or of text.
func bytesSource(b []byte) any {
	if n, err := documentLen(b); err == nil {
		return b[:n]
	}
	return parseText(string(b))
}

// structSource is the source of a struct: a TraceContext by whatever name, a
// value that a decoder left as bytes, or one with fields that the names or the
// bson tags of a context.
func structSource(v reflect.Value) any {
	if v.Type().ConvertibleTo(traceType) {
		c, _ := reflect.TypeAssert[TraceContext](v.Convert(traceType))
		return &c
	}
	kind, data := fieldOf(v, "Type"), fieldOf(v, "Value")
	if kind.IsValid() && kind.Kind() == reflect.Uint8 && data.IsValid() && data.Type() == reflect.TypeFor[[]byte]() {
		return element{kind: byte(kind.Uint()), value: data.Bytes()}.source()
	}
	texts := make(map[string]string)
	for field, value := range v.Fields() {
		if value.Kind() == reflect.String {
			texts[fieldName(field)] = value.String()
		}
	}
	return texts
}

// fieldOf returns the field of a struct called name, or the zero Value, also if
// it would be one of an embedded struct that is nil.
func fieldOf(v reflect.Value, name string) reflect.Value {
	field, ok := v.Type().FieldByName(name)
	if !ok {
		return reflect.Value{}
	}
	value, _ := v.FieldByIndexErr(field.Index) // zero with an error.
	return value
}

// fieldName returns the name that the drivers give to a field of a struct.
func fieldName(field reflect.StructField) string {
	if name, _, _ := strings.Cut(field.Tag.Get("bson"), ","); name != "" {
		return name
	}
	return strings.ToLower(field.Name)
}

// source returns what the element of a document of bytes holds.
func (e element) source() any {
	if n, ok := valueLen(e.kind, e.value); !ok || n != len(e.value) {
		return nil
	}
	if e.kind == typeDocument {
		return bytesSource(e.value)
	}
	if text := e.text(); text != nil {
		return parseText(string(text))
	}
	return nil
}

// valueGetter reads a source.
type valueGetter struct{}

func (valueGetter) Get(from any, key string) string {
	switch from := from.(type) {
	case nil:
		return ""
	case *TraceContext:
		return from.get(key)
	case map[string]string:
		return byName(from, key)
	case map[string]any:
		return textOf(byName(from, key))
	case []byte:
		return string(rawGetter{}.GetBytes(from, key))
	}
	return listGet(reflect.ValueOf(from), key)
}

func (valueGetter) Keys(from any) []string {
	var keys []string
	switch from := from.(type) {
	case nil:
	case *TraceContext:
		keys = from.keys()
	case map[string]string:
		keys = names(from)
	case map[string]any:
		keys = names(from)
	case []byte:
		keys = rawGetter{}.Keys(from)
	default:
		list := reflect.ValueOf(from)
		for i := range list.Len() {
			keys = append(keys, unescapeKey(list.Index(i).Field(0).String()))
		}
	}
	return keys
}

// eachText calls yield for each key of a source that has a text.
func eachText(from any, yield func(key, value string)) {
	switch from := from.(type) {
	case nil:
	case *TraceContext:
		for _, f := range from.fields() {
			yield(unescapeKey(f.Key), textOf(f.Value))
		}
	case map[string]string:
		for name, value := range from {
			yield(unescapeKey(name), value)
		}
	case map[string]any:
		for name, value := range from {
			yield(unescapeKey(name), textOf(value))
		}
	case []byte:
		for e := range elements(from) {
			yield(unescapeKey(string(e.key)), string(e.text()))
		}
	default:
		for _, e := range listElems(reflect.ValueOf(from)) {
			yield(unescapeKey(e.Key), textOf(e.Value))
		}
	}
}

// byName returns the value under key, be it escaped or not.
func byName[V any](from map[string]V, key string) V {
	if value, ok := from[escapeKey(key)]; ok {
		return value
	}
	return from[key]
}

func names[V any](from map[string]V) []string {
	keys := make([]string, 0, len(from))
	for name := range from {
		keys = append(keys, unescapeKey(name))
	}
	return keys
}

// listGet returns the text under key of a slice of elements.
func listGet(list reflect.Value, key string) string {
	for _, name := range []string{escapeKey(key), key} {
		for i := range list.Len() {
			if e := list.Index(i); e.Field(0).String() == name {
				return textOf(e.Field(1).Interface())
			}
		}
	}
	return ""
}

// textOf returns the text that a value is: a string, or bytes as they are, or
// as the drivers wrap them. Anything else is none.
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
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Struct:
		if data := fieldOf(v, "Data"); data.IsValid() && data.Type() == reflect.TypeFor[[]byte]() {
			return string(data.Bytes())
		}
	}
	return ""
}

// rawGetter reads a document of bytes without decoding it.
type rawGetter struct{}

func (rawGetter) Get(doc []byte, key string) string { return string(rawGetter{}.GetBytes(doc, key)) }

func (rawGetter) GetBytes(doc []byte, key string) []byte {
	e, ok := find(doc, escapeKey(key))
	if !ok {
		e, _ = find(doc, key)
	}
	return e.text()
}

func (rawGetter) Keys(doc []byte) []string {
	var keys []string
	for e := range elements(doc) {
		keys = append(keys, unescapeKey(string(e.key)))
	}
	return keys
}
