// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import "strings"

// emptyName stands for the key "", which a document must not have.
const emptyName = "%"

// The characters that the name of a field must not have, or not in front, are
// written as in a URL. Only the baggage of Jaeger and of OpenTracing can have
// them, because its keys are the user's.
// https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions
var (
	escaper   = strings.NewReplacer("%", "%25", ".", "%2E", "\x00", "%00")             //nolint:gochecknoglobals // constant.
	unescaper = strings.NewReplacer("%25", "%", "%2E", ".", "%24", "$", "%00", "\x00") //nolint:gochecknoglobals // constant.
)

// escapeKey returns key as the name of a field.
func escapeKey(key string) string {
	switch {
	case key == "":
		return emptyName
	case key[0] == '$':
		return "%24" + escaper.Replace(key[1:])
	case strings.ContainsAny(key, "%.\x00"):
		return escaper.Replace(key)
	default:
		return key
	}
}

// unescapeKey returns the key that name stands for. What is not an escape is
// left as it is.
func unescapeKey(name string) string {
	if name == emptyName {
		return ""
	}
	if strings.IndexByte(name, '%') < 0 {
		return name
	}
	return unescaper.Replace(name)
}

// fieldName is the name of a key in a document.
type fieldName struct {
	key     string
	escaped string
}

func nameOf(key string) fieldName { return fieldName{key, escapeKey(key)} }

// is reports whether name is that of the key: escaped or as it is.
func (n fieldName) is(name string) bool { return name == n.escaped || name == n.key }

// isLike reports whether name is that of the key but for the case of its ASCII
// letters. Other programs write keys in the case of an HTTP header.
func (n fieldName) isLike(name string) bool {
	return equalFold(name, n.escaped) || n.key != n.escaped && equalFold(name, n.key)
}

func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(b) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// getByName returns the value in m under the name of key. Unless exact is true,
// one in another case is taken if there is none in the same.
func getByName[V any](m map[string]V, key string, exact bool) (value V) {
	if len(m) == 0 {
		return value
	}
	n := nameOf(key)
	if value, ok := m[n.escaped]; ok {
		return value
	}
	if value, ok := m[key]; ok {
		return value
	}
	for name, value := range m {
		if !exact && n.isLike(name) {
			return value
		}
	}
	return value
}
