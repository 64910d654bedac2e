// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/internal/semconv"
	"github.com/waybill-go/waybill/observe"
)

// WithAttemptSpans records a span for each attempt that [Attempt] runs, a child of the
// span of the stage. The default is that attempts after the first are only counted.
func WithAttemptSpans() Option {
	return optionFunc(func(c config) config {
		c.attemptSpans = true
		return c
	})
}

// Attempt runs fn as the n-th attempt of the run that ctx belongs to, and returns the
// error of fn. An attempt after the first is counted as a retry of the run, as
// [Run.Retried] does; a run is one run, however often its function tries, and its last
// error decides its outcome. For a stage with [WithAttemptSpans], the attempt has a
// span whose attribute etl.attempt is n.
//
// For a library that retries a function, use [Attempts] or [CallAttempts].
//
// An n below 1 is treated as 1. Without a run in ctx, Attempt only runs fn. A nil ctx
// is treated as [context.Background]. If fn is nil, Attempt returns [ErrNilFunc].
func Attempt(ctx context.Context, n int, fn func(context.Context) error) (err error) {
	if fn == nil {
		return ErrNilFunc
	}
	a := beginAttempt(safe.Context(ctx), n)
	defer a.end(&err)
	err = fn(a.ctx)
	a.returned = true
	return err
}

// Attempts returns a function each call of which is the next [Attempt] to run fn in
// ctx: the function that a library for retries takes. With retry-go and with
// github.com/cenkalti/backoff/v4:
//
//	err := retry.Do(stages.Attempts(ctx, store), retry.Context(ctx))
//	err := backoff.Retry(stages.Attempts(ctx, store), policy)
//
// Call Attempts once for each operation, inside the function of a stage. The returned
// function is safe for concurrent use if fn is.
func Attempts(ctx context.Context, fn func(context.Context) error) func() error {
	var n atomic.Int64
	return func() error { return Attempt(ctx, int(n.Add(1)), fn) }
}

// CallAttempts is [Attempts] for a function that returns a value. With
// github.com/cenkalti/backoff/v5 and with retry-go:
//
//	rows, err := backoff.Retry(ctx, stages.CallAttempts(ctx, fetch))
//	rows, err := retry.DoWithData(stages.CallAttempts(ctx, fetch), retry.Context(ctx))
func CallAttempts[T any](ctx context.Context, fn func(context.Context) (T, error)) func() (T, error) {
	var n atomic.Int64
	return func() (result T, err error) {
		if fn == nil {
			return result, ErrNilFunc
		}
		err = Attempt(ctx, int(n.Add(1)), func(ctx context.Context) (err error) {
			result, err = fn(ctx)
			return err
		})
		return result, err
	}
}

// attempt is an attempt under way.
type attempt struct {
	ctx      context.Context //nolint:containedctx // The one of the function.
	stage    *Stage          // Nil without a run.
	span     trace.Span      // Nil for none.
	returned bool            // Reports whether the function returned.
}

// beginAttempt counts the n-th attempt in ctx and starts its span.
func beginAttempt(ctx context.Context, n int) (a attempt) {
	defer safe.Contain() // The context of the user.
	a.ctx = ctx
	run := FromContext(ctx)
	if run.isZero() {
		return a
	}
	a.stage = run.stage
	if n > 1 {
		run.Retried()
	}
	if a.stage.attemptSpans && !a.stage.withoutSpans {
		a.startSpan(max(n, 1))
	}
	return a
}

func (a *attempt) startSpan(n int) {
	defer a.stage.contain(observe.DropTracer)
	attributes := append(startAttributes(a.stage.id), attemptKey.Int(n))
	started, span := a.stage.tracer.Get().Start(a.ctx, a.stage.spanName+attemptSuffix, trace.WithAttributes(attributes...))
	if started == nil {
		a.stage.dropped(observe.DropTracer)
		return
	}
	_ = started.Err()             // Panics if it is a nil pointer, which the function must not be given.
	a.ctx, a.span = started, span // end ends it.
}

// end ends the span of the attempt. It must be deferred directly: a panic of the
// function continues from here with the same value, on the same stack.
func (a *attempt) end(err *error) {
	if a.span == nil {
		return
	}
	value := recover()
	switch {
	case value != nil:
		a.endSpan(observe.OutcomePanic, nil)
		panic(value)
	case a.returned:
		a.endSpan(a.outcome(*err), *err)
	default: // Goexit; see call.end.
		a.endSpan(observe.OutcomeCanceled, nil)
		*err = errPanicNil()
	}
}

// outcome returns the outcome of an attempt that returned err.
func (a *attempt) outcome(err error) (outcome observe.Outcome) {
	defer a.stage.contain(observe.DropErrorType)
	outcome = observe.Classify(a.ctx, err)
	if err == nil {
		return outcome
	}
	if rejected(err, func(*rejectedError) {}) {
		return observe.OutcomeSuccess
	}
	if asked, ok := a.stage.ask(a.ctx, err); ok {
		return asked
	}
	return outcome
}

func (a *attempt) endSpan(outcome observe.Outcome, err error) {
	defer a.stage.contain(observe.DropTracer)
	defer a.span.End()
	if !a.span.IsRecording() {
		return
	}
	errorType := outcome.ErrorType(err)
	if outcome == observe.OutcomeFailure {
		errorType = a.stage.errorType(err)
	}
	a.span.SetAttributes(outcomeKey.String(outcome.String()))
	if errorType == "" {
		return
	}
	a.span.SetAttributes(semconv.ErrorTypeKey.String(errorType))
	if outcome.IsError() {
		description := a.stage.description(err)
		if description == "" {
			description = errorType
		}
		a.span.SetStatus(codes.Error, description)
	}
}
