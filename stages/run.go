// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"sync/atomic"
	"time"
)

// maxClockSkew is how far in the future a watermark or a time of origin may lie.
const maxClockSkew = 5 * time.Minute

// Run is one run of a stage, to which its function tells what it does. Get it
// with [FromContext].
//
// All methods are safe for concurrent use, allocate nothing, and do nothing on
// a nil *Run, so code that counts also works outside of a stage. Counts are
// observed at once; they are written to the span when the run ends, which what
// is counted later misses.
type Run struct {
	stage *Stage
	ended atomic.Bool

	read, wrote, rejected, bytesIn, bytesOut, retries atomic.Int64
}

type runKey struct{}

// FromContext returns the innermost run that ctx belongs to, or nil, which is
// safe to use, if there is none. Once a run has ended its context still
// returns it.
func FromContext(ctx context.Context) *Run {
	if ctx == nil {
		return nil
	}
	run, _ := ctx.Value(runKey{}).(*Run)
	return run
}

// Stage returns the stage that runs, or nil, which is safe to use, of a nil
// *Run.
func (r *Run) Stage() *Stage {
	if r == nil {
		return nil
	}
	return r.stage
}

// Read counts rows that came into the stage. Of a number below zero only the
// attempt is counted, as dropped telemetry; the same holds for all counts.
func (r *Run) Read(rows int) {
	if r == nil || !r.add(&r.read, rows) {
		return
	}
	defer r.stage.contain(dropObserver)
	r.stage.counts.Read(rows)
}

// Wrote counts rows that came out of the stage well.
func (r *Run) Wrote(rows int) {
	if r == nil || !r.add(&r.wrote, rows) {
		return
	}
	defer r.stage.contain(dropObserver)
	r.stage.counts.Wrote(rows)
}

// Rejected counts rows that the stage turned away. The reason is a label:
// choose it from a small set, and put no data of the row in it.
func (r *Run) Rejected(rows int, reason string) {
	if r == nil || !r.add(&r.rejected, rows) {
		return
	}
	defer r.stage.contain(dropObserver)
	r.stage.counts.Rejected(rows, reason)
}

// Bytes counts bytes that came into the stage.
func (r *Run) Bytes(n int) {
	if r == nil || !r.add(&r.bytesIn, n) {
		return
	}
	defer r.stage.contain(dropObserver)
	r.stage.counts.BytesIn(n)
}

// BytesOut counts bytes that went out of the stage.
func (r *Run) BytesOut(n int) {
	if r == nil || !r.add(&r.bytesOut, n) {
		return
	}
	defer r.stage.contain(dropObserver)
	r.stage.counts.BytesOut(n)
}

// Retried counts an attempt after the first: call it before each of them. A
// run of a stage is one run however often it tries.
func (r *Run) Retried() {
	if r == nil || !r.add(&r.retries, 1) {
		return
	}
	defer r.stage.contain(dropObserver)
	r.stage.counts.Retried()
}

// Watermark says that all data up to the event time t has been seen. The
// latest watermark of a stage is kept, so runs may report theirs in any order.
// A zero t is ignored. One that lies more than five minutes in the future
// would hide all that come after it: it is counted as dropped telemetry.
func (r *Run) Watermark(t time.Time) {
	if r == nil || t.IsZero() {
		return
	}
	if time.Until(t) > maxClockSkew {
		r.stage.dropped(dropWatermark)
		return
	}
	defer r.stage.contain(dropObserver)
	r.stage.watermarks.Watermark(t)
}

// add reports whether there is something to observe.
func (r *Run) add(total *atomic.Int64, n int) bool {
	if n < 0 {
		r.stage.dropped(dropNegative)
		return false
	}
	total.Add(int64(n))
	return n > 0
}
