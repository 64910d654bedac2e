// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"math"
	"math/bits"
)

// windowSize is how far out of order the messages of a partition may be handed
// on: about as many as fetch at once.
const windowSize = 64

// window remembers which offsets of a partition were seen, in fixed space. It
// tells a message that came again from one that was handed on out of order by
// concurrent fetches, and a gap from a message that is yet to come.
type window struct {
	begun  bool
	from   int64  // Where the run of offsets began that is followed now.
	next   int64  // The offset after the highest of that run.
	seen   uint64 // Bit i is that of the offset next-1-i.
	lowest int64  // The lowest offset of all.

	// What was seen before the reader went back last: from since to before floor.
	since, floor int64
}

// track notes that the message at offset was fetched. It returns whether it was
// before, and how many offsets are now known to have been left out. An offset
// that Kafka does not have is passed over.
func (w *window) track(offset int64) (again bool, skipped int64) {
	if offset < 0 || offset == math.MaxInt64 {
		return false, 0
	}
	if !w.begun {
		*w = window{begun: true, from: offset, next: offset + 1, seen: 1, lowest: offset}
		return false, 0
	}
	again = w.wasSeen(offset)
	behind := w.next - 1 - offset
	switch {
	case behind < 0:
		skipped = w.advance(offset)
	case behind < windowSize:
		bit := uint64(1) << behind
		if w.seen&bit != 0 {
			again = true
			w.since, w.floor = w.lowest, max(w.floor, w.next)
		}
		w.seen |= bit
		w.from = min(w.from, offset)
	default:
		again = again || offset >= w.lowest
		skipped = w.missing()
		w.since, w.floor = w.lowest, max(w.floor, w.next)
		w.from, w.next, w.seen = offset, offset+1, 1
	}
	w.lowest = min(w.lowest, offset)
	return again, skipped
}

// advance moves the window on to offset, which is after all others, and returns
// how many offsets that leave it were not seen.
func (w *window) advance(offset int64) (skipped int64) {
	low := w.next - windowSize
	shift := offset + 1 - w.next
	leaving := min(shift, windowSize)
	for i := range leaving {
		if at := low + i; at >= w.from && w.seen&(1<<(windowSize-1-i)) == 0 {
			skipped++
		}
	}
	skipped += max(shift-windowSize, 0) // Those that never were in it.
	if shift >= windowSize {
		w.seen = 0
	} else {
		w.seen <<= shift
	}
	w.seen |= 1
	w.next = offset + 1
	return skipped
}

// missing returns how many offsets in the window were not seen.
func (w *window) missing() int64 {
	if !w.begun {
		return 0
	}
	within := min(w.next-w.from, windowSize)
	mask := ^uint64(0) >> (windowSize - within)
	return within - int64(bits.OnesCount64(w.seen&mask))
}

// wasSeen reports whether the message at offset, which was fetched, had been
// fetched before.
func (w *window) wasSeen(offset int64) bool {
	return offset >= w.since && offset < w.floor
}
