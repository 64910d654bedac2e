// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

import (
	"os"
	"os/exec"
	"syscall"
)

const (
	shell        = "cmd.exe"
	defaultPath  = ""
	searchesPath = false
)

func lookPathSystem(name string) (string, error) { return exec.LookPath(name) }

func sysProcAttr() *syscall.SysProcAttr { return nil }

func endingOf(state *os.ProcessState) *ending {
	return &ending{code: state.ExitCode(), user: state.UserTime(), system: state.SystemTime()}
}
