// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"slices"

	"github.com/waybill-go/waybill/propagation"
)

// Pair is an entry of [Pairs] for a list that has no type of its own.
type Pair struct{ Key, Value string }

// Pairs is a carrier for a list of keys and values that may repeat keys, of any
// type that is a struct of Key and Value: (*Pairs[paho.UserProperty])(&list).
//
// Keys keep their case. Get returns the first value, as OpenTelemetry asks. Set
// and Delete make a new list and never write to the old one, so lists that
// share memory, as copies of a message do, stay independent. A nil *Pairs holds
// nothing and takes nothing; the zero Pairs is an empty list. Reading is safe
// for concurrent use.
type Pairs[E ~struct{ Key, Value string }] []E

var _ propagation.TextMapCarrier = (*Pairs[Pair])(nil)

// Get returns the first value under key, or "".
func (p *Pairs[E]) Get(key string) string {
	for _, e := range p.list() {
		if Pair(e).Key == key {
			return Pair(e).Value
		}
	}
	return ""
}

// Set removes all pairs under key and adds one at the end.
func (p *Pairs[E]) Set(key, value string) {
	if p == nil {
		return
	}
	kept := make([]E, 0, len(*p)+1)
	for _, e := range *p {
		if Pair(e).Key != key {
			kept = append(kept, e)
		}
	}
	kept = append(kept, E(Pair{key, value}))
	*p = kept
}

// Delete removes all pairs under key.
func (p *Pairs[E]) Delete(key string) {
	is := func(e E) bool { return Pair(e).Key == key }
	if slices.ContainsFunc(p.list(), is) {
		*p = slices.DeleteFunc(slices.Clone(*p), is)
	}
}

// Keys returns the keys in the order of their first values.
func (p *Pairs[E]) Keys() []string {
	keys := make([]string, 0, len(p.list()))
	seen := make(map[string]bool, len(p.list()))
	for _, e := range p.list() {
		key := Pair(e).Key
		if !seen[key] {
			keys = append(keys, key)
		}
		seen[key] = true
	}
	return keys
}

// Values returns the values under key that are not empty, in their order.
func (p *Pairs[E]) Values(key string) []string {
	var values []string
	for _, e := range p.list() {
		if pair := Pair(e); pair.Key == key && pair.Value != "" {
			values = append(values, pair.Value)
		}
	}
	return values
}

// list returns the list, or none for a nil p.
func (p *Pairs[E]) list() []E {
	if p == nil {
		return nil
	}
	return *p
}
