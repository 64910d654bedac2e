// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"bufio"
	"encoding/json"
	"fmt"
	"html"
	"io"
)

// markup is HTML, CSS or JavaScript of this package. Constants and embedded files are
// markup. The compiler refuses a variable of another type in its place, so a text of a
// recording is an argument of [writer.printf], which escapes it.
type markup string

// writer writes HTML. It does not use html/template: the linker keeps all exported methods
// of a program that executes templates, which made the command a fifth larger.
type writer struct{ out *bufio.Writer }

// write writes to w what content writes.
func write(w io.Writer, content func(writer)) error {
	out := bufio.NewWriter(w)
	content(writer{out})
	return out.Flush()
}

// printf writes format, with args in place of its verbs, which are %s. It escapes args
// for text and for quoted values of attributes, unless they are markup. Within a script
// or a style, where nothing can be escaped, they must be markup.
func (w writer) printf(format markup, args ...any) {
	escaped := make([]any, len(args))
	for i, arg := range args {
		if text, ok := arg.(markup); ok {
			escaped[i] = text
		} else {
			escaped[i] = html.EscapeString(fmt.Sprint(arg))
		}
	}
	_, _ = fmt.Fprintf(w.out, string(format), escaped...) // Flush returns the first error.
}

// data writes value as a script of JSON. A text in it cannot end the script, because
// package json escapes the < in it.
func (w writer) data(id string, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // It has a type that JSON has no values for.
	}
	w.printf(`<script type="application/json" id="%s">%s</script>`, id, markup(text))
}

// when returns text if condition is true, and the empty string otherwise.
func when(condition bool, text markup) markup { //nolint:revive // It stands for an if statement within arguments.
	if condition {
		return text
	}
	return ""
}
