// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"strconv"
)

// Outcome is how a stage ended.
type Outcome uint8

// The outcomes; there are no others. String returns the value that the
// outcome label of the metrics and the etl.outcome attribute of the span hold.
const (
	// OutcomeSuccess is a function that returned no error, whatever its
	// context did meanwhile.
	OutcomeSuccess Outcome = iota
	// OutcomeFailure is any error that is not one of the next two.
	OutcomeFailure
	// OutcomeTimeout is [context.DeadlineExceeded] after the deadline of the
	// context the stage was given.
	OutcomeTimeout
	// OutcomeCancelled is [context.Canceled] while the context the stage was
	// given is done, and [runtime.Goexit]. It is not an error.
	OutcomeCancelled
	// OutcomePanic is a panic, which goes on to the caller.
	OutcomePanic
)

// String returns "success", "failure", "timeout", "cancelled" or "panic".
func (o Outcome) String() string {
	switch o {
	case OutcomeSuccess:
		return "success"
	case OutcomeFailure:
		return "failure"
	case OutcomeTimeout:
		return "timeout"
	case OutcomeCancelled:
		return "cancelled"
	case OutcomePanic:
		return "panic"
	default:
		return "outcome(" + strconv.Itoa(int(o)) + ")"
	}
}

// isError reports whether an outcome is counted as an error: it sets the
// status of the span and has an error type.
func (o Outcome) isError() bool {
	return o == OutcomeFailure || o == OutcomeTimeout || o == OutcomePanic
}

// Classify is the rule that says how a stage that was given ctx and returned
// err ended. It is the default of [WithClassifier], and what a classifier of
// your own falls back to.
//
// An error that only an inner context explains, one with a shorter timeout of
// its own say, is a failure. A nil ctx is one that is never done. It does not
// panic, even if a method of err does: such an error is a failure.
func Classify(ctx context.Context, err error) (outcome Outcome) {
	outcome = OutcomeFailure
	defer func() { _ = recover() }()
	return classify(ctx, err)
}

func classify(ctx context.Context, err error) Outcome {
	if err == nil {
		return OutcomeSuccess
	}
	if ctx == nil || ctx.Err() == nil {
		return OutcomeFailure
	}
	switch {
	case ctx.Err() == context.DeadlineExceeded && matches(err, context.DeadlineExceeded):
		return OutcomeTimeout
	case matches(err, context.Canceled):
		return OutcomeCancelled
	default:
		return OutcomeFailure
	}
}
