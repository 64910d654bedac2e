// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"context"
	"maps"
	"reflect"
	"strings"
	"sync"

	"github.com/waybill-go/waybill/propagation"
)

const (
	// maxKeys is the number of keys that are listed for a propagator: of those of
	// known formats, and of all others.
	maxKeys = 1024
	// maxValue is the length of the longest value that is read. The longest one
	// that propagators write is a baggage of 8192 bytes.
	maxValue = 16 << 10
)

// reader reads the context in a value: a field of a document, or the document of
// a flat context, in any shape that a decoder or a user may have made.
type reader struct {
	// value is nil, a *Field, a map[string]any, a map[string]string, or a slice
	// of elements, which is an ordered document.
	value any
	raw   []byte            // a document of bytes, instead of value.
	exact bool              // whether a key is not found in another case.
	inner bool              // whether it reads the value of extraField itself.
	depth int               // how often load has called itself.
	keys  []string          // what listKeys has returned.
	texts map[string]string // the values of keys, so that asking for each stays linear.
}

var readers = sync.Pool{New: func() any { return new(reader) }}

func newReader() *reader {
	r, _ := readers.Get().(*reader)
	return r
}

func (r *reader) release() {
	*r = reader{}
	readers.Put(r)
}

// read returns the context.
func (r *reader) read(opts []propagation.Option) propagation.Remote {
	if r.raw != nil {
		return propagation.Read(r, propagation.Getter[*reader](bytesGetter{}), opts...)
	}
	return propagation.Read(r, propagation.Getter[*reader](textGetter{}), opts...)
}

// extract returns ctx with the context.
func (r *reader) extract(ctx context.Context, opts []propagation.Option) context.Context {
	if r.raw != nil {
		return propagation.Extract(ctx, r, propagation.Getter[*reader](bytesGetter{}), opts...)
	}
	return propagation.Extract(ctx, r, propagation.Getter[*reader](textGetter{}), opts...)
}

// textGetter reads any reader.
type textGetter struct{}

func (textGetter) Get(r *reader, key string) string { return r.get(key) }
func (textGetter) Keys(r *reader) []string          { return r.listKeys() }

// bytesGetter reads a document of bytes.
type bytesGetter struct{ textGetter }

func (bytesGetter) GetBytes(r *reader, key string) []byte { return r.getRaw(r.raw, key) }

// load makes r read value.
func (r *reader) load(value any) {
	if r.depth++; r.depth > maxDepth {
		return
	}
	switch v := value.(type) {
	case nil:
	case *Field:
		if v != nil {
			r.value = v
		}
	case map[string]any, map[string]string:
		r.value = v
	case []any:
		r.value = pairs(reflect.ValueOf(v))
	case string:
		r.load(parseText(v))
	case []byte:
		r.loadBytes(v)
	default:
		r.loadValue(reflect.ValueOf(value))
	}
}

// loadBytes makes r read a document of bytes, or text.
func (r *reader) loadBytes(b []byte) {
	if n, err := documentLen(b); err == nil {
		r.raw = b[:n]
		return
	}
	if len(b) <= maxText {
		r.load(parseText(string(b)))
	}
}

// loadElement makes r read the value of an element.
func (r *reader) loadElement(e element) {
	if e.kind == typeDocument {
		r.loadBytes(e.value)
		return
	}
	r.load(e.content())
}

// loadValue makes r read a value of a type of the drivers or the user.
func (r *reader) loadValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() && v.Elem().CanInterface() {
			r.load(v.Elem().Interface())
		}
	case reflect.String:
		r.load(parseText(v.String()))
	case reflect.Map:
		r.value = mapOf(v)
	case reflect.Slice, reflect.Array:
		switch {
		case isBytes(v.Type()):
			r.loadBytes(v.Bytes())
		case isList(v.Type()):
			r.value = v.Interface()
		default:
			r.value = pairs(v)
		}
	case reflect.Struct:
		r.loadStruct(v)
	}
}

// loadStruct makes r read a struct: a Field of any name, a value that a decoder
// has left as bytes, or a struct with fields for the keys of a context.
func (r *reader) loadStruct(v reflect.Value) {
	if field := reflect.TypeFor[Field](); v.Type().ConvertibleTo(field) {
		f, _ := reflect.TypeAssert[Field](v.Convert(field))
		r.value = &f
		return
	}
	if e, ok := rawValue(v); ok {
		r.loadElement(e)
		return
	}
	r.value = maps.Collect(structFields(v))
}

// pairs returns a list of pairs as a map: of lists with a key and a value, or of
// documents with the fields key and value. It reads at most maxItems of them, and
// the last value of a key wins.
func pairs(list reflect.Value) any {
	values := make(map[string]string)
	for i := range min(list.Len(), maxItems) {
		key, value := pair(list.Index(i))
		if key != "" && value != "" {
			values[escapeKey(key)] = value
		}
	}
	return values
}

func pair(item reflect.Value) (key, value string) {
	if item.Kind() == reflect.Interface {
		item = item.Elem()
	}
	if !item.IsValid() || !item.CanInterface() {
		return "", ""
	}
	if k := item.Kind(); (k == reflect.Slice || k == reflect.Array) && !isBytes(item.Type()) && !isList(item.Type()) {
		if item.Len() != 2 {
			return "", ""
		}
		return textOf(item.Index(0).Interface()), textOf(item.Index(1).Interface())
	}
	doc := item.Interface()
	return textOf(child(doc, "key")), textOf(child(doc, "value"))
}

// get returns the value under key.
func (r *reader) get(key string) string {
	if text, ok := r.texts[key]; ok {
		return text
	}
	if r.raw != nil {
		return string(r.getRaw(r.raw, key))
	}
	text := ""
	switch value := r.value.(type) {
	case nil:
	case *Field:
		text = value.get(key)
	case map[string]string:
		text = getFromMap(r, value, key)
	case map[string]any:
		text = textOf(getFromMap(r, value, key))
		if text == "" {
			text = r.getExtra(value[extraField], key)
		}
	default:
		text = r.getFromList(reflect.ValueOf(value), key)
	}
	if len(text) > maxValue {
		return ""
	}
	return text
}

// getRaw returns the bytes under key in a document, or nil.
func (r *reader) getRaw(doc []byte, key string) []byte {
	var like, extra element
	n := nameOf(key)
	for e := range elements(doc) {
		switch {
		case n.is(string(e.key)):
			return e.shortText()
		case like.kind == 0 && !r.exact && n.isLike(string(e.key)):
			like = e
		case string(e.key) == extraField:
			extra = e
		}
	}
	switch {
	case like.kind != 0:
		return like.shortText()
	case extra.kind == typeDocument && !r.inner:
		inner := reader{exact: r.exact, inner: true}
		return inner.getRaw(extra.value, key)
	default:
		return nil
	}
}

// shortText returns the bytes of a text that is not too long, or nil.
func (e element) shortText() []byte {
	if text := e.text(); len(text) <= maxValue {
		return text
	}
	return nil
}

// getFromMap returns the value under key in an unordered document.
func getFromMap[V any](r *reader, m map[string]V, key string) V {
	value, ok := getByName(m, key)
	if !ok && !r.exact {
		value = getLike(m, key)
	}
	return value
}

// getFromList returns the text under key in an ordered document.
func (r *reader) getFromList(list reflect.Value, key string) string {
	like, extra, n := -1, -1, nameOf(key)
	for i := range list.Len() {
		switch name := list.Index(i).Field(0).String(); {
		case n.is(name):
			return textOf(list.Index(i).Field(1).Interface())
		case like < 0 && !r.exact && n.isLike(name):
			like = i
		case name == extraField:
			extra = i
		}
	}
	switch {
	case like >= 0:
		return textOf(list.Index(like).Field(1).Interface())
	case extra >= 0:
		return r.getExtra(list.Index(extra).Field(1).Interface(), key)
	default:
		return ""
	}
}

// getExtra returns the text under key in the value of extraField.
func (r *reader) getExtra(value any, key string) string {
	if value == nil || r.inner {
		return ""
	}
	extra := newReader()
	defer extra.release()
	extra.exact, extra.inner = r.exact, true
	extra.load(value)
	return extra.get(key)
}

// listKeys returns the keys that have a text, at most maxKeys of each kind.
func (r *reader) listKeys() []string {
	if r.texts != nil {
		return r.keys
	}
	r.texts = make(map[string]string)
	known, others := maxKeys, maxKeys
	r.each(func(key, text string) bool {
		left := &others
		if propagation.IsContextKey(key) {
			left = &known
		}
		if _, ok := r.texts[key]; !ok && len(text) <= maxValue && *left > 0 {
			*left--
			r.keys = append(r.keys, key)
			r.texts[key] = strings.Clone(text)
		}
		return known > 0
	})
	return r.keys
}

// each calls yield for each key that has a text, until yield returns false.
func (r *reader) each(yield func(key, text string) bool) {
	found := func(name, text string) bool { return text == "" || yield(unescapeKey(name), text) }
	var extra any
	switch value := r.value.(type) {
	case nil:
		for e := range elements(r.raw) {
			if string(e.key) == extraField {
				extra = e.content()
			}
			if text := e.shortText(); len(text) > 0 && !found(string(e.key), string(text)) {
				return
			}
		}
	case *Field:
		for _, e := range value.entries() {
			if !yield(e.key, e.value) {
				return
			}
		}
	case map[string]string:
		for name, text := range value {
			if !found(name, text) {
				return
			}
		}
	case map[string]any:
		extra = value[extraField]
		for name, v := range value {
			if !found(name, textOf(v)) {
				return
			}
		}
	default:
		for _, e := range listElems(reflect.ValueOf(value)) {
			if e.Key == extraField {
				extra = e.Value
			}
			if !found(e.Key, textOf(e.Value)) {
				return
			}
		}
	}
	if extra != nil && !r.inner {
		more := newReader()
		defer more.release()
		more.inner = true
		more.load(extra)
		more.each(yield)
	}
}

// copy returns what r reads, in memory of its own.
func (r *reader) copy() Field {
	var f Field
	for _, key := range r.listKeys() {
		f.set(key, r.texts[key])
	}
	for _, key := range ownKeys {
		f.set(key, strings.Clone(r.get(key)))
	}
	return f
}
