// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"sync"
	"time"
	"weak"

	"github.com/waybill-go/waybill/internal/clock"
	"github.com/waybill-go/waybill/observe"
)

// queueView is a queue as its observer sees it. It does not keep the queue in
// memory.
type queueView[T any] struct {
	queue    weak.Pointer[Queue[T]]
	capacity int
	blocked  *blockedTime
}

var _ observe.StageQueue = (*queueView[int])(nil)

// Stats implements [observe.StageQueue].
func (v *queueView[T]) Stats() observe.QueueStats {
	if q := v.queue.Value(); q != nil {
		return q.Stats()
	}
	return observe.QueueStats{Capacity: v.capacity, Blocked: v.blocked.total(), Done: true}
}

// blockedTime is the time that all producers together waited. It is used only by
// producers that wait, and by those who read it.
type blockedTime struct {
	mu      sync.Mutex
	waiting int64 // Producers that wait now.
	sum     int64 // Readings of the clock at the ends minus those at the beginnings; it may overflow.
}

func (b *blockedTime) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting++
	b.sum -= int64(clock.Now())
}

func (b *blockedTime) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting--
	b.sum += int64(clock.Now())
}

// total returns the time until now.
func (b *blockedTime) total() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Duration(b.sum + b.waiting*int64(clock.Now()))
}

// sampleEvery is one of how many items of a fast queue is measured.
const sampleEvery = 61

// waitSample chooses the items whose waiting time is measured. It is guarded by the
// lock of the queue.
type waitSample struct {
	items uint
	last  time.Duration // When the last sampleEvery items began.
	slow  bool          // Reports whether they took more than a second: then all are measured.
}

// time returns the reading of the clock at which the next item is put, or 0 if the
// item is not measured.
func (w *waitSample) time() time.Duration {
	w.items++
	begins := w.items == sampleEvery
	if !begins && !w.slow {
		return 0
	}
	now := clock.Now()
	if begins {
		w.items, w.slow, w.last = 0, now-w.last > time.Second, now
	}
	return now
}
