// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
)

// maxNameBytes is the longest name of a pipeline, a stage or a source.
const maxNameBytes = 128

// Pipeline is a set of stages under one name. It is safe for concurrent use.
type Pipeline struct {
	name   string
	config config

	// whole observes runs of the whole pipeline. It is built for the first of
	// them, so that a pipeline that is never run as a whole has no such series.
	whole func() (*Stage, error)
}

// NewPipeline makes a pipeline. Its name is a label and an attribute: choose
// it from a small set. The error is [ErrInvalidName] if it is empty, longer
// than 128 bytes or not valid UTF-8.
func NewPipeline(name string, opts ...Option) (*Pipeline, error) {
	if !isName(name) {
		return nil, fmt.Errorf("%w: pipeline %q", ErrInvalidName, name)
	}
	p := &Pipeline{name: name, config: newConfig(config{}, opts)}
	if err := checkSource(p.config.source); err != nil {
		return nil, err
	}
	p.whole = sync.OnceValues(func() (*Stage, error) {
		return newStage(identity{pipeline: p.name, source: p.config.source}, p.config)
	})
	return p, nil
}

// Stage makes a stage of the pipeline. Make each stage once and use it for all
// its calls, from as many goroutines as you like.
//
// The name is a label and an attribute, and the name of the span: choose it
// from a small set. Two stages of one name and source are the same stage to
// the metrics. The error is [ErrInvalidName] for a name or a source that is
// longer than 128 bytes or not valid UTF-8, and for an empty name; and it is
// an error if the observer panics.
func (p *Pipeline) Stage(name string, opts ...Option) (*Stage, error) {
	if p == nil {
		return nil, errNilPipeline
	}
	if !isName(name) {
		return nil, fmt.Errorf("%w: stage %q", ErrInvalidName, name)
	}
	c := newConfig(p.config, opts)
	if err := checkSource(c.source); err != nil {
		return nil, err
	}
	return newStage(identity{pipeline: p.name, stage: name, source: c.source}, c)
}

// Run runs fn as one whole run of the pipeline, for a process that does its
// work and ends: a root span named after the pipeline, or a child of the span
// in ctx, with the run's parameters; the metrics of a stage whose name is
// empty; and at the end, whatever it is, the [WithFlush] functions.
//
// It returns what fn returned, and what it promises of errors, panics and nil
// values is what [Stage.Run] promises.
func (p *Pipeline) Run(ctx context.Context, fn func(context.Context) error, opts ...RunOption) (err error) {
	if fn == nil {
		return ErrNilFunc
	}
	ctx = orBackground(ctx)
	c := newRunConfig(opts)
	defer c.flush(ctx)
	whole := p.run()
	if whole == nil || whole.isRunning(ctx) {
		return fn(ctx)
	}
	run := whole.begin(ctx, slices.Concat(whole.startOptions, []trace.SpanStartOption{trace.WithAttributes(c.parameters...)}))
	defer run.end(&err)
	err = fn(run)
	run.returned = true
	return err
}

// run returns the stage of the whole run, or nil if there is no telemetry.
func (p *Pipeline) run() *Stage {
	if p == nil {
		return nil
	}
	whole, err := p.whole()
	if err != nil {
		handle(err)
	}
	return whole
}

func (c runConfig) flush(ctx context.Context) {
	for _, flush := range c.flushes {
		if err := flushOne(ctx, c.flushTimeout, flush); err != nil {
			handle(fmt.Errorf("stages: flush after run: %w", err))
		}
	}
}

func flushOne(ctx context.Context, timeout time.Duration, flush func(context.Context) error) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	defer func() {
		if value := recover(); value != nil {
			err = &PanicError{Value: value}
		}
	}()
	return flush(ctx)
}

// handle reports an error that has no caller to go to.
func handle(err error) {
	defer func() { _ = recover() }()
	otel.Handle(err)
}

func isName(name string) bool {
	return name != "" && len(name) <= maxNameBytes && utf8.ValidString(name)
}

func checkSource(source string) error {
	if source != "" && !isName(source) {
		return fmt.Errorf("%w: source %q", ErrInvalidName, source)
	}
	return nil
}

func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background() //nolint:forbidigo // The documented meaning of a nil context.
	}
	return ctx
}
