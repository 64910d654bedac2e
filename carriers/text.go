// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/waybill-go/waybill/propagation"
)

// Text is a carrier for a medium with room for one text only, such as a column
// or a field. [JSON] and [Properties] make one.
//
// It lives beside what the text already holds: Set and Delete change the entry
// of their key and no other byte. Of several entries under one key the last
// counts, as it does for the readers of both formats, and Set leaves one. A
// value that is not valid UTF-8 cannot be held, and setting it removes the key.
// A changed text is a new one, so texts that share memory stay independent.
//
// A nil target holds nothing and takes nothing. Each call reads the text anew.
// Reading is safe for concurrent use.
type Text[T ~string | ~[]byte] struct {
	target *T
	format format
}

var _ propagation.TextMapCarrier = (*Text[string])(nil)

// JSON returns the carrier for a target that holds a JSON object: the keys are
// its members, beside the user's own.
//
// An empty target and one that is null become an object. One that is not an
// object, or not valid, holds nothing and takes nothing. Members that are not
// strings are taken as absent, and Set replaces them.
func JSON[T ~string | ~[]byte](target *T) *Text[T] {
	return &Text[T]{target: target, format: jsonFormat{}}
}

// Properties returns the carrier for a target that holds Java properties, lines
// of key=value. This is the format in which Debezium reads the column
// tracingspancontext.
//
// It reads all that java.util.Properties does: comments, continued lines, and
// escapes. It writes ASCII. A line with a malformed escape is taken as absent.
func Properties[T ~string | ~[]byte](target *T) *Text[T] {
	return &Text[T]{target: target, format: propertiesFormat{}}
}

// format is one way to write entries into a text.
type format interface {
	// entries returns what text holds, in order.
	entries(text string) []entry
	// replace returns text with value under key, in one entry.
	replace(text, key, value string) string
	// remove returns text without the entries under key.
	remove(text, key string) string
}

// entry is a key and its value, and where in the text they are.
type entry struct {
	key, value string // The value is "" if it is no text.
	start, end int
}

// Get returns the last value under key, or "".
func (t *Text[T]) Get(key string) string {
	e, _ := t.last(key)
	return e.value
}

// Set replaces the value under key.
func (t *Text[T]) Set(key, value string) {
	switch {
	case t == nil || t.target == nil || !utf8.ValidString(key):
	case !utf8.ValidString(value):
		t.Delete(key)
	default:
		*t.target = T(t.format.replace(string(*t.target), key, value))
	}
}

// Delete removes the entries under key.
func (t *Text[T]) Delete(key string) {
	if _, ok := t.last(key); ok {
		*t.target = T(t.format.remove(string(*t.target), key))
	}
}

// Keys returns the keys that hold a text, in the order of their last entries.
func (t *Text[T]) Keys() []string {
	if t == nil || t.target == nil {
		return nil
	}
	entries := t.format.entries(string(*t.target))
	seen := make(map[string]bool, len(entries))
	var keys []string
	for _, e := range slices.Backward(entries) {
		if !seen[e.key] && e.value != "" {
			keys = append(keys, e.key)
		}
		seen[e.key] = true
	}
	slices.Reverse(keys)
	return keys
}

// last returns the last entry under key.
func (t *Text[T]) last(key string) (entry, bool) {
	if t == nil || t.target == nil {
		return entry{}, false
	}
	text := string(*t.target)
	if !strings.Contains(text, key) && !strings.Contains(text, `\`) && utf8.ValidString(text) {
		return entry{}, false // Without escapes it would be there as it is.
	}
	for _, e := range slices.Backward(t.format.entries(text)) {
		if e.key == key {
			return e, true
		}
	}
	return entry{}, false
}
