// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// journalVariable is the environment variable that asks for a journal of the process.
// Its value is [journalSpans], or the name of a file.
const (
	journalVariable = "WAYBILL_JOURNAL"
	journalSpans    = "spans"
)

// journalOfProcess returns what the environment asks for, or nil if it asks for
// nothing. It reads the environment once.
var journalOfProcess = sync.OnceValue(func() *journalFile {
	switch name := os.Getenv(journalVariable); name {
	case "":
		askers.Add(nobody)
		return nil
	case journalSpans:
		return new(journalFile)
	default:
		f, err := openJournal(name, maxJournalLines)
		if err != nil {
			fmt.Fprintf(os.Stderr, "waybill: %s=%s: %v; only spans are marked\n", journalVariable, name, err)
		}
		return f
	}
})

// journalFile is a file to which entries are appended as JSON, one in a line. The zero
// journalFile, and a nil one, has no file.
type journalFile struct {
	file    *os.File
	lines   chan []byte // What is to be written.
	writing sync.Mutex
	room    atomic.Int64 // How many entries may still be written.
	lost    atomic.Int64 // How many were lost since the last one that was written.
}

const (
	maxJournalLines  = 100_000 // Of a process.
	maxQueuedJournal = 1_000   // While another goroutine writes.
)

// openJournal opens the file called name, for so many lines. It takes no other kind of
// file, because writing to a pipe or a socket may block.
func openJournal(name string, room int64) (*journalFile, error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return new(journalFile), errors.New("not a regular file")
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return new(journalFile), err
	}
	f := &journalFile{file: file, lines: make(chan []byte, maxQueuedJournal)}
	f.room.Store(room)
	return f, nil
}

// write appends e to the file. While another goroutine writes, it leaves that to it,
// so that a slow disk holds up one call and not all. What there is no room for in the
// queue is counted in a line that is written later.
func (f *journalFile) write(e *JournalEntry) {
	if f == nil || f.file == nil {
		return
	}
	room := f.room.Add(-1)
	if room < 0 {
		return
	}
	if object, err := json.Marshal(e); err == nil {
		f.queue(object[len("{"):], room == 0)
	}
	for len(f.lines) > 0 && f.writing.TryLock() {
		f.drain()
		f.writing.Unlock()
	}
}

// queue queues a line: the members of an object, after the process that it is of, how
// many lines were lost before it, and whether it is the last one.
func (f *journalFile) queue(members []byte, isLast bool) { //nolint:revive // a fact about the line.
	line := fmt.Appendf(nil, `{"pid":%d,`, os.Getpid())
	lost := f.lost.Swap(0)
	if lost > 0 {
		line = fmt.Appendf(line, `"lost":%d,`, lost)
	}
	if isLast {
		line = append(line, `"full":true,`...)
	}
	select {
	case f.lines <- append(append(line, members...), '\n'):
	default:
		f.lost.Add(lost + 1)
	}
}

// drain writes what is queued.
func (f *journalFile) drain() {
	for {
		select {
		case line := <-f.lines:
			if _, err := f.file.Write(line); err != nil {
				f.lost.Add(1)
			}
		default:
			return
		}
	}
}
