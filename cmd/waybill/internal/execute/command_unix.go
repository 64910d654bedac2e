// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package execute

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// shell runs scripts that do not name an interpreter, and defaultPath is where
// commands are if PATH is not set.
const (
	shell        = "/bin/sh"
	defaultPath  = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	searchesPath = true
)

// lookPathSystem returns name: what is wrong with it, the system says.
func lookPathSystem(name string) (string, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return "", syscall.EISDIR
	}
	return name, nil
}

func endingOf(state *os.ProcessState) *ending {
	e := &ending{code: state.ExitCode(), user: state.UserTime(), system: state.SystemTime()}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		e.code = codeSignal + int(status.Signal())
		e.signal = unix.SignalName(status.Signal())
		if e.signal == "" {
			e.signal = "SIGRT" // Those have numbers only.
		}
	}
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		e.maxRSS = int64(usage.Maxrss) //nolint:unconvert // It has other types on other systems.
		if runtime.GOOS != "darwin" {
			e.maxRSS *= 1 << 10
		}
	}
	return e
}
