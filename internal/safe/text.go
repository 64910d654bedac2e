// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package safe

import (
	"strings"
	"unicode/utf8"
)

// The limits in bytes of what a user's text may become.
const (
	MaxName  = 256  // A span name, a label value, or an attribute that names something.
	MaxValue = 1024 // Any other attribute, and the description of a status.
)

const (
	mark        = "…" // Stands for what was cut.
	replacement = "\uFFFD"
)

// Text returns s as text that every exporter accepts: valid UTF-8, and at most
// limit bytes long. What is not UTF-8 is replaced by U+FFFD. A longer text is
// cut between two characters and ends in "…". The limit must be at least 3. It
// does not allocate if s needs no change.
func Text(s string, limit int) string {
	if len(s) <= limit && utf8.ValidString(s) {
		return s
	}
	whole := len(s) <= limit
	if !whole {
		s = s[:min(len(s), limit+utf8.UTFMax)] // What follows is cut in any case.
	}
	s = strings.ToValidUTF8(s, replacement)
	if whole && len(s) <= limit {
		return s
	}
	return cut(s, limit-len(mark)) + mark
}

// cut returns the longest prefix of s, which is valid UTF-8, that has at most n
// bytes and ends between two characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
