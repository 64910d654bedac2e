// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import "github.com/waybill-go/waybill/propagation"

// AnyMap is a carrier for a map of values of any type: AnyMap(table).
//
// It reads values that are a string or a []byte, as other programs write either,
// takes any other value as absent, and writes strings only. Keys keep their
// case. Set and Delete change the map itself, which is its user's: clone it
// first if others hold it. A nil AnyMap holds nothing and takes nothing.
// Reading is safe for concurrent use.
type AnyMap map[string]any

var _ propagation.TextMapCarrier = AnyMap{}

// Get returns the text under key, or "".
func (m AnyMap) Get(key string) string {
	text, _ := textOf(m[key])
	return text
}

// Set replaces the value under key, whatever its type, by a string.
func (m AnyMap) Set(key, value string) {
	if m != nil {
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

// textOf returns the text that value holds, or reports that it holds none.
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
