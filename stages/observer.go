// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"time"
)

// Observer measures stages. Package metrics has one for Prometheus.
//
// An Observer never changes what a stage does: if it panics, the stage goes
// on, and what was to be observed is lost and counted as dropped.
type Observer interface {
	// Stage returns the observer of one stage. It is called when the stage is
	// built, so that nothing is looked up when it runs, and may return nil for
	// a stage that is not to be observed. The stage that stands for the whole
	// run of a pipeline is the empty one; source may be empty too.
	Stage(pipeline, stage, source string) StageObserver
}

// StageObserver observes one stage. Its methods are called from as many
// goroutines as run the stage, between which they must not block.
//
// It may also implement [CountObserver], [WatermarkObserver], [TravelObserver]
// and [DropObserver]. Methods are never added to these interfaces; what comes
// later comes as one more optional interface.
type StageObserver interface {
	// Started is called before the function of the stage.
	Started(ctx context.Context)
	// Ended is called once for each Started, whatever way the function ended.
	// The span of the stage is the current one in ctx, and has not ended. The
	// context may be done: observe nonetheless.
	Ended(ctx context.Context, result Result)
}

// Result is what is known of one run of a stage when it has ended.
type Result struct {
	// Outcome is how the run ended.
	Outcome Outcome
	// ErrorType is the class of the error, the same as on the span. It is
	// empty for [OutcomeSuccess] and [OutcomeCancelled].
	ErrorType string
	// Duration is the time the function took.
	Duration time.Duration
	// Read, Wrote and Rejected are the rows the run counted.
	Read, Wrote, Rejected int64
	// BytesIn and BytesOut are the bytes the run counted.
	BytesIn, BytesOut int64
	// Retries is the number of attempts after the first.
	Retries int64
}

// CountObserver is an optional interface of a [StageObserver]. It is told of
// each count when the function makes it, so that a run that takes hours shows
// its progress. All counts are positive.
type CountObserver interface {
	// Read is called with a number of rows that came in.
	Read(rows int)
	// Wrote is called with a number of rows that came out well.
	Wrote(rows int)
	// Rejected is called with a number of rows that were turned away. The
	// reason comes from the user and may be any text.
	Rejected(rows int, reason string)
	// BytesIn is called with a number of bytes that came in.
	BytesIn(n int)
	// BytesOut is called with a number of bytes that went out.
	BytesOut(n int)
	// Retried is called for each attempt after the first.
	Retried()
}

// WatermarkObserver is an optional interface of a [StageObserver].
type WatermarkObserver interface {
	// Watermark is called with a time up to which a run has seen all data. The
	// calls of concurrent runs come in any order.
	Watermark(t time.Time)
}

// TravelObserver is an optional interface of a [StageObserver].
type TravelObserver interface {
	// Travelled is called when a run has succeeded whose context carries a
	// waybill: endToEnd is the time since its data set out, at least 0. The span
	// of the stage is the current one in ctx.
	Travelled(ctx context.Context, endToEnd time.Duration)
}

// DropObserver is an optional interface of a [StageObserver].
type DropObserver interface {
	// Dropped is called when telemetry was lost. The reason is one of few
	// constants, listed in the package documentation.
	Dropped(reason string)
}

// The reasons for which telemetry is dropped.
const (
	dropNegative   = "negative"   // A count below zero was ignored.
	dropWatermark  = "watermark"  // A watermark in the future was ignored.
	dropObserver   = "observer"   // The observer panicked.
	dropSkew       = "clock_skew" // A time of origin was in the future: up to five minutes counted as 0, more not at all.
	dropTracer     = "tracer"     // The tracer, its sampler or a span processor panicked, or no context was returned.
	dropClassifier = "classifier" // The classifier panicked or returned no outcome.
	dropErrorType  = "error_type" // A method of the error panicked.
	dropRedactor   = "redactor"   // The redactor panicked.
)

// unobserved is the observer of a stage that has none.
type unobserved struct{}

var (
	_ StageObserver     = unobserved{}
	_ CountObserver     = unobserved{}
	_ WatermarkObserver = unobserved{}
	_ TravelObserver    = unobserved{}
	_ DropObserver      = unobserved{}
)

func (unobserved) Started(context.Context)       {}
func (unobserved) Ended(context.Context, Result) {}
func (unobserved) Read(int)                      {}
func (unobserved) Wrote(int)                     {}
func (unobserved) Rejected(int, string)          {}
func (unobserved) BytesIn(int)                   {}
func (unobserved) BytesOut(int)                  {}
func (unobserved) Retried()                      {}
func (unobserved) Watermark(time.Time)           {}

func (unobserved) Travelled(context.Context, time.Duration) {}
func (unobserved) Dropped(string)                           {}

// observers are the interfaces of one [StageObserver]; those it does not
// implement do nothing.
type observers struct {
	runs       StageObserver
	counts     CountObserver
	watermarks WatermarkObserver
	travels    TravelObserver
	drops      DropObserver
}

func newObservers(observer StageObserver) observers {
	o := observers{runs: observer, counts: unobserved{}, watermarks: unobserved{}, travels: unobserved{}, drops: unobserved{}}
	if observer == nil {
		o.runs = unobserved{}
	}
	if counts, ok := observer.(CountObserver); ok {
		o.counts = counts
	}
	if watermarks, ok := observer.(WatermarkObserver); ok {
		o.watermarks = watermarks
	}
	if travels, ok := observer.(TravelObserver); ok {
		o.travels = travels
	}
	if drops, ok := observer.(DropObserver); ok {
		o.drops = drops
	}
	return o
}
