// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import "strings"

// JSONSchemaProperties returns the properties of a context, to be added to those
// of the schema of a collection: {"_otel": {bsonType: "object", …}}.
//
// A schema with additionalProperties: false otherwise refuses a document that
// has a context, with error 121 of the server. This package never writes a
// document again without its context: the error is the caller's.
func JSONSchemaProperties(opts ...Option) map[string]any {
	cfg := newConfig(opts)
	fields := make(map[string]any)
	for _, name := range cfg.clearedNames() {
		fields[name] = map[string]any{"bsonType": "string"}
	}
	parent, leaf := cfg.place()
	switch cfg.form {
	case FormFlat:
	case FormProperties:
		fields = map[string]any{leaf: map[string]any{"bsonType": "string"}}
	default:
		fields = map[string]any{leaf: object(fields)}
	}
	for parent != "" {
		name := parent[strings.LastIndexByte(parent, '.')+1:]
		parent = strings.TrimSuffix(strings.TrimSuffix(parent, name), ".")
		fields = map[string]any{name: object(fields)}
	}
	return fields
}

func object(properties map[string]any) map[string]any {
	return map[string]any{"bsonType": "object", "properties": properties}
}
