// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// jsonFormat keeps entries as the members of a JSON object.
type jsonFormat struct{}

func (jsonFormat) entries(text string, yield func(key, value string)) {
	jsonMembers(text, func(m member) { yield(m.key, unquoteJSON(m.value)) })
}

func (jsonFormat) edit(text string, drop func(key string) bool, pairs []Pair) string {
	object := text
	if blank := strings.TrimSpace(text); len(pairs) > 0 && (blank == "" || blank == "null") {
		object = "{}"
	}
	if !isObject(object) {
		return text
	}
	at := strings.IndexByte(object, '{') + 1
	written := 0
	var b strings.Builder
	b.Grow(len(object) + sizeOf(pairs))
	b.WriteString(object[:at])
	jsonMembers(object, func(m member) {
		gap := object[at:m.start]
		kept := object[m.start:m.end]
		at = m.end
		if drop(m.key) {
			p, ok := take(&pairs, m.key)
			if !ok {
				return
			}
			kept = memberOf(p)
		}
		if written == 0 {
			gap = strings.Replace(gap, ",", "", 1)
		}
		b.WriteString(gap)
		b.WriteString(kept)
		written++
	})
	for _, p := range pairs {
		if written > 0 {
			b.WriteByte(',')
		}
		b.WriteString(memberOf(p))
		written++
	}
	b.WriteString(object[at:])
	return b.String()
}

// sizeOf returns the bytes that pairs take, about.
func sizeOf(pairs []Pair) int {
	size := 0
	for _, p := range pairs {
		size += len(p.Key) + len(p.Value) + len(`"":"",`)
	}
	return size
}

// memberOf returns p as a member of an object.
func memberOf(p Pair) string { return quoteJSON(p.Key) + ":" + quoteJSON(p.Value) }

// member is a member of an object: its key, and its value as it stands in the
// text from start to end.
type member struct {
	key, value string
	start, end int
}

// isObject reports whether text holds a JSON object.
func isObject(text string) bool {
	return strings.HasPrefix(strings.TrimLeft(text, jsonSpace), "{") && json.Valid([]byte(text))
}

// jsonMembers calls yield for each member of the object that text holds, if it
// holds one.
func jsonMembers(text string, yield func(member)) {
	if !isObject(text) {
		return
	}
	depth, colon := 0, -1
	m := member{start: -1}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			if depth == 1 && m.start < 0 {
				m.start = i
			}
			i = endOfString(text, i)
		case c == ':' && depth == 1:
			colon = i
		case c == '{' || c == '[':
			depth++
		case (c == ',' || c == '}') && depth == 1 && m.start >= 0:
			m.end = len(strings.TrimRight(text[:i], jsonSpace))
			m.key = unquoteJSON(text[m.start:colon])
			m.value = text[colon+1 : m.end]
			yield(m)
			m = member{start: -1}
		}
		if text[i] == '}' || text[i] == ']' {
			depth--
		}
	}
}

// jsonSpace is the space between tokens. https://www.rfc-editor.org/rfc/rfc8259#section-2
const jsonSpace = " \t\n\r"

// endOfString returns where the string that begins at text[at] ends.
func endOfString(text string, at int) int {
	for at++; text[at] != '"'; at++ {
		if text[at] == '\\' {
			at++
		}
	}
	return at
}

// unquoteJSON returns the string that value is, or the empty string if it is
// something else.
func unquoteJSON(value string) string {
	value = strings.Trim(value, jsonSpace)
	if value[0] != '"' {
		return ""
	}
	if text := value[1 : len(value)-1]; !strings.Contains(text, `\`) && utf8.ValidString(text) {
		return text
	}
	var text string
	if err := json.Unmarshal([]byte(value), &text); err != nil {
		return ""
	}
	return text
}

// quoteJSON returns s, which is valid UTF-8, as a JSON string.
func quoteJSON(s string) string {
	if isPlain(s) {
		return `"` + s + `"`
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return `""` // A string always has an encoding.
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// isPlain reports whether s is printable ASCII that JSON does not escape.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
