// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"errors"
	"fmt"
)

var (
	// ErrInvalidName is returned when a pipeline, a stage or a source has a
	// name that is empty, longer than 128 bytes, or not valid UTF-8.
	ErrInvalidName = errors.New("stages: invalid name")

	// ErrNilFunc is returned by every call of a stage that was given no
	// function to run.
	ErrNilFunc = errors.New("stages: nil function")

	errNilPipeline = errors.New("stages: nil pipeline")
)

// PanicError is the error [WithPanicAsError] turns a panic into.
type PanicError struct {
	// Value is what the function panicked with.
	Value any
	// Stack is the stack of the goroutine at the panic, as [runtime/debug.Stack]
	// formats it.
	Stack []byte
}

// Error returns the panic value as text, without the stack.
func (e *PanicError) Error() string {
	return fmt.Sprint("panic: ", e.Value)
}

// Unwrap returns the panic value if it is an error, and nil if not.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ErrorType returns "panic", so that a stage around the one that panicked
// gives the same error type.
func (e *PanicError) ErrorType() string {
	return errorTypePanic
}
