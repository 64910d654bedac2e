// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/waybill-go/waybill/stages"
)

// Main is the main function of a job: it runs fn as [Run] does and ends the process as
// fn ended. If fn returns nil, Main returns. If it returns an error, Main writes it to
// standard error and exits with the code of [ExitCode]. A panic of fn goes on, with its
// own value and stack. After [runtime.Goexit] the code is 2.
//
// The first SIGTERM or SIGINT cancels the context of fn, and its cause is a
// [*SignalError]. A signal that comes a second or more later ends the process; an earlier
// one is ignored, because a process group and the process itself are often signaled at
// once. If fn returns an error because of the signal, the exit code is 128 and its number,
// as if nothing had caught it, and what Main writes names the signal. If fn returns nil,
// it has finished its work, and Main returns.
//
// If Main exits, the deferred calls of its caller do not run. Spans, metrics and logs are
// not lost with a deferred Shutdown, because Run flushes the providers; hand other calls
// that must be made to [stages.WithFlush].
//
// A function that calls [os.Exit] or [log.Fatal] ends the process before anything is
// recorded. The same is true of SIGKILL, and of SIGPIPE if fn writes to a standard output
// that nobody reads: in Kubernetes, let terminationGracePeriodSeconds be longer than fn
// takes to stop and [stages.WithFlushTimeout] together.
func Main(p *stages.Pipeline, fn func(context.Context) error, opts ...Option) {
	ctx, stop := notify(context.Background()) //nolint:forbidigo // The work of a process has no caller.
	returned := false
	defer func() {
		if returned {
			return
		}
		if value := recover(); value != nil { // Only so is it told from a Goexit.
			panic(value) // The same one goes on.
		}
		exit(codePanic, errGoexit)
	}()
	defer stop()
	code, err := run(ctx, p, fn, newConfig(opts))
	returned = true
	if err != nil {
		stop()
		exit(code, because(ctx, code, err))
	}
}

// errGoexit is why a job ends whose function neither returned nor panicked.
var errGoexit = errors.New("job: the function called runtime.Goexit")

// exit ends the process, because of err.
func exit(code int, err error) {
	signal.Ignore(syscall.SIGPIPE) // If nobody reads standard error, the code stays the same.
	fmt.Fprintf(os.Stderr, "%s: %v\n", program(), err)
	os.Exit(code) //nolint:forbidigo // That is what it is for.
}

// because returns err, with the signal in ctx if that is why the code is its own.
func because(ctx context.Context, code int, err error) error {
	told, ok := signalOf(ctx)
	if _, named := signalIn(err); !ok || named || code != told.ExitCode() {
		return err
	}
	return fmt.Errorf("ended by %s: %w", told.name(), err)
}

// program returns the name of this program.
func program() string {
	if len(os.Args) == 0 {
		return "job"
	}
	return filepath.Base(os.Args[0])
}
