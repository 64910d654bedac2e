// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"context"
	"errors"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

// The exit codes that are not the error's own.
const (
	codeFailure = 1
	codePanic   = 2   // As the runtime of Go exits.
	codeSignal  = 128 // And the number of the signal, as a shell says it.
	maxCode     = 255
)

// ExitCode returns the code with which a job exits that ended with err: 0 for nil, 2 for
// a [stages.PanicError], what the method ExitCode of an error in the tree of err returns,
// as of [SignalError] or of [os/exec.ExitError], if it is from 1 to 255, and else 1.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	if _, ok := errors.AsType[*stages.PanicError](err); ok {
		return codePanic
	}
	if coded, ok := errors.AsType[exitCoder](err); ok {
		if code := coded.ExitCode(); code > 0 && code <= maxCode {
			return code
		}
	}
	return codeFailure
}

// exitCoder is an error that says with which code to exit.
type exitCoder interface {
	error
	ExitCode() int
}

// exitCode is [ExitCode] for a job that ended with err and may have been told to end:
// if that is why it returns an error, its code is the one of the signal.
func exitCode(ctx context.Context, err error) int {
	if told, ok := signalOf(ctx); ok && err != nil && observe.Classify(ctx, err) == observe.OutcomeCanceled {
		return told.ExitCode()
	}
	return ExitCode(err)
}
