// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package recording reads recorded spans: OTLP as JSON lines, one JSON document or
// protobuf, the JSON export of Jaeger, and the JSON of a trace of Tempo, plain or
// compressed with gzip or zstd. The format is recognized by the content.
package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/internal/flow"
)

// Recording is what was read.
type Recording struct {
	Spans []flow.Span // Empty if they were handed on.
	Count int         // How many there were.
	// Damaged are the lines or documents that could not be read; at most 100 are kept.
	Damaged      []Damage
	DamagedCount int

	hint string // What the first source without a span is.
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

// ErrNoSpans is returned if no file has a span.
var ErrNoSpans = errors.New("no spans")

// Stdin is the name of standard input.
const Stdin = "-"

// titleOf returns what messages call a file.
func titleOf(name string) string {
	if name == Stdin {
		return "standard input"
	}
	return name
}

// nothing returns the error of a recording without a span.
func (r *Recording) nothing(files []string) error {
	where := flow.Plural(len(files), "file")
	if len(files) == 1 {
		where = titleOf(files[0])
	}
	switch {
	case r.hint != "":
		return fmt.Errorf("%w in %s: %s", ErrNoSpans, where, r.hint)
	case r.DamagedCount == 1:
		return fmt.Errorf("%w could be read: %s", ErrNoSpans, r.Damaged[0])
	case r.DamagedCount > 1:
		return fmt.Errorf("%w could be read: %s, and %s", ErrNoSpans, r.Damaged[0], flow.Plural(r.DamagedCount-1, "more place"))
	default:
		return fmt.Errorf("%w in %s", ErrNoSpans, where)
	}
}

// Reader reads recordings.
type Reader struct {
	Stdin io.Reader
	// Keep selects the attributes of spans that are kept, by their keys. If it is nil, all
	// are. It is called by several goroutines, and others than the selected ones may be
	// kept, too.
	Keep func(key string) bool
	// Follow makes a Reader wait at the end of a file for what is appended to it, until
	// its context is done.
	Follow bool
	// Progress is called from time to time, unless it is nil.
	Progress func(Progress)
	// Idle is called for each second in which there was nothing to read, unless it is nil.
	Idle func()
}

// Progress is how far a Reader has read.
type Progress struct {
	Spans int
	Bytes int64 // Before they were decompressed,
	Size  int64 // and how many there are; 0 if that is not known.
}

// Read reads files; the name - is standard input. What is damaged is left out. It
// returns [ErrNoSpans] if not one span was found, and the error of a file that cannot
// be opened.
func (rd *Reader) Read(ctx context.Context, files ...string) (*Recording, error) {
	var spans []flow.Span
	r, err := rd.Each(ctx, func(next []flow.Span) error {
		spans = append(spans, next...)
		return nil
	}, files...)
	r.Spans = spans
	return r, err
}

// Each is like Read, and hands the spans to take as they come, in order. It ends when
// take returns an error, and returns that.
func (rd *Reader) Each(ctx context.Context, take func(spans []flow.Span) error, files ...string) (*Recording, error) {
	in := &intake{Reader: rd, recording: &Recording{}, take: take, size: sizeOf(files)}
	for _, name := range files {
		if err := in.readFile(ctx, name); err != nil {
			return in.recording, err
		}
	}
	if in.recording.Count == 0 {
		return in.recording, in.recording.nothing(files)
	}
	return in.recording, nil
}

// sizeOf returns the size of files, or 0 if one of them has none.
func sizeOf(files []string) int64 {
	total := int64(0)
	for _, name := range files {
		info, err := os.Stat(name)
		if name == Stdin || err != nil || !info.Mode().IsRegular() {
			return 0
		}
		total += info.Size()
	}
	return total
}

// intake is one reading of files.
type intake struct {
	*Reader

	recording *Recording
	take      func(spans []flow.Span) error
	read      atomic.Int64 // How many bytes,
	size      int64        // and of how many.
	shown     time.Time    // When progress was reported.
}

func (in *intake) readFile(ctx context.Context, name string) error {
	if name == Stdin {
		return in.readSource(ctx, name, in.Stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory", name)
	}
	if err != nil {
		_ = f.Close() // It was only opened.
		return err
	}
	if in.Follow && info.Mode().IsRegular() {
		following, stop := context.WithCancel(ctx)
		defer stop()
		return in.readSource(following, name, &follower{ctx: following, name: name, f: f})
	}
	defer f.Close()
	return in.readSource(ctx, name, f)
}

const (
	betweenReports = 100 * time.Millisecond
	untilIdle      = time.Second
)

// readSource reads one source, hands its spans on, and notes what is damaged.
func (in *intake) readSource(ctx context.Context, name string, r io.Reader) error {
	s := newSource(&counter{r: r, n: &in.read}, in.Keep)
	defer s.stop()
	go s.run()
	idle := time.NewTicker(untilIdle)
	defer idle.Stop()
	before := in.recording.Count
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-idle.C:
			if in.Idle != nil {
				in.Idle()
			}
		case p, more := <-s.pieces:
			if !more {
				if in.recording.Count == before && in.recording.hint == "" {
					in.recording.hint = s.hint
				}
				return nil
			}
			idle.Reset(untilIdle)
			if err := in.add(titleOf(name), p); err != nil {
				return err
			}
		}
		in.report()
	}
}

// add adds what p holds, when it is parsed.
func (in *intake) add(name string, p *piece) error {
	<-p.done
	if p.err != nil {
		in.recording.damage(name, p.line, p.err)
		return nil //nolint:nilerr // The rest is used.
	}
	in.recording.Count += len(p.spans)
	return in.take(p.spans)
}

// report reports progress, if that was some time ago.
func (in *intake) report() {
	if now := time.Now(); in.Progress != nil && now.Sub(in.shown) >= betweenReports {
		in.shown = now
		in.Progress(Progress{Spans: in.recording.Count, Bytes: in.read.Load(), Size: in.size})
	}
}

// counter counts what is read through it, and reads no further after the end: a
// terminal whose user has typed Ctrl-D would ask for more.
type counter struct {
	r   io.Reader
	n   *atomic.Int64
	err error
}

// Read implements [io.Reader].
func (c *counter) Read(p []byte) (n int, err error) {
	if c.err != nil {
		return 0, c.err
	}
	n, c.err = c.r.Read(p)
	c.n.Add(int64(n))
	return n, c.err
}
