// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/waybill-go/waybill/stages"
)

var errBoom = errors.New("boom")

// The three ways to run a function on a stage, as one type.
var ways = map[string]func(context.Context, *stages.Stage, func(context.Context) error) error{
	"Run": func(ctx context.Context, s *stages.Stage, fn func(context.Context) error) error {
		return s.Run(ctx, fn)
	},
	"Call": func(ctx context.Context, s *stages.Stage, fn func(context.Context) error) error {
		_, err := stages.Call(ctx, s, func(ctx context.Context) (int, error) { return 1, fn(ctx) })
		return err
	},
	"Wrap": func(ctx context.Context, s *stages.Stage, fn func(context.Context) error) error {
		_, err := stages.Wrap(s, func(ctx context.Context, in int) (int, error) { return in, fn(ctx) })(ctx, 1)
		return err
	},
}

func eachWay(t *testing.T, test func(t *testing.T, run func(context.Context, *stages.Stage, func(context.Context) error) error)) {
	t.Helper()
	for name, run := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, run)
		})
	}
}

// R10.
func TestResultIsWhatTheFunctionReturned(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	value := &struct{ n int }{1}
	for _, want := range []error{nil, errBoom} {
		got, err := stages.Call(t.Context(), r.Stage, func(context.Context) (*struct{ n int }, error) { return value, want })
		if got != value || err != want {
			t.Errorf("Call = %p, %v, want %p, %v", got, err, value, want)
		}
		wrapped := stages.Wrap(r.Stage, func(_ context.Context, in *struct{ n int }) (*struct{ n int }, error) { return in, want })
		if got, err := wrapped(t.Context(), value); got != value || err != want {
			t.Errorf("Wrap = %p, %v, want %p, %v", got, err, value, want)
		}
		if err := r.Run(t.Context(), func(context.Context) error { return want }); err != want {
			t.Errorf("Run = %v, want %v", err, want)
		}
	}
}

// R10.
func TestWrapKeepsNamedFunctionTypes(t *testing.T) {
	t.Parallel()
	type handler func(context.Context, string) (int, error)
	var parse handler = func(_ context.Context, s string) (int, error) { return strconv.Atoi(s) }
	parse = stages.Wrap(newRig(t).Stage, parse)
	if n, err := parse(t.Context(), "7"); n != 7 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
}

// R10.
func TestNilFunctionIsAnError(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*stages.Stage{"stage": newRig(t).Stage, "nil stage": nil} {
		if err := s.Run(t.Context(), nil); !errors.Is(err, stages.ErrNilFunc) {
			t.Errorf("%s: Run = %v", name, err)
		}
		if n, err := stages.Call[int](t.Context(), s, nil); n != 0 || !errors.Is(err, stages.ErrNilFunc) {
			t.Errorf("%s: Call = %d, %v", name, n, err)
		}
		if n, err := stages.Wrap[int, int](s, nil)(t.Context(), 1); n != 0 || !errors.Is(err, stages.ErrNilFunc) {
			t.Errorf("%s: Wrap = %d, %v", name, n, err)
		}
	}
	var p *stages.Pipeline
	if err := p.Run(t.Context(), nil); !errors.Is(err, stages.ErrNilFunc) {
		t.Errorf("Pipeline.Run = %v", err)
	}
}

func TestNilStageRunsTheFunction(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, run func(context.Context, *stages.Stage, func(context.Context) error) error) {
		if err := run(t.Context(), nil, func(context.Context) error { return errBoom }); err != errBoom {
			t.Errorf("got %v", err)
		}
		value := recovered(func() { _ = run(t.Context(), nil, func(context.Context) error { panic(7) }) })
		if value != 7 {
			t.Errorf("recovered %v", value)
		}
	})
}

// R10.
func TestNilContextIsBackground(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, run func(context.Context, *stages.Stage, func(context.Context) error) error) {
		r := newRig(t)
		err := run(nil, r.Stage, func(ctx context.Context) error {
			_, hasDeadline := ctx.Deadline()
			if hasDeadline || ctx.Err() != nil || ctx.Value("x") != nil {
				t.Error("the context is not like Background")
			}
			return nil
		})
		if err != nil || r.probe.last(t).Outcome != stages.OutcomeSuccess {
			t.Errorf("got %v, %v", err, r.probe.last(t))
		}
	})
	if stages.FromContext(nil) != nil { //nolint:staticcheck // A nil context is the test.
		t.Error("a nil context has a run")
	}
}

// R23.
func TestStageInsideItselfCountsOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	twice := stages.Wrap(r.Stage, stages.Wrap(r.Stage, func(ctx context.Context, n int) (int, error) {
		stages.FromContext(ctx).Read(n)
		return n, errBoom
	}))
	if n, err := twice(t.Context(), 3); n != 3 || err != errBoom {
		t.Fatalf("got %d, %v", n, err)
	}
	r.span(t)
	if len(r.probe.results) != 1 || r.probe.last(t).Read != 3 {
		t.Errorf("results: %+v", r.probe.results)
	}
}

// R23.
func TestStageOnAnEndedContextOfItselfCountsAgain(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, run func(context.Context, *stages.Stage, func(context.Context) error) error) {
		r := newRig(t)
		var kept context.Context
		keep := func(ctx context.Context) error { kept = ctx; return nil } //nolint:fatcontext // It is kept to be misused.
		_ = run(t.Context(), r.Stage, keep)
		_ = run(kept, r.Stage, keep)
		if len(r.probe.results) != 2 {
			t.Errorf("%d runs, want 2", len(r.probe.results))
		}
	})
}

// R23.
func TestStagesInsideOthersAreTheirChildren(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := mustPipeline(t, stages.WithObserver(r.probe))
	inner := mustStage(t, p, "inner", stages.WithTracerProvider(r.spansProvider(t)))
	_ = r.Run(t.Context(), func(ctx context.Context) error {
		stages.FromContext(ctx).Read(5)
		return inner.Run(ctx, func(ctx context.Context) error {
			stages.FromContext(ctx).Read(2)
			return r.Run(ctx, func(context.Context) error { return nil }) // Not directly inside itself.
		})
	})
	spans := r.spans.GetSpans()
	if len(spans) != 3 {
		t.Fatalf("%d spans, want 3", len(spans))
	}
	for i, span := range spans[:2] {
		if span.Parent.SpanID() != spans[i+1].SpanContext.SpanID() {
			t.Errorf("%s is not a child of %s", span.Name, spans[i+1].Name)
		}
	}
	for i, want := range []int64{0, 2, 5} {
		if got := r.probe.results[i].Read; got != want {
			t.Errorf("run %d counted %d rows, want %d", i, got, want)
		}
	}
}

// R22.
func TestInFlightReturnsToZero(t *testing.T) {
	t.Parallel()
	r := newRig(t, stages.WithoutSpans())
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	ends := []func(context.Context) error{
		func(context.Context) error { return nil },
		func(context.Context) error { return errBoom },
		func(context.Context) error { panic(errBoom) },
		func(context.Context) error { runtime.Goexit(); return nil },
		func(ctx context.Context) error { return ctx.Err() },
	}
	const n = 1000
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			defer func() { _ = recover() }()
			ctx := t.Context()
			if i%len(ends) == 4 {
				ctx = cancelled
			}
			_ = r.Run(ctx, func(ctx context.Context) error {
				if rand.IntN(2) == 0 {
					runtime.Gosched()
				}
				return ends[i%len(ends)](ctx)
			})
		})
	}
	all.Wait()
	if got, lowest := r.probe.inFlight.Load(), r.probe.lowest.Load(); got != 0 || lowest < 0 {
		t.Errorf("in flight %d, lowest %d", got, lowest)
	}
	byOutcome := map[stages.Outcome]int{}
	for _, result := range r.probe.results {
		byOutcome[result.Outcome]++
	}
	if byOutcome[stages.OutcomeSuccess] != n/5 || byOutcome[stages.OutcomeFailure] != n/5 ||
		byOutcome[stages.OutcomePanic] != n/5 || byOutcome[stages.OutcomeCancelled] != 2*n/5 {
		t.Errorf("outcomes: %v", byOutcome)
	}
}
