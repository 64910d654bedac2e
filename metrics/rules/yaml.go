// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// WriteTo writes the groups as a rules file of Prometheus, in YAML. The same
// groups give the same bytes.
func (g Groups) WriteTo(w io.Writer) (int64, error) {
	var y yaml
	y.WriteString("groups:\n")
	for _, group := range g {
		y.group(group)
	}
	return y.WriteTo(w)
}

// yaml writes the one shape that rules have. A YAML library would be a dependency
// of every user, for a file that is written here and read elsewhere. Each text is
// quoted as Go quotes it, whose escapes are all escapes of YAML too, or is a block
// of lines that need no escape.
type yaml struct{ bytes.Buffer }

func (y *yaml) group(g Group) {
	y.WriteString("  - name: " + quote(g.Name) + "\n")
	if g.Interval > 0 {
		y.WriteString("    interval: " + duration(g.Interval) + "\n")
	}
	y.WriteString("    rules:\n")
	for _, rule := range g.Rules {
		y.rule(rule)
	}
}

func (y *yaml) rule(r Rule) {
	if r.Record != "" {
		y.WriteString("      - record: " + quote(r.Record) + "\n")
	} else {
		y.WriteString("      - alert: " + quote(r.Alert) + "\n")
	}
	y.WriteString("        expr: " + block(r.Expr, "          ") + "\n")
	y.duration("for", r.For)
	y.texts("labels", r.Labels)
	y.texts("annotations", r.Annotations)
}

func (y *yaml) duration(key string, d time.Duration) {
	if d > 0 {
		y.WriteString("        " + key + ": " + duration(d) + "\n")
	}
}

func (y *yaml) texts(key string, texts map[string]string) {
	if len(texts) == 0 {
		return
	}
	y.WriteString("        " + key + ":\n")
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		y.WriteString("          " + quote(name) + ": " + quote(texts[name]) + "\n")
	}
}

// quote returns text in double quotes, or as it is if that is plain in YAML and
// cannot be anything but a text.
func quote(text string) string {
	plain := text != ""
	for i, r := range text {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		plain = plain && (letter || i > 0 && (r == '-' || r == ':' || '0' <= r && r <= '9'))
	}
	if !plain || strings.HasSuffix(text, ":") || isKeyword(text) {
		return strconv.Quote(text)
	}
	return text
}

// isKeyword reports whether some version of YAML reads text as a boolean or null.
func isKeyword(text string) bool {
	return slices.Contains([]string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}, strings.ToLower(text))
}

// block returns text as a literal block, or in quotes if it has a character or a
// space that a block would not keep.
func block(text, indentation string) string {
	unprintable := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
	if text == "" || strings.ContainsFunc(text, unprintable) || strings.HasSuffix(text, "\n") || strings.TrimLeft(text, " \n") != text {
		return strconv.Quote(text)
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = indentation + line
		}
	}
	return "|-\n" + strings.Join(lines, "\n")
}
