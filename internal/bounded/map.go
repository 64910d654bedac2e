// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package bounded holds maps that stop growing, so that a label whose values come
// from users does not become a leak.
package bounded

import (
	"iter"
	"maps"
	"sync"
	"sync/atomic"
)

// Map is a [Table] with strings as keys.
type Map[V any] = Table[string, V]

// NewMap returns an empty Map of at most limit keys. It calls create, under a
// lock, for the value of each.
func NewMap[V any](limit int, create func(key string) V) *Map[V] { return NewTable(limit, create) }

// Table keeps one value for each of the first keys it is asked for, up to a
// limit, and never removes one.
//
// Looking up a key that it holds, or any key once it is full, takes no lock and
// allocates nothing. Table is safe for concurrent use and must not be copied.
type Table[K comparable, V any] struct {
	limit  int
	create func(key K) V

	growing sync.Mutex
	values  atomic.Pointer[map[K]V] // Replaced as a whole; never written to.
}

// NewTable returns an empty Table of at most limit keys. It calls create, under a
// lock, for the value of each.
func NewTable[K comparable, V any](limit int, create func(key K) V) *Table[K, V] {
	m := &Table[K, V]{limit: limit, create: create}
	m.values.Store(&map[K]V{})
	return m
}

// Get returns the value of key, which it creates if key is new. It returns the
// zero value and false if key is new and m is full.
func (m *Table[K, V]) Get(key K) (V, bool) {
	values := *m.values.Load()
	if value, ok := values[key]; ok || len(values) >= m.limit {
		return value, ok
	}
	return m.add(key)
}

// All returns an iterator over the keys and values that m holds now.
func (m *Table[K, V]) All() iter.Seq2[K, V] { return maps.All(*m.values.Load()) }

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
