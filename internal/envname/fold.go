// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envname

import (
	"slices"
	"strings"
)

// contextKeys are the keys of a context, whose variables some programs write in lower
// case.
var contextKeys = []string{"traceparent", "tracestate", "baggage", "waybill"}

// Fold returns a copy of environ that has the variables of a context in upper case
// only. Those in lower case are ignored if TRACEPARENT is set, because they belong to
// another span.
func Fold(environ []string) []string {
	folded := make([]string, 0, len(environ))
	hasUpper := slices.ContainsFunc(environ, func(entry string) bool {
		value, ok := strings.CutPrefix(entry, "TRACEPARENT=")
		return ok && value != ""
	})
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case !slices.Contains(contextKeys, name):
			folded = append(folded, entry)
		case !hasUpper:
			folded = append(folded, Normalize(name)+"="+value)
		}
	}
	return folded
}
