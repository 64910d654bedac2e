// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package main

import (
	"os"
	"syscall"
)

// ownGroup returns nil, because this system has no process groups.
func ownGroup() *syscall.SysProcAttr { return nil }

// signalGroup kills p, because this system has no signals.
func signalGroup(p *os.Process, _ syscall.Signal) { _ = p.Kill() }
