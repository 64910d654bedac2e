// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/internal/bounded"
	"github.com/waybill-go/waybill/observe"
)

const (
	// maxClockSkew is how far in the future a watermark, an event or a time of origin
	// may be.
	maxClockSkew = 5 * time.Minute
	// maxInputs is how many inputs of a stage have watermarks of their own.
	maxInputs = 1000
)

// Watermark reports that all data up to the event time t has been seen. A stage
// keeps its latest watermark, so concurrent runs may report theirs in any order;
// use [Run.ResetWatermark] to set it back. For a stage that reads several inputs, use
// [Run.WatermarkOf].
//
// A zero t is ignored. A t more than five minutes in the future is ignored and
// counted as dropped telemetry, because it would hide all that follow.
func (r *Run) Watermark(t time.Time) {
	if !r.isZero() && r.stage.isWatermark(t) {
		r.stage.watermark(t)
	}
}

// ResetWatermark replaces the watermark of the stage with t, which may be earlier, and
// forgets the watermarks of all inputs. Use it when data is processed again. If t is
// the zero time, the stage has no watermark until the next one. A t more than five
// minutes in the future is ignored and counted as dropped telemetry.
func (r *Run) ResetWatermark(t time.Time) {
	if !r.isZero() && (t.IsZero() || r.stage.isWatermark(t)) {
		r.stage.inputs.reset(t)
		r.stage.watermarkReset(t)
	}
}

// WatermarkOf is [Run.Watermark] for one input of a stage that reads several, such as
// a partition. The watermark of the stage is the earliest of the watermarks of its
// inputs, and does not go back. An input that has no watermark yet is left out, so a
// partition without data holds nothing up. An input that has nothing more to read holds
// the watermark of the stage until [Run.InputIdle] is called.
//
// A stage has at most 1000 inputs; watermarks of further inputs are ignored and
// counted as dropped telemetry.
func (r *Run) WatermarkOf(input string, t time.Time) {
	if r.isZero() || !r.stage.isWatermark(t) {
		return
	}
	mark, ok := r.stage.inputs.marks.Get(input)
	if !ok {
		r.stage.dropped(observe.DropWatermark)
		return
	}
	if before := raise(mark, t.UnixMicro()); before <= r.stage.inputs.earliest.Load() {
		r.stage.advance() // The input may have been the one that held the others.
	}
}

// InputIdle reports that an input has nothing to read, is at its end, or is read by
// another process now. It no longer holds the watermark of the stage, until it has a
// watermark again. If all inputs are idle, the watermark of the stage stays as it is.
func (r *Run) InputIdle(input string) {
	if r.isZero() {
		return
	}
	if mark, ok := r.stage.inputs.marks.Get(input); ok {
		mark.Store(noMark)
		r.stage.advance()
	}
}

// EventTime observes the age of a row: the time since t, when the event that the row
// describes has happened. Each call is observed, at the cost of reading the clock; for
// a large batch, call it with the earliest event time.
//
// A t in the future is counted as clock skew in the dropped telemetry: it is observed
// as an age of 0, or not at all if it is more than five minutes ahead. A zero t is not
// observed and counted as dropped telemetry.
func (r *Run) EventTime(t time.Time) {
	if r.isZero() {
		return
	}
	if t.IsZero() {
		r.stage.dropped(observe.DropEventTime)
		return
	}
	if age, ok := r.stage.age(t); ok {
		r.stage.rowAge(r.call, age)
	}
}

// isWatermark reports whether t may be a watermark.
func (s *Stage) isWatermark(t time.Time) bool {
	if t.IsZero() {
		return false
	}
	if time.Until(t) > maxClockSkew {
		s.dropped(observe.DropWatermark)
		return false
	}
	return true
}

// age returns the time since t, at least 0. It reports false if t is too far in the
// future.
func (s *Stage) age(t time.Time) (time.Duration, bool) {
	age := time.Since(t)
	if age < 0 {
		s.dropped(observe.DropSkew)
	}
	return max(age, 0), age >= -maxClockSkew
}

// advance reports the earliest watermark of the inputs if it is later than before.
func (s *Stage) advance() {
	for {
		earliest := s.inputs.find()
		if raise(&s.inputs.earliest, earliest) >= earliest {
			return
		}
		s.watermark(time.UnixMicro(earliest))
		// An input that rose meanwhile may have compared itself with the watermark
		// before, and left it to this call to advance again.
	}
}

// noMark stands for no watermark.
const noMark = math.MinInt64

// inputs are the watermarks of the inputs of a stage, in microseconds since 1970, which
// holds any year. All calls take no lock, except the first for an input.
type inputs struct {
	marks    *bounded.Map[*atomic.Int64]
	earliest atomic.Int64 // What was reported last.
}

func newInputs() *inputs {
	in := &inputs{marks: bounded.NewMap(maxInputs, func(string) *atomic.Int64 { return newMark() })}
	in.earliest.Store(noMark)
	return in
}

func newMark() *atomic.Int64 {
	mark := new(atomic.Int64)
	mark.Store(noMark)
	return mark
}

// find returns the earliest watermark of all inputs that have one.
func (in *inputs) find() int64 {
	earliest := int64(math.MaxInt64)
	for _, mark := range in.marks.All() {
		if at := mark.Load(); at != noMark {
			earliest = min(earliest, at)
		}
	}
	if earliest == math.MaxInt64 {
		return noMark
	}
	return earliest
}

// reset forgets all watermarks, and replaces what was reported by t.
func (in *inputs) reset(t time.Time) {
	for _, mark := range in.marks.All() {
		mark.Store(noMark)
	}
	in.earliest.Store(noMark)
	if !t.IsZero() {
		in.earliest.Store(t.UnixMicro())
	}
}

// raise sets mark to at if that is later, and returns what mark was before.
func raise(mark *atomic.Int64, at int64) int64 {
	for {
		before := mark.Load()
		if before >= at || mark.CompareAndSwap(before, at) {
			return before
		}
	}
}
