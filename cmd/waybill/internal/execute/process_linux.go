// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The signals that have numbers only. The first two belong to the C library.
const (
	firstRealtime = 34
	lastRealtime  = 64
)

// sysProcAttr makes the command end with this process, even if this is killed.
// The command stays in the same process group and session, so that shells,
// terminals and whoever kills a group treat both as one.
func sysProcAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// reapOrphans waits for the processes that the system gives to this one because it is
// the init process or a subreaper, until the command ends. The caller waits for the
// command.
func reapOrphans(command int) {
	if os.Getpid() != 1 && !isSubreaper() {
		return
	}
	go func() {
		for {
			var info unix.Siginfo
			switch err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT, nil); {
			case err == unix.EINTR:
				continue
			case err != nil:
				return // There are no more.
			}
			ended := pidOf(&info)
			if ended == command {
				return
			}
			_, _ = syscall.Wait4(ended, nil, 0, nil)
		}
	}()
}

// isSubreaper reports whether the orphans below this process become its children.
func isSubreaper() bool {
	var set int32
	err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&set)), 0, 0, 0)
	return err == nil && set != 0
}

// pidOf returns the process of info, which is the first field behind three numbers,
// where a pointer may stand.
func pidOf(info *unix.Siginfo) int {
	const word = unsafe.Sizeof(uintptr(0))
	const offset = (3*unsafe.Sizeof(info.Signo) + word - 1) / word * word
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(info), offset)))
}
