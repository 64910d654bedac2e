// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/waybill-go/waybill/cmd/waybill/internal/recording"
	"github.com/waybill-go/waybill/internal/flow"
)

// progress shows on a terminal how far a recording was read, in one line that it
// removes in the end. It uses no escape sequences.
type progress struct {
	out   io.Writer // Nil if nothing is shown.
	width int
	start time.Time
	shown int // The width of what is shown.
}

// soon is how long reading takes at least for its progress to be shown.
const soon = 500 * time.Millisecond

// newProgress returns what shows progress on out, if that is a terminal.
func newProgress(out io.Writer) *progress {
	p := &progress{start: time.Now(), width: columns(out)}
	if p.width > 0 && os.Getenv("TERM") != "dumb" {
		p.out = out
	}
	return p
}

// update shows how far reading is.
func (p *progress) update(now recording.Progress) {
	took := time.Since(p.start)
	if p.out == nil || took < soon {
		return
	}
	p.show(flow.Clip(progressLine(now, took), max(p.width-1, 1)))
}

// end removes what is shown.
func (p *progress) end() {
	if p.shown > 0 {
		p.show("")
		_, _ = io.WriteString(p.out, "\r") // What cannot be shown is no loss.
	}
}

func (p *progress) show(text string) {
	width := utf8.RuneCountInString(text)
	_, _ = io.WriteString(p.out, "\r"+text+strings.Repeat(" ", max(p.shown-width, 0))) // Likewise.
	p.shown = width
}

// progressLine says how far reading is after a time.
func progressLine(now recording.Progress, took time.Duration) string {
	text := "waybill: " + size(now.Bytes)
	if now.Size > 0 {
		text += " of " + size(now.Size)
	}
	text += ", " + flow.Plural(now.Spans, "span")
	if now.Bytes > 0 && now.Size > now.Bytes {
		left := time.Duration(float64(took) * float64(now.Size-now.Bytes) / float64(now.Bytes))
		text += ", " + left.Round(time.Second).String() + " left"
	}
	return text
}

// size formats a number of bytes.
func size(bytes int64) string {
	switch {
	case bytes >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
	case bytes >= 1e6:
		return fmt.Sprintf("%.0f MB", float64(bytes)/1e6)
	default:
		return fmt.Sprintf("%.0f kB", float64(bytes)/1e3)
	}
}
