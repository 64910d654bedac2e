// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/waybill-go/waybill/internal/safe"
)

// Validator validates rows with checks that are themselves validated once.
// [NewValidator] returns one. A nil or zero Validator has no checks.
//
// A Validator is safe for concurrent use if its checks and its dead-letter function
// are.
type Validator[T any] struct {
	stage      *Stage
	checks     []Check[T]
	deadLetter func(ctx context.Context, row T, failures []*CheckError) error
	all        bool
}

// ValidatorOption configures a [Validator]. If an option is given more than once, the
// last one wins. Nil options are ignored.
type ValidatorOption interface {
	apply(validatorConfig) validatorConfig
}

type validatorConfig struct {
	all        bool
	deadLetter any // A func(context.Context, T, []*CheckError) error, or nil.
}

type validatorOptionFunc func(validatorConfig) validatorConfig

func (f validatorOptionFunc) apply(c validatorConfig) validatorConfig { return f(c) }

// WithAllFailures calls all checks for each row. The default is to stop at the first
// check that the row does not pass.
func WithAllFailures() ValidatorOption {
	return validatorOptionFunc(func(c validatorConfig) validatorConfig {
		c.all = true
		return c
	})
}

// WithDeadLetter hands each rejected row to keep, with the checks that it did not
// pass, so that it can be written to a topic, a table or a file of rejected rows.
//
// If keep returns an error, [Validator.Validate] returns that error and does not count
// the row as rejected, so a row is never both rejected and lost. A panic of keep
// continues to the caller. If keep is nil, rejected rows are not handed to anything,
// which is the default.
func WithDeadLetter[T any](keep func(ctx context.Context, row T, failures []*CheckError) error) ValidatorOption {
	return validatorOptionFunc(func(c validatorConfig) validatorConfig {
		c.deadLetter = keep
		return c
	})
}

// NewValidator returns a Validator that counts on s. A nil or zero s counts nothing.
// The Validator shares no memory with checks. Without checks every row passes.
//
// It returns [ErrInvalidName] if the name of a check is empty, longer than 128 bytes
// or not valid UTF-8, [ErrDuplicateCheck] if two checks have the same name, and
// [ErrNilFunc] if a check has no function. It returns an error if the function of
// [WithDeadLetter] takes rows of another type.
func NewValidator[T any](s *Stage, checks []Check[T], opts ...ValidatorOption) (*Validator[T], error) {
	var c validatorConfig
	for _, opt := range opts {
		if opt != nil {
			c = opt.apply(c)
		}
	}
	v := &Validator[T]{stage: s, checks: slices.Clone(checks), all: c.all}
	if c.deadLetter != nil {
		keep, ok := c.deadLetter.(func(context.Context, T, []*CheckError) error)
		if !ok {
			return nil, fmt.Errorf("stages: the dead-letter function is a %T, and the rows are of type %v", c.deadLetter, reflect.TypeFor[T]())
		}
		v.deadLetter = keep
	}
	if err := v.validateChecks(); err != nil {
		return nil, err
	}
	return v, nil
}

// validateChecks returns an error if a check of v is not valid.
func (v *Validator[T]) validateChecks() error {
	names := make(map[string]bool, len(v.checks))
	for _, check := range v.checks {
		switch {
		case !isName(check.name):
			return fmt.Errorf("%w: check %q", ErrInvalidName, safe.Text(check.name, safe.MaxName))
		case check.passes == nil && check.verify == nil:
			return fmt.Errorf("%w: check %q", ErrNilFunc, check.name)
		case names[check.name]:
			return fmt.Errorf("%w: %q", ErrDuplicateCheck, check.name)
		}
		names[check.name] = true
	}
	return nil
}

// Validate returns nil if row passes all checks of v, and otherwise a rejection whose
// reason is the name of the first check that the row did not pass, or "panic" if that
// check panicked: see [RejectReason]. The error wraps a [*CheckError] for each failure.
// With a dead-letter function that fails, it returns the error of that function.
//
// The row is counted as rejected when Validate returns, and only then: a run that
// returns the error, of whatever stage, does not count it again. So Validate is the
// function of a stage of its own, or a part of another one:
//
//	validateOrder := stages.WrapErr(validate, v.Validate)
//
// If the error is a rejection, the row is done: it has been handed to the dead-letter
// function, if there is one, and a consumer may commit it. In all else Validate is
// like the function [Validate].
func (v *Validator[T]) Validate(ctx context.Context, row T) error {
	if v == nil {
		return nil
	}
	failures := v.failures(row)
	if len(failures) == 0 {
		return nil
	}
	if v.deadLetter != nil {
		if err := v.deadLetter(safe.Context(ctx), row, failures); err != nil {
			return err
		}
	}
	reason := failures[0].reason()
	v.stage.reject(ctx, reason)
	return &rejectedError{error: joinFailures(failures), reason: reason, counted: !v.stage.isZero()}
}

// failures returns the failures of row, or the first one.
func (v *Validator[T]) failures(row T) []*CheckError {
	var failures []*CheckError
	for i := range v.checks {
		if failure := v.checks[i].apply(v.stage, row); failure != nil {
			failures = append(failures, failure)
			if !v.all {
				break
			}
		}
	}
	return failures
}

// joinFailures returns an error that wraps all failures, of which there is at least one.
func joinFailures(failures []*CheckError) error {
	if len(failures) == 1 {
		return failures[0]
	}
	errs := make([]error, len(failures))
	for i, failure := range failures {
		errs[i] = failure
	}
	return errors.Join(errs...)
}
