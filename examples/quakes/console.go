// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// defaultWidth is the number of columns of a screen that does not say it.
const defaultWidth = 80

// console prints what the demo does. On a terminal it wraps text and uses colors.
type console struct {
	file  *os.File
	live  bool   // Reports whether file is a terminal.
	color bool   // Reports whether colors are wanted.
	width int    // The columns of the screen.
	wrap  bool   // Reports whether text is wrapped, and a tree cut, at width.
	gone  func() // Called when file cannot be written to any more.
}

// newConsole returns a console for file. COLUMNS sets its width, and NO_COLOR
// switches its colors off.
func newConsole(file *os.File, gone func()) *console {
	c := &console{file: file, width: defaultWidth, gone: gone}
	c.live = term.IsTerminal(int(file.Fd())) && setting("TERM") != "dumb"
	if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 {
		c.width, c.wrap = columns, true
	}
	if columns, err := strconv.Atoi(setting("COLUMNS")); err == nil && columns > 0 {
		c.width, c.wrap = columns, true
	}
	// https://no-color.org
	c.color = c.live && setting("NO_COLOR") == ""
	return c
}

// printf formats and prints text, and wraps it at spaces if it is too wide.
func (c *console) printf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if c.wrap {
		text = wrapped(text, c.width)
	}
	c.print(text)
}

// print prints text unchanged.
func (c *console) print(text string) {
	if _, err := c.file.WriteString(text); err != nil {
		c.gone()
	}
}

// wrapped breaks the lines of text at spaces, so that each has at most width
// columns, unless a word is longer.
func wrapped(text string, width int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		words := strings.SplitAfter(line, " ")
		used := 0
		for _, word := range words {
			n := utf8.RuneCountInString(strings.TrimRight(word, " \n"))
			if used > 0 && used+n > width {
				b.WriteString("\n")
				used = 0
			}
			b.WriteString(word)
			used += utf8.RuneCountInString(word)
		}
	}
	return strings.ReplaceAll(b.String(), " \n", "\n")
}

// The colors of a terminal.
// https://en.wikipedia.org/wiki/ANSI_escape_code#Select_Graphic_Rendition_parameters
const (
	bold  = "1"
	red   = "31"
	green = "32"
	cyan  = "36"
)

// paint returns text in a color, or unchanged if the console has no colors.
func (c *console) paint(color, text string) string {
	if !c.color || text == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// paintTree paints the services, the links and the errors of a tree.
func (c *console) paintTree(tree string) string {
	var b strings.Builder
	for line := range strings.Lines(tree) {
		line = strings.TrimSuffix(line, "\n")
		service, rest, _ := strings.Cut(line, " ")
		mark := len(rest)
		for _, sign := range []string{"  ERROR", "  ✗"} {
			if i := strings.Index(rest, sign); i >= 0 {
				mark = min(mark, i)
			}
		}
		b.WriteString(c.paint(cyan, service) + " " + strings.ReplaceAll(rest[:mark], "⇢", c.paint(cyan, "⇢")) + c.paint(red, rest[mark:]) + "\n")
	}
	return b.String()
}
