// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import "context"

// waiter is a producer that waits for room in a queue, or a consumer that waits for
// an item. Whoever removes it from its list ends it.
type waiter[T any] struct {
	item  Item[T] // Of the producer, or for the consumer.
	err   error
	ready chan struct{} // Receives one value when item and err are final.

	list       *waitList[T] // Nil if it is in none.
	prev, next *waiter[T]
}

// waiter returns a waiter that is in no list. The one that called await must not
// use it any more.
func (q *Queue[T]) waiter() *waiter[T] {
	if w, ok := q.waiters.Get().(*waiter[T]); ok {
		return w
	}
	return &waiter[T]{ready: make(chan struct{}, 1)}
}

// end wakes the goroutine that waits. The lock of the queue must be held.
func (w *waiter[T]) end(err error) {
	w.err = err
	w.ready <- struct{}{}
}

// await waits until w is ended or done is closed, and returns the item that w was
// given. If it is both, w was ended.
func (q *Queue[T]) await(ctx context.Context, done <-chan struct{}, list *waitList[T], w *waiter[T]) (item Item[T], err error) {
	select {
	case <-w.ready:
		item, err = w.item, w.err
	case <-done:
		q.mu.Lock()
		waiting := list.remove(w)
		q.mu.Unlock()
		if waiting {
			if err = ctx.Err(); err == nil {
				err = context.Canceled // A nil error would tell of an item.
			}
			break
		}
		<-w.ready
		item, err = w.item, w.err
	}
	w.item, w.err = Item[T]{}, nil
	q.waiters.Put(w)
	return item, err
}

// waitList is a list of waiters, in the order in which they came. The zero value is
// empty. It is guarded by the lock of the queue.
type waitList[T any] struct{ first, last *waiter[T] }

func (l *waitList[T]) push(w *waiter[T]) {
	w.list, w.prev = l, l.last
	if l.last == nil {
		l.first = w
	} else {
		l.last.next = w
	}
	l.last = w
}

// pop removes the first waiter. It returns nil if there is none.
func (l *waitList[T]) pop() *waiter[T] {
	w := l.first
	if w != nil {
		l.remove(w)
	}
	return w
}

// remove reports whether w was in the list.
func (l *waitList[T]) remove(w *waiter[T]) bool {
	if w.list == nil {
		return false
	}
	if w.prev == nil {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.list, w.prev, w.next = nil, nil, nil
	return true
}
