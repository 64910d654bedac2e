// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/bounded"
	"github.com/waybill-go/waybill/internal/scope"
	"github.com/waybill-go/waybill/internal/semconv"
)

// Stage is one step of a pipeline: its functions are timed, counted and
// traced. It is made by [Pipeline.Stage] and safe for concurrent use.
//
// A nil *Stage runs functions without telemetry: a stage that could not be
// made costs its telemetry, not the work.
type Stage struct {
	identity
	observers
	config

	spanName     string
	startOptions []trace.SpanStartOption
	tracer       *scope.Tracer
	errorTypes   *bounded.Map[struct{}]
}

// identity is what makes two stages the same one.
type identity struct {
	pipeline, stage, source string
}

func newStage(id identity, c config) (*Stage, error) {
	observer, err := observe(c.observer, id)
	if err != nil {
		return nil, err
	}
	limit := c.errorTypeLimit
	if limit < 1 {
		limit = defaultErrorTypeLimit
	}
	spanName := id.stage
	if spanName == "" {
		spanName = id.pipeline
	}
	return &Stage{
		identity:     id,
		observers:    newObservers(observer),
		config:       c,
		spanName:     spanName,
		startOptions: []trace.SpanStartOption{trace.WithAttributes(id.attributes()...)},
		tracer:       scope.NewTracer("stages", c.provider, semconv.SchemaURL),
		errorTypes:   bounded.NewMap(limit, func(string) struct{} { return struct{}{} }),
	}, nil
}

func observe(observer Observer, id identity) (_ StageObserver, err error) {
	if observer == nil {
		return nil, nil //nolint:nilnil // No observer is not an error.
	}
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("stages: observer of pipeline %q, stage %q: %w", id.pipeline, id.stage, &PanicError{Value: value})
		}
	}()
	return observer.Stage(id.pipeline, id.stage, id.source), nil
}

func (id identity) attributes() []attribute.KeyValue {
	attributes := []attribute.KeyValue{pipelineKey.String(id.pipeline)}
	if id.stage != "" {
		attributes = append(attributes, stageKey.String(id.stage))
	}
	if id.source != "" {
		attributes = append(attributes, sourceKey.String(id.source))
	}
	return attributes
}

// Name returns the name of the stage. It is empty for the whole run of a
// pipeline, and for a nil stage.
func (s *Stage) Name() string {
	if s == nil {
		return ""
	}
	return s.stage
}

// Pipeline returns the name of the pipeline. It is empty for a nil stage.
func (s *Stage) Pipeline() string {
	if s == nil {
		return ""
	}
	return s.pipeline
}

// Run runs fn as one run of the stage and returns what fn returned.
//
// The context fn gets carries the span and the [Run]. A panic of fn is
// recorded and goes on with the same value and stack, unless
// [WithPanicAsError] is given. A stage that is run directly inside itself, as
// one that wraps its function twice is, counts once.
//
// A nil ctx is taken as [context.Background]. A nil fn is [ErrNilFunc]. On a nil
// stage fn runs without telemetry.
func (s *Stage) Run(ctx context.Context, fn func(context.Context) error) (err error) {
	if fn == nil {
		return ErrNilFunc
	}
	ctx = orBackground(ctx)
	if s == nil || s.isRunning(ctx) {
		return fn(ctx)
	}
	run := s.begin(ctx, s.startOptions)
	defer run.end(&err)
	err = fn(run)
	run.returned = true
	return err
}

// Call is [Stage.Run] for a function that returns a value.
// When a panic is turned into an error the value is the zero value.
func Call[T any](ctx context.Context, s *Stage, fn func(context.Context) (T, error)) (result T, err error) {
	if fn == nil {
		return result, ErrNilFunc
	}
	ctx = orBackground(ctx)
	if s == nil || s.isRunning(ctx) {
		return fn(ctx)
	}
	run := s.begin(ctx, s.startOptions)
	defer run.end(&err)
	result, err = fn(run)
	run.returned = true
	return result, err
}

// Wrap returns fn with the stage around it: a function of the same type, each
// call of which is one [Stage.Run].
//
// The function is safe for concurrent use if fn is. If fn is nil it returns
// [ErrNilFunc] and the zero value. A nil stage gives back fn itself.
func Wrap[In, Out any](s *Stage, fn func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	if fn == nil {
		return func(context.Context, In) (Out, error) {
			var zero Out
			return zero, ErrNilFunc
		}
	}
	if s == nil {
		return fn
	}
	return func(ctx context.Context, in In) (out Out, err error) {
		ctx = orBackground(ctx)
		if s.isRunning(ctx) {
			return fn(ctx, in)
		}
		run := s.begin(ctx, s.startOptions)
		defer run.end(&err)
		out, err = fn(run, in)
		run.returned = true
		return out, err
	}
}

// isRunning reports whether ctx is the context of a run of this stage that has
// not ended.
func (s *Stage) isRunning(ctx context.Context) bool {
	run := FromContext(ctx)
	return run != nil && run.stage.identity == s.identity && !run.ended.Load()
}

// contain keeps a panic of telemetry from the work. It must be deferred
// directly.
func (s *Stage) contain(reason string) {
	if recover() != nil {
		s.dropped(reason)
	}
}

// dropped counts telemetry that was lost.
func (s *Stage) dropped(reason string) {
	defer func() { _ = recover() }()
	s.drops.Dropped(reason)
}
