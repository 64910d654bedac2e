// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package envname has the rules for the names of environment variables that hold a
// context. It imports the standard library only.
package envname

import "strings"

// Normalize returns the name of the environment variable for key: ASCII letters
// in upper case, digits, and an underscore for every other character, before a
// leading digit, and for an empty key. It does not allocate for the keys of
// package propagation.
// https://opentelemetry.io/docs/specs/otel/context/env-carriers/#key-name-normalization
func Normalize(key string) string {
	switch key {
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

// IsNormalized reports whether name is its own [Normalize].
func IsNormalized(name string) bool {
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

func isNormal(r rune) bool { return 'A' <= r && r <= 'Z' || isDigit(r) || r == '_' }

func isDigit(r rune) bool { return '0' <= r && r <= '9' }
