// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"strings"

	"github.com/waybill-go/waybill/internal/javaprops"
)

// propertiesFormat keeps entries as the lines of a Java properties file.
type propertiesFormat struct{}

func (propertiesFormat) entries(text string, yield func(key, value string)) {
	javaprops.Parse(text, func(e javaprops.Entry) { yield(e.Key, e.Value) })
}

func (propertiesFormat) edit(text string, drop func(key string) bool, pairs []Pair) string {
	at := 0
	var b strings.Builder
	open := javaprops.Parse(text, func(e javaprops.Entry) {
		if !drop(e.Key) {
			return
		}
		b.WriteString(text[at:e.Start])
		at = e.End
		if p, ok := take(&pairs, e.Key); ok {
			b.WriteString(javaprops.Line(p.Key, p.Value))
		}
	})
	rest := text[at:]
	b.WriteString(rest)
	if len(pairs) == 0 {
		return b.String()
	}
	switch {
	case open:
		b.WriteString("\n\n") // The first one is continued.
	case rest != "" && !isNewline(rest[len(rest)-1]):
		b.WriteByte('\n')
	}
	for _, p := range pairs {
		b.WriteString(javaprops.Line(p.Key, p.Value))
	}
	return b.String()
}

func isNewline(c byte) bool { return c == '\n' || c == '\r' }
