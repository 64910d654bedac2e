// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe_test

import "errors"

// timeoutError is an error of the network that timed out.
type timeoutError struct{}

func (timeoutError) Error() string { return "i/o timeout" }
func (timeoutError) Timeout() bool { return true }

// typedError names its own type.
type typedError string

func (e typedError) Error() string     { return "typed" }
func (e typedError) ErrorType() string { return string(e) }

// statusError is an error of gRPC with a status code, as gRPC shapes it.
type statusError uint32

type (
	status     struct{ code statusCode }
	statusCode uint32
)

func (e statusError) Error() string       { return "rpc error" }
func (e statusError) GRPCStatus() *status { return &status{statusCode(e)} }
func (s *status) Code() statusCode        { return s.code }

// exitError is the end of a command, as os/exec shapes it: its code, or -1 if a signal
// ended it.
type exitError int

func (e exitError) Error() string { return "exit" }
func (e exitError) Exited() bool  { return e >= 0 }
func (e exitError) ExitCode() int { return int(e) }

// hostileError is an error whose methods panic.
type hostileError struct{}

func (hostileError) Error() string     { panic("Error") }
func (hostileError) Is(error) bool     { panic("Is") }
func (hostileError) Timeout() bool     { panic("Timeout") }
func (hostileError) ErrorType() string { panic("ErrorType") }

// loopError wraps itself.
type loopError struct{}

func newLoop() error               { return &loopError{} }
func (e *loopError) Error() string { return "loop" }
func (e *loopError) Unwrap() error { return e }

// newTree returns an error whose tree has two to the power of depth leaves.
func newTree(depth int) error {
	err := errors.New("leaf")
	for range depth {
		err = errors.Join(err, err)
	}
	return err
}
