// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package server

import "os/exec"

func own(*exec.Cmd) {}

// terminate and kill end the process of cmd. That it has ended already is no
// error.
func terminate(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
func kill(cmd *exec.Cmd)      { _ = cmd.Process.Kill() }
