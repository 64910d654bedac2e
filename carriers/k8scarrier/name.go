// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"strings"
	"unicode/utf8"
)

// envName returns the name of the environment variable that key travels under,
// as OpenTelemetry's environment carriers have it. It is a valid name to
// Kubernetes too.
// https://opentelemetry.io/docs/specs/otel/context/env-carriers/#key-name-normalization
func envName(key string) string {
	switch key { // What nearly every call asks for costs no allocation.
	case "traceparent":
		return "TRACEPARENT"
	case keyTracestate:
		return "TRACESTATE"
	case keyBaggage:
		return "BAGGAGE"
	case keyWaybill:
		return "WAYBILL"
	}
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		default:
			return '_'
		}
	}, key)
	if name == "" || '0' <= name[0] && name[0] <= '9' {
		return "_" + name
	}
	return name
}

// escape returns what kubelet makes value of: it expands $(NAME), and $$ is a
// dollar. A tracestate and a baggage may hold both.
// https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
func escape(value string) string { return strings.ReplaceAll(value, "$", "$$") }

// unescape returns what kubelet makes of value where no variable is known: then
// a reference stays as it is. It takes time in proportion to value.
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
			i++ // one of the two stays.
		case strings.HasPrefix(value[i:], "$(") && i < lastEnd:
			// What is in a reference is its name, dollars and all.
			length = strings.IndexByte(value[i:], ')') + 1
		}
		out.WriteString(value[i : i+length])
		i += length
	}
	return out.String()
}

// maxEntry is the longest NAME=value a process can be started with:
// MAX_ARG_STRLEN of Linux, less the NUL at the end.
// https://man7.org/linux/man-pages/man2/execve.2.html
const maxEntry = 128<<10 - 1

// passable reports whether a process gets the variable as it is: the API server
// stores nothing but UTF-8, and a process starts with no NUL in a variable.
func passable(name, value string) bool {
	return len(name)+1+len(value) <= maxEntry && strings.IndexByte(value, 0) < 0 && utf8.ValidString(value)
}
