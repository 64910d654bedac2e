// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

func TestNewPipeline_Names(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		name    string
		isValid bool
	}{
		"plain":     {"orders", true},
		"longest":   {strings.Repeat("x", 128), true},
		"unicode":   {"Bestände 2", true},
		"empty":     {"", false},
		"too long":  {strings.Repeat("x", 129), false},
		"not UTF-8": {"a\xff", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check := func(what string, err error, want bool) {
				t.Helper()
				if (err == nil) != want || err != nil && !errors.Is(err, stages.ErrInvalidName) {
					t.Errorf("%s: %v", what, err)
				}
			}
			_, err := stages.NewPipeline(tt.name)
			check("pipeline", err, tt.isValid)
			p := mustPipeline(t)
			_, err = p.Stage(tt.name)
			check("stage", err, tt.isValid)
			// An empty source is none.
			_, err = p.Stage("load", stages.WithSource(tt.name))
			check("source of a stage", err, tt.isValid || tt.name == "")
			_, err = stages.NewPipeline("orders", stages.WithSource(tt.name))
			check("source of a pipeline", err, tt.isValid || tt.name == "")
		})
	}
	var p *stages.Pipeline
	if s, err := p.Stage("load"); s != nil || err == nil {
		t.Errorf("a nil pipeline made %v, %v", s, err)
	}
}

func TestPipeline_OptionsOfAStageTakePrecedence(t *testing.T) {
	t.Parallel()
	of, in := newProbe(), newProbe()
	p := mustPipeline(t, nil, stages.WithObserver(of), stages.WithSource("a"), stages.WithErrorType(errBoom, "one"))
	mustStage(t, p, "extract")
	s := mustStage(t, p, "load", nil, stages.WithObserver(in), stages.WithSource("b"), stages.WithErrorType(errBoom, "two"))
	if diff := cmp.Diff([]observe.StageID{{Pipeline: "orders", Stage: "extract", Source: "a"}}, of.resolved); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]observe.StageID{{Pipeline: "orders", Stage: "load", Source: "b"}}, in.resolved); diff != "" {
		t.Error(diff)
	}
	_ = s.Run(t.Context(), func(context.Context) error { return errBoom })
	if got := in.last(t).ErrorType; got != "one" {
		t.Errorf("error type %q; the first name that fits is used", got)
	}
}

// A stage appends to the names of its pipeline; the stages must not share the
// memory they append to.
func TestPipeline_StagesDoNotShareErrorNames(t *testing.T) {
	t.Parallel()
	others := []stages.Option{stages.WithErrorType(errSimilar, "a"), stages.WithErrorType(errSimilar, "b"), stages.WithErrorType(errSimilar, "c")}
	probe := newProbe()
	p := mustPipeline(t, append(others, stages.WithObserver(probe))...)
	first := mustStage(t, p, "first", stages.WithErrorType(errBoom, "first"))
	_ = mustStage(t, p, "second", stages.WithErrorType(errBoom, "second"))
	_ = first.Run(t.Context(), func(context.Context) error { return errBoom })
	if got := probe.last(t).ErrorType; got != "first" {
		t.Errorf("error type %q", got)
	}
}

// newRun makes a pipeline with its own spans and probe.
func newRun(t *testing.T, opts ...stages.Option) (*stages.Pipeline, rig) {
	t.Helper()
	r := newRig(t)
	opts = append([]stages.Option{stages.WithObserver(r.probe), stages.WithTracerProvider(r.spansProvider(t))}, opts...)
	r.probe.resolved = nil
	return mustPipeline(t, opts...), r
}

func TestPipeline_RunIsTheRootOfItsStages(t *testing.T) {
	t.Parallel()
	p, r := newRun(t)
	load := mustStage(t, p, "load")
	err := p.Run(t.Context(), func(ctx context.Context) error {
		stages.FromContext(ctx).Read(1)
		return load.Run(ctx, func(context.Context) error { return errBoom })
	}, stages.WithParameter("day", "2026-10-01"), stages.WithParameter("day", "2026-10-02"), nil)
	if err != errBoom {
		t.Errorf("Run = %v", err)
	}
	spans := r.spans.GetSpans()
	if len(spans) != 2 || spans[1].Name != "orders" || spans[1].Parent.IsValid() || spans[0].Parent.SpanID() != spans[1].SpanContext.SpanID() {
		t.Fatalf("spans: %v", spans)
	}
	if got := attributeOf(spans[1], "etl.parameter.day"); got != "2026-10-02" {
		t.Errorf("parameter = %q", got)
	}
	if diff := cmp.Diff([]observe.StageID{{Pipeline: "orders", Stage: "load"}, {Pipeline: "orders"}}, r.probe.resolved); diff != "" {
		t.Error(diff)
	}
	if got := r.probe.last(t); got.Outcome != observe.OutcomeFailure || got.Read != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestPipeline_RunIsAChildOfTheSpanInItsContext(t *testing.T) {
	t.Parallel()
	p, r := newRun(t)
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, Remote: true})
	_ = p.Run(trace.ContextWithRemoteSpanContext(t.Context(), parent), func(context.Context) error { return nil })
	if got := r.span(t).Parent; !got.Equal(parent) {
		t.Errorf("parent = %v", got)
	}
}

func TestWithRemotes(t *testing.T) {
	t.Parallel()
	young, old, none := remoteOf(1, time.Now().Add(-time.Minute)), remoteOf(2, time.Now().Add(-time.Hour)), propagation.Remote{}
	ambient := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{9}, SpanID: trace.SpanID{9}, TraceFlags: trace.FlagsSampled})
	for name, tt := range map[string]struct {
		ctx     context.Context //nolint:containedctx // A row of a table.
		remotes []propagation.Remote
		opts    []propagation.StartOption
		parent  trace.SpanContext
		links   []trace.SpanContext
	}{
		"a remote is the parent":       {remotes: []propagation.Remote{young}, parent: young.SpanContext(), links: []trace.SpanContext{young.SpanContext()}},
		"a link":                       {remotes: []propagation.Remote{young}, opts: []propagation.StartOption{propagation.AsLink()}, links: []trace.SpanContext{young.SpanContext()}},
		"an old one is linked":         {remotes: []propagation.Remote{old}, opts: []propagation.StartOption{propagation.WithMaxAge(20 * time.Minute)}, links: []trace.SpanContext{old.SpanContext()}},
		"a young one is not":           {remotes: []propagation.Remote{young}, opts: []propagation.StartOption{propagation.WithMaxAge(20 * time.Minute)}, parent: young.SpanContext(), links: []trace.SpanContext{young.SpanContext()}},
		"the span in ctx stays":        {ctx: trace.ContextWithSpanContext(t.Context(), ambient), remotes: []propagation.Remote{young}, parent: ambient, links: []trace.SpanContext{young.SpanContext()}},
		"none":                         {},
		"none held a context":          {remotes: []propagation.Remote{none}},
		"several":                      {remotes: []propagation.Remote{young, old}, links: []trace.SpanContext{young.SpanContext(), old.SpanContext()}},
		"none, with a span in ctx":     {ctx: trace.ContextWithSpanContext(t.Context(), ambient), remotes: []propagation.Remote{none}, parent: ambient},
		"a nil option changes nothing": {remotes: []propagation.Remote{young}, opts: []propagation.StartOption{nil}, parent: young.SpanContext(), links: []trace.SpanContext{young.SpanContext()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, r := newRun(t)
			ctx := tt.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			for _, pipeline := range []*stages.Pipeline{p, nil} { // Without a pipeline the contexts arrive all the same.
				err := pipeline.Run(ctx, func(ctx context.Context) error {
					if got, want := propagation.WaybillFromContext(ctx).Origin, tt.remotes != nil && tt.remotes[0].Err() == nil; got.IsZero() == want {
						t.Errorf("origin %v, want one: %t", got, want)
					}
					return nil
				}, stages.WithRemotes([]propagation.Remote{old}), nil, stages.WithRemotes(tt.remotes, tt.opts...), stages.WithParameter("day", "1"))
				if err != nil {
					t.Error(err)
				}
			}
			span := r.span(t)
			if span.Parent.TraceID() != tt.parent.TraceID() || span.Parent.SpanID() != tt.parent.SpanID() {
				t.Errorf("parent %v, want %v", span.Parent, tt.parent)
			}
			var links []trace.SpanContext
			for _, link := range span.Links {
				links = append(links, link.SpanContext)
			}
			if !slices.EqualFunc(links, tt.links, trace.SpanContext.Equal) {
				t.Errorf("links %v, want %v", links, tt.links)
			}
			if got := attributeOf(span, "etl.parameter.day"); got != "1" {
				t.Errorf("parameter %q", got)
			}
		})
	}
}

func TestWithFlush_AfterEveryEnd(t *testing.T) {
	t.Parallel()
	for name, fn := range map[string]func(context.Context) error{
		"success": func(context.Context) error { return nil },
		"error":   func(context.Context) error { return errBoom },
		"panic":   func(context.Context) error { panic(errBoom) },
		"goexit":  func(context.Context) error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, r := newRun(t)
			type key struct{}
			ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
			cancel()
			var order []string
			flush := func(what string) stages.RunOption {
				return stages.WithFlush(func(ctx context.Context) error {
					order = append(order, what)
					if ctx.Err() != nil || ctx.Value(key{}) != "value" {
						t.Errorf("context: %v, value %v", ctx.Err(), ctx.Value(key{}))
					}
					if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > time.Minute {
						t.Errorf("deadline %v", deadline)
					}
					if len(r.spans.GetSpans()) != 1 || len(r.probe.results) != 1 {
						t.Error("the run has not ended")
					}
					return nil
				})
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { _ = recover() }()
				_ = p.Run(ctx, fn, flush("push"), stages.WithFlush(nil), flush("flush"), stages.WithFlushTimeout(time.Minute))
			}()
			<-done
			if diff := cmp.Diff([]string{"push", "flush"}, order); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWithFlushTimeout(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		opts []stages.RunOption
		want time.Duration
	}{
		"default":  {nil, 10 * time.Second},
		"zero":     {[]stages.RunOption{stages.WithFlushTimeout(time.Second), stages.WithFlushTimeout(0)}, 10 * time.Second},
		"negative": {[]stages.RunOption{stages.WithFlushTimeout(-1)}, 10 * time.Second},
		"set":      {[]stages.RunOption{stages.WithFlushTimeout(time.Second)}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				p := mustPipeline(t, stages.WithoutSpans())
				err := p.Run(t.Context(), func(context.Context) error { return nil }, append(tt.opts, stages.WithFlush(func(ctx context.Context) error {
					<-ctx.Done()
					return nil
				}))...)
				if took := time.Since(start); err != nil || took != tt.want {
					t.Errorf("took %v, %v", took, err)
				}
			})
		})
	}
}

// The phases of a shutdown must not add up to more than the process has left.
func TestWithFlushTimeout_IsShared(t *testing.T) {
	t.Parallel()
	type function = func(context.Context) error
	hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	quick := func(context.Context) error { time.Sleep(time.Second); return nil }
	deaf := func(context.Context) error { time.Sleep(20 * time.Second); return nil }
	exits := func(context.Context) error { time.Sleep(time.Second); runtime.Goexit(); return nil }
	for _, tt := range []struct {
		name    string
		flushes []function
		want    []time.Duration // What each is given.
		total   time.Duration
	}{
		{name: "all hang", flushes: []function{hangs, hangs, hangs}, want: []time.Duration{4 * time.Second, 4 * time.Second, 4 * time.Second}, total: 12 * time.Second},
		{name: "the first hangs", flushes: []function{hangs, quick}, want: []time.Duration{6 * time.Second, 6 * time.Second}, total: 7 * time.Second},
		{name: "the first is quick", flushes: []function{quick, hangs}, want: []time.Duration{6 * time.Second, 11 * time.Second}, total: 12 * time.Second},
		{name: "the first ignores its context", flushes: []function{deaf, hangs, hangs}, want: []time.Duration{4 * time.Second, 0, 0}, total: 20 * time.Second},
		{name: "the first calls Goexit", flushes: []function{exits, hangs}, want: []time.Duration{6 * time.Second, 11 * time.Second}, total: 12 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var got []time.Duration
				opts := []stages.RunOption{stages.WithFlushTimeout(12 * time.Second)}
				for _, flush := range tt.flushes {
					opts = append(opts, stages.WithFlush(func(ctx context.Context) error {
						deadline, _ := ctx.Deadline()
						got = append(got, max(time.Until(deadline), 0))
						return flush(ctx)
					}))
				}
				start := time.Now()
				done := make(chan struct{})
				go func() {
					defer close(done)
					_ = mustPipeline(t, stages.WithoutSpans()).Run(t.Context(), func(context.Context) error { return nil }, opts...)
				}()
				<-done
				if took := time.Since(start); took != tt.total {
					t.Errorf("the run took %v, want %v", took, tt.total)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("times (-want +got)\n%s", diff)
				}
			})
		})
	}
}

func TestWithFlush_NilPipeline(t *testing.T) {
	t.Parallel()
	var p *stages.Pipeline
	flushed := false
	err := p.Run(t.Context(), func(context.Context) error { return errBoom }, stages.WithFlush(func(context.Context) error { flushed = true; return nil }))
	if err != errBoom || !flushed {
		t.Errorf("Run = %v, flushed %v", err, flushed)
	}
}

// Not parallel: it sets the global error handler.
func TestWithFlush_FailureIsReported(t *testing.T) {
	var mu sync.Mutex
	var reported []error
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		mu.Lock()
		defer mu.Unlock()
		reported = append(reported, err)
		panic("a handler that panics")
	}))
	defer otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
	p := mustPipeline(t, stages.WithoutSpans())
	ran := false
	err := p.Run(t.Context(), func(context.Context) error { return nil },
		stages.WithFlush(func(context.Context) error { return errBoom }),
		stages.WithFlush(func(context.Context) error { panic(errSimilar) }),
		stages.WithFlush(func(context.Context) error { ran = true; return nil }))
	if err != nil || !ran {
		t.Errorf("Run = %v, last flush ran: %v", err, ran)
	}
	if len(reported) != 2 || !errors.Is(reported[0], errBoom) || !errors.Is(reported[1], errSimilar) {
		t.Errorf("reported %v", reported)
	}
}

func TestPipeline_ConcurrentUse(t *testing.T) {
	t.Parallel()
	const workers = 128
	p, r := newRun(t)
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			load, err := p.Stage("load")
			if err != nil {
				t.Error(err)
			}
			err = p.Run(t.Context(), func(ctx context.Context) error {
				return load.Run(ctx, func(ctx context.Context) error { stages.FromContext(ctx).Read(worker); return nil })
			}, stages.WithParameter("worker", "x"))
			if err != nil {
				t.Errorf("Run = %v, want nil", err)
			}
		})
	}
	all.Wait()
	if got := len(r.spans.GetSpans()); got != 2*workers {
		t.Errorf("%d spans, want %d", got, 2*workers)
	}
	whole := 0
	for _, id := range r.probe.resolved {
		if id.Stage == "" {
			whole++
		}
	}
	if whole != 1 {
		t.Errorf("the observer was asked %d times for the whole run, want once", whole)
	}
}
