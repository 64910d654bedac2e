// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// Signal is what an export holds.
type Signal string

// The signals.
const (
	Traces  Signal = "traces"
	Metrics Signal = "metrics"
	Logs    Signal = "logs"
)

// Request is one export.
type Request struct {
	Signal Signal
	JSON   bool // Reports whether the message is OTLP/JSON; otherwise it is protobuf.
	// Message is the message, such as an ExportTraceServiceRequest. It is set for
	// [Traces] only.
	Message []byte
	// Sent is the message as it was sent: compressed if Compressed says so.
	Sent       []byte
	Compressed bool        // With gzip.
	Header     http.Header // Of the request; the metadata if it came over gRPC.
}

// Path returns the path of OTLP/HTTP for the signal.
func (s Signal) Path() string { return "/v1/" + string(s) }

// gzipEncoding is the name of gzip in HTTP and in gRPC.
const gzipEncoding = "gzip"

// errTooLarge says that an export exceeds Config.MaxBytes.
var errTooLarge = errors.New("too large")

// budget is an amount of memory that requests share.
type budget struct{ left atomic.Int64 }

// allowance is the part of a budget that one request has taken.
type allowance struct {
	*budget

	taken int64
}

func (a *allowance) take(n int) error {
	if a.left.Add(-int64(n)) < 0 {
		a.left.Add(int64(n))
		return ErrBusy
	}
	a.taken += int64(n)
	return nil
}

// release gives back what was taken.
func (a *allowance) release() {
	a.left.Add(a.taken)
	a.taken = 0
}

// firstRead is how much memory an export is given before its size is known.
const firstRead = 32 << 10

// readAll reads r to its end. It returns errTooLarge if there is more than limit, and
// ErrBusy if there is no memory left for it.
func (a *allowance) readAll(r io.Reader, limit int) ([]byte, error) {
	var b []byte
	for {
		if len(b) == cap(b) {
			size := min(max(firstRead, 2*cap(b)), limit+1) // One more, to see that it is too much.
			if size == cap(b) {
				return nil, errTooLarge
			}
			if err := a.take(size - cap(b)); err != nil {
				return nil, err
			}
			b = append(make([]byte, 0, size), b...)
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case len(b) > limit:
			return nil, errTooLarge
		case err == io.EOF:
			return b, nil
		case err != nil:
			return nil, err
		}
	}
}

// open returns the message of r, decompressed.
func (a *allowance) open(r *Request, limit int) ([]byte, error) {
	if !r.Compressed {
		return r.Sent, nil
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(r.Sent))
	if err != nil {
		return nil, err
	}
	return a.readAll(unzipped, limit)
}
