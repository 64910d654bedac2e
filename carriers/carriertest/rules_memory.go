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
	original := f.fresh()
	original.set("x-tenant", "acme")
	original.inject(full(1).context(t), usual())
	left, right := original.fork(), original.fork()
	left.inject(full(2).context(t), usual())
	right.inject(bare(3).context(t), usual())
	requireUnchanged(t, copyChangedOriginal, func(t testing.TB) { full(1).requireRead(t, original.read(usual())) })
	requireUnchanged(t, copyChangedCopy, func(t testing.TB) {
		full(2).requireRead(t, left.read(usual()))
		bare(3).requireRead(t, right.read(usual()))
	})
	original.inject(bare(4).context(t), usual())
	requireUnchanged(t, "the original changed a copy", func(t testing.TB) { full(2).requireRead(t, left.read(usual())) })

	// Added values, with every number of entries, as one of them leaves room
	// at the end of a list that grows.
	original = f.fresh()
	for i := range 8 {
		left, right = original.fork(), original.fork()
		left.set("x-left", "left")
		right.set("x-right", "right")
		requireUnchanged(t, copyChangedCopy, func(t testing.TB) {
			left.requireGet(t, "x-left", "left")
			left.requireGet(t, "x-right", "")
			right.requireGet(t, "x-right", "right")
		})
		requireUnchanged(t, copyChangedOriginal, func(t testing.TB) { original.requireGet(t, "x-left", "") })
		original.set(numbered(i), "original")
	}

	// Values that are set again.
	fork := original.fork()
	fork.set(numbered(0), "copy")
	fork.requireGet(t, numbered(0), "copy")
	requireUnchanged(t, copyChangedOriginal, func(t testing.TB) { original.requireGet(t, numbered(0), "original") })

	// Deleted values.
	if original.delete != nil {
		fork = original.fork()
		fork.delete(numbered(0))
		fork.requireGet(t, numbered(0), "")
		requireUnchanged(t, copyChangedOriginal, func(t testing.TB) {
			for i := range 8 {
				original.requireGet(t, numbered(i), "original")
			}
		})
	}

	if t.Failed() {
		return // Carriers that share memory race too, and that failure is less clear.
	}
	// A copy in each of several goroutines.
	var workers sync.WaitGroup
	for i := range 8 {
		fork := original.fork()
		workers.Go(func() {
			fork.set(numbered(i), "copy")
			fork.set("x-copy", numbered(i))
			if fork.get("x-copy") != numbered(i) || original.get(numbered(i)) != "original" {
				t.Errorf("copies that are written to concurrently changed each other's memory")
			}
		})
	}
	workers.Wait()
}

const (
	copyChangedOriginal = "the copy changed the original"
	copyChangedCopy     = "a copy changed another copy"
)

// requireUnchanged runs check and reports why it fails.
func requireUnchanged(t testing.TB, why string, check func(t testing.TB)) {
	t.Helper()
	check(&because{TB: t, why: why})
}

// because is a test whose failures begin with why.
type because struct {
	testing.TB

	why string
}

func (b *because) Errorf(format string, args ...any) {
	b.Helper()
	b.TB.Errorf("%s, with which it shares memory: %s", b.why, fmt.Sprintf(format, args...))
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

// differs returns how s differs from a carrier of remote that holds value under
// key, or the empty string.
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
