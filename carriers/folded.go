// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"maps"
	"strings"

	"github.com/waybill-go/waybill/propagation"
)

// FoldedMap is a [Map] for a medium that does not keep the case of its keys:
// FoldedMap(object.Metadata).
//
// Get takes the key as it is, else in any spelling. Set writes the key in lower
// case and removes every other spelling; Delete removes all of them. Otherwise
// it is like Map.
type FoldedMap map[string]string

var _ propagation.TextMapCarrier = FoldedMap{}

// Get returns the value under key, or under another spelling of it, or the empty
// string. Of several other spellings the first in byte order wins.
func (m FoldedMap) Get(key string) string { return m[spelling(m, key)] }

// Set replaces the value under every spelling of key.
func (m FoldedMap) Set(key, value string) {
	if m != nil {
		deleteFolded(m, key)
		m[strings.ToLower(key)] = value
	}
}

// SetFields sets the pairs of fields, in lower case, and removes every other key
// that fields clears.
func (m FoldedMap) SetFields(fields propagation.Fields) {
	if m == nil {
		return
	}
	clearKeys(m, fields)
	for key, value := range fields.All() {
		m[strings.ToLower(key)] = value
	}
}

// Delete removes every spelling of key.
func (m FoldedMap) Delete(key string) { deleteFolded(m, key) }

// Keys returns the keys as they are spelled, in no order.
func (m FoldedMap) Keys() []string { return keysOf(m) }

// FoldedMultiMap is a [MultiMap] for a medium that does not keep the case of
// its keys, such as the metadata of gRPC, which refuses upper case:
// FoldedMultiMap(md).
//
// Get and Values take the key as it is, else in any spelling. Set writes the
// key in lower case and removes every other spelling; Delete removes all of
// them. Otherwise it is like MultiMap.
type FoldedMultiMap map[string][]string

var _ propagation.TextMapCarrier = FoldedMultiMap{}

// Get returns the first value under key, or under another spelling of it, or the
// empty string. Of several other spellings the first in byte order wins.
func (m FoldedMultiMap) Get(key string) string { return first(m[spelling(m, key)]) }

// Set replaces all values under every spelling of key with one.
func (m FoldedMultiMap) Set(key, value string) {
	if m != nil {
		deleteFolded(m, key)
		m[strings.ToLower(key)] = []string{value}
	}
}

// SetFields sets the pairs of fields, in lower case, and removes every other key
// that fields clears.
func (m FoldedMultiMap) SetFields(fields propagation.Fields) {
	if m == nil {
		return
	}
	clearKeys(m, fields)
	for key, value := range fields.All() {
		m[strings.ToLower(key)] = []string{value}
	}
}

// Delete removes every spelling of key with all its values.
func (m FoldedMultiMap) Delete(key string) { deleteFolded(m, key) }

// Keys returns the keys that hold a value as they are spelled, in no order.
func (m FoldedMultiMap) Keys() []string { return MultiMap(m).Keys() }

// Values returns the values that are not empty under the spelling that Get
// reads, in order. The result may be the slice in the map and must not be
// modified.
func (m FoldedMultiMap) Values(key string) []string { return nonEmpty(m[spelling(m, key)]) }

// spelling returns key as m spells it.
func spelling[M ~map[string]V, V any](m M, key string) string {
	if _, ok := m[key]; ok {
		return key
	}
	var found string
	for k := range m {
		if strings.EqualFold(k, key) && (found == "" || k < found) {
			found = k
		}
	}
	if found == "" {
		return key
	}
	return found
}

// deleteFolded removes every spelling of key from m.
func deleteFolded[M ~map[string]V, V any](m M, key string) {
	maps.DeleteFunc(m, func(k string, _ V) bool { return strings.EqualFold(k, key) })
}
