// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import "strconv"

// Outcome is how a piece of work ended. The zero Outcome is [OutcomeSuccess].
type Outcome uint8

// The outcomes; there are no others.
const (
	// OutcomeSuccess is work that returned no error, whatever its context did
	// meanwhile.
	OutcomeSuccess Outcome = iota
	// OutcomeFailure is any error that is not one of the next two.
	OutcomeFailure
	// OutcomeTimeout is an error that the expired deadline of the context
	// explains.
	OutcomeTimeout
	// OutcomeCanceled is an error that the cancellation of the context explains,
	// and [runtime.Goexit]. It is not an error.
	OutcomeCanceled
	// OutcomePanic is a panic, which continues to the caller.
	OutcomePanic
)

// Outcomes is the number of outcomes.
const Outcomes = int(OutcomePanic) + 1

// String returns the value of metric labels and span attributes: "success",
// "failure", "timeout", "cancelled" or "panic".
func (o Outcome) String() string {
	switch o {
	case OutcomeSuccess:
		return "success"
	case OutcomeFailure:
		return "failure"
	case OutcomeTimeout:
		return "timeout"
	case OutcomeCanceled:
		return "cancelled"
	case OutcomePanic:
		return "panic"
	default:
		return "outcome(" + strconv.Itoa(int(o)) + ")"
	}
}

// IsError reports whether o is counted as an error and sets the status of a
// span. Success and cancellation are not errors.
func (o Outcome) IsError() bool { return o != OutcomeSuccess && o != OutcomeCanceled }

// ErrorType returns the error.type of work that ended with o and err: the empty
// string for a success, "timeout", "canceled" or "panic" for those outcomes,
// and [ErrorType] of err for a failure.
func (o Outcome) ErrorType(err error) string {
	switch o {
	case OutcomeSuccess:
		return ""
	case OutcomeTimeout:
		return ErrorTypeTimeout
	case OutcomeCanceled:
		return ErrorTypeCanceled
	case OutcomePanic:
		return ErrorTypePanic
	default:
		return ErrorType(err)
	}
}
