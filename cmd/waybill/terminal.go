// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
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

// printable returns text without what could control a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return '�'
		}
		return r
	}, text)
}
