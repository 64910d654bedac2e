// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"runtime"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/bounded"
	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/internal/scope"
	"github.com/waybill-go/waybill/internal/semconv"
	"github.com/waybill-go/waybill/observe"
)

// Stage is one step of a pipeline: its functions are timed, counted and traced.
// [Pipeline.Stage] returns it. A Stage is safe for concurrent use.
//
// A nil or zero Stage runs functions without telemetry, so a failure to create a
// stage does not prevent the work.
type Stage struct {
	observer
	config

	id           observe.StageID
	spanName     string
	startOptions []trace.SpanStartOption
	tracer       *scope.Tracer
	errorTypes   *bounded.Map[struct{}]
	inputs       *inputs
}

// isZero reports whether s is not a stage that newStage returned.
func (s *Stage) isZero() bool { return s == nil || s.tracer == nil }

func newStage(id observe.StageID, c config) (*Stage, error) {
	observer, err := newObserver(c.observer, id)
	if err != nil {
		return nil, err
	}
	limit := c.errorTypeLimit
	if limit < 1 {
		limit = defaultErrorTypeLimit
	}
	spanName := id.Stage
	if spanName == "" {
		spanName = id.Pipeline
	}
	return &Stage{
		observer:     observer,
		config:       c,
		id:           id,
		spanName:     spanName,
		startOptions: []trace.SpanStartOption{trace.WithAttributes(startAttributes(id)...)},
		tracer:       scope.NewTracer("stages", c.provider, semconv.SchemaURL),
		errorTypes:   bounded.NewMap(limit, func(string) struct{} { return struct{}{} }),
		inputs:       newInputs(),
	}, nil
}

// Run runs fn as one run of the stage and returns the error of fn.
//
// The context that fn is given carries the span and the [Run]. A panic of fn is
// recorded and continues with the same value and stack, unless
// [WithPanicAsError] is given. A run that fn starts on the same stage is a run
// of its own.
//
// A nil ctx is treated as [context.Background]. If fn is nil, Run returns
// [ErrNilFunc]. A nil stage runs fn without telemetry.
func (s *Stage) Run(ctx context.Context, fn func(context.Context) error) (err error) {
	if fn == nil {
		return ErrNilFunc
	}
	ctx = safe.Context(ctx)
	if s.isZero() {
		return fn(ctx)
	}
	run := s.begin(ctx, s.startOptions)
	defer run.end(&err)
	err = fn(run)
	run.returned = true
	return err
}

// Call is [Stage.Run] for a function that returns a value. If a panic is turned
// into an error, the value is the zero value.
func Call[T any](ctx context.Context, s *Stage, fn func(context.Context) (T, error)) (result T, err error) {
	if fn == nil {
		return result, ErrNilFunc
	}
	ctx = safe.Context(ctx)
	if s.isZero() {
		return fn(ctx)
	}
	run := s.begin(ctx, s.startOptions)
	defer run.end(&err)
	result, err = fn(run)
	run.returned = true
	return result, err
}

// Wrap returns a function of the same type as fn that runs fn on the stage; each
// call is one [Stage.Run]. Wrapping a function twice with the same *Stage counts
// each call once. For a function that returns only an error, use [WrapErr]; for
// other functions, see the package documentation.
//
// Retry inside fn, and count the attempts with [Run.Retried]. If the function that
// Wrap returns is retried instead, each attempt is a run of its own, and the ratio
// of failed runs rises though the work succeeds in the end.
//
// The returned function is safe for concurrent use if fn is. If fn is nil, it
// returns the zero value and [ErrNilFunc]. If s is nil, Wrap returns fn.
//
//go:noinline
func Wrap[In, Out any](s *Stage, fn func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	if fn == nil {
		return func(context.Context, In) (Out, error) {
			var zero Out
			return zero, ErrNilFunc
		}
	}
	if s.isZero() {
		return fn
	}
	return func(ctx context.Context, in In) (out Out, err error) {
		ctx = safe.Context(ctx)
		if s.isWrappedTwice(ctx) {
			return fn(ctx, in)
		}
		run := s.begin(ctx, s.startOptions)
		defer run.end(&err)
		out, err = fn(run, in)
		run.returned = true
		return out, err
	}
}

// WrapErr is [Wrap] for a function that returns only an error, as functions that
// load data do.
//
//go:noinline
func WrapErr[In any](s *Stage, fn func(context.Context, In) error) func(context.Context, In) error {
	if fn == nil {
		return func(context.Context, In) error { return ErrNilFunc }
	}
	if s.isZero() {
		return fn
	}
	return func(ctx context.Context, in In) (err error) {
		ctx = safe.Context(ctx)
		if s.isWrappedTwice(ctx) {
			return fn(ctx, in)
		}
		run := s.begin(ctx, s.startOptions)
		defer run.end(&err)
		err = fn(run, in)
		run.returned = true
		return err
	}
}

// wrapFunc is how the names of the functions begin that [Wrap] and [WrapErr]
// return; they are not inlined, so that the names stay.
const wrapFunc = scope.Module + "/stages.Wrap"

// isWrappedTwice reports whether the function that Wrap returned was called by
// another one of the same stage, and not by a function of the user's: a pool of
// workers that runs its own stage again is not wrapped twice. It must be called
// by the function that Wrap returned.
func (s *Stage) isWrappedTwice(ctx context.Context) bool {
	outer, ok := ctx.(*call)
	if !ok || outer.run.stage != s {
		return false
	}
	const caller = 3 // Above Callers, isWrappedTwice, and the inner function.
	var pcs [1]uintptr
	frame, _ := runtime.CallersFrames(pcs[:runtime.Callers(caller, pcs[:])]).Next()
	return strings.HasPrefix(frame.Function, wrapFunc)
}
