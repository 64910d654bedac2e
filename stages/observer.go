// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"fmt"
	"time"

	"github.com/waybill-go/waybill/internal/clock"
	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
)

// observer calls the [observe.RunObserver] of one stage. What the observer does
// not implement is ignored, and a panic of it is contained and reported as
// dropped telemetry.
type observer struct {
	runs       observe.RunObserver
	ends       observe.EndObserver // Nil if it is none.
	counts     observe.CountObserver
	checks     observe.CheckObserver
	watermarks observe.WatermarkObserver
	resets     observe.WatermarkResetObserver
	ages       observe.RowAgeObserver
	latencies  observe.LatencyObserver
	drops      observe.DropObserver
	batches    observe.BatchObserver
	queues     observe.QueueObserver
}

// newObserver returns the observer of the stage id.
func newObserver(stages observe.StageObserver, id observe.StageID) (o observer, err error) {
	o = observer{runs: ignore{}, counts: ignore{}, checks: ignore{}, watermarks: ignore{}, resets: ignore{}, ages: ignore{}, latencies: ignore{}, drops: ignore{}, batches: ignore{}, queues: ignore{}}
	if stages == nil {
		return o, nil
	}
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("stages: observer of pipeline %q, stage %q: %w", id.Pipeline, id.Stage, &PanicError{Value: value})
		}
	}()
	runs := stages.Stage(id)
	if runs == nil {
		return o, nil
	}
	o.runs = runs
	if ends, ok := runs.(observe.EndObserver); ok {
		o.ends = ends
	}
	if counts, ok := runs.(observe.CountObserver); ok {
		o.counts = counts
	}
	if checks, ok := runs.(observe.CheckObserver); ok {
		o.checks = checks
	}
	if watermarks, ok := runs.(observe.WatermarkObserver); ok {
		o.watermarks = watermarks
	}
	if resets, ok := runs.(observe.WatermarkResetObserver); ok {
		o.resets = resets
	}
	if ages, ok := runs.(observe.RowAgeObserver); ok {
		o.ages = ages
	}
	if latencies, ok := runs.(observe.LatencyObserver); ok {
		o.latencies = latencies
	}
	if drops, ok := runs.(observe.DropObserver); ok {
		o.drops = drops
	}
	if batches, ok := runs.(observe.BatchObserver); ok {
		o.batches = batches
	}
	if queues, ok := runs.(observe.QueueObserver); ok {
		o.queues = queues
	}
	return o, nil
}

// finish reports the end of a run at a reading of the clock.
func (o *observer) finish(ctx context.Context, end observe.RunEnd, at time.Duration) {
	defer o.contain(observe.DropPanic)
	if o.ends != nil {
		o.ends.EndedAt(ctx, end, clock.Time(at))
		return
	}
	o.runs.Ended(ctx, end)
}

func (o *observer) latency(ctx context.Context, l observe.Latency) {
	defer o.contain(observe.DropPanic)
	o.latencies.Latency(ctx, l)
}

func (o *observer) counted(c observe.Count) {
	defer o.contain(observe.DropPanic)
	o.counts.Counted(c)
}

func (o *observer) checked(c observe.Check) {
	defer o.contain(observe.DropPanic)
	o.checks.Checked(c)
}

func (o *observer) watermark(t time.Time) {
	defer o.contain(observe.DropPanic)
	o.watermarks.Watermark(t)
}

func (o *observer) watermarkReset(t time.Time) {
	defer o.contain(observe.DropPanic)
	o.resets.WatermarkReset(t)
}

func (o *observer) rowAge(ctx context.Context, age time.Duration) {
	defer o.contain(observe.DropPanic)
	o.ages.RowAge(ctx, age)
}

func (o *observer) batched(ctx context.Context, b observe.Batch) {
	defer o.contain(observe.DropPanic)
	o.batches.Batched(ctx, b)
}

// observesQueues reports whether queues are observed.
func (o *observer) observesQueues() bool {
	_, ignored := o.queues.(ignore)
	return !ignored
}

func (o *observer) queue(q observe.StageQueue) {
	defer o.contain(observe.DropPanic)
	o.queues.Queue(q)
}

func (o *observer) waited(ctx context.Context, d time.Duration) {
	defer o.contain(observe.DropPanic)
	o.queues.Waited(ctx, d)
}

// dropped reports lost telemetry.
func (o *observer) dropped(reason string) {
	defer safe.Contain()
	o.drops.Dropped(observe.Drop{Reason: reason})
}

// contain keeps a panic of telemetry from the work and reports it as dropped. It
// must be deferred directly.
func (o *observer) contain(reason string) {
	if recover() != nil {
		o.dropped(reason)
	}
}

// ignore is the observer of a stage that has none.
type ignore struct{}

var (
	_ observe.RunObserver            = ignore{}
	_ observe.CountObserver          = ignore{}
	_ observe.CheckObserver          = ignore{}
	_ observe.WatermarkObserver      = ignore{}
	_ observe.WatermarkResetObserver = ignore{}
	_ observe.RowAgeObserver         = ignore{}
	_ observe.LatencyObserver        = ignore{}
	_ observe.BatchObserver          = ignore{}
	_ observe.QueueObserver          = ignore{}
	_ observe.DropObserver           = ignore{}
)

func (ignore) Started(context.Context)                  {}
func (ignore) Ended(context.Context, observe.RunEnd)    {}
func (ignore) Counted(observe.Count)                    {}
func (ignore) Checked(observe.Check)                    {}
func (ignore) Watermark(time.Time)                      {}
func (ignore) WatermarkReset(time.Time)                 {}
func (ignore) RowAge(context.Context, time.Duration)    {}
func (ignore) Latency(context.Context, observe.Latency) {}
func (ignore) Dropped(observe.Drop)                     {}
func (ignore) Batched(context.Context, observe.Batch)   {}
func (ignore) Queue(observe.StageQueue)                 {}
func (ignore) Waited(context.Context, time.Duration)    {}
