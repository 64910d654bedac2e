// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"strings"

	"github.com/waybill-go/waybill/internal/javaprops"
)

// propertiesFormat keeps entries as the lines of a Java properties file.
type propertiesFormat struct{}

func (propertiesFormat) entries(text string) []entry {
	entries, _ := properties(text)
	return entries
}

func (propertiesFormat) replace(text, key, value string) string {
	return spliceProperties(text, key, javaprops.Line(key, value))
}

func (propertiesFormat) remove(text, key string) string { return spliceProperties(text, key, "") }

// spliceProperties returns text with line in the place of the first entry named
// key, or at the end. The others named key are removed; with an empty line all
// are.
func spliceProperties(text, key, line string) string {
	entries, open := properties(text)
	at := 0
	var b strings.Builder
	for _, e := range entries {
		if e.key != key {
			continue
		}
		b.WriteString(text[at:e.start])
		b.WriteString(line)
		line, at = "", e.end
	}
	rest := text[at:]
	b.WriteString(rest)
	if line == "" {
		return b.String()
	}
	switch {
	case open:
		b.WriteString("\n\n") // The first one is continued.
	case rest != "" && !strings.HasSuffix(rest, "\n") && !strings.HasSuffix(rest, "\r"):
		b.WriteByte('\n')
	}
	b.WriteString(line)
	return b.String()
}

// properties returns the entries of text, and whether it ends inside of a
// line that would be continued.
func properties(text string) (entries []entry, open bool) {
	open = javaprops.Parse(text, func(e javaprops.Entry) {
		entries = append(entries, entry{key: e.Key, value: e.Value, start: e.Start, end: e.End})
	})
	return entries, open
}
