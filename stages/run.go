// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"sync/atomic"

	"github.com/waybill-go/waybill/observe"
)

// Run represents one execution of a stage. The stage's function uses it to
// report counts; [FromContext] returns it.
//
// Counts are observed at once and written to the span when the run ends; later
// counts are not on the span. A count of 0 is observed too, so
// that a metric shows 0 for a function that found nothing, and nothing for a
// function that does not count. Negative values are ignored and counted as
// dropped telemetry.
//
// A Run is safe for concurrent use, and its methods do not allocate. The methods
// of a nil or zero Run do nothing, so code that counts also works outside a stage.
type Run struct {
	stage *Stage
	call  *call // The context of the run.

	read, wrote, rejected, bytesIn, bytesOut, retries atomic.Int64
}

// isZero reports whether r belongs to no stage.
func (r *Run) isZero() bool { return r == nil || r.stage == nil }

type callKey struct{}

// callOf returns the innermost call of a stage that ctx belongs to, or nil.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// FromContext returns the innermost run that ctx belongs to, or nil if there is
// none. The context of a run that has ended still returns it.
func FromContext(ctx context.Context) *Run {
	if ctx == nil {
		return nil
	}
	if c := callOf(ctx); c != nil {
		return &c.run
	}
	return nil
}

// Read counts rows that came into the stage.
func (r *Run) Read(rows int) {
	if !r.isZero() {
		r.count(&r.read, observe.Count{Kind: observe.CountRead, N: rows})
	}
}

// Wrote counts rows that came out of the stage well.
func (r *Run) Wrote(rows int) {
	if !r.isZero() {
		r.count(&r.wrote, observe.Count{Kind: observe.CountWrote, N: rows})
	}
}

// Rejected counts rows that the stage turned away. The reason is a label: choose
// it from a small set, and put no data of the row in it. See also [Reject].
func (r *Run) Rejected(rows int, reason string) {
	if !r.isZero() {
		r.count(&r.rejected, observe.Count{Kind: observe.CountRejected, N: rows, Reason: reason})
	}
}

// BytesIn counts bytes that came into the stage.
func (r *Run) BytesIn(n int) {
	if !r.isZero() {
		r.count(&r.bytesIn, observe.Count{Kind: observe.CountBytesIn, N: n})
	}
}

// BytesOut counts bytes that went out of the stage.
func (r *Run) BytesOut(n int) {
	if !r.isZero() {
		r.count(&r.bytesOut, observe.Count{Kind: observe.CountBytesOut, N: n})
	}
}

// Retried counts an attempt after the first. Call it before each of them, inside
// the function of the stage: a run is one run, however often its function tries,
// and only the last error decides its outcome.
func (r *Run) Retried() {
	if !r.isZero() {
		r.count(&r.retries, observe.Count{Kind: observe.CountRetried, N: 1})
	}
}

func (r *Run) count(total *atomic.Int64, c observe.Count) {
	if c.N < 0 {
		r.stage.dropped(observe.DropNegative)
		return
	}
	total.Add(int64(c.N))
	r.stage.counted(c)
}
