// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

// retry is what a library for retries does: it calls fn until it succeeds.
func retry(fn func() error) (err error) {
	for range 5 {
		if err = fn(); err == nil {
			return nil
		}
	}
	return err
}

// failing returns a function that fails n times.
func failingTimes(n int) func(context.Context) error {
	return func(context.Context) error {
		if n--; n >= 0 {
			return errBoom
		}
		return nil
	}
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		opts    []stages.Option
		fails   int
		want    error
		retries int64
		spans   []string // Name, attempt, status and description of each attempt.
	}{
		{name: "first attempt", retries: 0},
		{name: "third attempt", fails: 2, retries: 2},
		{name: "no attempt", fails: 9, want: errBoom, retries: 4},
		{name: "spans", fails: 2, retries: 2, opts: []stages.Option{stages.WithAttemptSpans()}, spans: []string{
			`load attempt 1 failure Error "boom"`, `load attempt 2 failure Error "boom"`, `load attempt 3 success Unset ""`,
		}},
		{name: "spans with descriptions", fails: 1, retries: 1, opts: []stages.Option{stages.WithAttemptSpans(), stages.WithErrorDescription(nil)}, spans: []string{
			`load attempt 1 failure Error "` + errBoom.Error() + `"`, `load attempt 2 success Unset ""`,
		}},
		{name: "stage without spans", fails: 1, retries: 1, opts: []stages.Option{stages.WithAttemptSpans(), stages.WithoutSpans()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for name, attempts := range map[string]func(context.Context, func(context.Context) error) func() error{
				"Attempts": stages.Attempts,
				"CallAttempts": func(ctx context.Context, fn func(context.Context) error) func() error {
					call := stages.CallAttempts(ctx, func(ctx context.Context) (int, error) { return 7, fn(ctx) })
					return func() error {
						got, err := call()
						if got != 7 {
							t.Errorf("result = %d, want 7", got)
						}
						return err
					}
				},
			} {
				r := newRig(t, append([]stages.Option{stages.WithErrorType(errBoom, "boom")}, tt.opts...)...)
				err := r.Run(t.Context(), func(ctx context.Context) error { return retry(attempts(ctx, failingTimes(tt.fails))) })
				if err != tt.want {
					t.Errorf("%s: Run = %v, want %v", name, err, tt.want)
				}
				if len(r.probe.results) != 1 || r.probe.results[0].Retries != tt.retries {
					t.Errorf("%s: results = %+v, want one with %d retries", name, r.probe.results, tt.retries)
				}
				var spans []string
				for _, span := range r.spans.GetSpans() {
					if span.Name != "load" {
						spans = append(spans, fmt.Sprintf("%s %s %s %s %q", span.Name, attributeOf(span, "etl.attempt"), attributeOf(span, "etl.outcome"), span.Status.Code, span.Status.Description))
					}
				}
				if diff := cmp.Diff(tt.spans, spans); diff != "" {
					t.Errorf("%s: spans of attempts (-want +got)\n%s", name, diff)
				}
			}
		})
	}
}

func TestAttempt_IsAChildOfTheStage(t *testing.T) {
	t.Parallel()
	r := newRig(t, stages.WithAttemptSpans())
	_ = r.Run(t.Context(), func(ctx context.Context) error {
		outer := trace.SpanContextFromContext(ctx)
		return stages.Attempt(ctx, 1, func(ctx context.Context) error {
			if stages.FromContext(ctx) == nil || trace.SpanContextFromContext(ctx).Equal(outer) {
				t.Error("the context has no run or no span of the attempt")
			}
			return nil
		})
	})
	spans := r.spans.GetSpans()
	if len(spans) != 2 || spans[0].Parent.SpanID() != spans[1].SpanContext.SpanID() {
		t.Errorf("spans = %+v, want the attempt in the stage", spans)
	}
}

func TestAttempt_EveryEnd(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name, outcome, errorType string
		ctx                      context.Context //nolint:containedctx // A case is one call.
		fn                       func(context.Context) error
		status                   codes.Code
		value                    any
	}{
		{name: "rejection", fn: func(context.Context) error { return stages.Reject(errBoom, "x") }, outcome: "success"},
		{name: "canceled", ctx: canceled, fn: func(ctx context.Context) error { return ctx.Err() }, outcome: "cancelled", errorType: "canceled"},
		{name: "panic", fn: func(context.Context) error { panic(errBoom) }, outcome: "panic", errorType: "panic", status: codes.Error, value: errBoom},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, stages.WithAttemptSpans())
			ctx := tt.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			value := recovered(func() {
				_ = r.Run(ctx, func(ctx context.Context) error { return stages.Attempt(ctx, 1, tt.fn) })
			})
			if value != tt.value {
				t.Errorf("recovered %v, want %v", value, tt.value)
			}
			span := r.spans.GetSpans()[0]
			if got := attributeOf(span, "etl.outcome"); got != tt.outcome || attributeOf(span, "error.type") != tt.errorType || span.Status.Code != tt.status || len(span.Events) != 0 {
				t.Errorf("outcome %s, error.type %q, status %v, %d events, want %s, %q, %v, none", got, attributeOf(span, "error.type"), span.Status, len(span.Events), tt.outcome, tt.errorType, tt.status)
			}
			if len(r.probe.results) != 1 || r.probe.results[0].Outcome.String() != tt.outcome {
				t.Errorf("results = %+v, want one of %s", r.probe.results, tt.outcome)
			}
		})
	}
}

// The span of an attempt does not contradict that of the stage.
func TestAttempt_Classifier(t *testing.T) {
	t.Parallel()
	r := newRig(t, stages.WithAttemptSpans(), stages.WithClassifier(func(context.Context, error) observe.Outcome { return observe.OutcomeSuccess }))
	_ = r.Run(t.Context(), func(ctx context.Context) error {
		return stages.Attempt(ctx, 1, func(context.Context) error { return errBoom })
	})
	for _, span := range r.spans.GetSpans() {
		if got := attributeOf(span, "etl.outcome"); got != "success" || span.Status.Code != codes.Unset {
			t.Errorf("%s: outcome = %s, status = %v, want success, %v", span.Name, got, span.Status.Code, codes.Unset)
		}
	}
}

func TestAttempt_Goexit(t *testing.T) {
	t.Parallel()
	r := newRig(t, stages.WithAttemptSpans())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.Run(t.Context(), func(ctx context.Context) error {
			return stages.Attempt(ctx, 1, func(context.Context) error { runtime.Goexit(); return nil })
		})
	}()
	<-done
	if spans := r.spans.GetSpans(); len(spans) != 2 || attributeOf(spans[0], "etl.outcome") != "cancelled" {
		t.Errorf("spans = %+v, want two that were cancelled", spans)
	}
}

func TestAttempt_WithoutARun(t *testing.T) {
	t.Parallel()
	for name, ctx := range map[string]context.Context{"nil": nil, "no run": t.Context(), "hostile": hostileContext{Context: t.Context(), value: true}} {
		if err := stages.Attempt(ctx, 2, func(context.Context) error { return errBoom }); err != errBoom {
			t.Errorf("%s: Attempt = %v, want %v", name, err, errBoom)
		}
	}
	for name, err := range map[string]error{
		"Attempt": stages.Attempt(t.Context(), 1, nil), "Attempts": stages.Attempts(t.Context(), nil)(),
		"CallAttempts": func() error { _, err := stages.CallAttempts[int](t.Context(), nil)(); return err }(),
	} {
		if err != stages.ErrNilFunc {
			t.Errorf("%s of nil = %v, want %v", name, err, stages.ErrNilFunc)
		}
	}
}

func TestAttempt_NumberBelowOne(t *testing.T) {
	t.Parallel()
	r := newRig(t, stages.WithAttemptSpans())
	_ = r.Run(t.Context(), func(ctx context.Context) error { return stages.Attempt(ctx, -7, succeedNow) })
	if got := attributeOf(r.spans.GetSpans()[0], "etl.attempt"); got != "1" || r.probe.last(t).Retries != 0 {
		t.Errorf("etl.attempt = %s, %d retries, want 1, 0", got, r.probe.last(t).Retries)
	}
}

func succeedNow(context.Context) error { return nil }

func TestAttempt_HostileTracerChangesNothing(t *testing.T) {
	t.Parallel()
	for _, fails := range []string{"Start", "IsRecording", "SetAttributes", "SetStatus", "End"} {
		r := newRig(t, stages.WithAttemptSpans(), stages.WithTracerProvider(startProvider{start: func(ctx context.Context) (context.Context, trace.Span) {
			if fails == "Start" {
				panic(fails)
			}
			return ctx, &hostileSpan{fails: fails, ended: new(int)}
		}}))
		err := r.Run(t.Context(), func(ctx context.Context) error { return retry(stages.Attempts(ctx, failingTimes(1))) })
		if err != nil || r.probe.last(t).Retries != 1 || r.probe.dropped(observe.DropTracer) == 0 {
			t.Errorf("%s panics: Run = %v, %d retries, drops %v, want nil, 1, some", fails, err, r.probe.last(t).Retries, r.probe.drops)
		}
	}
}

func TestAttempts_ConcurrentUse(t *testing.T) {
	t.Parallel()
	r := newRig(t, stages.WithAttemptSpans())
	_ = r.Run(t.Context(), func(ctx context.Context) error {
		next := stages.Attempts(ctx, succeedNow)
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() { _ = next() })
		}
		all.Wait()
		return nil
	})
	seen := map[string]bool{}
	for _, span := range r.spans.GetSpans() {
		if strings.HasSuffix(span.Name, " attempt") {
			seen[attributeOf(span, "etl.attempt")] = true
		}
	}
	if len(seen) != 64 || r.probe.last(t).Retries != 63 {
		t.Errorf("%d attempts, %d retries, want 64, 63", len(seen), r.probe.last(t).Retries)
	}
}

// With a library for retries this is one line: the stage is outside, and the attempts
// are inside.
func ExampleAttempts() {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(totals{}))
	load, _ := p.Stage("load")
	store := failingTimes(2)
	err := load.Run(context.Background(), func(ctx context.Context) error {
		return retry(stages.Attempts(ctx, store)) // retry.Do(stages.Attempts(ctx, store))
	})
	fmt.Println(err)
	// Output:
	// 0 rows in, 0 out, 0 rejected, 0 bytes in, 0 out, 2 retry
	// <nil>
}

func ExampleCallAttempts() {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(totals{}))
	extract, _ := p.Stage("extract")
	fetch := func(context.Context) ([]string, error) { return []string{"a", "b"}, nil }
	rows, err := stages.Call(context.Background(), extract, func(ctx context.Context) ([]string, error) {
		return stages.CallAttempts(ctx, fetch)() // backoff.Retry(ctx, stages.CallAttempts(ctx, fetch))
	})
	fmt.Println(rows, err)
	// Output:
	// 0 rows in, 0 out, 0 rejected, 0 bytes in, 0 out, 0 retry
	// [a b] <nil>
}

func ExampleAttempt() {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(totals{}))
	load, _ := p.Stage("load")
	store := failingTimes(1)
	_ = load.Run(context.Background(), func(ctx context.Context) (err error) {
		for n := 1; n <= 3; n++ {
			if err = stages.Attempt(ctx, n, store); err == nil {
				return nil
			}
		}
		return err
	})
	// Output: 0 rows in, 0 out, 0 rejected, 0 bytes in, 0 out, 1 retry
}

func ExampleWithAttemptSpans() {
	onStage(func(ctx context.Context) error {
		return retry(stages.Attempts(ctx, func(context.Context) error { return errors.New("not now") }))
	}, stages.WithAttemptSpans())
	// Output:
	// span load attempt: Error "*errors.errorString"
	// span load attempt: Error "*errors.errorString"
	// span load attempt: Error "*errors.errorString"
	// span load attempt: Error "*errors.errorString"
	// span load attempt: Error "*errors.errorString"
	// span load: Error "*errors.errorString"
	// error: not now
}
