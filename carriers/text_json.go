// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"encoding/json"
	"strings"
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
func jsonMembers(text string) ([]entry, bool) {
	if !json.Valid([]byte(text)) {
		return nil, false
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, false
	}
	var members []entry
	for decoder.More() {
		from := int(decoder.InputOffset())
		m := entry{start: from + strings.IndexByte(text[from:], '"')}
		token, err := decoder.Token()
		if err != nil {
			return nil, false
		}
		m.key, _ = token.(string)
		var value any
		if err := decoder.Decode(&value); err != nil {
			return nil, false
		}
		m.value, _ = value.(string)
		m.end = int(decoder.InputOffset())
		members = append(members, m)
	}
	return members, true
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
