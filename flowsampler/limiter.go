// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowsampler

import (
	"sync/atomic"
	"time"
)

// limiter is a token bucket. Instead of tokens it holds the time when the bucket
// is full again, in nanoseconds of the monotonic clock since start, so that one
// atomic number is all its state. It is safe for concurrent use. A nil limiter has
// no limit.
type limiter struct {
	start    time.Time
	interval int64 // between two tokens.
	size     int64 // of the bucket: an interval for each token.
	full     atomic.Int64
}

// newLimiter returns a limiter that allows perSecond calls a second, and burst
// calls at once. Both are positive.
func newLimiter(perSecond float64, burst int) *limiter {
	// The longest time that does not overflow if it is added to another: 73 years.
	const longest = 1 << 61
	interval := int64(max(1, min(float64(time.Second)/perSecond, longest)))
	return &limiter{start: time.Now(), interval: interval, size: interval * min(int64(burst), longest/interval)}
}

// allow takes a token and reports whether there was one.
func (l *limiter) allow() bool {
	if l == nil {
		return true
	}
	now := int64(time.Since(l.start))
	for {
		full := l.full.Load()
		next := max(full, now) + l.interval
		if next-now > l.size {
			return false
		}
		if l.full.CompareAndSwap(full, next) {
			return true
		}
	}
}
