// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"maps"

	"github.com/waybill-go/waybill/propagation"
)

// Map is a carrier for a map of strings: Map(metadata).
//
// Keys keep their case. Set, SetFields and Delete modify the map itself: clone
// it first if it is shared. A nil Map is empty, and Set is a no-op. Reading is
// safe for concurrent use.
type Map map[string]string

var _ propagation.TextMapCarrier = Map{}

// Get returns the value under key, or the empty string.
func (m Map) Get(key string) string { return m[key] }

// Set replaces the value under key.
func (m Map) Set(key, value string) {
	if m != nil {
		m[key] = value
	}
}

// SetFields sets the pairs of fields and removes the other keys that fields
// clears, in whatever case.
func (m Map) SetFields(fields propagation.Fields) {
	if m == nil {
		return
	}
	clearKeys(m, fields)
	maps.Insert(m, fields.All())
}

// Delete removes key.
func (m Map) Delete(key string) { delete(m, key) }

// Keys returns the keys, in no order.
func (m Map) Keys() []string { return keysOf(m) }

// keysOf returns the keys of m, in no order.
func keysOf[M ~map[string]V, V any](m M) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}

// clearKeys removes the keys of m that fields clears: first as the propagator
// spells them, which as a rule leaves little to look at.
func clearKeys[M ~map[string]V, V any](m M, fields propagation.Fields) {
	for _, key := range fields.Cleared() {
		delete(m, key)
	}
	if len(m) > 0 {
		maps.DeleteFunc(m, func(key string, _ V) bool { return fields.Clears(key) })
	}
}
