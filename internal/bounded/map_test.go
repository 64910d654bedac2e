// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package bounded_test

import (
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/waybill-go/waybill/internal/bounded"
)

func TestMap_CreatesEachValueOnce(t *testing.T) {
	t.Parallel()
	made := 0
	m := bounded.NewMap(2, func(key string) string { made++; return "value of " + key })
	for range 3 {
		if value, ok := m.Get("a"); value != "value of a" || !ok {
			t.Errorf("Get = %q, %v", value, ok)
		}
	}
	if made != 1 {
		t.Errorf("made %d values", made)
	}
}

func TestMap_Full(t *testing.T) {
	t.Parallel()
	m := bounded.NewMap(1, func(key string) string { return key })
	m.Get("a")
	if value, ok := m.Get("b"); value != "" || ok {
		t.Errorf("Get of a new key = %q, %v", value, ok)
	}
	if value, ok := m.Get("a"); value != "a" || !ok {
		t.Errorf("Get of an old key = %q, %v", value, ok)
	}
	if _, ok := bounded.NewMap(0, func(string) int { return 1 }).Get("a"); ok {
		t.Error("a map without room took a key")
	}
}

// R25: the first sight of many keys at once does not exceed the limit.
func TestMap_LimitUnderConcurrency(t *testing.T) {
	t.Parallel()
	const limit = 10
	var made atomic.Int64
	m := bounded.NewMap(limit, func(string) int64 { return made.Add(1) })
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			<-start
			key := strconv.Itoa(i % 50)
			first, ok := m.Get(key)
			if second, okNow := m.Get(key); ok && (second != first || !okNow) {
				t.Errorf("the value of %s changed", key)
			}
		})
	}
	close(start)
	all.Wait()
	if got := made.Load(); got != limit {
		t.Errorf("made %d values, limit %d", got, limit)
	}
}

func TestMap_PanicOfCreate(t *testing.T) {
	t.Parallel()
	fail := true
	m := bounded.NewMap(1, func(string) int {
		if fail {
			panic("create")
		}
		return 7
	})
	func() {
		defer func() { _ = recover() }()
		m.Get("a")
	}()
	fail = false
	if value, ok := m.Get("a"); value != 7 || !ok {
		t.Errorf("Get = %d, %v", value, ok)
	}
}

func TestMap_All(t *testing.T) {
	t.Parallel()
	m := bounded.NewMap(2, func(key string) string { return "value of " + key })
	for _, key := range []string{"a", "b", "c"} {
		m.Get(key)
	}
	got := maps.Collect(m.All())
	if want := map[string]string{"a": "value of a", "b": "value of b"}; !maps.Equal(got, want) {
		t.Errorf("All = %v, want %v", got, want)
	}
}
