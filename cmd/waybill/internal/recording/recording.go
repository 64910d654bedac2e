// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package recording reads recorded spans: OTLP as JSON lines, one JSON document or
// protobuf, the JSON export of Jaeger, and the JSON of a trace of Tempo, plain or
// compressed with gzip or zstd. The format is recognized by the content.
package recording

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/waybill-go/waybill/internal/flow"
)

// Recording is what was read.
type Recording struct {
	Spans []flow.Span
	Bytes int64 // Read, before they were decompressed.
	// Damaged are the lines or documents that could not be read; at most 100 are kept.
	Damaged      []Damage
	DamagedCount int
}

// Damage is a place that could not be read.
type Damage struct {
	File string
	Line int // From 1; 0 for a file that has no lines.
	Err  error
}

// String says where and why.
func (d Damage) String() string {
	if d.Line == 0 {
		return fmt.Sprintf("%s: %v", d.File, d.Err)
	}
	return fmt.Sprintf("%s:%d: %v", d.File, d.Line, d.Err)
}

const maxDamages = 100

func (r *Recording) damage(file string, line int, err error) {
	r.DamagedCount++
	if len(r.Damaged) < maxDamages {
		r.Damaged = append(r.Damaged, Damage{file, line, err})
	}
}

// ErrNothing is returned if no file has a span.
var ErrNothing = errors.New("nothing could be read")

// Stdin is the name of standard input.
const Stdin = "-"

const stdinName = "standard input"

// Read reads files; the name - is standard input. It returns [ErrNothing] if not one
// span was found, and the error of a file that cannot be opened.
func Read(stdin io.Reader, files ...string) (*Recording, error) {
	r := &Recording{}
	for _, name := range files {
		if err := r.readFile(stdin, name); err != nil {
			return r, err
		}
	}
	switch {
	case len(r.Spans) > 0:
		return r, nil
	case r.DamagedCount > 0:
		return r, fmt.Errorf("%w: %s", ErrNothing, r.Damaged[0])
	default:
		return r, fmt.Errorf("%w: there are no spans in %s", ErrNothing, strings.Join(names(files), ", "))
	}
}

// names returns what messages call files.
func names(files []string) []string {
	named := slices.Clone(files)
	for i, file := range named {
		if file == Stdin {
			named[i] = stdinName
		}
	}
	return named
}

func (r *Recording) readFile(stdin io.Reader, name string) error {
	if name == Stdin {
		r.read(stdinName, stdin)
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a directory", name)
	}
	r.read(name, f)
	return nil
}

// read reads one source and notes what is damaged.
func (r *Recording) read(name string, source io.Reader) {
	counted := &counter{r: source, n: &r.Bytes}
	plain, err := decompress(bufio.NewReaderSize(counted, 1<<16))
	if err != nil {
		r.damage(name, 0, err)
		return
	}
	defer plain.Close()
	text := bufio.NewReaderSize(plain, 1<<20)
	head, err := text.Peek(sniffed)
	if len(head) == 0 {
		if err != nil && err != io.EOF { //nolint:errorlint // Peek returns io.EOF itself.
			r.damage(name, 0, err)
		}
		return
	}
	switch {
	case isFramed(head):
		r.readFrames(name, text)
	case isUTF16(head):
		r.damage(name, 0, errUTF16)
	case isText(head):
		r.readJSON(name, text)
	default:
		r.readProtobuf(name, text)
	}
}

var errUTF16 = errors.New("the file is UTF-16, as PowerShell writes it; convert it to UTF-8")

func isUTF16(head []byte) bool {
	return len(head) > 1 && (head[0] == 0xff && head[1] == 0xfe || head[0] == 0xfe && head[1] == 0xff)
}

// readPieces adds the spans of the pieces that split emits, in order. They are parsed
// with read, several at a time.
func (r *Recording) readPieces(name string, read func(text []byte) ([]flow.Span, error), split func(emit func(*piece))) {
	pieces := make(chan *piece, runtime.GOMAXPROCS(0))
	go func() {
		defer close(pieces)
		split(func(p *piece) {
			p.done = make(chan struct{})
			pieces <- p
			go p.parse(read)
		})
	}()
	for p := range pieces {
		<-p.done
		if p.err != nil {
			r.damage(name, p.line, p.err)
			continue
		}
		r.Spans = append(r.Spans, p.spans...)
	}
}

func (p *piece) parse(read func(text []byte) ([]flow.Span, error)) {
	defer close(p.done)
	if p.err == nil {
		p.spans, p.err = read(p.text)
	}
	p.text = nil
}

// sniffed is how many bytes of a file are looked at to recognize its format.
const sniffed = 512

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

// counter counts what is read through it.
type counter struct {
	r io.Reader
	n *int64
}

// Read implements [io.Reader].
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	*c.n += int64(n)
	return n, err
}
