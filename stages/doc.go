// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package stages puts spans, metrics and outcomes around the steps of a data
// pipeline, and keeps the types of the functions that do the work.
//
// # When
//
// Use it for extract, transform and load steps, and for whole runs of a job:
// anything that starts, moves rows, and ends. The span of a Kafka message or of a
// MongoDB document comes from its carrier package; stages nest inside it.
//
// # How
//
// Create a [Pipeline] and its stages once, when the program starts, and use them
// for all calls:
//
//	p, err := stages.NewPipeline("orders", stages.WithObserver(m))
//	extract, err := p.Stage("extract", stages.WithSource("orders.raw"))
//
// As package-level variables, with [Must]:
//
//	var (
//		orders = stages.Must(stages.NewPipeline("orders"))
//		load   = stages.Must(orders.Stage("load"))
//	)
//
// Then run functions on a stage, or wrap them:
//
//	func(ctx) error               err := s.Run(ctx, fn)
//	func(ctx) (T, error)          v, err := stages.Call(ctx, s, fn)
//	func(ctx, In) (Out, error)    measured := stages.Wrap(s, fn)
//	func(ctx, In) error           measured := stages.WrapErr(s, fn)
//	method                        measured := stages.WrapErr(s, db.Insert)
//	more arguments or results     v, err := stages.Call(ctx, s, func(ctx context.Context) (T, error) { return join(ctx, a, b) })
//	without a context or error    measured := stages.Wrap(s, func(_ context.Context, in In) (Out, error) { return clean(in), nil })
//	iter.Seq2[T, error]           rows := stages.Seq(ctx, s, seq)
//	func(ctx) iter.Seq2[T, error] rows := stages.SeqFunc(ctx, s, fn); Wrap would measure only its construction
//	many rows, each with a context  err := stages.Batch(ctx, s, remotes, fn)
//
// The page docs/stages.md has a line for every shape of function. A wrapped function has the type of the original one. A declared function cannot
// be assigned to, so give the result a name of its own:
//
//	cleanRow := stages.Wrap(clean, parseRow)
//
// A stage that validates rows has named checks. [Validate] reports whether a row
// passes them; a [Validator] is built once and returns a rejection instead:
//
//	ok := stages.Validate(ctx, validate, row, checks...)
//
//	v, err := stages.NewValidator(validate, checks, stages.WithDeadLetter(keep))
//	validateRow := stages.WrapErr(validate, v.Validate)
//
// Between two stages that run at once, use a [Queue] in place of a channel: each item
// keeps its context, and the depth and the times that producers and items wait are
// observed. Any number of goroutines may put and take:
//
//	q, err := stages.NewQueue[Row](load, 1000)
//	err := q.Put(ctx, row)
//	for ctx, row := range q.All(ctx) { ... }
//
// [Pipeline.Run] is the whole run of a process that exits. Inside, the function
// gets its [Run] with [FromContext] and counts rows and bytes. A row that is bad
// is returned as a rejection, with [Reject]: the stage itself is well. If the
// context carries a waybill, the end-to-end latency is measured when the run has
// succeeded. Retry inside the function of a stage, with [Attempts]. [Run.Input] and
// [Run.Output] record which datasets the run reads and writes.
//
// An observer of package observe is notified of all this; package metrics has one for
// Prometheus. A logger with the handler of [NewLogHandler] adds to each record the
// span, the stage, the Kafka message or MongoDB document that is handled, and the
// Kubernetes Job.
//
// To see the text of an error, such as "sql: no rows in result set", on a span,
// use the option WithErrorDescription(nil).
//
// # Guarantees
//
//   - A stage returns exactly what its function returned. A panic continues with
//     the same value and on the same stack, and [runtime.Goexit] ends the
//     goroutine.
//   - Telemetry breaks nothing: if an observer, tracer, span, sampler, span
//     processor, logger, classifier or description panics, or a method of an error does,
//     only its record is lost, and counted as dropped.
//   - Each run ends once, with one [observe.Outcome], and is measured even if its
//     context is done. A cancellation is not an error.
//   - The error type is the same on the span and on the metric, and bounded. No
//     text of an error or a panic is recorded without [WithErrorDescription].
//   - Text from the user is made valid UTF-8 before it is recorded, and cut after
//     1024 bytes.
//   - All types are safe for concurrent use. A nil or zero Stage, Pipeline or
//     Run has no telemetry, and the functions run. A nil context is treated
//     as [context.Background]. Nil options are ignored.
//   - A call costs one allocation more than the OpenTelemetry calls it makes, and
//     one if it makes none. Counting, an item of a queue and a row of a sequence cost
//     none; [Item.Context] costs two.
//   - A queue loses no item and delivers none twice, whenever it is closed and
//     contexts are done. A producer waits no longer than its context.
//
// # Outcomes
//
// A run that returns an error is classified by [observe.Classify], with one
// addition. If a context was canceled with a cause, as errgroup does, the cause is
// the error of the function that failed first, and others return it because they
// were canceled. A function that cancels its own context with its error has
// failed. A stage recognizes it by three signs: the context was not done when the
// run began, the error is the cause itself or wrapped only in text, and the
// function has not asked the context for its error or cause since it was done.
//
// The limit of this: a function that derives a context, reads the cause from the
// derived one and returns it bare, is taken for the one that failed. A classifier
// of [WithClassifier] that calls observe.Classify does not use the signs.
//
// # Limits
//
// The rows of a run are counted as integers and exposed by Prometheus as floating
// point, which is exact up to 2^53. A process that is killed, or calls [os.Exit],
// ends no run and flushes nothing. The batch span processor of the SDK drops spans
// silently if its queue, of 2048 by default, is full: then the metrics are
// complete, and the traces are not.
//
// # Telemetry
//
// The span of a stage is of kind internal and has the name of the stage; the span
// of a whole run has the name of the pipeline. Counts of 0 are left out.
//
//	etl.pipeline         string  name of the pipeline, at start
//	etl.stage            string  name of the stage, at start
//	etl.source           string  name of the stage's source, at start, if set
//	etl.parameter.{key}  string  parameter of a whole run, at start
//	etl.outcome          string  success, failure, timeout, cancelled or panic
//	error.type           string  class of the error, unless the run succeeded
//	etl.cause            string  why the context was done; only with an error description
//	etl.rows.read        int     rows that came in
//	etl.rows.written     int     rows that came out well
//	etl.rows.rejected    int     rows that were turned away
//	etl.bytes.in         int     bytes that came in
//	etl.bytes.out        int     bytes that went out
//	etl.retries          int     attempts after the first
//	etl.downstream_seconds  float  time that a sequence waited for the code that ranges over it
//	etl.stopped_early    bool    true if that code stopped before the end, or panicked
//	etl.batch.rows       int     rows of a batch, at start
//	waybill.link_count   int     distinct contexts of a batch of several rows, at start
//	waybill.links_dropped  int   how many of them are not linked, at start; left out for none
//	waybill.extract      string  how the contexts of a batch were read, at start, if a journal asks: see package propagation
//	etl.attempt          int     number of the attempt, on the span of an attempt
//	etl.input.names      string[]  names of the datasets that were read
//	etl.input.formats    string[]  their formats
//	etl.input.paths      string[]  their paths or URLs, without secrets
//	etl.input.rows       int[]   rows read of each
//	etl.input.bytes      int[]   bytes read of each
//	etl.output.names     string[]  names of the datasets that were written
//	etl.output.formats   string[]  their formats
//	etl.output.paths     string[]  their paths or URLs, without secrets
//	etl.output.rows      int[]   rows written to each
//	etl.output.bytes     int[]   bytes written to each
//
// The span of a run that handles an item of a queue is linked to the span that put it,
// and the span of a batch to those of its rows, at most 64.
//
// An observer is told of a run when it starts and ends, of counts at once, and of those
// of a sequence after 64 rows or 100 milliseconds; of the number of rows of a batch; of
// a queue when it is created; and how long a sample of its items waited: each item if
// fewer than 61 a second are put, and otherwise one of 61.
//
// The arrays of inputs have a value for each dataset, in the same order, and so have
// those of outputs; an array without any value is left out. The span of an attempt,
// see [WithAttemptSpans], has the name of the stage with " attempt", and of the
// attributes those at start, etl.outcome and error.type.
//
// The status is Error for failure, timeout and panic, with the error type as its
// description, and Unset otherwise. A panic is recorded as an exception event,
// unless the tracer provider was created with WithoutPanicRecording: with its type
// and stack, and the text of a zero value or nil pointer, which holds no data.
// With [WithErrorDescription] the event has that description, and is recorded in
// any case.
//
// If the variable OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN was "logs" when the pipeline was
// created, a panic is a log record instead, also for a run without a span; if it was
// "logs/dup", it is both. The record has the event name exception, the severity ERROR,
// the span of the run, and the attributes exception.type, exception.stacktrace,
// etl.pipeline and etl.stage, and with a description exception.message. It goes to the
// provider of [WithLoggerProvider]. If that records nothing, the panic is recorded on
// the span, which is reported once to [go.opentelemetry.io/otel.Handle].
//
// The error type is "panic", "timeout" or "canceled" by outcome; for a failure it
// is the name from [WithErrorType], or else from [observe.ErrorType]. After 32 error
// types, see [WithErrorTypeLimit], it is _OTHER.
//
// An observer is notified of dropped telemetry with one of these reasons:
//
//	negative    a count below zero was ignored
//	watermark   a watermark in the future was ignored, or one of too many inputs
//	clock_skew  data entered the flow, or an event happened, in the future: up to
//	            five minutes counted as now, more was ignored
//	no_event_time
//	            a row had no event time
//	observer    the observer panicked
//	tracer      the tracer, a span, a sampler or a span processor panicked, or the
//	            tracer returned no context
//	logger      the logger of exceptions panicked
//	dataset     a run had too many datasets
//	classifier  the classifier panicked, or returned an unknown outcome
//	error_type  a method of the error panicked
//	formatter   the error description panicked
//	check_name  the name of a check was not valid, and was cleaned
package stages
