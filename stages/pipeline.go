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

	"github.com/waybill-go/waybill/internal/clock"
	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// maxNameBytes is the longest name of a pipeline, a stage, a source or an error
// type.
const maxNameBytes = 128

// Pipeline is a set of stages under one name. It is safe for concurrent use. A nil
// or zero Pipeline has no stages, and its Run runs functions without telemetry.
type Pipeline struct {
	name   string
	config config

	// whole observes runs of the whole pipeline. It is built for the first of
	// them, so that a pipeline that is never run as a whole has no such series.
	whole func() (*Stage, error)
}

// isZero reports whether p is not a pipeline that NewPipeline returned.
func (p *Pipeline) isZero() bool { return p == nil || p.whole == nil }

// NewPipeline returns a pipeline. Its name is a label and an attribute: choose it
// from a small set. It returns [ErrInvalidName] if the name is empty, longer than
// 128 bytes or not valid UTF-8.
func NewPipeline(name string, opts ...Option) (*Pipeline, error) {
	if !isName(name) {
		return nil, fmt.Errorf("%w: pipeline %q", ErrInvalidName, name)
	}
	p := &Pipeline{name: name, config: newConfig(config{exceptions: readExceptionSignal(), noLogger: new(sync.Once)}, opts)}
	if err := checkSource(p.config.source); err != nil {
		return nil, err
	}
	p.whole = sync.OnceValues(func() (*Stage, error) {
		return newStage(observe.StageID{Pipeline: p.name, Source: p.config.source}, p.config)
	})
	return p, nil
}

// Must returns value, and panics if err is not nil. It is for pipelines and
// stages that are package-level variables:
//
//	var (
//		orders = stages.Must(stages.NewPipeline("orders"))
//		load   = stages.Must(orders.Stage("load"))
//	)
func Must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// Stage returns a stage of the pipeline. Create each stage once and use it for
// all its calls, from any number of goroutines.
//
// The name is a label, an attribute, and the name of the span: choose it from a
// small set. Two stages of the same name and source have the same metrics. Stage
// returns [ErrInvalidName] if the name is empty, or if the name or the source is
// longer than 128 bytes or not valid UTF-8. It returns an error if the observer
// panics, or if p is nil or zero.
func (p *Pipeline) Stage(name string, opts ...Option) (*Stage, error) {
	if p.isZero() {
		return nil, errNilPipeline
	}
	if !isName(name) {
		return nil, fmt.Errorf("%w: stage %q", ErrInvalidName, name)
	}
	c := newConfig(p.config, opts)
	if err := checkSource(c.source); err != nil {
		return nil, err
	}
	return newStage(observe.StageID{Pipeline: p.name, Stage: name, Source: c.source}, c)
}

// Run runs fn as one run of the whole pipeline, for a process that does its work
// and exits. The run has a span named after the pipeline with the parameters of
// the run: a root span, or a child of the span in ctx. In its metrics, the label
// stage is empty; they include the counts of fn itself, and not the counts of its
// stages. When the run has ended, in whatever way, the [WithFlush]
// functions are called.
//
// Do not use Run around a consumer that runs for days: its span would end with
// the process, and the messages handled inside it would continue the trace of the
// run and only link to the traces they came with. Without Run, each message
// continues the trace it came with. Inside Run it does so with
// kafkacarrier.WithStartOptions(propagation.AsParent()), and likewise with the
// option of mongocarrier.
//
// Run returns the error of fn. What [Stage.Run] promises for errors, panics and
// nil values applies to Run, too.
func (p *Pipeline) Run(ctx context.Context, fn func(context.Context) error, opts ...RunOption) (err error) {
	if fn == nil {
		return ErrNilFunc
	}
	ctx = safe.Context(ctx)
	c := newRunConfig(opts)
	defer c.flush(ctx)
	whole := p.run()
	if whole == nil {
		return fn(startWithout(ctx, c.remotes, c.start))
	}
	run := whole.beginRun(ctx, c)
	defer run.end(&err)
	err = fn(run)
	run.returned = true
	return err
}

// beginRun is begin for a run of the whole pipeline.
func (s *Stage) beginRun(ctx context.Context, cfg runConfig) *call {
	opts := slices.Concat(s.startOptions, []trace.SpanStartOption{trace.WithAttributes(cfg.parameters...)})
	if len(cfg.remotes) == 0 {
		return s.begin(ctx, opts)
	}
	c := newCall(ctx, s)
	c.startFrom(cfg.remotes, slices.Concat(cfg.start, []propagation.StartOption{propagation.WithSpanOptions(opts...)}))
	c.start()
	c.started = clock.Now()
	return c
}

// run returns the stage of the whole run, or nil if there is no telemetry.
func (p *Pipeline) run() *Stage {
	if p.isZero() {
		return nil
	}
	whole, err := p.whole()
	if err != nil {
		handle(err)
	}
	return whole
}

// flush calls the flush functions, which share the flush timeout.
func (c runConfig) flush(ctx context.Context) {
	flushUntil(ctx, time.Now().Add(c.flushTimeout), c.flushes)
}

// flushUntil calls flushes in order. Each of them has an equal part of the time
// that is left, so one that hangs leaves their parts to the others.
func flushUntil(ctx context.Context, end time.Time, flushes []func(context.Context) error) {
	if len(flushes) == 0 {
		return
	}
	defer flushUntil(ctx, end, flushes[1:]) // Even if this one calls Goexit.
	share := time.Until(end) / time.Duration(len(flushes))
	if err := flushOne(ctx, share, flushes[0]); err != nil {
		handle(fmt.Errorf("stages: flush after run: %w", err))
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
	defer safe.Contain()
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
