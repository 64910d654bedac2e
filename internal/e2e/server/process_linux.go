// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"os/exec"
	"syscall"
)

// own gives cmd a process group, and lets it not outlive this process.
func own(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// terminate and kill signal the process group of cmd and nobody else. That it
// has ended already is no error.
func terminate(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
func kill(cmd *exec.Cmd)      { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
