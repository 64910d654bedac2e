// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
)

// readPrefixes begin the keys of all attributes that the package reads.
var readPrefixes = []string{
	baggagePrefix, "db.", "error.type", "flow.", "http.method", "http.request.method", "k8s.job.name", "messaging.", "rpc.system", "waybill.",
}

// unread begin the keys of attributes with one of these beginnings that the package does
// not read, and that may be long.
var unread = []string{"db.query", "db.statement", "db.operation"}

// Reads reports whether the package reads the attribute key of a span. Who wants no more
// than flows and findings may leave the others out, which takes far less memory.
func Reads(key string) bool {
	if _, ok := messageSetters[attribute.Key(key)]; ok {
		return true
	}
	return hasPrefix(key, readPrefixes) && !hasPrefix(key, unread)
}

func hasPrefix(key string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}
