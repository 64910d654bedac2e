// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

func TestReject(t *testing.T) {
	t.Parallel()
	noPrice, noDate := errors.New("no price"), errors.New("no date")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name      string
		ctx       context.Context //nolint:containedctx // A case is one call.
		err       error
		rejected  map[string]int
		want      observe.Outcome
		errorType string
	}{
		{name: "one row", err: stages.Reject(noPrice, "no_price"), rejected: map[string]int{"rejected no_price": 1}},
		{name: "wrapped", err: fmt.Errorf("row 7: %w", stages.Reject(noPrice, "no_price")), rejected: map[string]int{"rejected no_price": 1}},
		{name: "twice", err: stages.Reject(stages.Reject(noPrice, "inner"), "outer"), rejected: map[string]int{"rejected outer": 1}},
		{name: "no reason", err: stages.Reject(noPrice, ""), rejected: map[string]int{"rejected": 1}},
		{
			name:     "a batch",
			err:      errors.Join(stages.Reject(noPrice, "no_price"), nil, stages.Reject(noDate, "no_date"), stages.Reject(noDate, "no_date")),
			rejected: map[string]int{"rejected no_price": 1, "rejected no_date": 2},
		},
		{
			name:     "joined with a failure",
			err:      errors.Join(stages.Reject(noPrice, "no_price"), errBoom),
			rejected: map[string]int{"rejected no_price": 1}, want: observe.OutcomeFailure, errorType: "boom",
		},
		{name: "of a context that is done", ctx: canceled, err: stages.Reject(noPrice, "no_price"), rejected: map[string]int{"rejected no_price": 1}},
		{name: "of nothing", err: stages.Reject(nil, "no_price"), rejected: map[string]int{}},
		{name: "not a rejection", err: errBoom, rejected: map[string]int{}, want: observe.OutcomeFailure, errorType: "boom"},
		{name: "wraps itself", err: &selfError{}, rejected: map[string]int{}, want: observe.OutcomeFailure, errorType: "*stages_test.selfError"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, run func(context.Context, *stages.Stage, func(context.Context) error) error) {
				ctx := tt.ctx
				if ctx == nil {
					ctx = t.Context()
				}
				r := newRig(t, stages.WithErrorType(errBoom, "boom"))
				if err := run(ctx, r.Stage, func(context.Context) error { return tt.err }); err != tt.err {
					t.Errorf("error = %v, want %v", err, tt.err)
				}
				if diff := cmp.Diff(tt.rejected, r.probe.counts); diff != "" {
					t.Errorf("counts (-want +got)\n%s", diff)
				}
				rows := 0
				for _, n := range tt.rejected {
					rows += n
				}
				want := observe.RunEnd{Outcome: tt.want, ErrorType: tt.errorType, Rejected: int64(rows)}
				if diff := cmp.Diff(want, r.probe.last(t)); diff != "" {
					t.Errorf("end (-want +got)\n%s", diff)
				}
				span := r.span(t)
				if got := span.Status.Code == codes.Error; got != tt.want.IsError() {
					t.Errorf("status = %v, want an error: %t", span.Status, tt.want.IsError())
				}
			})
		})
	}
}

func TestReject_IsTheErrorItRejects(t *testing.T) {
	t.Parallel()
	err := stages.Reject(&plainError{}, "plain")
	if err.Error() != "plain" {
		t.Errorf("Error() = %q, want plain", err)
	}
	if _, ok := errors.AsType[*plainError](err); !ok || !errors.Is(err, err) {
		t.Errorf("errors.As does not find what %v rejects", err)
	}
	if got := observe.ErrorType(err); got != "rejected" {
		t.Errorf("ErrorType = %q, want rejected", got)
	}
	if err := stages.Reject(nil, "reason"); err != nil {
		t.Errorf("Reject(nil) = %v, want nil", err)
	}
}

func TestRejectReason(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		err    error
		reason string
		ok     bool
	}{
		{name: "rejection", err: stages.Reject(errBoom, "a"), reason: "a", ok: true},
		{name: "wrapped", err: fmt.Errorf("x: %w", stages.Reject(errBoom, "a")), reason: "a", ok: true},
		{name: "joined", err: errors.Join(errBoom, stages.Reject(errBoom, "a"), stages.Reject(errBoom, "b")), reason: "a", ok: true},
		{name: "no reason", err: stages.Reject(errBoom, ""), ok: true},
		{name: "failure", err: errBoom},
		{name: "nil"},
		{name: "methods panic", err: &panickyUnwrapError{}},
	} {
		if reason, ok := stages.RejectReason(tt.err); reason != tt.reason || ok != tt.ok {
			t.Errorf("%s: RejectReason = %q, %t, want %q, %t", tt.name, reason, ok, tt.reason, tt.ok)
		}
	}
}

// panickyUnwrapError panics when it is unwrapped.
type panickyUnwrapError struct{}

func (*panickyUnwrapError) Error() string { return "wrapper" }
func (*panickyUnwrapError) Unwrap() error { panic("Unwrap") }

func TestReject_HostileError(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	err := error(&panickyUnwrapError{})
	if got := r.Run(t.Context(), func(context.Context) error { return err }); got != err {
		t.Errorf("Run = %v, want %v", got, err)
	}
	if got := r.probe.last(t).Outcome; got != observe.OutcomeFailure {
		t.Errorf("outcome = %v, want failure", got)
	}
	if r.probe.dropped("error_type") == 0 {
		t.Errorf("dropped = %v, want error_type counted", r.probe.drops)
	}
}

// A batch may reject each of its rows, and an error may be a maze.
func TestReject_ManyErrors(t *testing.T) {
	t.Parallel()
	rows := func(n int, row func(i int) error) error {
		errs := make([]error, n)
		for i := range errs {
			errs[i] = row(i)
		}
		return errors.Join(errs...)
	}
	rejection := stages.Reject(errBoom, "boom")
	maze := rejection
	for range 40 {
		maze = errors.Join(maze, maze)
	}
	cycle := &wrapper{}
	cycle.err = cycle
	for _, tt := range []struct {
		name     string
		err      error
		outcome  observe.Outcome
		rejected int64 // -1 for any.
	}{
		{name: "a rejection a row", err: rows(1000, func(int) error { return rejection }), rejected: 1000},
		{name: "with the number of the row", err: rows(1000, func(i int) error { return fmt.Errorf("row %d: %w", i, rejection) }), rejected: 1000},
		{name: "a failure after them", err: errors.Join(rows(1000, func(int) error { return rejection }), errSimilar), outcome: observe.OutcomeFailure, rejected: 1000},
		{name: "2^40 rejections", err: maze, outcome: observe.OutcomeFailure, rejected: -1},
		{name: "an error that wraps itself", err: cycle, outcome: observe.OutcomeFailure},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if got := r.Run(t.Context(), func(context.Context) error { return tt.err }); got != tt.err {
				t.Errorf("Run = %v, want the error unchanged", got)
			}
			end := r.probe.last(t)
			if end.Outcome != tt.outcome || tt.rejected >= 0 && end.Rejected != tt.rejected {
				t.Errorf("outcome %v, %d rejected, want %v, %d", end.Outcome, end.Rejected, tt.outcome, tt.rejected)
			}
		})
	}
}

type wrapper struct{ err error }

func (*wrapper) Error() string   { return "wrapper" }
func (w *wrapper) Unwrap() error { return w.err }

// One rejection may be a package-level variable.
func TestReject_ConcurrentUse(t *testing.T) {
	t.Parallel()
	r := newRig(t, stages.WithoutSpans())
	rejection := stages.Reject(errBoom, "boom")
	var all sync.WaitGroup
	for range 128 {
		all.Go(func() {
			_ = r.Run(t.Context(), func(context.Context) error { return rejection })
		})
	}
	all.Wait()
	if got := r.probe.counts["rejected boom"]; got != 128 {
		t.Errorf("%d rows rejected, want 128", got)
	}
}
