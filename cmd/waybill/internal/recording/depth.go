// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package recording

import (
	"bytes"
	"errors"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Unmarshal parses a document of OTLP/JSON. Its parser has no limit for values within
// each other, a program that runs out of stack cannot go on, and to write such values
// as protobuf takes quadratic time: documents that are nested too deeply are refused.
func Unmarshal(text []byte) (traces ptrace.Traces, err error) {
	if isDeep(text) {
		return traces, errDeep
	}
	defer recovered(&err)
	traces, err = (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(text)
	if err != nil {
		return traces, plain(err)
	}
	return traces, nil
}

var errDeep = errors.New("the document is nested too deeply")

// maxDepth is how many brackets may be open. A value within another one opens three.
const maxDepth = 500

// isDeep reports whether text is nested too deeply. Most of it need not be read for
// that: what nests in OTLP is in a list of values.
func isDeep(text []byte) bool {
	if bytes.Count(text, []byte{'['}) < maxDepth/3 {
		return false
	}
	if bytes.Count(text, []byte(`"values"`)) < maxDepth/4 && !bytes.Contains(text, []byte(`\u`)) {
		return false
	}
	depth, inText, escaped := 0, false, false
	for _, b := range text {
		switch {
		case escaped:
			escaped = false
		case inText:
			escaped, inText = b == '\\', b != '"'
		case b == '"':
			inText = true
		case b == '{' || b == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case b == '}' || b == ']':
			depth--
		}
	}
	return false
}
