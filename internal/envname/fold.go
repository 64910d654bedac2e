// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envname

import (
	"slices"
	"strings"
)

// contextNames are the variables of a context.
var contextNames = []string{"TRACEPARENT", "TRACESTATE", "BAGGAGE", "WAYBILL"}

// IsContext reports whether the normalized name of key is that of a variable of a
// context.
func IsContext(key string) bool { return slices.Contains(contextNames, Normalize(key)) }

// Fold returns a copy of environ that has the variables of a context in upper case
// only. Those in lower case, which some programs write, are ignored if TRACEPARENT is
// set, because they belong to another span.
func Fold(environ []string) []string {
	folded := make([]string, 0, len(environ))
	hasUpper := slices.ContainsFunc(environ, func(entry string) bool {
		value, ok := strings.CutPrefix(entry, "TRACEPARENT=")
		return ok && value != ""
	})
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		upper := strings.ToUpper(name)
		switch {
		case name == upper || name != strings.ToLower(name) || !slices.Contains(contextNames, upper):
			folded = append(folded, entry)
		case !hasUpper:
			folded = append(folded, upper+"="+value)
		}
	}
	return folded
}
