// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"context"

	"github.com/waybill-go/waybill/internal/safe"
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
// a [stages.PanicError], and what the method ExitCode of an error returns, as of
// [SignalError] or of [os/exec.ExitError], if it is from 1 to 255. Of several such errors
// in the tree of err, the first decides, in the order of [errors.Is]; without one, the
// code is 1. The methods of err may panic, and it may wrap itself.
func ExitCode(err error) (code int) {
	if err == nil {
		return 0
	}
	code = codeFailure
	defer safe.Contain()
	for e := range observe.Tree(err) {
		if own, ok := ownCode(e); ok {
			return own
		}
	}
	return code
}

// ownCode returns the code that err alone, without what it wraps, asks for.
func ownCode(err error) (code int, ok bool) {
	switch e := err.(type) { //nolint:errorlint // Of one error of the tree.
	case *stages.PanicError:
		return codePanic, true
	case interface{ ExitCode() int }:
		code = e.ExitCode()
		return code, code > 0 && code <= maxCode
	default:
		return 0, false
	}
}

// exitCode is [ExitCode] for a job that ended with err and may have been told to end:
// if that is why it returns an error, its code is the one of the signal.
func exitCode(ctx context.Context, err error) int {
	if told, ok := signalOf(ctx); ok && observe.Classify(ctx, err) == observe.OutcomeCanceled {
		return told.ExitCode()
	}
	return ExitCode(err)
}
