// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package recording

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"runtime"
	"slices"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/flow"
)

// source is an input that is split into pieces, which are parsed on all processors
// meanwhile.
type source struct {
	r       io.Reader
	keep    func(key string) bool                  // The attributes that are kept; nil for all.
	parse   func(text []byte) ([]flow.Span, error) // Of its format.
	pieces  chan *piece                            // In their order; closed at the end.
	stopped chan struct{}
	hint    string // What the input is if it has no spans; set before pieces is closed.
}

// piece is a document or a message, and what it holds.
type piece struct {
	line  int // Where it begins.
	text  []byte
	spans []flow.Span
	err   error
	done  chan struct{} // Closed when it is parsed.
}

func newSource(r io.Reader, keep func(key string) bool) *source {
	s := &source{keep: keep, pieces: make(chan *piece, runtime.GOMAXPROCS(0)), stopped: make(chan struct{})}
	s.r = &stoppable{r: r, stopped: s.stopped}
	return s
}

// stop makes run end soon.
func (s *source) stop() { close(s.stopped) }

// stoppable is a reader that ends when it is stopped.
type stoppable struct {
	r       io.Reader
	stopped chan struct{}
}

// Read implements [io.Reader].
func (s *stoppable) Read(p []byte) (int, error) {
	select {
	case <-s.stopped:
		return 0, io.EOF
	default:
		return s.r.Read(p)
	}
}

// maxParallel is how long a piece may be to be parsed beside others: many of the longest
// would fill the memory.
const maxParallel = 8 << 20

// emit sends p to be parsed.
func (s *source) emit(p *piece) {
	p.done = make(chan struct{})
	if len(p.text) > maxParallel {
		s.parsePiece(p)
	} else {
		go s.parsePiece(p)
	}
	select {
	case s.pieces <- p:
	case <-s.stopped:
	}
}

func (s *source) parsePiece(p *piece) {
	defer close(p.done)
	if p.err == nil {
		p.spans, p.err = s.parse(p.text)
	}
	p.text = nil
}

// parseJSON returns the spans of one JSON document.
func (s *source) parseJSON(text []byte) ([]flow.Span, error) {
	if spans, ok := scan(text, s.keep); ok {
		return spans, nil
	}
	spans, err := spansOf(text)
	if s.keep != nil {
		for i := range spans {
			spans[i].Attributes = slices.Clip(slices.DeleteFunc(spans[i].Attributes, func(kv attribute.KeyValue) bool { return !s.keep(string(kv.Key)) }))
		}
	}
	return spans, err
}

// sniffed is how many bytes of a source are looked at to recognize its format.
const sniffed = 64 << 10

// run splits the source.
func (s *source) run() {
	defer close(s.pieces)
	plain, err := decompress(bufio.NewReaderSize(s.r, 1<<16))
	if err != nil {
		s.emit(&piece{err: err})
		return
	}
	defer plain.Close()
	text := bufio.NewReaderSize(plain, 1<<20)
	head, err := text.Peek(2 * sizeBytes) // A pipe may have no more yet.
	if len(head) == 0 {
		s.hint = "it is empty"
		if !errors.Is(err, io.EOF) {
			s.emit(&piece{err: err})
		}
		return
	}
	head, _ = text.Peek(min(text.Buffered(), sniffed))
	s.hint = hintOf(head)
	switch {
	case isFramed(head):
		s.parse = messageSpans
		splitFrames(text, s.emit)
	case isText(head):
		s.parse = s.parseJSON
		split(text, s.emit)
	case head[0] == resourceField:
		s.parse = protobufSpans
		splitFields(text, s.emit)
	case s.hint != "":
		s.emit(&piece{err: errors.New(s.hint)})
	default:
		s.emit(&piece{err: errFormat})
	}
}

// decompress returns the content of r, which may be compressed.
func decompress(r *bufio.Reader) (io.ReadCloser, error) {
	magic, _ := r.Peek(4)
	switch {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b: // RFC 1952.
		return gzip.NewReader(r)
	case isZstd(magic):
		d, err := zstd.NewReader(r, zstd.WithDecoderMaxMemory(1<<30))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	default:
		return io.NopCloser(r), nil
	}
}
