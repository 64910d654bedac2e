// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

// inURL returns err as net/http returns the cause of a context.
func inURL(err error) error { return &url.Error{Op: "Get", URL: "http://x", Err: err} }

func TestStage_OutcomeOfAnError(t *testing.T) {
	t.Parallel()
	live := t.Context()
	canceled, cancel := context.WithCancel(live)
	cancel()
	badRow, cancelBadRow := context.WithCancelCause(live)
	cancelBadRow(errBoom)
	expired, cancelExpired := context.WithDeadline(live, time.Unix(0, 0))
	t.Cleanup(cancelExpired)
	late, cancelLate := context.WithDeadlineCause(live, time.Unix(0, 0), errBoom)
	t.Cleanup(cancelLate)

	for _, tt := range []struct {
		name      string
		ctx       context.Context //nolint:containedctx // A case is one call.
		err       error
		want      observe.Outcome
		errorType string
	}{
		{name: "no error", ctx: live},
		{name: "no error, context canceled", ctx: canceled},
		{name: "no error, context expired", ctx: expired},
		{name: "error", ctx: live, err: errBoom, want: observe.OutcomeFailure, errorType: "*errors.errorString"},
		{name: "error, context canceled", ctx: canceled, err: errBoom, want: observe.OutcomeFailure, errorType: "*errors.errorString"},
		{name: "canceled", ctx: canceled, err: context.Canceled, want: observe.OutcomeCanceled, errorType: "canceled"},
		{name: "canceled, wrapped", ctx: canceled, err: fmt.Errorf("read: %w", context.Canceled), want: observe.OutcomeCanceled, errorType: "canceled"},
		{name: "cause", ctx: badRow, err: errBoom, want: observe.OutcomeCanceled, errorType: "canceled"},
		{name: "cause as net/http returns it", ctx: badRow, err: inURL(errBoom), want: observe.OutcomeCanceled, errorType: "canceled"},
		{name: "joined with a failure", ctx: canceled, err: errors.Join(errBoom, context.Canceled), want: observe.OutcomeFailure, errorType: "*errors.errorString"},
		{name: "inner context canceled", ctx: live, err: context.Canceled, want: observe.OutcomeFailure, errorType: "canceled"},
		{name: "timeout", ctx: expired, err: context.DeadlineExceeded, want: observe.OutcomeTimeout, errorType: "timeout"},
		{name: "timeout, wrapped", ctx: expired, err: fmt.Errorf("read: %w", context.DeadlineExceeded), want: observe.OutcomeTimeout, errorType: "timeout"},
		{name: "timeout of a connection", ctx: expired, err: os.ErrDeadlineExceeded, want: observe.OutcomeTimeout, errorType: "timeout"},
		{name: "cause of a timeout", ctx: late, err: errBoom, want: observe.OutcomeTimeout, errorType: "timeout"},
		{name: "inner timeout", ctx: live, err: context.DeadlineExceeded, want: observe.OutcomeFailure, errorType: "timeout"},
		{name: "inner timeout, then canceled", ctx: canceled, err: context.DeadlineExceeded, want: observe.OutcomeFailure, errorType: "timeout"},
		{name: "canceled because it is expired", ctx: expired, err: context.Canceled, want: observe.OutcomeCanceled, errorType: "canceled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if err := r.Run(tt.ctx, func(context.Context) error { return tt.err }); err != tt.err {
				t.Fatalf("Run = %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(observe.RunEnd{Outcome: tt.want, ErrorType: tt.errorType}, r.probe.last(t)); diff != "" {
				t.Errorf("end (-want +got)\n%s", diff)
			}
			span := r.span(t)
			if got := attributeOf(span, "error.type"); got != tt.errorType {
				t.Errorf("error.type = %q, want %q", got, tt.errorType)
			}
			if got := attributeOf(span, "etl.outcome"); got != tt.want.String() {
				t.Errorf("etl.outcome = %q, want %q", got, tt.want)
			}
			// The description is the type: the text of an error quotes data.
			want := sdktrace.Status{Code: codes.Unset}
			if tt.want.IsError() {
				want = sdktrace.Status{Code: codes.Error, Description: tt.errorType}
			}
			if span.Status != want {
				t.Errorf("status = %+v, want %+v", span.Status, want)
			}
			if len(span.Events) != 0 {
				t.Errorf("events = %v, want none", span.Events)
			}
		})
	}
}

// Nine runs of a group make requests until the tenth returns badRow, with which
// errgroup cancels them: one failure, and nine cancellations.
func TestStage_OneFailureInAGroupIsOneFailure(t *testing.T) {
	t.Parallel()
	var arrived sync.WaitGroup
	arrived.Add(9)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived.Done()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	badRow := errors.New("bad row")
	r := newRig(t, stages.WithErrorType(badRow, "bad_row"))
	group, ctx := newGroup(t.Context())
	fetch := func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, http.NoBody)
		if err != nil {
			return err
		}
		response, err := server.Client().Do(request)
		if err != nil {
			return fmt.Errorf("fetch: %w", err)
		}
		return response.Body.Close()
	}
	for range 9 {
		group.run(func() error { return r.Run(ctx, fetch) })
	}
	group.run(func() error {
		return r.Run(ctx, func(context.Context) error { arrived.Wait(); return badRow })
	})
	if err := group.wait(); err != badRow {
		t.Errorf("wait = %v, want %v", err, badRow)
	}
	got := map[string]int{}
	for _, end := range r.probe.results {
		got[end.Outcome.String()+" "+end.ErrorType]++
	}
	if diff := cmp.Diff(map[string]int{"failure bad_row": 1, "cancelled canceled": 9}, got); diff != "" {
		t.Errorf("ends (-want +got)\n%s", diff)
	}
}

// group does what errgroup does: the first error is the cause of its context.
type group struct {
	all    sync.WaitGroup
	once   sync.Once
	err    error
	cancel context.CancelCauseFunc
}

func newGroup(ctx context.Context) (*group, context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	return &group{cancel: cancel}, ctx
}

func (g *group) run(fn func() error) {
	g.all.Go(func() {
		if err := fn(); err != nil {
			g.once.Do(func() { g.err = err; g.cancel(err) })
		}
	})
}

func (g *group) wait() error {
	g.all.Wait()
	return g.err
}

// A function that cancels its own context with its error has failed; one that
// returns the cause of a context that others canceled was canceled.
func TestStage_CauseOfItsOwnContext(t *testing.T) {
	t.Parallel()
	type run struct {
		ctx    context.Context //nolint:containedctx // A case is one call.
		cancel context.CancelCauseFunc
	}
	for _, tt := range []struct {
		name string
		fn   func(run) error
		done bool // The context is canceled before the run.
		want observe.Outcome
	}{
		{name: "cancels and returns the error", want: observe.OutcomeFailure, fn: func(r run) error {
			r.cancel(errBoom)
			return errBoom
		}},
		{name: "cancels and returns the error with text", want: observe.OutcomeFailure, fn: func(r run) error {
			r.cancel(errBoom)
			return fmt.Errorf("row 7: %w", errBoom)
		}},
		{name: "checks the context first, and fails then", want: observe.OutcomeFailure, fn: func(r run) error {
			if r.ctx.Err() != nil || context.Cause(r.ctx) != nil {
				return context.Cause(r.ctx)
			}
			r.cancel(errBoom)
			return errBoom
		}},
		{name: "had contexts of its own before it failed", want: observe.OutcomeFailure, fn: func(r run) error {
			inner, cancel := context.WithTimeout(r.ctx, time.Hour)
			defer cancel()
			r.cancel(errBoom)
			<-inner.Done()
			return errBoom
		}},
		{name: "cleans up without the cancellation", want: observe.OutcomeFailure, fn: func(r run) error {
			r.cancel(errBoom)
			cleanup, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), time.Hour)
			defer cancel()
			_ = cleanup.Err()
			return errBoom
		}},
		{name: "waits and returns the cause", want: observe.OutcomeCanceled, fn: func(r run) error {
			go r.cancel(errBoom)
			<-r.ctx.Done()
			return context.Cause(r.ctx)
		}},
		{name: "returns the cause of a context with a value", want: observe.OutcomeCanceled, fn: func(r run) error {
			type key struct{}
			inner := context.WithValue(r.ctx, key{}, 1)
			go r.cancel(errBoom)
			<-inner.Done()
			return context.Cause(inner)
		}},
		{name: "returns the cause in an error of a client", want: observe.OutcomeCanceled, fn: func(r run) error {
			inner, cancel := context.WithCancel(r.ctx)
			defer cancel()
			go r.cancel(errBoom)
			<-inner.Done()
			return inURL(context.Cause(inner))
		}},
		{name: "returns the error that it has seen", want: observe.OutcomeCanceled, fn: func(r run) error {
			r.cancel(errBoom)
			if r.ctx.Err() != nil {
				return errBoom
			}
			return nil
		}},
		{name: "began when the context was done", done: true, want: observe.OutcomeCanceled, fn: func(run) error {
			return errBoom
		}},
		// The limit of what can be seen: a bare cause, read from a context of its own.
		{name: "returns the bare cause of a context of its own", want: observe.OutcomeFailure, fn: func(r run) error {
			inner, cancel := context.WithCancel(r.ctx)
			defer cancel()
			go r.cancel(errBoom)
			<-inner.Done()
			return context.Cause(inner)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way func(context.Context, *stages.Stage, func(context.Context) error) error) {
				for _, opts := range [][]stages.Option{nil, {stages.WithoutSpans()}} {
					r := newRig(t, opts...)
					outer, cancel := context.WithCancelCause(t.Context())
					if tt.done {
						cancel(errBoom)
					}
					err := way(outer, r.Stage, func(ctx context.Context) error {
						return tt.fn(run{ctx: ctx, cancel: cancel})
					})
					if !errors.Is(err, errBoom) {
						t.Errorf("error = %v, want %v", err, errBoom)
					}
					if got := r.probe.last(t).Outcome; got != tt.want {
						t.Errorf("outcome = %v, want %v", got, tt.want)
					}
					cancel(nil)
				}
			})
		})
	}
}

func TestStage_IsMeasuredWhenItsContextIsDone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	_ = r.Run(ctx, func(ctx context.Context) error {
		cancel()
		stages.FromContext(ctx).Read(1)
		return ctx.Err()
	})
	if got := r.probe.last(t); got.Outcome != observe.OutcomeCanceled || got.Read != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestWithClassifier(t *testing.T) {
	t.Parallel()
	errEnd := errors.New("end of data")
	r := newRig(t, stages.WithClassifier(func(ctx context.Context, err error) observe.Outcome {
		if errors.Is(err, errEnd) {
			return observe.OutcomeSuccess
		}
		return observe.Classify(ctx, err)
	}))
	if err := r.Run(t.Context(), func(context.Context) error { return errEnd }); err != errEnd {
		t.Errorf("Run = %v, want %v", err, errEnd)
	}
	if diff := cmp.Diff(observe.RunEnd{}, r.probe.last(t)); diff != "" {
		t.Errorf("end (-want +got)\n%s", diff)
	}
	_ = r.Run(t.Context(), func(context.Context) error { return errBoom })
	if got := r.probe.last(t).Outcome; got != observe.OutcomeFailure {
		t.Errorf("outcome = %v, want failure", got)
	}
	for outcome, errorType := range map[observe.Outcome]string{observe.OutcomeTimeout: "timeout", observe.OutcomePanic: "panic"} {
		r := newRig(t, stages.WithClassifier(func(context.Context, error) observe.Outcome { return outcome }))
		_ = r.Run(t.Context(), func(context.Context) error { return errBoom })
		if diff := cmp.Diff(observe.RunEnd{Outcome: outcome, ErrorType: errorType}, r.probe.last(t)); diff != "" {
			t.Errorf("end (-want +got)\n%s", diff)
		}
	}
}
