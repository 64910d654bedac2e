// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"strings"
	"unicode/utf8"
)

// escape returns the text from which kubelet makes value: kubelet expands $(NAME)
// and reads $$ as a dollar. A tracestate and a baggage may hold both.
// https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
func escape(value string) string { return strings.ReplaceAll(value, "$", "$$") }

// unescape returns what kubelet makes of value if no variable is known: a
// reference stays as it is. It takes time in proportion to value.
func unescape(value string) string {
	if !strings.Contains(value, "$$") {
		return value
	}
	var out strings.Builder
	lastEnd := strings.LastIndexByte(value, ')') // of a reference.
	for i := 0; i < len(value); {
		length := 1
		switch {
		case strings.HasPrefix(value[i:], "$$"):
			i++ // One of the two stays.
		case strings.HasPrefix(value[i:], "$(") && i < lastEnd:
			// All that is in a reference is its name, dollars too.
			length = strings.IndexByte(value[i:], ')') + 1
		}
		out.WriteString(value[i : i+length])
		i += length
	}
	return out.String()
}

// maxEntry is the length of the longest NAME=value that a process can be started
// with: MAX_ARG_STRLEN of Linux, less the NUL at the end.
// https://man7.org/linux/man-pages/man2/execve.2.html
const maxEntry = 128<<10 - 1

// passable reports whether a process gets the variable as it is: the API server
// stores only UTF-8, and a variable of a process holds no NUL.
func passable(name, value string) bool {
	return len(name)+1+len(value) <= maxEntry && strings.IndexByte(value, 0) < 0 && utf8.ValidString(value)
}
