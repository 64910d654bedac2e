// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"strings"

	"github.com/waybill-go/waybill/internal/javaprops"
)

// traceparentLen is the length of a traceparent of version 00; those of later
// versions are not shorter.
const traceparentLen = 55

// maxText is the length of a text that is still read as a context. The longest
// one that propagators write, with 8192 bytes of baggage, is much shorter.
const maxText = 64 << 10

// parseText returns the keys and values of a text: the lines of Java's
// Properties, or nothing but a traceparent. It returns nil for any other text.
func parseText(text string) map[string]string {
	if len(text) > maxText {
		return nil
	}
	if strings.ContainsAny(text, "=: \t\n") {
		values := make(map[string]string)
		javaprops.Parse(text, func(e javaprops.Entry) { values[e.Key] = e.Value })
		return values
	}
	if len(text) < traceparentLen || text[2] != '-' {
		return nil
	}
	return map[string]string{keyTraceparent: text}
}

// properties returns c as lines of Java's Properties.
func (c *TraceContext) properties() string {
	var b strings.Builder
	for _, f := range c.fields() {
		if value, ok := f.Value.(string); ok { // bytes are not text.
			b.WriteString(javaprops.Line(unescapeKey(f.Key), value))
		}
	}
	return b.String()
}
