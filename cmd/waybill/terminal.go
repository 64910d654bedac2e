// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/waybill-go/waybill/internal/flow"
)

// columns returns the width of the terminal that out is, or 0 if it is none.
func columns(out io.Writer) int {
	f, ok := out.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd())) //nolint:gosec // A descriptor is small.
	if err != nil {
		return 0
	}
	return width
}

// isTerminal reports whether in is a terminal.
func isTerminal(in io.Reader) bool {
	f, ok := in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) //nolint:gosec // A descriptor is small.
}

// paint writes text in color if out is a terminal and NO_COLOR is not set; see
// https://no-color.org.
func paint(out io.Writer, code, text string) string {
	if columns(out) == 0 || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// The colors.
const (
	red    = "31;1"
	yellow = "33;1"
	cyan   = "36"
	bold   = "1"
	dim    = "2"
)

// minColumns is the least width that text is folded to.
const minColumns = 40

// wrap folds text to a width at its spaces, and begins each further line with indent. A
// width of 0 is no limit, and no word is cut.
func wrap(text string, width int, indent string) string {
	if width == 0 {
		return text
	}
	width = max(width, minColumns)
	var b strings.Builder
	column := 0
	for n, word := range strings.Split(text, " ") {
		size := flow.Columns(word)
		switch {
		case n == 0:
		case column+1+size > width:
			b.WriteString("\n" + indent)
			column = flow.Columns(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += size
	}
	return b.String()
}

// printable returns text without what could control a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return '�'
		}
		return r
	}, text)
}

// line returns text as one line without what could control a terminal.
func line(text string) string { return printable(strings.ReplaceAll(text, "\n", " ")) }

// encodeJSON writes v as JSON. Characters that could control a terminal are escaped,
// also those that JSON would not have escaped.
func encodeJSON(out io.Writer, v any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return err
	}
	var escaped []byte
	for _, r := range text.String() {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			escaped = utf8.AppendRune(escaped, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		default:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		}
	}
	_, err := out.Write(escaped)
	return err
}
