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

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

var errBoom = errors.New("boom")

// The ways to run a function on a stage, as one type.
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
	"WrapErr": func(ctx context.Context, s *stages.Stage, fn func(context.Context) error) error {
		return stages.WrapErr(s, func(ctx context.Context, _ int) error { return fn(ctx) })(ctx, 1)
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

func TestStage_ReturnsWhatTheFunctionReturned(t *testing.T) {
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
		var in any
		load := stages.WrapErr(r.Stage, func(_ context.Context, v any) error { in = v; return want })
		if err := load(t.Context(), value); err != want || in != value {
			t.Errorf("WrapErr = %v of %v, want %v of %v", err, in, want, value)
		}
	}
}

func TestWrap_NamedFunctionType(t *testing.T) {
	t.Parallel()
	type handler func(context.Context, string) (int, error)
	var parse handler = func(_ context.Context, s string) (int, error) { return strconv.Atoi(s) }
	parse = stages.Wrap(newRig(t).Stage, parse)
	if n, err := parse(t.Context(), "7"); n != 7 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestStage_NilFunction(t *testing.T) {
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
		if err := stages.WrapErr[int](s, nil)(t.Context(), 1); !errors.Is(err, stages.ErrNilFunc) {
			t.Errorf("%s: WrapErr = %v", name, err)
		}
	}
	var p *stages.Pipeline
	if err := p.Run(t.Context(), nil); !errors.Is(err, stages.ErrNilFunc) {
		t.Errorf("Pipeline.Run = %v", err)
	}
}

func TestStage_NilStage(t *testing.T) {
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

func TestStage_NilContext(t *testing.T) {
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
		if err != nil || r.probe.last(t).Outcome != observe.OutcomeSuccess {
			t.Errorf("got %v, %v", err, r.probe.last(t))
		}
	})
	if stages.FromContext(nil) != nil { //nolint:staticcheck // A nil context is the test.
		t.Error("a nil context has a run")
	}
}

func TestWrap_TwiceCountsOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	count := func(ctx context.Context, n int) (int, error) {
		stages.FromContext(ctx).Read(n)
		return n, errBoom
	}
	countErr := func(ctx context.Context, n int) error { _, err := count(ctx, n); return err }
	for name, call := range map[string]func() (int, error){
		"Wrap twice": func() (int, error) { return stages.Wrap(r.Stage, stages.Wrap(r.Stage, count))(t.Context(), 3) },
		"Wrap 3 times": func() (int, error) {
			return stages.Wrap(r.Stage, stages.Wrap(r.Stage, stages.Wrap(r.Stage, count)))(t.Context(), 3)
		},
		"WrapErr twice": func() (int, error) {
			return 3, stages.WrapErr(r.Stage, stages.WrapErr(r.Stage, countErr))(t.Context(), 3)
		},
	} {
		r.spans.Reset()
		r.probe.results = nil
		if n, err := call(); n != 3 || err != errBoom {
			t.Errorf("%s: got %d, %v, want 3, %v", name, n, err, errBoom)
		}
		if spans := len(r.spans.GetSpans()); spans != 1 || len(r.probe.results) != 1 || r.probe.last(t).Read != 3 {
			t.Errorf("%s: %d spans, ends %+v, want one with 3 rows", name, spans, r.probe.results)
		}
	}
}

// What a pool of workers does within its own stage is not the stage wrapped
// twice: their errors must not be hidden.
func TestStage_PoolOfWorkersInItsOwnStage(t *testing.T) {
	t.Parallel()
	const workers = 16
	p := mustPipeline(t)
	for name, run := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for inner, tt := range map[string]func(*stages.Stage, *probe) *stages.Stage{
				"same stage": func(s *stages.Stage, _ *probe) *stages.Stage { return s },
				"same name": func(_ *stages.Stage, probe *probe) *stages.Stage {
					return mustStage(t, p, "load", stages.WithObserver(probe))
				},
			} {
				r := newRig(t)
				pool := tt(r.Stage, r.probe)
				err := run(t.Context(), r.Stage, func(ctx context.Context) error {
					var all sync.WaitGroup
					for range workers {
						all.Go(func() {
							// Directly, in a goroutine, and in a context of its own.
							_ = run(ctx, pool, func(context.Context) error { return errBoom })
							derived, cancel := context.WithCancel(ctx)
							defer cancel()
							_ = run(derived, pool, func(context.Context) error { return errBoom })
						})
					}
					all.Wait()
					return run(ctx, pool, func(context.Context) error { return errBoom })
				})
				if err != errBoom {
					t.Errorf("%s: error = %v, want %v", inner, err, errBoom)
				}
				failures := 0
				for _, end := range r.probe.results {
					if end.Outcome == observe.OutcomeFailure {
						failures++
					}
				}
				if want := 2*workers + 2; failures != want {
					t.Errorf("%s: %d failures, want %d", inner, failures, want)
				}
			}
		})
	}
}

// Two pipelines may have one name, and observers of their own.
func TestStage_OfAnotherPipelineWithTheSameName(t *testing.T) {
	t.Parallel()
	outer, inner := newRig(t), newRig(t)
	err := outer.Run(t.Context(), func(ctx context.Context) error {
		return inner.Run(ctx, func(context.Context) error { return errBoom })
	})
	if err != errBoom {
		t.Errorf("Run = %v, want %v", err, errBoom)
	}
	for name, r := range map[string]rig{"outer": outer, "inner": inner} {
		if len(r.probe.results) != 1 || r.probe.last(t).Outcome != observe.OutcomeFailure {
			t.Errorf("%s: ends %+v, want one failure", name, r.probe.results)
		}
	}
}

func TestStage_OnAnEndedContextOfItself(t *testing.T) {
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

func TestMust(t *testing.T) {
	t.Parallel()
	if got := stages.Must(stages.NewPipeline("orders")); got == nil {
		t.Error("Must = nil, want a pipeline")
	}
	value := recovered(func() { stages.Must(stages.NewPipeline("")) })
	if err, ok := value.(error); !ok || !errors.Is(err, stages.ErrInvalidName) {
		t.Errorf("Must panicked with %v, want %v", value, stages.ErrInvalidName)
	}
}

func TestStage_InsideAnother(t *testing.T) {
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

func TestStage_InFlightReturnsToZero(t *testing.T) {
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
	byOutcome := map[observe.Outcome]int{}
	for _, result := range r.probe.results {
		byOutcome[result.Outcome]++
	}
	if byOutcome[observe.OutcomeSuccess] != n/5 || byOutcome[observe.OutcomeFailure] != n/5 ||
		byOutcome[observe.OutcomePanic] != n/5 || byOutcome[observe.OutcomeCanceled] != 2*n/5 {
		t.Errorf("outcomes: %v", byOutcome)
	}
}
