// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
)

const (
	// endBytes is the size of the end of a log that is kept in memory.
	endBytes = 4 << 10
	// endLines is the number of its lines that are shown.
	endLines = 5
)

// processLog is the log of a process. It is written to a file, and its end is kept in
// memory, because the disk may be full. It is safe for concurrent use.
type processLog struct {
	name string

	mu   sync.Mutex
	file *os.File
	last []byte
	err  error // The first error of the file.
}

func newProcessLog(name string) (*processLog, error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	return &processLog{name: name, file: file}, nil
}

// Write writes text to the file. It returns no error, so that a process does not
// fail because its log cannot be kept.
func (l *processLog) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = append(l.last, text...)
	if over := len(l.last) - endBytes; over > 0 {
		l.last = append(l.last[:0], l.last[over:]...)
	}
	if l.err == nil {
		_, l.err = l.file.Write(text)
	}
	return len(text), nil
}

func (l *processLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.file.Close(); l.err == nil {
		l.err = err
	}
}

// writeErr returns the first error of the file, or nil.
func (l *processLog) writeErr() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// end returns the last lines of the log, and where the rest is.
func (l *processLog) end() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	if text := string(bytes.TrimSpace(l.last)); text != "" {
		lines := strings.Split(text, "\n")
		for _, line := range lines[max(0, len(lines)-endLines):] {
			b.WriteString("  " + line + "\n")
		}
	}
	if l.err != nil {
		fmt.Fprintf(&b, "Its log is not complete: %v", l.err)
	} else {
		fmt.Fprintf(&b, "Its log is %s", l.name)
	}
	return b.String()
}
