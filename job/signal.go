// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
)

// SignalError is the cause of the context of a job that a signal told to end.
type SignalError struct{ Signal os.Signal }

// Error implements error.
func (e *SignalError) Error() string { return "told to end by " + e.name() }

// ExitCode returns 128 and the number of the signal, as a shell says it.
func (e *SignalError) ExitCode() int {
	if s, ok := e.Signal.(syscall.Signal); ok {
		return codeSignal + int(s)
	}
	return codeFailure
}

// name returns the name of the signal, such as SIGTERM.
func (e *SignalError) name() string {
	switch e.Signal {
	case syscall.SIGTERM:
		return "SIGTERM"
	case os.Interrupt:
		return "SIGINT"
	case nil:
		return "no signal"
	default:
		return e.Signal.String()
	}
}

// signalOf returns the signal that told the job of ctx to end.
func signalOf(ctx context.Context) (told *SignalError, ok bool) {
	return signalIn(context.Cause(ctx))
}

// signalIn returns the signal in the tree of err.
func signalIn(err error) (told *SignalError, ok bool) {
	defer safe.Contain() // The error may be of the user.
	for e := range observe.Tree(err) {
		if told, ok = e.(*SignalError); ok && told != nil { //nolint:errorlint // Of one error of the tree.
			return told, true
		}
	}
	return nil, false
}

// oneRequest is the time within which signals are one request to end. Who signals a
// process and its group, as timeout(1) and service managers do, signals it twice.
const oneRequest = time.Second

// notify returns a ctx that the first SIGTERM or SIGINT cancels, with a [SignalError].
// One that comes after [oneRequest] ends the process, as it does without notify. What is
// ignored, as with nohup, stays so. After stop, signals do what they did before.
func notify(ctx context.Context) (notified context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	ending := slices.DeleteFunc([]os.Signal{syscall.SIGTERM, os.Interrupt}, signal.Ignored)
	if len(ending) == 0 {
		return ctx, func() { cancel(nil) }
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, ending...)
	stopping, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		defer signal.Stop(signals)
		select {
		case s := <-signals:
			cancel(&SignalError{s})
		case <-stopping:
			return
		}
		select {
		case <-time.After(oneRequest):
		case <-stopping:
		}
	}()
	return ctx, func() { close(stopping); <-stopped; cancel(nil) }
}
