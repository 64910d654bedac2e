// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envname

import (
	"slices"
	"strings"
)

// contextNames are the variables of a context, and contextKeys the same in lower case, as
// some programs write them.
var (
	contextNames = []string{"TRACEPARENT", "TRACESTATE", "BAGGAGE", "WAYBILL"}
	contextKeys  = []string{"traceparent", "tracestate", "baggage", "waybill"}
)

// Fold returns a copy of environ that has the variables of a context in upper case
// only. If TRACEPARENT is set, those in lower case are left out, because they belong to
// another span; else, if traceparent is set, those in upper case are.
func Fold(environ []string) []string {
	folded := make([]string, 0, len(environ))
	hasUpper := isSet(environ, "TRACEPARENT")
	hasLower := !hasUpper && isSet(environ, "traceparent")
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case slices.Contains(contextKeys, name):
			if !hasUpper {
				folded = append(folded, Normalize(name)+"="+value)
			}
		case hasLower && slices.Contains(contextNames, name):
		default:
			folded = append(folded, entry)
		}
	}
	return folded
}

// isSet reports whether the variable called name has a value.
func isSet(environ []string, name string) bool {
	return slices.ContainsFunc(environ, func(entry string) bool {
		return len(entry) > len(name)+1 && strings.HasPrefix(entry, name) && entry[len(name)] == '='
	})
}
