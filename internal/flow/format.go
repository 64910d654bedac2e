// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Count formats n with thousands separators.
func Count(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Plural returns n and what it counts.
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return Count(n) + " " + what + "s"
}

func longer(a, b string) string {
	if Columns(b) > Columns(a) {
		return b
	}
	return a
}

func pad(s, width string) string {
	return s + strings.Repeat(" ", Columns(width)-Columns(s))
}

func padLeft(s, width string) string {
	return strings.Repeat(" ", Columns(width)-Columns(s)) + s
}

// Clip makes s one line of at most limit characters. It looks at no more of them.
func Clip(s string, limit int) string {
	clipped, n, end := false, 0, 0
	for i := range s {
		if n == limit-1 {
			end = i
		}
		if clipped = n == limit; clipped {
			break
		}
		n++
	}
	if clipped {
		s = s[:end]
	}
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if clipped {
		s += "…"
	}
	return s
}

// maxMasked is how many bytes of a name are masked.
const maxMasked = 512

// Mask replaces each number in s by #, so that names that differ only in an id or a
// count are equal. What follows the first 512 bytes is kept.
func Mask(s string) string {
	head := s[:min(len(s), maxMasked)]
	if !strings.ContainsAny(head, "0123456789") {
		return s
	}
	masked := make([]byte, 0, len(s))
	within := false
	for n := range len(head) {
		digit := '0' <= head[n] && head[n] <= '9'
		switch {
		case !digit:
			masked = append(masked, head[n])
		case !within:
			masked = append(masked, '#')
		}
		within = digit
	}
	return string(append(masked, s[len(head):]...))
}

// widest returns the width of the longest line of text.
func widest(text string) int {
	width := 0
	for line := range strings.Lines(text) {
		width = max(width, Columns(strings.TrimSuffix(line, "\n")))
	}
	return width
}

// cut cuts the lines of text to width columns. A note of which nothing is left is
// removed.
func cut(text string, width int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimSuffix(clipColumns(strings.TrimSuffix(line, "\n"), width), "  …") + "\n")
	}
	return b.String()
}

// times returns " ×n" for n over 1.
func times(n int) string {
	if n == 1 {
		return ""
	}
	return " ×" + Count(n)
}

// Duration formats d to three digits, and to seconds from 100 of them.
func Duration(d time.Duration) string {
	for unit := time.Second; unit > 1; unit /= 10 {
		if d >= 100*unit || d <= -100*unit {
			return d.Round(unit).String()
		}
	}
	return d.String()
}
