// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import "github.com/waybill-go/waybill/propagation"

// Carrier adapts an environment, a list of NAME=value, to
// [propagation.TextMapCarrier].
//
//	carrier := envcarrier.Carrier(environ)
//	propagation.InjectTextMap(ctx, &carrier)
//
// Keys are normalized, see [Normalize]; values are opaque. Set and Delete
// replace the list and do not write to the old one, so lists that share memory
// with it do not change. On Windows names are compared without regard to case,
// as the system does.
//
// A nil *Carrier is empty, and Set is a no-op. A Carrier must not be modified
// concurrently.
type Carrier []string

var _ propagation.TextMapCarrier = (*Carrier)(nil)

// Get returns the value of key, or the empty string. If its variable occurs more
// than once, the last entry wins, as for os/exec.
func (c *Carrier) Get(key string) string {
	if c == nil {
		return ""
	}
	return host.Get(*c, key)
}

// Set replaces the value of key. If no process can be started with value, Set
// removes the variable: that is a value with a NUL, or one that makes NAME=value
// longer than 131,071 bytes on Linux or 32,766 on Windows.
func (c *Carrier) Set(key, value string) {
	if c == nil {
		return
	}
	*c = host.with(*c, Normalize(key), value)
}

// Delete removes every entry for key.
func (c *Carrier) Delete(key string) {
	if c == nil {
		return
	}
	if name := Normalize(key); host.lastOf(*c, name) >= 0 {
		*c = host.without(*c, name)
	}
}

// Keys returns the normalized names in the environment, each once.
func (c *Carrier) Keys() []string {
	if c == nil {
		return nil
	}
	return host.Keys(*c)
}
