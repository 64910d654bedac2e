// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/waybill-go/waybill/internal/javaprops"
)

// minTraceparent is the length of a traceparent of version 00; those of later
// versions are not shorter.
const minTraceparent = 55

// maxText is the length of a text that is still read as a context. The longest
// one that propagators write, with 8192 bytes of baggage, is much shorter.
const maxText = 64 << 10

// parseText returns what a text holds: the JSON of a document or a list, the
// lines of java.util.Properties, or nothing but a traceparent. It returns nil for
// any other text.
func parseText(text string) any {
	if len(text) > maxText {
		return nil
	}
	var value any
	switch {
	case isJSON(text) && json.Unmarshal([]byte(text), &value) == nil:
		return value
	case strings.ContainsAny(text, "=: \t\r\n"):
		values := make(map[string]string)
		javaprops.Parse(text, func(e javaprops.Entry) { values[escapeKey(e.Key)] = e.Value })
		return values
	case len(text) >= minTraceparent && text[2] == '-':
		return map[string]string{keyTraceparent: text}
	default:
		return nil
	}
}

// isJSON reports whether text looks like a document or a list of JSON.
func isJSON(text string) bool {
	text = strings.TrimLeft(text, " \t\r\n")
	return text != "" && (text[0] == '{' || text[0] == '[')
}

// properties returns entries as lines of java.util.Properties, without those
// that are not text.
func properties(entries []entry) string {
	var b strings.Builder
	for _, e := range entries {
		if utf8.ValidString(e.key) && utf8.ValidString(e.value) {
			b.WriteString(javaprops.Line(e.key, e.value))
		}
	}
	return b.String()
}
