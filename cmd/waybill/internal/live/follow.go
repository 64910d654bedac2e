// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"
)

// Follow adds the lines of a file of OTLP JSON lines, and those that are written to it
// later, until ctx is done. The file need not exist yet; it may be truncated, or another
// file may take its place. Follow calls failed with what cannot be read.
func (s *Store) Follow(ctx context.Context, name string, failed func(error)) {
	f := &follower{store: s, name: name, failed: failed}
	defer f.close()
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		f.read()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

const (
	followEvery = 200 * time.Millisecond
	endAfter    = 5 // Looks at a file that does not grow, until its last line is taken to be whole.
)

// follower is a file that is read while it grows.
type follower struct {
	store  *Store
	name   string
	failed func(error)

	file   *os.File
	text   *bufio.Reader
	offset int64
	line   []byte // The beginning of a line whose end is not written yet.
	long   bool   // The line is too long, and passed over.
	grown  bool   // Reports whether the last look found something new.
	still  int    // How many looks have found nothing since.
}

func (f *follower) close() {
	if f.file != nil {
		_ = f.file.Close()
	}
	*f = follower{store: f.store, name: f.name, failed: f.failed}
}

// read reads what has been written to the file since the last call.
func (f *follower) read() {
	if f.file == nil && !f.open() {
		return
	}
	f.grown = false
	for {
		part, err := f.text.ReadSlice('\n')
		f.offset += int64(len(part))
		f.grown = f.grown || len(part) > 0
		f.append(part)
		switch {
		case err == nil:
			f.add()
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			f.atEnd()
			return
		default:
			f.failed(err)
			f.close()
			return
		}
	}
}

// open opens the file. It reports false if there is none yet.
func (f *follower) open() bool {
	file, err := os.Open(f.name)
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			f.failed(err)
		}
		return false
	}
	f.file, f.text = file, bufio.NewReaderSize(file, 1<<20)
	return true
}

func (f *follower) append(part []byte) {
	if f.long = f.long || len(f.line)+len(part) > maxLine; f.long {
		f.line = nil
		return
	}
	f.line = append(f.line, part...)
}

// add adds the spans of the line.
func (f *follower) add() {
	err := f.store.addLine(f.line)
	if f.long {
		err = bufio.ErrTooLong
	}
	if err != nil {
		f.failed(err)
	}
	f.line, f.long = f.line[:0], false
}

// atEnd sees whether the file was truncated, or replaced by another one.
func (f *follower) atEnd() {
	f.still++
	if f.grown {
		f.still = 0
	}
	if f.still == endAfter && json.Valid(bytes.TrimSpace(f.line)) { // The last line has no end.
		f.add()
	}
	own, err := f.file.Stat()
	if err != nil {
		f.failed(err)
		f.close()
		return
	}
	there, err := os.Stat(f.name)
	switch {
	case err == nil && os.SameFile(own, there) && own.Size() >= f.offset:
	case f.grown: // It may have been written to after it was renamed.
	default:
		if json.Valid(bytes.TrimSpace(f.line)) {
			f.add()
		}
		f.close()
		f.read()
	}
}
