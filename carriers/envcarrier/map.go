// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import (
	"github.com/waybill-go/waybill/internal/envname"
	"github.com/waybill-go/waybill/propagation"
)

// Map adapts an environment that is a map, as container and function services
// take it, to [propagation.TextMapCarrier]: Map(environ).
//
// Keys are normalized, see [Normalize]; values are opaque. Names are compared as
// they are, also on Windows. A nil or zero Map is empty, and Set is a no-op. A
// Map must not be modified concurrently.
type Map map[string]string

var _ propagation.TextMapCarrier = Map{}

// Get returns the value of key, or the empty string.
func (m Map) Get(key string) string { return m[Normalize(key)] }

// Set replaces the value of key, or removes it if no process can be started with
// value, as [Carrier.Set] does.
func (m Map) Set(key, value string) {
	if m == nil {
		return
	}
	name := Normalize(key)
	delete(m, name)
	if host.passable(name, value) {
		m[name] = value
	}
}

// Delete removes the value of key.
func (m Map) Delete(key string) { delete(m, Normalize(key)) }

// Keys returns the normalized names in the environment, in no order.
func (m Map) Keys() []string {
	names := make([]string, 0, len(m))
	for name := range m {
		if envname.IsNormalized(name) {
			names = append(names, name)
		}
	}
	return names
}
