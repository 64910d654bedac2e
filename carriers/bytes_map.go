// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import "github.com/waybill-go/waybill/propagation"

// BytesMap is a carrier for a map of bytes: BytesMap(metadata).
//
// Keys keep their case. Set, SetFields and Delete modify the map itself but
// never the bytes in it, which a shallow clone of the map shares. A nil BytesMap
// is empty, and Set is a no-op. Reading is safe for concurrent use.
type BytesMap map[string][]byte

var _ propagation.TextMapCarrier = BytesMap{}

// Get returns the value under key, or the empty string.
func (m BytesMap) Get(key string) string { return string(m[key]) }

// GetBytes returns the value under key, or nil. It is the slice in the map and
// must not be modified.
func (m BytesMap) GetBytes(key string) []byte { return m[key] }

// Set replaces the value under key.
func (m BytesMap) Set(key, value string) {
	if m != nil {
		m[key] = []byte(value)
	}
}

// SetFields sets the pairs of fields and removes the other keys that fields
// clears, in whatever case.
func (m BytesMap) SetFields(fields propagation.Fields) {
	if m == nil {
		return
	}
	clearKeys(m, fields)
	for i := range fields.Len() {
		m[fields.Key(i)] = fields.AppendValue(make([]byte, 0, fields.ValueLen(i)), i)
	}
}

// Delete removes key.
func (m BytesMap) Delete(key string) { delete(m, key) }

// Keys returns the keys, in no order.
func (m BytesMap) Keys() []string { return keysOf(m) }
