// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
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

const (
	maxMasked = 512 // Bytes of a name that are masked.
	minHex    = 8   // Digits of a hexadecimal id, as of the shortest hashes.
)

// Mask replaces each number in s by #, and each UUID and other id of 8 hexadecimal digits
// or more, so that names that differ only in an id or a count are equal. What follows the
// first 512 bytes is kept.
func Mask(s string) string {
	head := s[:min(len(s), maxMasked)]
	if !strings.ContainsAny(head, digits) {
		return s
	}
	masked := make([]byte, 0, len(s))
	for rest := head; rest != ""; {
		n := 1
		switch c := rest[0]; {
		case !isLetter(c) && !isDigit(c):
			masked = append(masked, c)
		case idLen(rest) > 0:
			n, masked = idLen(rest), append(masked, '#')
		default:
			n = wordLen(rest)
			masked = appendMasked(masked, rest[:n])
		}
		rest = rest[n:]
	}
	return string(append(masked, s[len(head):]...))
}

// appendMasked appends word with # for each of its numbers.
func appendMasked(masked []byte, word string) []byte {
	for i := range len(word) {
		switch {
		case !isDigit(word[i]):
			masked = append(masked, word[i])
		case i == 0 || !isDigit(word[i-1]):
			masked = append(masked, '#')
		}
	}
	return masked
}

// idLen returns the length of the id that s begins with, or 0 for none.
func idLen(s string) int {
	if isUUID(s) {
		return uuidLen
	}
	n := wordLen(s)
	if n >= minHex && strings.Trim(s[:n], hexDigits) == "" && strings.ContainsAny(s[:n], digits) {
		return n
	}
	return 0
}

const (
	digits    = "0123456789"
	hexDigits = digits + "abcdefABCDEF"
	uuidLen   = 36
)

// isUUID reports whether s begins with a UUID.
// https://www.rfc-editor.org/rfc/rfc9562#section-4
func isUUID(s string) bool {
	if len(s) < uuidLen {
		return false
	}
	for _, n := range [...]int{8, 4, 4, 4, 12} {
		if wordLen(s) != n || strings.Trim(s[:n], hexDigits) != "" {
			return false
		}
		s = strings.TrimPrefix(s[n:], "-")
	}
	return true
}

// wordLen returns how many letters and digits s begins with.
func wordLen(s string) int {
	n := 0
	for n < len(s) && (isLetter(s[n]) || isDigit(s[n])) {
		n++
	}
	return n
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isLetter reports whether c is a letter of ASCII, or a part of another character.
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || c >= utf8.RuneSelf }

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
