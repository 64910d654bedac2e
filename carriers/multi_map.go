// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"slices"

	"github.com/waybill-go/waybill/propagation"
)

// MultiMap is a carrier for a map that holds several values under a key:
// MultiMap(header).
//
// Keys keep their case, which sets it apart from an http.Header. Get returns the
// first value, as OpenTelemetry asks. Set, SetFields and Delete modify the map
// itself but never the slices of values in it, which a shallow clone of the map
// shares. A nil MultiMap is empty, and Set is a no-op. Reading is safe for
// concurrent use.
type MultiMap map[string][]string

var _ propagation.TextMapCarrier = MultiMap{}

// Get returns the first value under key, or the empty string.
func (m MultiMap) Get(key string) string { return first(m[key]) }

// Set replaces all values under key with one.
func (m MultiMap) Set(key, value string) {
	if m != nil {
		m[key] = []string{value}
	}
}

// SetFields sets the pairs of fields and removes the other keys that fields
// clears, in whatever case.
func (m MultiMap) SetFields(fields propagation.Fields) {
	if m == nil {
		return
	}
	clearKeys(m, fields)
	for key, value := range fields.All() {
		m[key] = []string{value}
	}
}

// Delete removes key with all its values.
func (m MultiMap) Delete(key string) { delete(m, key) }

// Keys returns the keys that hold a value, in no order.
func (m MultiMap) Keys() []string {
	keys := make([]string, 0, len(m))
	for key, values := range m {
		if len(values) > 0 {
			keys = append(keys, key)
		}
	}
	return keys
}

// Values returns the values under key that are not empty, in order. The result
// may be the slice in the map and must not be modified.
func (m MultiMap) Values(key string) []string { return nonEmpty(m[key]) }

// first returns the first value, or the empty string.
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// nonEmpty returns the values that are not empty: values itself if all are.
func nonEmpty(values []string) []string {
	if !slices.Contains(values, "") {
		return values
	}
	return slices.DeleteFunc(slices.Clone(values), func(value string) bool { return value == "" })
}
