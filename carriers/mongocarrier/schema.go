// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import "strings"

// JSONSchemaProperties returns the properties that a context is, to be added to
// those of the schema of a collection: {"_otel": {bsonType: "object", …}}.
//
// A schema that says additionalProperties: false refuses a document with a
// context otherwise, with error 121 of the server. This package never writes a
// document again without its context: the error is the caller's.
func JSONSchemaProperties(opts ...Option) map[string]any {
	cfg := newConfig(opts)
	var fields map[string]any
	parent, leaf := cfg.place()
	switch cfg.form {
	case Flat:
		fields = stringProperties(cfg.keys())
	case Properties:
		fields = map[string]any{leaf: map[string]any{"bsonType": "string"}}
	default:
		fields = map[string]any{leaf: object(stringProperties(cfg.keys()))}
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

func stringProperties(names []string) map[string]any {
	properties := make(map[string]any, len(names))
	for _, name := range names {
		properties[name] = map[string]any{"bsonType": "string"}
	}
	return properties
}
