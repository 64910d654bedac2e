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

// Map makes one value for each of the first keys it sees, up to a limit, and
// keeps them for good.
//
// Looking up a key it holds, or any key once it is full, takes no lock and
// allocates nothing. It is safe for concurrent use and never holds more than
// the limit, whatever arrives at once. It must not be copied.
type Map[V any] struct {
	limit  int
	create func(key string) V

	growing sync.Mutex
	values  atomic.Pointer[map[string]V] // Replaced as a whole; never written to.
}

// NewMap makes an empty Map that holds at most limit keys and makes their
// values with create, which runs under a lock.
func NewMap[V any](limit int, create func(key string) V) *Map[V] {
	m := &Map[V]{limit: limit, create: create}
	m.values.Store(&map[string]V{})
	return m
}

// Get returns the value of key, made now if key is new.
// It reports false, and returns the zero value, if key is new and m is full.
func (m *Map[V]) Get(key string) (V, bool) {
	values := *m.values.Load()
	if value, ok := values[key]; ok || len(values) >= m.limit {
		return value, ok
	}
	return m.add(key)
}

func (m *Map[V]) add(key string) (V, bool) {
	m.growing.Lock()
	defer m.growing.Unlock()
	values := *m.values.Load()
	if value, ok := values[key]; ok || len(values) >= m.limit {
		return value, ok
	}
	value := m.create(key)
	grown := make(map[string]V, len(values)+1)
	maps.Copy(grown, values)
	grown[key] = value
	m.values.Store(&grown)
	return value, true
}
