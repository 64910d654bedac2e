// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package execute

import (
	"os"
	"syscall"
)

// readReady reads what can be read from f at once; it returns 0 if that is nothing.
func readReady(f *os.File, p []byte) (n int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	failed := raw.Read(func(fd uintptr) bool {
		for {
			if n, err = syscall.Read(int(fd), p); err != syscall.EINTR { //nolint:errorlint // It is a plain number.
				return true
			}
		}
	})
	if failed != nil {
		return 0, failed
	}
	return n, err
}
