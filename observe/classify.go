// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"os"
	"reflect"
	"time"
)

// Classify returns the outcome of work that was given ctx and returned err.
//
// A nil error is a success. If ctx is done, an error that its end explains is
// [OutcomeTimeout] or [OutcomeCanceled]: ctx.Err(), the cause of ctx, an expired
// connection deadline, the gRPC status of either, or a command that a signal ended,
// as it ends those of [os/exec.CommandContext], wrapped or not. If errors
// were joined, all of them must be explained. Every other error is a failure; so
// is a timeout or cancellation of an inner context while ctx is live.
//
// A nil ctx is never done. If a method of err panics, Classify returns
// [OutcomeFailure].
func Classify(ctx context.Context, err error) (outcome Outcome) {
	if err == nil {
		return OutcomeSuccess
	}
	outcome = OutcomeFailure
	defer func() { _ = recover() }()
	end := endOf(ctx)
	if end == nil {
		return OutcomeFailure
	}
	cause := context.Cause(ctx)
	isCause := func(e error) bool { return same(e, cause) }
	if end == context.DeadlineExceeded { //nolint:errorlint // endOf returns it unwrapped.
		if explains(err, isTimeout) || explains(err, isCause) {
			return OutcomeTimeout
		}
		if explains(err, isCanceled) {
			return OutcomeCanceled
		}
		return OutcomeFailure
	}
	if explains(err, isCanceled) || explains(err, isCause) {
		return OutcomeCanceled
	}
	return OutcomeFailure
}

// IsBareCause reports whether err is the cause that ctx was canceled with,
// wrapped at most in text, and not context.Canceled itself. Such an error may
// come from the work that canceled ctx because it failed, as well as from work
// that returned context.Cause(ctx): [Classify] assumes the latter.
func IsBareCause(ctx context.Context, err error) (bare bool) {
	defer func() {
		if recover() != nil {
			bare = false
		}
	}()
	if ctx == nil || err == nil || ctx.Err() == nil {
		return false
	}
	cause := context.Cause(ctx)
	if cause == nil || same(cause, ctx.Err()) {
		return false
	}
	for e := range Tree(err) {
		if same(e, cause) {
			return true
		}
		if !isWrapper(reflect.TypeOf(e)) {
			return false
		}
	}
	return false
}

// endOf returns ctx.Err(), or context.DeadlineExceeded if the deadline of ctx
// has passed and its timer has not fired yet: a connection with the same
// deadline may be faster.
func endOf(ctx context.Context) error {
	if ctx == nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		if Matches(err, context.DeadlineExceeded) {
			return context.DeadlineExceeded
		}
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// explains reports whether match explains err as a whole: err itself, what it
// wraps, one of the errors it is described with, or all of those it joins.
func explains(err error, match func(error) bool) bool {
	left := maxTree
	return explainsWithin(err, &left, match)
}

func explainsWithin(err error, left *int, match func(error) bool) bool {
	if err == nil || *left == 0 {
		return false
	}
	*left--
	if match(err) {
		return true
	}
	all := reflect.TypeOf(err) != describedType
	found := false
	for _, e := range unwrap(err) {
		if e == nil {
			continue
		}
		if found = explainsWithin(e, left, match); found != all {
			return found
		}
	}
	return found
}

// isCanceled reports whether err alone, without what it wraps, is a
// cancellation.
func isCanceled(err error) bool {
	if Matches(err, context.Canceled) || isKilled(err) {
		return true
	}
	code, ok := grpcCode(err)
	return ok && code == grpcCanceled
}

// isTimeout reports whether err alone, without what it wraps, is a timeout.
func isTimeout(err error) bool {
	if Matches(err, context.DeadlineExceeded) || Matches(err, os.ErrDeadlineExceeded) {
		return true
	}
	if timeout, ok := err.(interface{ Timeout() bool }); ok && timeout.Timeout() || isKilled(err) {
		return true
	}
	code, ok := grpcCode(err)
	return ok && code == grpcDeadlineExceeded
}

// isKilled reports whether err alone is an [os/exec.ExitError] of a command that a signal
// ended.
func isKilled(err error) bool {
	state, ok := err.(interface {
		Exited() bool
		ExitCode() int
	})
	return ok && !state.Exited() && state.ExitCode() == -1
}

// Matches reports whether err itself matches target, as [errors.Is] does
// without looking at what err wraps. If a method of err panics, so does Matches.
func Matches(err, target error) bool {
	if same(err, target) {
		return true
	}
	is, ok := err.(interface{ Is(error) bool })
	return ok && is.Is(target)
}

// same reports whether a and b are one error.
func same(a, b error) bool {
	return b != nil && reflect.TypeOf(b).Comparable() && a == b //nolint:errorlint // this is the comparison of errors.Is.
}
