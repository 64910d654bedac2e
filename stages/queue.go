// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"
	"weak"

	"github.com/waybill-go/waybill/internal/clock"
	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
)

// Queue is a bounded queue in front of a stage, for any number of producers and
// consumers. It is a channel that keeps the context of each item, and that can be
// closed while producers wait. Its depth, its capacity, the time that producers
// were blocked and the time that items waited are observed; see [NewQueue].
//
// Every item that Put accepted is taken exactly once, also if the queue is closed
// meanwhile, as long as somebody takes. Items are taken in the order in which they
// were put, and producers and consumers that wait are served in theirs.
//
// A Queue is safe for concurrent use and must not be copied. A nil or zero Queue is
// closed and empty.
type Queue[T any] struct {
	stage   *Stage // Nil if nobody observes the queue.
	blocked *blockedTime
	waiters sync.Pool // Of *waiter[T].

	// A channel would need a second lock beside its own to be closed safely.
	mu        sync.Mutex
	ring      []Item[T]
	head      int // Where the oldest item is.
	rows      int
	closed    bool
	producers waitList[T] // Those that wait for room.
	consumers waitList[T] // Those that wait for an item.
	sample    waitSample
}

// maxCapacity is the greatest capacity of a queue. Its items take their room at
// once, so a mistyped one would take the memory of the machine.
const maxCapacity = 1 << 24

// NewQueue returns a queue in front of stage s that holds up to capacity items. It
// returns [ErrInvalidCapacity] if capacity is less than 1 or more than 2^24. The
// room for the items is taken at once.
//
// The observer of s, if it is an [observe.QueueObserver], reads the state of the
// queue when it needs it, and receives the waiting time of a sample of the items:
// of every item if fewer than 61 a second are put, and otherwise of one of 61. That
// is a prime number, so that of items put in bursts of a round number, each place in
// the burst is sampled. The observer does not keep the queue in memory: a queue that
// is no longer used need not be closed.
//
// If s is nil, the queue works without telemetry.
func NewQueue[T any](s *Stage, capacity int) (*Queue[T], error) {
	if capacity < 1 || capacity > maxCapacity {
		return nil, fmt.Errorf("%w: %d", ErrInvalidCapacity, capacity)
	}
	q := &Queue[T]{ring: make([]Item[T], capacity), blocked: new(blockedTime), sample: waitSample{last: clock.Now(), slow: true}}
	if !s.isZero() && s.observesQueues() {
		q.stage = s
		s.queue(&queueView[T]{queue: weak.Make(q), capacity: capacity, blocked: q.blocked})
	}
	return q, nil
}

// isZero reports whether q is not a queue that NewQueue returned.
func (q *Queue[T]) isZero() bool { return q == nil || q.ring == nil }

// Put adds an item with its context to the queue. If the queue is full, Put waits
// until there is room, ctx is done, or the queue is closed. It returns ctx.Err() if
// ctx is done, even if there is room, and [ErrQueueClosed] if the queue is closed.
// If Put returns an error, the item is not in the queue.
//
// The queue keeps ctx for its values alone: the item outlives the run that put it.
// A nil ctx is treated as [context.Background].
func (q *Queue[T]) Put(ctx context.Context, item T) error {
	if q.isZero() {
		return ErrQueueClosed
	}
	ctx = safe.Context(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	if q.closed || q.rows == len(q.ring) {
		q.mu.Unlock()
		return q.putSlow(ctx, item)
	}
	q.add(ctx, item)
	q.mu.Unlock()
	return nil
}

// putSlow is Put for a queue that was full or closed.
func (q *Queue[T]) putSlow(ctx context.Context, item T) error {
	done := ctx.Done() // May panic, and must not do so within the lock.
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		return ErrQueueClosed
	case q.rows < len(q.ring):
		q.add(ctx, item)
		q.mu.Unlock()
		return nil
	}
	w := q.waiter()
	w.item = Item[T]{Value: item, ctx: ctx}
	q.producers.push(w)
	q.mu.Unlock()
	q.blocked.begin()
	defer q.blocked.end()
	_, err := q.await(ctx, done, &q.producers, w)
	return err
}

// add gives an item to the first consumer that waits, or else puts it into the ring,
// which has room. The lock must be held.
func (q *Queue[T]) add(ctx context.Context, item T) {
	var put time.Duration
	if q.stage != nil {
		put = q.sample.time()
	}
	if q.consumers.first != nil {
		w := q.consumers.pop()
		w.item = Item[T]{Value: item, ctx: ctx, put: put}
		w.end(nil)
		return
	}
	at := q.head + q.rows
	if at >= len(q.ring) {
		at -= len(q.ring)
	}
	slot := &q.ring[at]
	slot.Value, slot.ctx, slot.put = item, ctx, put
	q.rows++
}

// Take removes the oldest item. If the queue is empty, Take waits until there is an
// item, ctx is done, or the queue is closed. It returns ctx.Err() if ctx is done,
// even if items wait, which stay in the queue. It returns [ErrQueueClosed] if the
// queue is closed and all its items are taken.
//
// Handle the item with the context that [Item.Context] returns. A nil ctx is
// treated as [context.Background].
func (q *Queue[T]) Take(ctx context.Context) (item Item[T], err error) {
	if q.isZero() {
		return item, ErrQueueClosed
	}
	ctx = safe.Context(ctx)
	if err = ctx.Err(); err != nil {
		return item, err
	}
	q.mu.Lock()
	if q.rows > 0 {
		q.remove(&item)
		q.mu.Unlock()
	} else {
		q.mu.Unlock()
		item, err = q.takeSlow(ctx)
	}
	if item.put != 0 {
		q.stage.waited(item.ctx, clock.Now()-item.put)
	}
	return item, err
}

// takeSlow is Take for a queue that was empty.
func (q *Queue[T]) takeSlow(ctx context.Context) (item Item[T], err error) {
	done := ctx.Done() // May panic, and must not do so within the lock.
	q.mu.Lock()
	switch {
	case q.rows > 0:
		q.remove(&item)
		q.mu.Unlock()
		return item, nil
	case q.closed:
		q.mu.Unlock()
		return item, ErrQueueClosed
	}
	w := q.waiter()
	q.consumers.push(w)
	q.mu.Unlock()
	return q.await(ctx, done, &q.consumers, w)
}

// remove moves the oldest item to item, and into its room that of the first producer
// that waits. The lock must be held.
func (q *Queue[T]) remove(item *Item[T]) {
	oldest := &q.ring[q.head]
	*item = *oldest
	*oldest = Item[T]{}
	q.head++
	if q.head == len(q.ring) {
		q.head = 0
	}
	q.rows--
	if q.producers.first != nil {
		w := q.producers.pop()
		q.add(w.item.ctx, w.item.Value)
		w.end(nil)
	}
}

// All returns a sequence that takes items until the queue is closed and empty, or
// ctx is done, which ctx.Err() tells apart. Each value comes with the context to
// handle it with, as [Item.Context] returns it:
//
//	for ctx, row := range queue.All(ctx) {
//		if err := insert(ctx, row); err != nil {
//			return err
//		}
//	}
//
// Any number of goroutines may range over the queue at once; each item is yielded
// to one of them. A loop that ends early leaves the other items in the queue.
func (q *Queue[T]) All(ctx context.Context) iter.Seq2[context.Context, T] {
	return func(yield func(context.Context, T) bool) {
		for {
			item, err := q.Take(ctx)
			if err != nil || !yield(item.Context(ctx), item.Value) {
				return
			}
		}
	}
}

// Close closes the queue: each further Put, and each that waits for room, returns
// [ErrQueueClosed]. The items in the queue can still be taken; Close does not wait
// for that. Further calls do nothing.
//
// With several producers, call Close when all of them have returned.
func (q *Queue[T]) Close() {
	if q.isZero() {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for w := q.producers.pop(); w != nil; w = q.producers.pop() {
		w.end(ErrQueueClosed)
	}
	for w := q.consumers.pop(); w != nil; w = q.consumers.pop() {
		w.end(ErrQueueClosed)
	}
}

// Stats returns the state of the queue.
func (q *Queue[T]) Stats() observe.QueueStats {
	if q.isZero() {
		return observe.QueueStats{Done: true}
	}
	q.mu.Lock()
	rows, closed := q.rows, q.closed
	q.mu.Unlock()
	return observe.QueueStats{Rows: rows, Capacity: len(q.ring), Blocked: q.blocked.total(), Done: closed && rows == 0}
}
