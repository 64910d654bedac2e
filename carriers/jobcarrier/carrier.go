// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import (
	"maps"
	"slices"

	"github.com/waybill-go/waybill/propagation"
)

// Carrier adapts the parameters of a job to [propagation.TextMapCarrier], with
// each key under its own name: Carrier(params). Unlike [Inject] it modifies the
// map, and checks nothing that a job service requires of parameters.
//
// A nil or zero Carrier is empty, and Set is a no-op. A Carrier must not be
// modified concurrently.
type Carrier map[string]string

var _ propagation.TextMapCarrier = Carrier{}

// Get returns the value of key, or the empty string.
func (c Carrier) Get(key string) string { return c[key] }

// Set replaces the value of key.
func (c Carrier) Set(key, value string) {
	if c != nil {
		c[key] = value
	}
}

// Delete removes the value of key.
func (c Carrier) Delete(key string) { delete(c, key) }

// Keys returns the keys, sorted.
func (c Carrier) Keys() []string { return slices.Sorted(maps.Keys(c)) }
