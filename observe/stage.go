// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"time"
)

// StageObserver observes the stages of pipelines. Package metrics has one for
// Prometheus and one for OpenTelemetry.
//
// A StageObserver never changes what a stage does: if a RunObserver panics, the
// stage continues, and the loss is reported to the RunObserver if it is a
// [DropObserver]. If Stage panics, the stage cannot be built: package stages
// returns an error, and a nil stage that runs functions without telemetry.
type StageObserver interface {
	// Stage returns the observer of one stage. It is called when the stage is
	// built, so that nothing is looked up when it runs, and may return nil for a
	// stage that is not observed.
	Stage(id StageID) RunObserver
}

// StageID identifies a stage.
type StageID struct {
	Pipeline string
	Stage    string // Empty for the run of a whole pipeline.
	Source   string // The source that the stage reads; may be empty.
}

// RunObserver observes the runs of one stage. Its methods are called
// concurrently by all goroutines that run the stage; they should not block or
// allocate.
//
// A RunObserver may also implement [EndObserver], [CountObserver],
// [CheckObserver], [BatchObserver], [QueueObserver], [WatermarkObserver],
// [WatermarkResetObserver], [RowAgeObserver], [LatencyObserver] and
// [DropObserver]. New methods are added as separate optional interfaces, never to
// this one.
type RunObserver interface {
	// Started is called before the function of the stage.
	Started(ctx context.Context)
	// Ended is called once for each Started, whatever way the function ended.
	// The span of the stage is the current one in ctx and has not ended. The
	// context may be done.
	Ended(ctx context.Context, end RunEnd)
}

// EndObserver is an optional interface that a [RunObserver] may implement to learn
// when a run ended, without reading the clock again.
type EndObserver interface {
	// EndedAt is called instead of Ended. The time is that of the wall clock.
	EndedAt(ctx context.Context, end RunEnd, at time.Time)
}

// RunEnd describes a run of a stage that has ended.
type RunEnd struct {
	// Outcome is how the run ended.
	Outcome Outcome
	// ErrorType is the class of the error, the same as on the span. It is empty
	// for a success.
	ErrorType string
	// Duration is the time the function took. For a sequence it does not include
	// Downstream.
	Duration time.Duration
	// Downstream is the time that a sequence waited for the code that ranges over
	// it. It is 0 for a function.
	Downstream time.Duration
	// Read, Wrote and Rejected are the rows that the run counted.
	Read, Wrote, Rejected int64
	// BytesIn and BytesOut are the bytes that the run counted.
	BytesIn, BytesOut int64
	// Retries is the number of attempts after the first.
	Retries int64
}

// CountObserver is an optional interface that a [RunObserver] may implement. It
// receives each count when the function makes it, so that a run that takes
// hours shows its progress.
type CountObserver interface {
	// Counted is called with a count of 0 or more. A count of 0 shows that the
	// function counts, and has nothing to count yet.
	Counted(c Count)
}

// Count is a number of rows, bytes or retries that a run reports.
type Count struct {
	Kind   CountKind
	N      int
	Reason string // Why rows were rejected, for [CountRejected]; any text of the user's.
}

// CountKind is what a [Count] counts.
type CountKind uint8

// The kinds of counts.
const (
	CountRead     CountKind = iota // Rows that came in.
	CountWrote                     // Rows that came out well.
	CountRejected                  // Rows that were turned away.
	CountBytesIn                   // Bytes that came in.
	CountBytesOut                  // Bytes that went out.
	CountRetried                   // Attempts after the first.
)

// CheckObserver is an optional interface that a [RunObserver] may implement to
// see the results of named checks.
type CheckObserver interface {
	// Checked is called with the result of a check.
	Checked(c Check)
}

// Check describes rows that a named check passed or rejected.
type Check struct {
	Name             string
	Passed, Rejected int // Numbers of rows, 0 or more.
}

// BatchObserver is an optional interface that a [RunObserver] may implement to
// see the sizes of batches.
type BatchObserver interface {
	// Batched is called when a run handles a batch. The span of the stage is the
	// current one in ctx.
	Batched(ctx context.Context, b Batch)
}

// Batch describes rows that one run handles together.
type Batch struct {
	Rows int // 0 or more.
}

// QueueObserver is an optional interface that a [RunObserver] may implement to
// watch the queues in front of a stage.
type QueueObserver interface {
	// Queue is called when a queue is created. The observer may call q.Stats at
	// any time and from any goroutine, for example when metrics are scraped, and
	// must not keep q once it has reported that it is done.
	Queue(q StageQueue)
	// Waited is called with the time that an item was in a queue. It is not called
	// for each item: a queue measures a sample. The ctx is the context that the
	// item was put with.
	Waited(ctx context.Context, d time.Duration)
}

// StageQueue is a queue in front of a stage.
type StageQueue interface {
	Stats() QueueStats
}

// QueueStats describes the state of a queue.
type QueueStats struct {
	Rows     int           // Items in the queue now.
	Capacity int           // Items that the queue can hold.
	Blocked  time.Duration // Time that all producers together have waited for room, those that wait now included. It never decreases.
	Done     bool          // Reports whether the queue is closed and empty, or no longer used; then Stats does not change any more.
}

// WatermarkObserver is an optional interface that a [RunObserver] may implement.
type WatermarkObserver interface {
	// Watermark is called with a time up to which a run has seen all data. The
	// calls of concurrent runs come in any order.
	Watermark(t time.Time)
}

// WatermarkResetObserver is an optional interface that a [RunObserver] may
// implement to follow a watermark that goes back, as it does when data is
// processed again.
type WatermarkResetObserver interface {
	// WatermarkReset is called with the time that replaces the watermark. If t is
	// the zero time, the stage has no watermark until the next one.
	WatermarkReset(t time.Time)
}

// RowAgeObserver is an optional interface that a [RunObserver] may implement.
type RowAgeObserver interface {
	// RowAge is called with the time since the event that a row describes, at
	// least 0. The span of the stage is the current one in ctx.
	RowAge(ctx context.Context, age time.Duration)
}

// LatencyObserver is an optional interface that a [RunObserver] may implement.
type LatencyObserver interface {
	// Latency is called when a run has succeeded whose context carries a
	// waybill. The span of the stage is the current one in ctx.
	Latency(ctx context.Context, l Latency)
}

// Latency is the time that data has needed so far.
type Latency struct {
	// EndToEnd is the time since the data entered the flow, at least 0.
	EndToEnd time.Duration
}

// DropObserver is an optional interface that an observer may implement to be
// notified of lost telemetry.
type DropObserver interface {
	// Dropped is called when telemetry was lost or a context was not carried.
	Dropped(d Drop)
}

// Drop describes lost telemetry.
type Drop struct {
	// Reason is one of the Drop constants of this package.
	Reason string
	// System and Destination are where it was lost, if that is known.
	System, Destination string
}

// The reasons for which telemetry is dropped.
const (
	DropNegative   = "negative"          // A count below zero was ignored.
	DropWatermark  = "watermark"         // A watermark was ignored: it was in the future, or its stage had too many inputs.
	DropEventTime  = "no_event_time"     // A row had no event time, and its age was not observed.
	DropPanic      = "observer"          // An observer panicked.
	DropTracer     = "tracer"            // A tracer, sampler or span processor panicked, or returned no context.
	DropLogger     = "logger"            // A logger panicked.
	DropMeter      = "meter"             // An instrument panicked.
	DropClassifier = "classifier"        // A classifier panicked or returned no outcome.
	DropErrorType  = "error_type"        // A method of an error panicked.
	DropFormatter  = "formatter"         // A function that describes an error or formats a key panicked.
	DropCheckName  = "check_name"        // The name of a check was not valid, and was cleaned.
	DropDataset    = "dataset"           // A run had too many datasets.
	DropMalformed  = "malformed_context" // A carrier held a malformed context.
	DropDuplicate  = "duplicate_context" // A carrier held contexts that differ; the newest was used.
	DropTooLarge   = "too_large"         // The context, or a part of it, did not fit.
	DropSkew       = "clock_skew"        // A time was in the future and was treated as now, or ignored.
	DropStale      = "stale_waybill"     // The times of a waybill were too old to be true.
	DropNoWaybill  = "no_waybill"        // Data arrived from a destination without a waybill.
	DropUnsafe     = "unsafe_value"      // A value could have been executed or expanded by its medium.
)
