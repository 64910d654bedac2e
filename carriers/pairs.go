// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"iter"
	"slices"

	"github.com/waybill-go/waybill/propagation"
)

// Pair is an entry of [Pairs] for a list that has no type of its own.
type Pair struct{ Key, Value string }

// Pairs is a carrier for a list of keys and values that may repeat keys, of any
// type that is a struct of Key and Value: (*Pairs[paho.UserProperty])(&list).
//
// Keys keep their case. Get returns the first value, as OpenTelemetry asks. Set,
// SetFields and Delete make a new list and never write to the old one, so lists
// that share memory, as copies of a message do, stay independent. A nil *Pairs
// is empty, and Set is a no-op. The zero value is ready to use. Reading is safe
// for concurrent use.
type Pairs[E ~struct{ Key, Value string }] []E

var _ propagation.TextMapCarrier = (*Pairs[Pair])(nil)

// Get returns the first value under key, or the empty string.
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
	*p = append(p.without(func(k string) bool { return k == key }, 1), E(Pair{key, value}))
}

// SetFields removes the pairs that fields clears, in whatever case, and adds
// those of fields at the end.
func (p *Pairs[E]) SetFields(fields propagation.Fields) {
	if p == nil || fields.IsEmpty() {
		return
	}
	list := p.without(fields.Clears, fields.Len())
	for key, value := range fields.All() {
		list = append(list, E(Pair{key, value}))
	}
	*p = list
}

// Delete removes all pairs under key.
func (p *Pairs[E]) Delete(key string) {
	is := func(e E) bool { return Pair(e).Key == key }
	if slices.ContainsFunc(p.list(), is) {
		*p = p.without(func(k string) bool { return k == key }, 0)
	}
}

// Keys returns the keys in the order of their first values.
func (p *Pairs[E]) Keys() []string {
	keys := make([]string, 0, len(p.list()))
	for key := range p.All() {
		keys = append(keys, key)
	}
	return keys
}

// All returns an iterator over the keys, each once, and the values that Get
// returns for them.
func (p *Pairs[E]) All() iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		seen := make(map[string]struct{}, len(p.list()))
		for _, e := range p.list() {
			pair := Pair(e)
			if _, ok := seen[pair.Key]; ok {
				continue
			}
			seen[pair.Key] = struct{}{}
			if !yield(pair.Key, pair.Value) {
				return
			}
		}
	}
}

// Values returns the values under key that are not empty, in order.
func (p *Pairs[E]) Values(key string) []string {
	var values []string
	for _, e := range p.list() {
		if pair := Pair(e); pair.Key == key && pair.Value != "" {
			values = append(values, pair.Value)
		}
	}
	return values
}

// without returns a new list without the pairs whose key drop reports, with room
// for more.
func (p *Pairs[E]) without(drop func(key string) bool, more int) Pairs[E] {
	kept := make(Pairs[E], 0, len(*p)+more)
	for _, e := range *p {
		if !drop(Pair(e).Key) {
			kept = append(kept, e)
		}
	}
	return kept
}

// list returns the list, or none for a nil p.
func (p *Pairs[E]) list() []E {
	if p == nil {
		return nil
	}
	return *p
}
