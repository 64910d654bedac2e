// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// call is the context of one run of a stage. It holds the run itself, so that
// the two are one allocation.
type call struct {
	context.Context //nolint:containedctx // It is a context.

	run      Run
	span     trace.Span // Nil without a span.
	started  time.Time
	returned bool // Reports whether the function returned: it neither panicked nor called Goexit.
}

// Value implements [context.Context].
func (c *call) Value(key any) any {
	if key == (runKey{}) {
		return &c.run
	}
	return c.Context.Value(key)
}

// begin starts the span, tells the observer and starts the clock.
func (s *Stage) begin(ctx context.Context, opts []trace.SpanStartOption) *call {
	c := &call{Context: ctx}
	c.run.stage = s
	if !s.withoutSpans {
		c.startSpan(opts)
	}
	c.observeStart()
	c.started = time.Now()
	return c
}

func (c *call) startSpan(opts []trace.SpanStartOption) {
	s := c.run.stage
	defer s.contain(dropTracer)
	started, span := s.tracer.Get().Start(c.Context, s.spanName, opts...)
	if started == nil {
		s.dropped(dropTracer)
		return
	}
	c.Context, c.span = started, span // endSpan ends it.
}

func (c *call) observeStart() {
	s := c.run.stage
	defer s.contain(dropObserver)
	s.runs.Started(c)
}

// end records how the function ended. It must be deferred directly: a panic of
// the function goes on from here with the same value, on the same stack.
func (c *call) end(err *error) {
	value := recover()
	result := Result{Duration: time.Since(c.started)}
	c.run.ended.Store(true)
	c.run.totals(&result)
	cause := *err
	switch {
	case value != nil:
		failed := &PanicError{Value: value}
		cause = failed
		result.Outcome, result.ErrorType = OutcomePanic, errorTypePanic
		if c.run.stage.panicAsError {
			failed.Stack = debug.Stack()
			*err = failed
		}
	case c.returned:
		result.Outcome, result.ErrorType = c.run.stage.judge(c, cause)
	default:
		// Goexit. With GODEBUG=panicnil=1 it may also be a panic(nil), which
		// has been recovered now and must not become a success.
		result.Outcome = OutcomeCancelled
		*err = new(runtime.PanicNilError)
	}
	c.observeEnd(result)
	c.endSpan(result, cause, value)
	if value != nil && !c.run.stage.panicAsError {
		panic(value)
	}
}

func (c *call) observeEnd(result Result) {
	s := c.run.stage
	defer s.contain(dropObserver)
	s.runs.Ended(c, result)
	if result.Outcome == OutcomeSuccess {
		c.observeTravel()
	}
}

// observeTravel tells how long the data of the run has been on its way.
func (c *call) observeTravel() {
	origin := propagation.WaybillFromContext(c.Context).Origin
	if origin.IsZero() {
		return
	}
	endToEnd := time.Since(origin)
	if endToEnd < 0 {
		c.run.stage.dropped(dropSkew)
	}
	if endToEnd >= -maxClockSkew {
		c.run.stage.travels.Travelled(c, max(endToEnd, 0))
	}
}

// endSpan writes the result to the span and ends it. The value is that of a
// panic, if there was one.
func (c *call) endSpan(result Result, err error, value any) {
	if c.span == nil {
		return
	}
	s := c.run.stage
	defer s.contain(dropTracer)
	if !c.span.IsRecording() {
		c.span.End()
		return
	}
	c.span.SetAttributes(endAttributes(result, s.cancelCause(c, result.Outcome))...)
	if result.Outcome.isError() {
		description := s.redact(err)
		if description == "" {
			description = result.ErrorType
		}
		c.span.SetStatus(codes.Error, description)
	}
	if value != nil {
		endPanicked(c.span, value)
		return
	}
	c.span.End()
}

// endPanicked ends the span as it would end if it had been deferred in the
// function that panicked. So the tracer records the exception itself, once,
// and does not if its owner has said so with WithoutPanicRecording.
func endPanicked(span trace.Span, value any) {
	defer func() { _ = recover() }()
	defer span.End(trace.WithStackTrace(true))
	panic(value)
}

// totals adds what the run counted to result.
func (r *Run) totals(result *Result) {
	result.Read, result.Wrote, result.Rejected = r.read.Load(), r.wrote.Load(), r.rejected.Load()
	result.BytesIn, result.BytesOut = r.bytesIn.Load(), r.bytesOut.Load()
	result.Retries = r.retries.Load()
}

// judge returns the outcome of a function that returned err, and its type.
func (s *Stage) judge(ctx context.Context, err error) (Outcome, string) {
	if err == nil {
		return OutcomeSuccess, ""
	}
	outcome := s.outcome(ctx, err)
	switch outcome {
	case OutcomeTimeout:
		return outcome, errorTypeTimeout
	case OutcomePanic:
		return outcome, errorTypePanic
	case OutcomeFailure:
		return outcome, s.errorType(err)
	default:
		return outcome, ""
	}
}

func (s *Stage) outcome(ctx context.Context, err error) (outcome Outcome) {
	if s.classifier == nil {
		return s.defaultOutcome(ctx, err)
	}
	outcome, ok := s.ask(ctx, err)
	if !ok {
		return s.defaultOutcome(ctx, err)
	}
	return outcome
}

// defaultOutcome is [Classify] that counts what it could not ask.
func (s *Stage) defaultOutcome(ctx context.Context, err error) (outcome Outcome) {
	outcome = OutcomeFailure
	defer s.contain(dropClassifier)
	return classify(ctx, err)
}

// ask asks the user's classifier.
func (s *Stage) ask(ctx context.Context, err error) (outcome Outcome, ok bool) {
	defer s.contain(dropClassifier)
	outcome = s.classifier(ctx, err)
	if outcome > OutcomePanic {
		s.dropped(dropClassifier)
		return 0, false
	}
	return outcome, true
}

// cancelCause returns the text for why ctx is done, or nothing if it may not
// be recorded.
func (s *Stage) cancelCause(ctx context.Context, outcome Outcome) string {
	if outcome != OutcomeCancelled && outcome != OutcomeTimeout {
		return ""
	}
	if cause := context.Cause(ctx); cause != nil {
		return s.redact(cause)
	}
	return ""
}

// redact returns the text of err that may be recorded.
func (s *Stage) redact(err error) string {
	if s.redactor == nil {
		return ""
	}
	defer s.contain(dropRedactor)
	return s.redactor(err)
}
