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

func (jsonFormat) entries(text string) []entry {
	members, _ := jsonMembers(text)
	return members
}

func (jsonFormat) replace(text, key, value string) string {
	if blank := strings.TrimSpace(text); blank == "" || blank == "null" {
		text = "{}"
	}
	return spliceJSON(text, key, quoteJSON(key)+":"+quoteJSON(value))
}

func (jsonFormat) remove(text, key string) string { return spliceJSON(text, key, "") }

// spliceJSON returns text with member in the place of the first one named key,
// or at the end. The others named key are removed; with an empty member all
// are.
func spliceJSON(text, key, member string) string {
	members, ok := jsonMembers(text)
	if !ok {
		return text
	}
	at := strings.IndexByte(text, '{') + 1
	written := 0
	var b strings.Builder
	b.WriteString(text[:at])
	for _, m := range members {
		gap, kept := text[at:m.start], text[m.start:m.end]
		at = m.end
		if m.key == key {
			kept, member = member, ""
		}
		if kept == "" {
			continue
		}
		if written == 0 {
			gap = strings.Replace(gap, ",", "", 1)
		}
		b.WriteString(gap)
		b.WriteString(kept)
		written++
	}
	if member != "" {
		if written > 0 {
			b.WriteByte(',')
		}
		b.WriteString(member)
	}
	b.WriteString(text[at:])
	return b.String()
}

// jsonMembers returns the members of the object that text holds, or reports
// that it holds none.
func jsonMembers(text string) (members []entry, ok bool) {
	if !strings.HasPrefix(strings.TrimLeft(text, jsonSpace), "{") || !json.Valid([]byte(text)) {
		return nil, false
	}
	depth, colon := 0, -1
	m := entry{start: -1}
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
			m.value = unquoteJSON(text[colon+1 : m.end])
			members = append(members, m)
			m = entry{start: -1}
		}
		if text[i] == '}' || text[i] == ']' {
			depth--
		}
	}
	return members, true
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

// unquoteJSON returns the string that value is, or "" if it is something else.
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
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return `""` // A string always has an encoding.
	}
	return strings.TrimSuffix(b.String(), "\n")
}
