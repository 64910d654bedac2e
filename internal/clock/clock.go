// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package clock reads the clock for half of what [time.Now] costs, which reads the
// time of day and the monotonic clock.
package clock

import (
	"sync/atomic"
	"time"
)

// start is where the readings of the monotonic clock begin.
var start = time.Now()

// Now returns a reading of the monotonic clock: the difference of two is the time
// between them.
func Now() time.Duration { return time.Since(start) }

// validity is how long a reading of the time of day is used for others.
const validity = time.Second

// reading is a time of day and the monotonic clock at the same time.
type reading struct {
	at   time.Duration
	time time.Time
}

var latest atomic.Pointer[reading]

// Time returns the time of day at a reading of [Now]. A change of the time of day is
// seen after at most a second. Time allocates at most once a second.
func Time(at time.Duration) time.Time {
	r := latest.Load()
	if r == nil || at-r.at >= validity || r.at-at >= validity {
		r = &reading{at: Now(), time: time.Now()}
		latest.Store(r)
	}
	return r.time.Add(at - r.at)
}
