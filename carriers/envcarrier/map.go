// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import (
	"context"
	"maps"

	"github.com/waybill-go/waybill/propagation"
)

// Map is an environment that is a map, as container and function services take
// it, as a [propagation.TextMapCarrier]: Map(environ).
//
// Keys are normalised, see [Normalize], and names are compared as they are, on
// Windows too; values are opaque. Set leaves out what [Carrier.Set] leaves out.
// A nil Map holds nothing and takes nothing. A Map may be read concurrently,
// and be changed by one at a time.
type Map map[string]string

// Compile-time check that Map implements TextMapCarrier.
var _ propagation.TextMapCarrier = Map{}

// Get returns the value under key, or "" if it is unset or empty.
func (m Map) Get(key string) string { return m[Normalize(key)] }

// Set replaces the value under key.
func (m Map) Set(key, value string) {
	if m == nil {
		return
	}
	name := Normalize(key)
	delete(m, name)
	if passable(name, value) {
		m[name] = value
	}
}

// Delete removes the value under key.
func (m Map) Delete(key string) { delete(m, Normalize(key)) }

// Keys returns the names in the environment that are normalised, in no order.
func (m Map) Keys() []string {
	names := make([]string, 0, len(m))
	for name := range m {
		if isNormalized(name) {
			names = append(names, name)
		}
	}
	return names
}

// InjectMap is [Inject] for an environment that is a map. The copy it returns is
// never nil.
func InjectMap(ctx context.Context, environ map[string]string, opts ...Option) map[string]string {
	cfg := newConfig(opts)
	child := make(Map, len(environ)+fields)
	maps.Copy(child, environ)
	propagation.InjectTextMap(ctx, child, cfg[:]...)
	return child
}

// ExtractMap is [Extract] for an environment that is a map.
func ExtractMap(ctx context.Context, environ map[string]string, opts ...Option) context.Context {
	cfg := newConfig(opts)
	return propagation.ExtractTextMap(ctx, Map(environ), cfg[:]...)
}

// ReadMap is [Read] for an environment that is a map.
func ReadMap(environ map[string]string, opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return propagation.ReadTextMap(Map(environ), cfg[:]...)
}
