// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriertest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/waybill-go/waybill/propagation"
)

func checkAliasing(t testing.TB, f fixture) {
	// Replaced values.
	base := f.fresh()
	base.set("x-tenant", "acme")
	base.inject(full(1).context(t), usual())
	left, right := base.fork(), base.fork()
	left.inject(full(2).context(t), usual())
	right.inject(bare(3).context(t), usual())
	full(1).requireRead(t, base.read(usual()))
	full(2).requireRead(t, left.read(usual()))
	bare(3).requireRead(t, right.read(usual()))

	// Added values, with every number of entries, as one of them leaves room
	// at the end of a list that grows.
	base = f.fresh()
	for i := range 8 {
		left, right = base.fork(), base.fork()
		left.set("x-left", "left")
		right.set("x-right", "right")
		left.requireGet(t, "x-left", "left")
		left.requireGet(t, "x-right", "")
		right.requireGet(t, "x-right", "right")
		base.requireGet(t, "x-left", "")
		base.set(numbered(i), "base")
	}

	// Deleted values.
	if base.delete != nil {
		fork := base.fork()
		fork.delete(numbered(0))
		fork.requireGet(t, numbered(0), "")
		for i := range 8 {
			base.requireGet(t, numbered(i), "base")
		}
	}

	if t.Failed() {
		return // What shares memory races too, which says less.
	}
	// A fork in each of several goroutines.
	var workers sync.WaitGroup
	for i := range 8 {
		fork := base.fork()
		workers.Go(func() {
			fork.set(numbered(i), "fork")
			fork.set("x-fork", numbered(i))
			if fork.get("x-fork") != numbered(i) || base.get(numbered(i)) != "base" {
				t.Errorf("concurrent forks wrote to each other's memory")
			}
		})
	}
	workers.Wait()
}

func numbered(i int) string { return fmt.Sprintf("x-key-%d", i) }

func checkConcurrentReads(t testing.TB, f fixture) {
	s := f.fresh()
	s.inject(full(1).context(t), usual())
	s.set("x-key", "value")
	alone := s.read(usual())

	start := make(chan struct{})
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			<-start
			for range 20 {
				if why := s.differs("x-key", "value", alone); why != "" {
					t.Errorf("read by many at once: %s", why)
					return
				}
			}
		})
	}
	close(start)
	readers.Wait()
}

// differs says how s is not a carrier of remote that holds value under key.
func (s *subject) differs(key, value string, remote propagation.Remote) string {
	again := s.read(usual())
	switch {
	case s.get(key) != value:
		return "Get is not the value of " + key
	case s.keys != nil && len(s.keys()) == 0:
		return "Keys is empty"
	case s.values != nil && len(s.values(key)) != 1:
		return "Values is not the one value of " + key
	case !again.SpanContext().Equal(remote.SpanContext()):
		return "the span context is another"
	case again.Waybill() != remote.Waybill():
		return "the waybill is another"
	case again.Baggage().String() != remote.Baggage().String():
		return "the baggage is another"
	}
	return ""
}
