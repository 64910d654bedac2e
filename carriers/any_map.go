// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import "github.com/waybill-go/waybill/propagation"

// AnyMap is a carrier for a map of values of any type: AnyMap(table).
//
// It reads values that are a string or a []byte, because other programs write
// either, treats any other value as absent, and writes strings only. Keys keep
// their case. Set, SetFields and Delete modify the map itself: clone it first if
// it is shared. A nil AnyMap is empty, and Set is a no-op. Reading is safe for
// concurrent use.
type AnyMap map[string]any

var _ propagation.TextMapCarrier = AnyMap{}

// Get returns the text under key, or the empty string.
func (m AnyMap) Get(key string) string {
	text, _ := textOf(m[key])
	return text
}

// Set replaces the value under key, whatever its type, with a string.
func (m AnyMap) Set(key, value string) {
	if m != nil {
		m[key] = value
	}
}

// SetFields sets the pairs of fields and removes the other keys that fields
// clears, in whatever case and whatever the type of their values.
func (m AnyMap) SetFields(fields propagation.Fields) {
	if m == nil {
		return
	}
	clearKeys(m, fields)
	for key, value := range fields.All() {
		m[key] = value
	}
}

// Delete removes key, whatever the type of its value.
func (m AnyMap) Delete(key string) { delete(m, key) }

// Keys returns the keys of values that Get reads, in no order.
func (m AnyMap) Keys() []string {
	keys := make([]string, 0, len(m))
	for key, value := range m {
		if _, ok := textOf(value); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// textOf returns value as a string, or reports false if it is not text.
func textOf(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	default:
		return "", false
	}
}
