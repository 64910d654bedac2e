// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package stages puts spans, metrics and outcomes around the steps of a data
// pipeline, and keeps the types of the functions that do the work.
//
// # When
//
// Use it for extract, transform and load steps, and for whole runs of a job:
// whatever starts, moves rows, and ends. The span of a Kafka message or of a
// MongoDB document comes from its carrier package; stages nest inside it.
//
// # How
//
// Make a [Pipeline] and its stages once, when the program starts, and use them
// for all calls:
//
//	p, err := stages.NewPipeline("orders", stages.WithObserver(m))
//	extract, err := p.Stage("extract", stages.WithSource("orders.raw"))
//
// Then run functions on a stage with [Stage.Run], or [Call] for one that returns
// a value, or turn a function into one that has the stage around it with [Wrap].
// [Pipeline.Run] is the whole run of a process that ends. Inside, the function
// gets its [Run] with [FromContext] and counts rows and bytes. If the context
// carries a waybill, the time since its data set out is measured when the run
// has succeeded. What is measured goes to an [Observer]; package metrics has the
// one for Prometheus. A logger whose handler is a [NewLogHandler] says in each
// record which span and stage it comes from.
//
// # Guarantees
//
//   - A stage returns exactly what its function returned. A panic goes on with
//     the same value and on the same stack, and [runtime.Goexit] ends the
//     goroutine.
//   - Telemetry breaks nothing: an observer, tracer, sampler, span processor,
//     classifier or redactor that panics, and an error with methods that do,
//     costs what it was to record, and that is counted as dropped.
//   - Each run ends once, with one [Outcome], and is measured even if its context
//     is done. Cancellation is not an error.
//   - The error type is the same on the span and on the metric, and one of few.
//     No text of an error is recorded unless [WithRedactor] lets it through;
//     only a panic, which the tracer records itself, is recorded with its text,
//     unless the tracer provider was made with WithoutPanicRecording.
//   - All types are safe for concurrent use. A nil *Stage, a nil *Pipeline and a
//     nil *Run do no telemetry, and the functions run. A nil context is taken as
//     [context.Background], a nil [Option] is skipped.
//   - A call costs one allocation more than the OpenTelemetry calls it makes, and
//     one if it makes none; counting costs none.
//
// # Limits
//
// The rows of a run are counted as integers and exposed by Prometheus as
// floating point, which is exact up to 2^53. A process that is killed, or calls
// [os.Exit], ends no run and flushes nothing. The SDK's batch span processor
// drops spans in silence when its queue, of 2048 by default, is full: the
// metrics are complete, the traces may not be.
//
// # Telemetry
//
// The span of a stage is of kind internal and has the name of the stage; that of
// a whole run has the name of the pipeline. Counts of zero are left out.
//
//	etl.pipeline         string  name of the pipeline, at start
//	etl.stage            string  name of the stage, at start
//	etl.source           string  what the stage reads from, at start, if set
//	etl.parameter.{key}  string  parameter of a whole run, at start
//	etl.outcome          string  success, failure, timeout, cancelled or panic
//	error.type           string  class of the error, for failure, timeout and panic
//	etl.cause            string  why the context was done, redacted; only with a redactor
//	etl.rows.read        int     rows that came in
//	etl.rows.written     int     rows that came out well
//	etl.rows.rejected    int     rows that were turned away
//	etl.bytes.in         int     bytes that came in
//	etl.bytes.out        int     bytes that went out
//	etl.retries          int     attempts after the first
//
// The status is error for failure, timeout and panic, with the error type as its
// description, and unset otherwise.
//
// The error type is the first of these that fits: "panic" and "timeout" by
// outcome; the name from [WithErrorType]; what the ErrorType method of the error
// returns; a name for some errors of the standard library; the Go type, without
// the types that only wrap or join. After 32 of them, see [WithErrorTypeLimit],
// it is _OTHER.
//
// An observer is told of dropped telemetry with one of these reasons:
//
//	negative    a count below zero was ignored
//	watermark   a watermark in the future was ignored
//	clock_skew  a time of origin was in the future: up to five minutes counted
//	            as no time at all, more was ignored
//	observer    the observer panicked
//	tracer      the tracer, its sampler or a span processor panicked, or the
//	            tracer returned no context
//	classifier  the classifier panicked, or returned no outcome
//	error_type  a method of the error panicked
//	redactor    the redactor panicked
package stages
