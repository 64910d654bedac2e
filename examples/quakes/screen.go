// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"time"
)

// screen shows the progress of the services: on a terminal as a block of lines that
// is redrawn, elsewhere as plain lines.
type screen struct {
	*console
	names []string
	lines map[string]line
	drawn bool // Reports whether the block is on the terminal.
}

// line is the progress of a service.
type line struct {
	text    string
	done    bool
	printed string    // The text that was last printed as a plain line,
	shown   time.Time // and when.
}

// plainInterval is the least time between two plain lines of a service.
const plainInterval = 5 * time.Second

func newScreen(c *console, names ...string) *screen {
	return &screen{console: c, names: names, lines: map[string]line{}}
}

// set sets the line of a service. A line that is done does not change any more.
func (s *screen) set(name string, fresh line) {
	old := s.lines[name]
	if old.done || old.text == fresh.text && !fresh.done {
		return
	}
	fresh.printed, fresh.shown = old.printed, old.shown
	if fresh.shown.IsZero() {
		fresh.shown = time.Now()
	}
	if !s.live && fresh.text != old.printed && (fresh.done || time.Since(fresh.shown) >= plainInterval) {
		s.print(fmt.Sprintf("  %-9s %s\n", name, fresh.text))
		fresh.printed, fresh.shown = fresh.text, time.Now()
	}
	s.lines[name] = fresh
	if s.live {
		s.draw()
	}
}

// draw draws the block over the previous one.
func (s *screen) draw() {
	var b strings.Builder
	if s.drawn {
		fmt.Fprintf(&b, "\r\x1b[%dA", len(s.names))
	}
	for _, name := range s.names {
		mark := " "
		if s.lines[name].done {
			mark = s.paint(green, "✓")
		}
		text := []rune(fmt.Sprintf("%-9s %s", name, s.lines[name].text))
		text = text[:max(0, min(len(text), s.width-2))]
		fmt.Fprintf(&b, "\x1b[2K%s %s\n", mark, string(text))
	}
	s.print(b.String())
	s.drawn = true
}
