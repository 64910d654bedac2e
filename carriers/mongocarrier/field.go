// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/waybill-go/waybill/propagation"
)

// The keys that a Field has fields for.
const (
	keyTraceparent = "traceparent"
	keyTracestate  = "tracestate"
	keyBaggage     = "baggage"
	keyWaybill     = "waybill"
)

var ownKeys = [...]string{keyTraceparent, keyTracestate, keyBaggage, keyWaybill}

// extraField is the name of Field.Extra in a document.
const extraField = "_otel_extra"

// Field is a context as a field of the user's own struct, with both drivers:
//
//	type Order struct {
//		ID    string             `bson:"_id"`
//		Trace mongocarrier.Field `bson:"_otel,omitempty"`
//	}
//
// A Field keeps the keys of every propagator: with a name, inlined by
// `bson:",inline"`, and in JSON. Read a document that inlines it with
// [WithForm]([FormFlat]). Decoding fails if the field holds anything but strings;
// use [LenientField] if that is possible.
//
// Name the field, also to inline it; do not embed the type. IsZero of an embedded
// Field becomes a method of the outer struct, which omitempty and omitzero then
// leave out as a whole if there is no context.
//
// A driver that decodes an inlined Field drops the keys of formats other than
// W3C's that [InjectD], [InjectM] and [InjectRaw] write with FormFlat: read such a
// document with [ReadRaw].
//
// A Field is a value. The maps are shared by its copies, and are not modified by
// this package. The zero value is ready to use.
type Field struct {
	Traceparent string `bson:"traceparent,omitempty" json:"traceparent,omitempty"`
	Tracestate  string `bson:"tracestate,omitempty"  json:"tracestate,omitempty"`
	Baggage     string `bson:"baggage,omitempty"     json:"baggage,omitempty"`
	Waybill     string `bson:"waybill,omitempty"     json:"waybill,omitempty"`

	// Extra holds the keys of other formats, such as "b3", escaped as the names
	// of a document must be. It is a document of its own because the drivers drop
	// a map that is inlined in an inlined struct.
	Extra map[string]string `bson:"_otel_extra,omitempty" json:"_otel_extra,omitempty"`

	// Others holds the keys that a decoder has found beside the ones above, such
	// as those that [InjectD] writes for other formats. They win over Extra.
	Others map[string]string `bson:",inline" json:"_otel_others,omitempty"`
}

// Capture returns the context of ctx as a field of a struct. A value that is not
// UTF-8, which only a binary format has, does not fit in a string of BSON and is
// left out. Capture allocates once, for the formats of package propagation.
//
// If ctx has no valid span, Capture writes no trace context: the result is zero,
// or holds only the waybill and the baggage that opts allow. By default there is
// no baggage.
func Capture(ctx context.Context, opts ...propagation.Option) Field {
	fields := propagation.Encode(ctx, contextOptions(opts)...)
	if fields.Len() == 0 {
		return Field{}
	}
	var f Field
	f.fill(make([]byte, 0, textLen(&fields)), &fields)
	if !f.isPlain() {
		f = f.text()
	}
	return f
}

// IsZero reports whether f is empty. Both drivers ask it for omitempty.
func (f Field) IsZero() bool {
	return f.Traceparent == "" && f.Tracestate == "" && f.Baggage == "" && f.Waybill == "" && len(f.Extra) == 0 && len(f.Others) == 0
}

// Remote returns the context of f. By default it has no baggage.
//
//go:noinline // Inlined, it would allocate the options.
func (f Field) Remote(opts ...propagation.Option) propagation.Remote {
	return propagation.Read(f, propagation.Getter[Field](fieldGetter{}), contextOptions(opts)...)
}

// Context returns ctx with the context of f, or ctx itself. Context never fails; a
// malformed context is treated as absent.
//
//go:noinline // Inlined, it would allocate the options.
func (f Field) Context(ctx context.Context, opts ...propagation.Option) context.Context {
	return propagation.Extract(ctx, f, propagation.Getter[Field](fieldGetter{}), contextOptions(opts)...)
}

// withoutBaggage are the options of a context that does not carry baggage.
var withoutBaggage = []propagation.Option{propagation.WithoutBaggage()}

// contextOptions returns opts after the defaults.
func contextOptions(opts []propagation.Option) []propagation.Option {
	return append(append(make([]propagation.Option, 0, 8), withoutBaggage...), opts...)
}

// fieldGetter reads a Field, as a value because a pointer to one would be an
// allocation.
type fieldGetter struct{}

func (fieldGetter) Get(f Field, key string) string { return f.get(key) }

func (fieldGetter) Keys(f Field) []string {
	entries := f.entries()
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = e.key
	}
	return keys
}

// filtered returns f with the baggage that opts allow.
func (f *Field) filtered(opts []propagation.Option) *Field {
	if f.Baggage == "" {
		return f
	}
	copied := *f
	members := strings.Split(propagation.Read(copied, propagation.Getter[Field](fieldGetter{}), opts...).Baggage().String(), ",")
	slices.Sort(members) // One context is always the same text.
	copied.Baggage = strings.Join(members, ",")
	return &copied
}

// get returns the value under key.
func (f *Field) get(key string) string {
	if own := f.own(key); own != nil && *own != "" {
		return *own
	}
	for _, more := range [...]map[string]string{f.Others, f.Extra} {
		if value, _ := getByName(more, key); value != "" {
			return value
		}
	}
	return ""
}

// set sets the value under key, or removes it if value is empty. The maps must
// not be shared.
func (f *Field) set(key, value string) {
	if own := f.own(key); own != nil {
		*own = value
		return
	}
	name := escapeKey(key)
	delete(f.Others, name)
	delete(f.Extra, name)
	if value == "" {
		return
	}
	if f.Extra == nil {
		f.Extra = make(map[string]string, 1)
	}
	f.Extra[name] = value
}

// own returns the field of f for key, or nil.
func (f *Field) own(key string) *string {
	switch key {
	case keyTraceparent:
		return &f.Traceparent
	case keyTracestate:
		return &f.Tracestate
	case keyBaggage:
		return &f.Baggage
	case keyWaybill:
		return &f.Waybill
	default:
		return nil
	}
}

// entries returns the keys and values of f in order: its own, then the others
// sorted.
func (f *Field) entries() []entry {
	all := make([]entry, 0, 4+len(f.Extra)+len(f.Others))
	for _, key := range ownKeys {
		if value := *f.own(key); value != "" {
			all = append(all, entry{key, value})
		}
	}
	more := maps.Clone(f.Extra)
	if more == nil {
		more = f.Others
	} else {
		maps.Copy(more, f.Others)
	}
	for _, name := range slices.Sorted(maps.Keys(more)) {
		if value := more[name]; value != "" {
			all = append(all, entry{unescapeKey(name), value})
		}
	}
	return all
}

// entry is one key of a context with its value.
type entry struct{ key, value string }

// text returns f without values that are not UTF-8, with all others in fields
// and Extra.
func (f *Field) text() Field {
	var text Field
	for _, e := range f.entries() {
		if utf8.ValidString(e.value) {
			text.set(e.key, e.value)
		}
	}
	return text
}

// isPlain reports whether both drivers encode f with all keys in one document,
// so that it can be the value of a field as it is.
func (f *Field) isPlain() bool {
	return len(f.Extra) == 0 && len(f.Others) == 0 && utf8.ValidString(f.Traceparent) && utf8.ValidString(f.Tracestate) &&
		utf8.ValidString(f.Baggage) && utf8.ValidString(f.Waybill)
}

// fixedLen is the length of a traceparent and a waybill.
const fixedLen = 55 + 37

// newField returns fields as a Field. It allocates once for a traceparent and a
// waybill.
func newField(fields *propagation.Fields) *Field {
	size := textLen(fields)
	if size > fixedLen {
		f := new(Field)
		f.fill(make([]byte, 0, size), fields)
		return f
	}
	both := new(struct {
		field Field
		text  [fixedLen]byte
	})
	both.field.fill(both.text[:0], fields)
	return &both.field
}

// textLen returns the length of all values of fields.
func textLen(fields *propagation.Fields) (size int) {
	for i := range fields.Len() {
		size += fields.ValueLen(i)
	}
	return size
}

// fill sets f to fields, with values in text, which has room for them and is
// never written to again.
func (f *Field) fill(text []byte, fields *propagation.Fields) {
	for i := range fields.Len() {
		start := len(text)
		text = appendValue(text, fields, i)
		if value := text[start:]; len(value) > 0 {
			f.set(fields.Key(i), unsafe.String(&value[0], len(value)))
		}
	}
}

// maxBaggage is the length of a baggage in a document, because a document keeps
// what is stored in it.
const maxBaggage = 1024

// appendValue appends what a document takes of value i: all of it, or of a
// baggage the members that fit.
func appendValue(dst []byte, fields *propagation.Fields, i int) []byte {
	start := len(dst)
	dst = fields.AppendValue(dst, i)
	if len(dst)-start > maxBaggage && fields.Key(i) == keyBaggage {
		return dst[:start+fittingMembers(dst[start:])]
	}
	return dst
}

// fittingMembers returns the length of the first members of a baggage that fit.
func fittingMembers(baggage []byte) int {
	return max(bytes.LastIndexByte(baggage[:maxBaggage+1], ','), 0)
}

// emptyName stands for the key "", which a document must not have.
const emptyName = "%"

// The characters that the name of a field must not have, or not in front, are
// written as in a URL. Only the baggage of Jaeger and of OpenTracing can have
// them, because its keys are the user's.
// https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions
var (
	escaper   = strings.NewReplacer("%", "%25", ".", "%2E", "\x00", "%00")
	unescaper = strings.NewReplacer("%25", "%", "%2E", ".", "%24", "$", "%00", "\x00")
)

// escapeKey returns key as the name of a field.
func escapeKey(key string) string {
	switch {
	case key == "":
		return emptyName
	case key[0] == '$':
		return "%24" + escaper.Replace(key[1:])
	case strings.ContainsAny(key, "%.\x00"):
		return escaper.Replace(key)
	default:
		return key
	}
}

// unescapeKey returns the key that name stands for. What is not an escape is
// left as it is.
func unescapeKey(name string) string {
	if name == emptyName {
		return ""
	}
	if strings.IndexByte(name, '%') < 0 {
		return name
	}
	return unescaper.Replace(name)
}

// fieldName is the name of a key in a document.
type fieldName struct {
	key     string
	escaped string
}

func nameOf(key string) fieldName { return fieldName{key, escapeKey(key)} }

// is reports whether name is that of the key: escaped or as it is.
func (n fieldName) is(name string) bool { return name == n.escaped || name == n.key }

// isLike reports whether name is that of the key but for the case of its ASCII
// letters. Other programs write keys in the case of an HTTP header.
func (n fieldName) isLike(name string) bool {
	return equalFold(name, n.escaped) || n.key != n.escaped && equalFold(name, n.key)
}

func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(b) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// getByName returns the value in m under the name of key.
func getByName[V any](m map[string]V, key string) (value V, ok bool) {
	if len(m) == 0 {
		return value, false
	}
	if value, ok = m[escapeKey(key)]; !ok {
		value, ok = m[key]
	}
	return value, ok
}

// getLike returns the value in m under the name of key in any case. If there are
// several, it is always the same one.
func getLike[V any](m map[string]V, key string) (value V) {
	n, first, ok := nameOf(key), "", false
	for name := range m {
		if n.isLike(name) && (!ok || name < first) {
			first, ok = name, true
		}
	}
	if ok {
		value = m[first]
	}
	return value
}
