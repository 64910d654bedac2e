// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// propertiesFormat keeps entries as the lines of a Java properties file.
// https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Properties.html#load(java.io.Reader)
type propertiesFormat struct{}

func (propertiesFormat) entries(text string) []entry {
	entries, _ := properties(text)
	return entries
}

func (propertiesFormat) replace(text, key, value string) string {
	value = escapeProperty(value, "")
	if strings.HasPrefix(value, " ") {
		value = `\` + value
	}
	return spliceProperties(text, key, escapeProperty(key, " #!:=")+"="+value+"\n")
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
	case rest != "" && !isNewline(rest[len(rest)-1]):
		b.WriteByte('\n')
	}
	b.WriteString(line)
	return b.String()
}

// properties returns the entries of text, and whether it ends inside of a
// line that would be continued.
func properties(text string) (entries []entry, open bool) {
	for at := 0; at < len(text); {
		var line logicalLine
		line, at = readLogicalLine(text, at)
		open = line.open
		if line.content == "" {
			continue
		}
		rawKey, rawValue := splitProperty(line.content)
		key, ok := unescapeProperty(rawKey)
		if !ok {
			continue
		}
		value, _ := unescapeProperty(rawValue)
		entries = append(entries, entry{key: key, value: value, start: line.start, end: at})
	}
	return entries, open
}

// logicalLine is a line of the file with those that continue it.
type logicalLine struct {
	content string // without continuations and leading space; "" if there is none.
	start   int    // of the first byte of content.
	open    bool   // whether the text ends where a continuation is expected.
}

// readLogicalLine reads the logical line that begins at text[at:], after blank
// lines and comments, and returns it and where the next one begins.
func readLogicalLine(text string, at int) (line logicalLine, next int) {
	var content []byte
	indent, continued, escaped := true, false, false
	for ; at < len(text); at++ {
		c := text[at]
		if indent {
			if isBlank(c) || isNewline(c) && !continued {
				continue
			}
			indent, continued = false, false
		}
		switch {
		case len(content) == 0 && (c == '#' || c == '!'):
			for at+1 < len(text) && !isNewline(text[at]) {
				at++
			}
			indent = true
		case !isNewline(c):
			if len(content) == 0 {
				line.start = at
			}
			content = append(content, c)
			escaped = c == '\\' && !escaped
		case len(content) == 0:
			indent = true
		default:
			if c == '\r' && at+1 < len(text) && text[at+1] == '\n' {
				at++
			}
			if !escaped {
				line.content = string(content)
				return line, at + 1
			}
			content = content[:len(content)-1]
			indent, continued, escaped = true, true, false
		}
	}
	if escaped {
		content = content[:len(content)-1]
	}
	line.content = string(content)
	line.open = escaped || continued
	return line, at
}

func isBlank(c byte) bool   { return c == ' ' || c == '\t' || c == '\f' }
func isNewline(c byte) bool { return c == '\n' || c == '\r' }

// splitProperty divides a logical line at the first separator that is not
// escaped: a '=' or ':', with or without blanks around it, or blanks alone.
func splitProperty(line string) (key, value string) {
	end := 0
	for end < len(line) && !isBlank(line[end]) && line[end] != '=' && line[end] != ':' {
		if line[end] == '\\' {
			end++
		}
		end++
	}
	end = min(end, len(line))
	value = strings.TrimLeft(line[end:], " \t\f")
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], " \t\f")
	}
	return line[:end], value
}

// unescapeProperty returns s without its escapes, or reports that one is
// malformed.
func unescapeProperty(s string) (string, bool) {
	if !strings.Contains(s, `\`) {
		return s, true
	}
	var b strings.Builder
	var units []uint16 // of \uXXXX escapes in a row, which may form pairs.
	flush := func() {
		b.WriteString(string(utf16.Decode(units)))
		units = units[:0]
	}
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			flush()
			b.WriteByte(s[i])
			continue
		}
		i++
		if s[i] == 'u' {
			unit, err := strconv.ParseUint(s[min(i+1, len(s)):min(i+5, len(s))], 16, 16)
			if err != nil || i+4 >= len(s) {
				return "", false
			}
			units = append(units, uint16(unit))
			i += 4
			continue
		}
		flush()
		b.WriteByte(unescapedByte(s[i]))
	}
	flush()
	return b.String(), true
}

func unescapedByte(c byte) byte {
	switch c {
	case 't':
		return '\t'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 'f':
		return '\f'
	default:
		return c
	}
}

// escapeProperty returns s, which is valid UTF-8, in ASCII and on one line, with
// a backslash before each of special.
func escapeProperty(s, special string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < ' ' || r > '~':
			for _, unit := range utf16.AppendRune(nil, r) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		case strings.ContainsRune(special, r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
