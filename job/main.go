// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/waybill-go/waybill/stages"
)

// Main is the main function of a job: it runs fn as [Run] does and ends the process as
// fn ended. If fn returns nil, Main returns. If it returns an error, Main writes it to
// standard error and exits with the code of [ExitCode]. A panic of fn goes on, with its
// own value and stack.
//
// The first SIGTERM or SIGINT cancels the context of fn, and its cause is a
// [*SignalError]. A signal that comes a second or more later ends the process; an earlier
// one is ignored, because a process group and the process itself are often signaled at
// once. If fn returns an error because of the signal, the exit code is 128 and its number,
// as if nothing had caught it. If fn returns nil, it has finished its work, and Main
// returns.
//
// A function that calls [os.Exit] or [log.Fatal] ends the process before anything is
// recorded. The same is true of SIGKILL: in Kubernetes, let terminationGracePeriodSeconds
// be longer than fn takes to stop and [stages.WithFlushTimeout] together.
func Main(p *stages.Pipeline, fn func(context.Context) error, opts ...Option) {
	ctx, stop := notify(context.Background()) //nolint:forbidigo // The work of a process has no caller.
	err := Run(ctx, p, fn, opts...)
	code := exitCode(ctx, err)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", program(), err)
	os.Exit(code) //nolint:forbidigo // That is what it is for.
}

// program returns the name of this program.
func program() string {
	if len(os.Args) == 0 {
		return "job"
	}
	return filepath.Base(os.Args[0])
}
