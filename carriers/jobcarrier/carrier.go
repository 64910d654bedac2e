// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import (
	"maps"
	"slices"

	"github.com/waybill-go/waybill/propagation"
)

// Carrier is the parameters of a job as a [propagation.TextMapCarrier], each key
// under its own name: Carrier(params). It writes into the map it is, and knows
// nothing of what a service asks of parameters; [Inject] does neither.
//
// A nil Carrier holds nothing and takes nothing. A Carrier may be read
// concurrently, and be changed by one at a time.
type Carrier map[string]string

// Compile-time check that Carrier implements TextMapCarrier.
var _ propagation.TextMapCarrier = Carrier{}

// Get returns the value under key, or "".
func (c Carrier) Get(key string) string { return c[key] }

// Set replaces the value under key.
func (c Carrier) Set(key, value string) {
	if c != nil {
		c[key] = value
	}
}

// Delete removes the value under key.
func (c Carrier) Delete(key string) { delete(c, key) }

// Keys returns the keys in order.
func (c Carrier) Keys() []string { return slices.Sorted(maps.Keys(c)) }

// plain reads parameters whose keys go under their own names.
type plain struct{}

func (plain) Get(params map[string]string, key string) string { return params[key] }
func (plain) Keys(params map[string]string) []string          { return Carrier(params).Keys() }

// named reads parameters by the names of a preset.
type named struct {
	plain

	preset preset
}

func (n named) Get(params map[string]string, key string) string {
	for _, name := range n.preset.namesOf(key) {
		if value := params[name]; value != "" {
			return value
		}
	}
	return ""
}

// reader reads parameters as they go under the preset.
func (cfg *config) reader() propagation.Getter[map[string]string] {
	if cfg.preset.names == nil {
		return plain{}
	}
	return named{preset: cfg.preset}
}
