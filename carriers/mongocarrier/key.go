// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import "strings"

// emptyKey stands for the key "", which a document must not have.
const emptyKey = "%"

// The characters that the name of a field must not have, or not in front, are
// written as in a URL. Only the baggage of Jaeger and of OpenTracing can have
// them: its keys are the user's.
// https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions
var (
	escaper   = strings.NewReplacer("%", "%25", ".", "%2E", "\x00", "%00")             //nolint:gochecknoglobals // constant.
	unescaper = strings.NewReplacer("%25", "%", "%2E", ".", "%24", "$", "%00", "\x00") //nolint:gochecknoglobals // constant.
)

// escapeKey returns key as the name of a field.
func escapeKey(key string) string {
	switch {
	case key == "":
		return emptyKey
	case key[0] == '$':
		return "%24" + escaper.Replace(key[1:])
	case strings.ContainsAny(key, "%.\x00"):
		return escaper.Replace(key)
	default:
		return key
	}
}

// unescapeKey returns the key that name stands for. What is no escape is left
// as it is.
func unescapeKey(name string) string {
	if name == emptyKey {
		return ""
	}
	if strings.IndexByte(name, '%') < 0 {
		return name
	}
	return unescaper.Replace(name)
}
