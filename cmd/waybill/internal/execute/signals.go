// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

import (
	"os"
	"os/signal"
	"slices"
)

// pendingSignals is the number of signals that wait to be passed on.
const pendingSignals = 64

// catchSignals returns the signals that this process gets, from now on, and a
// function that stops it. Signals that this process ignores, as with nohup, it goes
// on ignoring, and so does the command. A broken pipe is an error of the write
// that meets it.
func catchSignals() (signals <-chan os.Signal, stop func()) {
	caught := make(chan os.Signal, pendingSignals)
	signal.Notify(caught, slices.DeleteFunc(passedOn(), signal.Ignored)...)
	broken := make(chan os.Signal, 1)
	for _, s := range brokenPipe() {
		signal.Notify(broken, s)
	}
	return caught, func() { signal.Stop(caught); signal.Stop(broken) }
}
