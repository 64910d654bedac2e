// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import "strings"

// Normalize returns the name of the environment variable that key travels
// under: "traceparent" becomes "TRACEPARENT" and "x-b3-traceid" becomes
// "X_B3_TRACEID".
//
// Letters a to z become upper case, every character that is no ASCII letter,
// digit or underscore becomes one underscore, and so does an empty key; a name
// that would start with a digit gets an underscore before it. Keys that differ
// only in such characters become one name.
// https://opentelemetry.io/docs/specs/otel/context/env-carriers/#key-name-normalization
func Normalize(key string) string {
	switch key { // What nearly every call asks for costs no allocation.
	case "traceparent":
		return "TRACEPARENT"
	case "tracestate":
		return "TRACESTATE"
	case "baggage":
		return "BAGGAGE"
	case "waybill":
		return "WAYBILL"
	case "":
		return "_"
	}
	name := strings.Map(normal, key)
	if isDigit(rune(name[0])) {
		return "_" + name
	}
	return name
}

// normal returns the character of a name that stands for r.
func normal(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z':
		return r - 'a' + 'A'
	case isNormal(r):
		return r
	default:
		return '_'
	}
}

// isNormalized reports whether name is what [Normalize] makes of itself.
func isNormalized(name string) bool {
	if name == "" || isDigit(rune(name[0])) {
		return false
	}
	for _, r := range name {
		if !isNormal(r) {
			return false
		}
	}
	return true
}

func isNormal(r rune) bool { return 'A' <= r && r <= 'Z' || isDigit(r) || r == '_' }

func isDigit(r rune) bool { return '0' <= r && r <= '9' }
