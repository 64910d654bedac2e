// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

import "os"

// passedOn returns the signals that are caught. The console sends them to the command itself.
func passedOn() []os.Signal { return []os.Signal{os.Interrupt} }

func brokenPipe() []os.Signal { return nil }

func passedByTerminal(os.Signal) bool { return true }
