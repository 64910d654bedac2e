// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/term"
)

// screen shows how far the services are: on a terminal as a block of lines that
// is drawn again and again, elsewhere as plain lines.
type screen struct {
	live  bool
	names []string
	lines map[string]line
	drawn int // How many lines the block on the terminal has.
}

// line is what is shown of a service.
type line struct {
	text    string
	done    bool
	printed string    // What was last written of it as a plain line,
	shown   time.Time // and when.
}

// plainInterval is how often a line that changes is written anew.
const plainInterval = 5 * time.Second

func newScreen(names ...string) *screen {
	return &screen{live: term.IsTerminal(int(os.Stdout.Fd())), names: names, lines: map[string]line{}}
}

// set sets the text of a service. After the last one, which is done, it stays.
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
		fmt.Printf("  %-9s %s\n", name, fresh.text)
		fresh.printed, fresh.shown = fresh.text, time.Now()
	}
	s.lines[name] = fresh
	if s.live {
		s.draw()
	}
}

// draw draws the block over the one before.
func (s *screen) draw() {
	if s.drawn > 0 {
		fmt.Printf("\x1b[%dA", s.drawn)
	}
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		width = 80
	}
	for _, name := range s.names {
		mark := " "
		if s.lines[name].done {
			mark = "✓"
		}
		text := []rune(fmt.Sprintf("%s %-9s %s", mark, name, s.lines[name].text))
		fmt.Printf("\x1b[2K%s\n", string(text[:min(len(text), width)]))
	}
	s.drawn = len(s.names)
}
