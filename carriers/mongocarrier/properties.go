// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

// traceparentLen is the length of a traceparent of version 00; those of later
// versions are not shorter.
const traceparentLen = 55

// parseText returns what a string holds: the lines of Java's Properties, or
// nothing but a traceparent. What is neither is nil.
func parseText(text string) map[string]string {
	if strings.ContainsAny(text, "=: \t\n") {
		return parseProperties(text)
	}
	if len(text) < traceparentLen || text[2] != '-' {
		return nil
	}
	return map[string]string{keyTraceparent: text}
}

// parseProperties reads the format of Java's Properties: keys and values
// divided by =, : or space, comments, escapes, and lines that go on after a
// backslash. The last value of a key counts.
// https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Properties.html#load(java.io.Reader)
func parseProperties(text string) map[string]string {
	values := make(map[string]string)
	for text != "" {
		var line string
		line, text = logicalLine(text)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		end := keyEnd(line)
		key, value := line[:end], strings.TrimLeft(line[end:], " \t\f")
		if value != "" && (value[0] == '=' || value[0] == ':') {
			value = strings.TrimLeft(value[1:], " \t\f")
		}
		values[unescapeProperty(key)] = unescapeProperty(value)
	}
	return values
}

// logicalLine returns the first line of text without the space before it,
// joined with those that it goes on in, and the rest of text.
func logicalLine(text string) (line, rest string) {
	for {
		var part string
		part, text = cutLine(text)
		part = strings.TrimLeft(part, " \t\f")
		comment := line == "" && part != "" && (part[0] == '#' || part[0] == '!')
		slashes := len(part) - len(strings.TrimRight(part, `\`))
		if comment || slashes%2 == 0 {
			return line + part, text
		}
		line += part[:len(part)-1]
		if text == "" {
			return line, ""
		}
	}
}

// cutLine cuts text after its first line, which ends with \n, \r or both.
func cutLine(text string) (line, rest string) {
	end := strings.IndexAny(text, "\r\n")
	if end < 0 {
		return text, ""
	}
	line, rest = text[:end], text[end+1:]
	if text[end] == '\r' {
		rest = strings.TrimPrefix(rest, "\n")
	}
	return line, rest
}

// keyEnd returns where the key of a line ends: at the first divider that is not
// escaped.
func keyEnd(line string) int {
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '=', ':', ' ', '\t', '\f':
			return i
		}
	}
	return len(line)
}

// unescapeProperty resolves the escapes of a key or a value.
func unescapeProperty(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			break
		}
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			code, n := unicodeEscape(s[i+1:])
			if n > 0 {
				b.WriteRune(code)
			}
			i += n
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// unicodeEscape returns the character whose 4 digits s starts with, or whose
// two halves, and how many bytes of s they are.
func unicodeEscape(s string) (code rune, n int) {
	code, ok := fourDigits(s)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(code) && strings.HasPrefix(s[4:], `\u`) {
		if low, ok := fourDigits(s[6:]); ok {
			return utf16.DecodeRune(code, low), 10
		}
	}
	return code, 4
}

func fourDigits(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	code, err := strconv.ParseUint(s[:4], 16, 16)
	return rune(code), err == nil //nolint:gosec // 16 bits.
}

// properties returns c as lines of Java's Properties.
func (c *TraceContext) properties() string {
	var b strings.Builder
	for _, f := range c.fields() {
		value, ok := f.Value.(string)
		if !ok {
			continue // not UTF-8, so no text.
		}
		b.WriteString(escapeProperty(unescapeKey(f.Key), " \t\f=:#!"))
		b.WriteByte('=')
		if value[0] == ' ' {
			b.WriteByte('\\')
		}
		b.WriteString(escapeProperty(value, ""))
		b.WriteByte('\n')
	}
	return b.String()
}

// escapeProperty escapes the backslash, the ends of lines, and special.
func escapeProperty(s, special string) string {
	if !strings.ContainsAny(s, "\\\t\n\r\f"+special) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\f':
			b.WriteString(`\f`)
		case c == '\\' || strings.IndexByte(special, c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
