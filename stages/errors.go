// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/waybill-go/waybill/observe"
)

var (
	// ErrInvalidName is returned when the name of a pipeline, a stage or a
	// source is empty, longer than 128 bytes, or not valid UTF-8.
	ErrInvalidName = errors.New("stages: invalid name")

	// ErrNilFunc is returned when the function to run is nil.
	ErrNilFunc = errors.New("stages: nil function")

	// ErrQueueClosed is returned by a [Queue] that is closed: by Put, and by Take
	// when all items are taken.
	ErrQueueClosed = errors.New("stages: queue closed")

	// ErrInvalidCapacity is returned when the capacity of a [Queue] is less than 1
	// or more than 2^24.
	ErrInvalidCapacity = errors.New("stages: invalid capacity")

	errNilPipeline = errors.New("stages: nil pipeline")
)

// PanicError is the error that [WithPanicAsError] turns a panic into.
type PanicError struct {
	// Value is the value of the panic.
	Value any
	// Stack is the stack of the goroutine at the panic, as
	// [runtime/debug.Stack] formats it.
	Stack []byte
}

// Error returns the value of the panic as text, without the stack.
func (e *PanicError) Error() string {
	return fmt.Sprint("panic: ", e.Value)
}

// Unwrap returns the value of the panic if it is an error, and nil otherwise.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ErrorType returns "panic", so that a stage around the one that panicked
// reports the same error type.
func (e *PanicError) ErrorType() string {
	return observe.ErrorTypePanic
}

// errPanicNil returns the error of a function that panicked with nil, which is
// possible with GODEBUG=panicnil=1.
func errPanicNil() error { return new(runtime.PanicNilError) }
