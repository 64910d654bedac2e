// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package execute

import "syscall"

// There are no signals that have numbers only.
const (
	firstRealtime = 1
	lastRealtime  = 0
)

func sysProcAttr() *syscall.SysProcAttr { return nil }
