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

// catchSignals returns the signals that this process gets from now on. Signals that
// it ignores, as with nohup, it goes on ignoring, and so does the command. A broken pipe
// is an error of the write that meets it.
func catchSignals() <-chan os.Signal {
	caught := make(chan os.Signal, pendingSignals)
	signal.Notify(caught, slices.DeleteFunc(passedOn(), signal.Ignored)...)
	for _, s := range brokenPipe() {
		signal.Notify(make(chan os.Signal, 1), s)
	}
	return caught
}
