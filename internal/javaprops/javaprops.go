// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package javaprops reads and writes the text format of java.util.Properties.
// https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Properties.html#load(java.io.Reader)
package javaprops

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

// Entry is one key with its value, and the bytes of the text that define it.
type Entry struct {
	Key, Value string
	Start, End int
}

// Parse calls yield for each entry of text, in order, and reports whether text
// ends inside a line that the next one continues. It reads comments, continued
// lines and escapes, and takes time proportional to the length of text.
//
// An entry whose key has a malformed escape is left out; a value with one is
// empty.
func Parse(text string, yield func(Entry)) (open bool) {
	for at := 0; at < len(text); {
		var line logicalLine
		line, at = readLogicalLine(text, at)
		open = line.open
		if line.content == "" {
			continue
		}
		rawKey, rawValue := split(line.content)
		key, ok := unescape(rawKey)
		if !ok {
			continue
		}
		value, _ := unescape(rawValue)
		yield(Entry{Key: key, Value: value, Start: line.start, End: at})
	}
	return open
}

// Line returns the line that defines key as value, with its newline. Key and
// value must be valid UTF-8; the line is ASCII.
func Line(key, value string) string {
	var b strings.Builder
	b.Grow(len(key) + len(value) + len("=\\\n"))
	escape(&b, key, " #!:=")
	b.WriteByte('=')
	if strings.HasPrefix(value, " ") {
		b.WriteByte('\\')
	}
	escape(&b, value, "")
	b.WriteByte('\n')
	return b.String()
}

// logicalLine is a line of the text with those that continue it.
type logicalLine struct {
	content string // Without continuations and leading space; "" if there is none.
	start   int    // Of the first byte of content.
	open    bool   // Reports whether the text ends where a continuation is expected.
}

// readLogicalLine reads the logical line that begins at text[at:], after blank
// lines and comments, and returns it and where the next one begins.
func readLogicalLine(text string, at int) (line logicalLine, next int) {
	var joined []byte // The lines before this one.
	from := at        // Where this one begins.
	indent, continued, escaped := true, false, false
	for ; at < len(text); at++ {
		c := text[at]
		if indent {
			if isBlank(c) || isNewline(c) && !continued {
				continue
			}
			indent, continued, from = false, false, at
		}
		switch empty := len(joined) == 0 && from == at; {
		case empty && (c == '#' || c == '!'):
			for at+1 < len(text) && !isNewline(text[at]) {
				at++
			}
			indent = true
		case !isNewline(c):
			if empty {
				line.start = at
			}
			escaped = c == '\\' && !escaped
		case empty:
			indent = true
		default:
			end := at
			if c == '\r' && at+1 < len(text) && text[at+1] == '\n' {
				at++
			}
			if !escaped {
				line.content = join(joined, text[from:end])
				return line, at + 1
			}
			joined = append(joined, text[from:end-1]...)
			indent, continued, escaped = true, true, false
		}
	}
	if indent {
		from = len(text)
	}
	end := len(text)
	if escaped {
		end--
	}
	line.content = join(joined, text[from:end])
	line.open = escaped || continued
	return line, at
}

// join returns joined and last, without a copy if last is all.
func join(joined []byte, last string) string {
	if len(joined) == 0 {
		return last
	}
	return string(append(joined, last...))
}

func isBlank(c byte) bool   { return c == ' ' || c == '\t' || c == '\f' }
func isNewline(c byte) bool { return c == '\n' || c == '\r' }

// split divides a logical line at the first separator that is not escaped: a
// '=' or ':', with or without blanks around it, or blanks alone.
func split(line string) (key, value string) {
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

// unescape returns s without its escapes, or reports that one is malformed.
func unescape(s string) (string, bool) {
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

// escape writes s in ASCII and on one line, with a backslash before each
// character of special.
func escape(b *strings.Builder, s, special string) {
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
				writeUnit(b, unit)
			}
		case strings.ContainsRune(special, r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
}

// writeUnit writes the escape of one UTF-16 code unit.
func writeUnit(b *strings.Builder, unit uint16) {
	const digits = "0123456789abcdef"
	b.WriteString(`\u`)
	for shift := 12; shift >= 0; shift -= 4 {
		b.WriteByte(digits[unit>>shift&0xf])
	}
}
