// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package bounded holds sets that stop growing: what keeps a label that users
// fill from becoming a leak.
package bounded

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Map is a [Table] with keys of text.
type Map[V any] = Table[string, V]

// NewMap makes an empty Map that holds at most limit keys and makes their
// values with create, which runs under a lock.
func NewMap[V any](limit int, create func(key string) V) *Map[V] { return NewTable(limit, create) }

// Table makes one value for each of the first keys it sees, up to a limit, and
// keeps them for good.
//
// Looking up a key it holds, or any key once it is full, takes no lock and
// allocates nothing. It is safe for concurrent use and never holds more than
// the limit, whatever arrives at once. It must not be copied.
type Table[K comparable, V any] struct {
	limit  int
	create func(key K) V

	growing sync.Mutex
	values  atomic.Pointer[map[K]V] // Replaced as a whole; never written to.
}

// NewTable makes an empty Table that holds at most limit keys and makes their
// values with create, which runs under a lock.
func NewTable[K comparable, V any](limit int, create func(key K) V) *Table[K, V] {
	m := &Table[K, V]{limit: limit, create: create}
	m.values.Store(&map[K]V{})
	return m
}

// Get returns the value of key, made now if key is new.
// It reports false, and returns the zero value, if key is new and m is full.
func (m *Table[K, V]) Get(key K) (V, bool) {
	values := *m.values.Load()
	if value, ok := values[key]; ok || len(values) >= m.limit {
		return value, ok
	}
	return m.add(key)
}

func (m *Table[K, V]) add(key K) (V, bool) {
	m.growing.Lock()
	defer m.growing.Unlock()
	values := *m.values.Load()
	if value, ok := values[key]; ok || len(values) >= m.limit {
		return value, ok
	}
	value := m.create(key)
	grown := make(map[K]V, len(values)+1)
	maps.Copy(grown, values)
	grown[key] = value
	m.values.Store(&grown)
	return value, true
}
