// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
)

// ErrDuplicateCheck is returned when two checks of a [Validator] have the same name.
var ErrDuplicateCheck = errors.New("stages: duplicate check")

const (
	// reasonPanic is the reason for which a row is rejected that a check panicked on.
	reasonPanic = observe.ErrorTypePanic
	// namelessCheck stands for the name of a check that has none.
	namelessCheck = "unnamed"
)

// Check is a named check of a row; [NewCheck] and [NewCheckErr] return one. It is
// immutable, and safe for concurrent use if its function is.
type Check[T any] struct {
	name   string // As it was given.
	passes func(row T) bool
	verify func(row T) error // Nil if passes is not.
}

// NewCheck returns the check that a row passes if passes returns true:
//
//	stages.NewCheck("price_positive", func(o Order) bool { return o.Price > 0 })
//
// The name is a label, and the reason of the rows that the check rejects: choose it
// from a small set. It is at most 128 bytes of valid UTF-8; [NewValidator] and
// [Validate] document what other names do.
//
// A check is called with every row. If it does not apply to a row, such as one
// without the field that it checks, it returns true and the row is counted as passed.
func NewCheck[T any](name string, passes func(row T) bool) Check[T] {
	return Check[T]{name: name, passes: passes}
}

// NewCheckErr is [NewCheck] for a function that returns an error if the row does not
// pass, such as the validation of a schema.
func NewCheckErr[T any](name string, verify func(row T) error) Check[T] {
	return Check[T]{name: name, verify: verify}
}

// CheckError reports that a row did not pass a check.
type CheckError struct {
	// Check is the name of the check.
	Check string
	// Err is the error of the check, or a [*PanicError] if the check panicked. It is
	// nil for a check of [NewCheck] that returned false.
	Err error
}

// Error returns the name of the check and the text of its error.
func (e *CheckError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("check %q failed", e.Check)
	}
	return fmt.Sprintf("check %q: %v", e.Check, e.Err)
}

// Unwrap returns the error of the check.
func (e *CheckError) Unwrap() error { return e.Err }

// reason returns the reason for which the row is rejected.
func (e *CheckError) reason() string {
	if _, ok := e.Err.(*PanicError); ok { //nolint:errorlint // The one of Check.judge.
		return reasonPanic
	}
	return e.Check
}

// label returns the name of c as a label.
func (c *Check[T]) label() string {
	if c.name == "" {
		return namelessCheck
	}
	return safe.Text(c.name, maxNameBytes)
}

// judge returns nil if row passes c.
func (c *Check[T]) judge(row T) (failure *CheckError) {
	returned := false
	defer func() {
		// With GODEBUG=panicnil=1 a panic(nil) has no value, and must not pass the row.
		if value := recover(); value != nil || !returned {
			failure = &CheckError{Check: c.label(), Err: &PanicError{Value: value, Stack: debug.Stack()}}
		}
	}()
	var err error
	passed := true
	if c.passes != nil {
		passed = c.passes(row)
	} else {
		err = c.verify(row)
	}
	returned = true
	if !passed || err != nil {
		return &CheckError{Check: c.label(), Err: err}
	}
	return nil
}

// apply is judge, and counts the result on s.
func (c *Check[T]) apply(s *Stage, row T) *CheckError {
	failure := c.judge(row)
	if s.isZero() {
		return failure
	}
	result := observe.Check{Name: c.label(), Passed: 1}
	if failure != nil {
		result.Passed, result.Rejected = 0, 1
	}
	s.checked(result)
	return failure
}

// Validate reports whether row passes all checks. It calls them in order up to the
// first that the row does not pass, and counts for each whether it passed or rejected
// the row. A rejected row is counted with the name of the check as its reason, or
// with the reason "panic" if the check panicked:
//
//	ok := stages.Validate(ctx, validate, row, checks...)
//
// The results are counted on s, and the rejected row also on the run of s that ctx
// belongs to, if there is one; do not return it with [Reject] as well. Validate starts
// no span, and counts no rows read or written. It allocates nothing for a row that
// passes.
//
// Checks of the same name are counted together. A check without a name is counted as
// "unnamed", and a name that is too long or not valid UTF-8 is cut or cleaned; each is
// also counted as dropped telemetry. A check with a nil function is treated as one
// that panics. Without checks every row passes. A nil stage counts nothing.
//
// To validate the checks once, to see all failures of a row, or to keep rejected
// rows, use a [Validator].
func Validate[T any](ctx context.Context, s *Stage, row T, checks ...Check[T]) bool {
	for i := range checks {
		if !isName(checks[i].name) && !s.isZero() {
			s.dropped(observe.DropCheckName)
		}
		if failure := checks[i].apply(s, row); failure != nil {
			s.reject(ctx, failure.reason())
			return false
		}
	}
	return true
}

// reject counts a rejected row on s, and on the innermost run of s that ctx belongs
// to.
func (s *Stage) reject(ctx context.Context, reason string) {
	if s.isZero() {
		return
	}
	if run := s.runOf(ctx); run != nil {
		run.Rejected(1, reason)
		return
	}
	s.counted(observe.Count{Kind: observe.CountRejected, N: 1, Reason: reason})
}

// runOf returns the innermost run of s that ctx belongs to, or nil.
func (s *Stage) runOf(ctx context.Context) *Run {
	defer safe.Contain() // The context of the user.
	for c := callOf(safe.Context(ctx)); c != nil; c = callOf(c.Context) {
		if c.run.stage == s {
			return &c.run
		}
	}
	return nil
}
