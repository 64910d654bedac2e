// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package main

import (
	"os"
	"syscall"
)

// ownGroup does nothing: there are no process groups here.
func ownGroup() *syscall.SysProcAttr { return nil }

// signalGroup kills p: there are no signals to ask it with.
func signalGroup(p *os.Process, _ syscall.Signal) { _ = p.Kill() }
