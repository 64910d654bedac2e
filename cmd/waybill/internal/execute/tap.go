// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

// tapBuffer is the size of a pipe on Linux.
const tapBuffer = 64 << 10

// tap copies what is written to a pipe to a file, byte for byte, and to a scanner.
type tap struct {
	from  *os.File
	to    *os.File // May be nil.
	scan  io.Writer
	lost  error // Why the file does not have all, unless nobody reads it; to be read after finish.
	ended chan struct{}
}

// newTap starts to copy from the reading end of a pipe.
func newTap(from, to *os.File, scan io.Writer) *tap {
	t := &tap{from: from, to: to, scan: scan, ended: make(chan struct{})}
	go t.copy()
	return t
}

// copy copies until the end of the pipe, or until it is empty after finish. If the file
// cannot be written, or nobody reads it, the pipe is closed, so that its writer learns it
// too.
func (t *tap) copy() {
	defer close(t.ended)
	defer t.from.Close()
	buffer := make([]byte, tapBuffer)
	for {
		n, err := t.from.Read(buffer)
		if !t.pass(buffer[:n]) {
			return
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return
		}
	}
	if t.from.SetReadDeadline(time.Time{}) != nil {
		return
	}
	for {
		n, err := readReady(t.from, buffer)
		if n <= 0 || err != nil || !t.pass(buffer[:n]) {
			return
		}
	}
}

func (t *tap) pass(p []byte) bool {
	if t.to != nil && len(p) > 0 {
		if _, err := t.to.Write(p); err != nil {
			if !errors.Is(err, syscall.EPIPE) {
				t.lost = err
			}
			return false
		}
	}
	_, err := t.scan.Write(p)
	return err == nil
}

// finish ends the copying once the pipe is empty, also if a process that the
// command left behind still has its other end.
func (t *tap) finish() {
	_ = t.from.SetReadDeadline(time.Now()) // Where there are no deadlines, the end of the pipe ends it.
	<-t.ended
}
