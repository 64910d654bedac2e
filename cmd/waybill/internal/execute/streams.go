// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

// RowsMode is when lines that report rows are read on standard output.
type RowsMode string

// The modes.
const (
	// RowsAuto reads them if standard output is a pipe or a socket, as in a
	// container. A terminal or a file is given to the command as it is.
	RowsAuto   RowsMode = "auto"
	RowsAlways RowsMode = "always"
	RowsNever  RowsMode = "never"
)

// streams are the standard streams of a command. Those that are not read are this
// process's own.
type streams struct {
	files  []*os.File // Of the command.
	ends   []*os.File // The ends of pipes that the command has.
	taps   []*tap
	stdout rowsScanner
	stderr lastLine
}

// newStreams returns the streams of a command. If a pipe cannot be made, the
// stream is not read.
func newStreams(cfg *Config) *streams {
	s := &streams{files: []*os.File{os.Stdin, os.Stdout, os.Stderr}}
	if cfg.readsRows() {
		if end := s.tap(os.Stdout, &s.stdout); end != nil {
			if same(os.Stdout, os.Stderr) && !cfg.StderrLine { // As with 2>&1: the order of the lines is kept.
				s.files[2] = end
			}
			s.files[1] = end
		}
	}
	if cfg.StderrLine {
		if end := s.tap(os.Stderr, &s.stderr); end != nil {
			s.files[2] = end
		}
	}
	return s
}

// tap returns the writing end of a pipe whose data goes to out and scan.
func (s *streams) tap(out *os.File, scan io.Writer) *os.File {
	r, w, err := os.Pipe()
	if err != nil {
		return nil
	}
	s.taps = append(s.taps, newTap(r, out, scan))
	s.ends = append(s.ends, w)
	return w
}

// started closes what only the command needs.
func (s *streams) started() {
	for _, end := range s.ends {
		_ = end.Close()
	}
}

// finish waits until everything that the command wrote has been copied. It returns an
// error if some of its standard output could not be.
func (s *streams) finish() (lost error) {
	for _, t := range s.taps {
		t.finish()
		if t.to == os.Stdout && t.lost != nil {
			lost = fmt.Errorf("output was lost: %w", t.lost)
		}
	}
	s.stdout.endLine()
	return lost
}

func (cfg *Config) readsRows() bool {
	switch cfg.Rows {
	case RowsAlways:
		return true
	case RowsNever:
		return false
	default:
		info, err := os.Stdout.Stat()
		return err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0
	}
}

// same reports whether a and b are one file.
func same(a, b *os.File) bool {
	x, err := a.Stat()
	if err != nil {
		return false
	}
	y, err := b.Stat()
	return err == nil && os.SameFile(x, y)
}
