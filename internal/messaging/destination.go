// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"sync/atomic"
	"time"
)

// destination holds the state of a topic or collection.
type destination struct {
	name string // The name that events have.

	// waybill is when the last waybill came from it, in nanoseconds since 1970,
	// or its first message. It is 0 before that.
	waybill atomic.Int64
}

func (r *Recorder) newDestination(of string) *destination {
	name, _ := r.nameOf(of)
	return &destination{name: name}
}

func (r *Recorder) destinationOf(name string) *destination {
	if d, ok := r.destinations.Get(name); ok {
		return d
	}
	return r.newDestination(name)
}

// maxSilence is how long a destination may bring data without a waybill before
// that is reported.
const maxSilence = time.Minute

// arrived notes that a message came with a waybill.
func (d *destination) arrived(now time.Time) { d.waybill.Store(now.UnixNano()) }

// isSilent notes that a message came without a waybill. It reports true once for
// each maxSilence that passed without one.
func (d *destination) isSilent(now time.Time) bool {
	last := d.waybill.Load()
	if last == 0 {
		d.waybill.CompareAndSwap(0, now.UnixNano())
		return false
	}
	return now.UnixNano()-last >= int64(maxSilence) && d.waybill.CompareAndSwap(last, now.UnixNano())
}
