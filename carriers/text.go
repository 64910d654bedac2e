// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/waybill-go/waybill/propagation"
)

// Text is a carrier for a medium with room for one text only, such as a column
// or a field. [JSON] and [Properties] return one.
//
// The text may hold other entries: Set and Delete change the entries under their
// key and no other byte. If a key occurs more than once, the last entry wins, as
// it does for readers of both formats, and Set leaves a single one. Setting a
// value that is not valid UTF-8 removes the key. A changed text is a new one, so
// texts that share memory stay independent.
//
// Each call reads the whole text and takes time proportional to its length. A
// Text without a target is empty, and Set is a no-op. Reading is safe for
// concurrent use.
type Text[T ~string | ~[]byte] struct {
	target *T
	format format
}

var _ propagation.TextMapCarrier = (*Text[string])(nil)

// JSON returns the carrier for a target that holds a JSON object: the keys are
// its members, beside other ones.
//
// An empty target and one that is null become an object. A target that is not a
// valid object is left as it is, and treated as empty. Members that are not
// strings are treated as absent, and replaced by Set.
func JSON[T ~string | ~[]byte](target *T) *Text[T] {
	return &Text[T]{target: target, format: jsonFormat{}}
}

// Properties returns the carrier for a target that holds Java properties, lines
// of key=value. Debezium reads its column tracingspancontext in this format.
//
// It reads everything that java.util.Properties does: comments, continued lines
// and escapes. It writes ASCII. A key with a malformed escape is treated as
// absent, and a value with one as empty.
func Properties[T ~string | ~[]byte](target *T) *Text[T] {
	return &Text[T]{target: target, format: propertiesFormat{}}
}

// format is a way to keep entries in a text.
type format interface {
	// entries calls yield for each entry of text, in order. An entry that is not
	// a string has an empty value.
	entries(text string, yield func(key, value string))
	// edit returns text without the entries whose key drop reports, and with
	// pairs: each in the place of the first entry under its key that is dropped,
	// or else at the end.
	edit(text string, drop func(key string) bool, pairs []Pair) string
}

// Get returns the last value under key, or the empty string.
func (t *Text[T]) Get(key string) string {
	text := t.text()
	if !strings.Contains(text, key) && !strings.Contains(text, `\`) && utf8.ValidString(text) {
		return "" // Without escapes the key would be there as it is.
	}
	var last string
	t.entries(text, func(k, value string) {
		if k == key {
			last = value
		}
	})
	return last
}

// Set replaces the value under key.
func (t *Text[T]) Set(key, value string) {
	switch {
	case !utf8.ValidString(key):
	case !utf8.ValidString(value):
		t.Delete(key)
	default:
		t.edit(func(k string) bool { return k == key }, []Pair{{key, value}})
	}
}

// SetFields sets the pairs of fields and removes the other keys that fields
// clears, in whatever case.
func (t *Text[T]) SetFields(fields propagation.Fields) {
	if fields.IsEmpty() {
		return
	}
	pairs := make([]Pair, 0, fields.Len())
	for key, value := range fields.All() {
		if utf8.ValidString(key) && utf8.ValidString(value) {
			pairs = append(pairs, Pair{key, value})
		}
	}
	t.edit(fields.Clears, pairs)
}

// Delete removes the entries under key.
func (t *Text[T]) Delete(key string) {
	t.edit(func(k string) bool { return k == key }, nil)
}

// Keys returns the keys that hold a string, in the order of their last entries.
func (t *Text[T]) Keys() []string {
	var keys []string
	for key := range t.All() {
		keys = append(keys, key)
	}
	return keys
}

// All returns an iterator over the keys that hold a string, each once, and their
// values. It reads the text once.
func (t *Text[T]) All() iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		var all []Pair
		t.entries(t.text(), func(key, value string) { all = append(all, Pair{key, value}) })
		last := make(map[string]int, len(all))
		for i, p := range all {
			last[p.Key] = i
		}
		for i, p := range all {
			if last[p.Key] == i && p.Value != "" && !yield(p.Key, p.Value) {
				return
			}
		}
	}
}

// text returns the text, or an empty one if there is no target.
func (t *Text[T]) text() string {
	if t == nil || t.target == nil {
		return ""
	}
	return string(*t.target)
}

func (t *Text[T]) entries(text string, yield func(key, value string)) {
	if text != "" {
		t.format.entries(text, yield)
	}
}

// edit changes the target, if there is one and it changes.
func (t *Text[T]) edit(drop func(key string) bool, pairs []Pair) {
	if t == nil || t.target == nil {
		return
	}
	before := string(*t.target)
	if after := t.format.edit(before, drop, pairs); after != before {
		*t.target = T(after)
	}
}

// take returns the pair under key and removes it from pairs, if there is one.
func take(pairs *[]Pair, key string) (p Pair, ok bool) {
	i := slices.IndexFunc(*pairs, func(p Pair) bool { return p.Key == key })
	if i < 0 {
		return p, false
	}
	p = (*pairs)[i]
	*pairs = slices.Delete(*pairs, i, i+1)
	return p, true
}
