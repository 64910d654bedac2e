// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/waybill-go/waybill/carriers/envcarrier"
)

// reportName is the variable that names the file that a command writes its reports to.
const reportName = "WAYBILL_REPORT"

// maxReport is how much of a file of reports is read.
const maxReport = 64 << 20

// report is where a command reports rows besides its standard output.
type report struct {
	path   string
	offset int64 // What was in the file before.
	made   bool  // The file is removed in the end.
	tap    *tap  // Of a FIFO.
	scan   rowsScanner
}

// openReport opens the file or FIFO that environ names, or makes a file. If that
// cannot be done, for example because the file system is read-only, there is none,
// and the result is nil.
func openReport(environ []string) *report {
	carrier := envcarrier.Carrier(environ)
	r := &report{path: carrier.Get(reportName)}
	if r.path == "" {
		return makeReport()
	}
	info, err := os.Stat(r.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r
	case err != nil:
		return nil
	case info.Mode()&fs.ModeNamedPipe != 0:
		// With both ends open, no writer waits, and none is the last.
		f, err := os.OpenFile(r.path, os.O_RDWR, 0)
		if err != nil {
			return nil
		}
		r.tap = newTap(f, nil, &r.scan)
		return r
	case info.Mode().IsRegular():
		r.offset = info.Size()
		return r
	default:
		return nil
	}
}

func makeReport() *report {
	f, err := os.CreateTemp("", "waybill-report-")
	if err != nil {
		return nil
	}
	defer f.Close()
	return &report{path: f.Name(), made: true}
}

// finish returns what was reported.
func (r *report) finish() *rows {
	if r == nil {
		return &rows{}
	}
	if r.tap != nil {
		r.tap.finish()
	} else {
		r.read()
	}
	if r.made {
		_ = os.Remove(r.path)
	}
	r.scan.endLine()
	return &r.scan.rows
}

func (r *report) read() {
	info, err := os.Stat(r.path)
	if err != nil || !info.Mode().IsRegular() { // Opening a FIFO could take forever.
		return
	}
	f, err := os.Open(r.path)
	if err != nil {
		return
	}
	defer f.Close()
	offset := r.offset
	if info.Size() < offset {
		offset = 0 // It was truncated.
	}
	if _, err := f.Seek(offset, io.SeekStart); err == nil {
		_, _ = io.Copy(&r.scan, io.LimitReader(f, maxReport))
	}
}
