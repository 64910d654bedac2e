// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/waybill-go/waybill/observe"
)

var errBadRow = errors.New("bad row")

// canceled returns a context that was canceled with cause.
func canceled(cause error) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	return ctx
}

// expired returns a context whose deadline has passed, with cause.
func expired(cause error) context.Context {
	ctx, cancel := context.WithDeadlineCause(context.Background(), time.Now().Add(-time.Second), cause)
	cancel()
	return ctx
}

// unfired is a context whose deadline has passed and whose timer has not fired.
type unfired struct{ context.Context } //nolint:containedctx // it is a context.

func (unfired) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

func TestClassify(t *testing.T) {
	t.Parallel()
	live := t.Context()
	var typedNil *net.OpError
	for _, test := range []struct {
		name string
		ctx  context.Context //nolint:containedctx // a case is one call.
		err  error
		want observe.Outcome
	}{
		{name: "no error", ctx: live, want: observe.OutcomeSuccess},
		{name: "no error in a canceled context", ctx: canceled(nil), want: observe.OutcomeSuccess},
		{name: "error", ctx: live, err: errBadRow, want: observe.OutcomeFailure},
		{name: "error in a nil context", err: context.Canceled, want: observe.OutcomeFailure},
		{name: "error of an inner context", ctx: live, err: context.Canceled, want: observe.OutcomeFailure},
		{name: "deadline of an inner context", ctx: live, err: context.DeadlineExceeded, want: observe.OutcomeFailure},
		{name: "gRPC cancellation of an inner context", ctx: live, err: statusError(1), want: observe.OutcomeFailure},
		{name: "error while the context is canceled", ctx: canceled(nil), err: errBadRow, want: observe.OutcomeFailure},
		{name: "typed nil", ctx: canceled(nil), err: typedNil, want: observe.OutcomeFailure},

		{name: "canceled", ctx: canceled(nil), err: context.Canceled, want: observe.OutcomeCanceled},
		{name: "canceled, wrapped", ctx: canceled(nil), err: fmt.Errorf("read: %w", context.Canceled), want: observe.OutcomeCanceled},
		{name: "canceled with a cause, and the error is Canceled", ctx: canceled(errBadRow), err: context.Canceled, want: observe.OutcomeCanceled},
		{name: "canceled with a cause, and the error is the cause", ctx: canceled(errBadRow), err: errBadRow, want: observe.OutcomeCanceled},
		{name: "cause as net/http returns it", ctx: canceled(errBadRow), err: &url.Error{Op: "Get", URL: "http://x", Err: errBadRow}, want: observe.OutcomeCanceled},
		{name: "gRPC status Canceled", ctx: canceled(nil), err: statusError(1), want: observe.OutcomeCanceled},
		{name: "gRPC status Canceled, wrapped", ctx: canceled(nil), err: fmt.Errorf("call: %w", statusError(1)), want: observe.OutcomeCanceled},
		{name: "command that a signal ended", ctx: canceled(nil), err: fmt.Errorf("dump: %w", exitError(-1)), want: observe.OutcomeCanceled},
		{name: "command that exited", ctx: canceled(nil), err: exitError(1), want: observe.OutcomeFailure},
		{name: "command that a signal ended in a live context", ctx: live, err: exitError(-1), want: observe.OutcomeFailure},
		{name: "described by a sentinel", ctx: canceled(nil), err: fmt.Errorf("%w: %w", errBadRow, context.Canceled), want: observe.OutcomeCanceled},
		{name: "joined, all canceled", ctx: canceled(nil), err: errors.Join(context.Canceled, fmt.Errorf("x: %w", context.Canceled)), want: observe.OutcomeCanceled},
		{name: "joined with a failure", ctx: canceled(nil), err: errors.Join(errBadRow, context.Canceled), want: observe.OutcomeFailure},
		{name: "joined with a failure, the other way round", ctx: canceled(nil), err: errors.Join(context.Canceled, errBadRow), want: observe.OutcomeFailure},
		{name: "joined with a failure within text", ctx: canceled(nil), err: fmt.Errorf("two: %w", errors.Join(context.Canceled, io.EOF)), want: observe.OutcomeFailure},
		{name: "another timeout while canceled", ctx: canceled(nil), err: os.ErrDeadlineExceeded, want: observe.OutcomeFailure},

		{name: "timeout", ctx: expired(nil), err: context.DeadlineExceeded, want: observe.OutcomeTimeout},
		{name: "timeout with a cause", ctx: expired(errBadRow), err: errBadRow, want: observe.OutcomeTimeout},
		{name: "timeout with a cause, wrapped", ctx: expired(errBadRow), err: &url.Error{Op: "Get", Err: errBadRow}, want: observe.OutcomeTimeout},
		{name: "connection deadline", ctx: expired(nil), err: &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, want: observe.OutcomeTimeout},
		{name: "connection deadline before the timer of the context", ctx: unfired{live}, err: os.ErrDeadlineExceeded, want: observe.OutcomeTimeout},
		{name: "Timeout method", ctx: expired(nil), err: timeoutError{}, want: observe.OutcomeTimeout},
		{name: "command that a signal ended after the deadline", ctx: expired(nil), err: exitError(-1), want: observe.OutcomeTimeout},
		{name: "gRPC status DeadlineExceeded", ctx: expired(nil), err: statusError(4), want: observe.OutcomeTimeout},
		{name: "joined with a failure after the deadline", ctx: expired(nil), err: errors.Join(errBadRow, context.DeadlineExceeded), want: observe.OutcomeFailure},
		{name: "inner cancellation after the deadline", ctx: expired(nil), err: context.Canceled, want: observe.OutcomeCanceled},
		{name: "other gRPC status after the deadline", ctx: expired(nil), err: statusError(14), want: observe.OutcomeFailure},

		{name: "unwraps to itself", ctx: canceled(nil), err: newLoop(), want: observe.OutcomeFailure},
		{name: "very large tree", ctx: canceled(nil), err: newTree(26), want: observe.OutcomeFailure},
		{name: "Is panics", ctx: canceled(nil), err: hostileError{}, want: observe.OutcomeFailure},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := observe.Classify(test.ctx, test.err); got != test.want {
				t.Errorf("Classify(%v) = %v, want %v", test.err, got, test.want)
			}
		})
	}
}

func TestClassify_HTTPReturnsTheCause(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-arrived
		cancel(errBadRow)
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err == nil {
		_ = response.Body.Close()
		t.Fatal("the request succeeded, want an error")
	}
	if got := observe.Classify(ctx, err); got != observe.OutcomeCanceled {
		t.Errorf("Classify(%v) = %v, want cancelled", err, got)
	}
}

func TestIsBareCause(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		ctx  context.Context //nolint:containedctx // a case is one call.
		err  error
		want bool
	}{
		{name: "cause", ctx: canceled(errBadRow), err: errBadRow, want: true},
		{name: "cause in text", ctx: canceled(errBadRow), err: fmt.Errorf("row 7: %w", errBadRow), want: true},
		{name: "cause within another error", ctx: canceled(errBadRow), err: &url.Error{Op: "Get", Err: errBadRow}},
		{name: "context.Canceled", ctx: canceled(errBadRow), err: context.Canceled},
		{name: "canceled without a cause", ctx: canceled(nil), err: context.Canceled},
		{name: "live context", ctx: t.Context(), err: errBadRow},
		{name: "nil context", err: errBadRow},
		{name: "no error", ctx: canceled(errBadRow)},
		{name: "unwraps to itself", ctx: canceled(errBadRow), err: newLoop()},
		{name: "Is panics", ctx: canceled(errBadRow), err: hostileError{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := observe.IsBareCause(test.ctx, test.err); got != test.want {
				t.Errorf("IsBareCause(%v) = %t, want %t", test.err, got, test.want)
			}
		})
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		outcome   observe.Outcome
		text      string
		isError   bool
		errorType string
	}{
		{outcome: observe.OutcomeSuccess, text: "success"},
		{outcome: observe.OutcomeFailure, text: "failure", isError: true, errorType: "eof"},
		{outcome: observe.OutcomeTimeout, text: "timeout", isError: true, errorType: "timeout"},
		{outcome: observe.OutcomeCanceled, text: "cancelled", errorType: "canceled"},
		{outcome: observe.OutcomePanic, text: "panic", isError: true, errorType: "panic"},
		{outcome: 9, text: "outcome(9)", isError: true, errorType: "eof"},
	} {
		if got := test.outcome.String(); got != test.text {
			t.Errorf("String of %d = %q, want %q", test.outcome, got, test.text)
		}
		if got := test.outcome.IsError(); got != test.isError {
			t.Errorf("IsError of %v = %t, want %t", test.outcome, got, test.isError)
		}
		if got := test.outcome.ErrorType(io.EOF); got != test.errorType {
			t.Errorf("ErrorType of %v = %q, want %q", test.outcome, got, test.errorType)
		}
	}
}
