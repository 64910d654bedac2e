// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"time"

	"github.com/waybill-go/waybill/observe"
)

// backpressure returns the observer of it, or nil.
func (r *Recorder) backpressure() observe.BackpressureObserver {
	o, _ := r.cfg.Observer.(observe.BackpressureObserver)
	return o
}

// queuedTo reports a change of the number of messages that a client was given and
// is not done with.
func (r *Recorder) queuedTo(destination string, change int) {
	if o := r.backpressure(); o != nil {
		r.observeQueue(o, observe.Queue{System: r.cfg.System, Destination: r.destinationOf(destination).name, Change: change})
	}
}

// Clock returns the time if anyone wants to know how long calls are blocked, for
// [Recorder.Blocked], and the zero time if not.
func (r *Recorder) Clock() time.Time {
	if r.backpressure() == nil {
		return time.Time{}
	}
	return time.Now()
}

// Blocked reports the time since started that a call spent in a client library.
// The destination is empty if there are several.
func (r *Recorder) Blocked(op Operation, destination string, started time.Time) {
	if started.IsZero() {
		return
	}
	if o := r.backpressure(); o != nil {
		r.observeBlock(o, observe.Block{
			System: r.cfg.System, Operation: op.String(), Destination: r.destinationOf(destination).name, Duration: time.Since(started),
		})
	}
}
