// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import (
	"context"
	"slices"

	"github.com/waybill-go/waybill/propagation"
)

const (
	keyTraceparent = "traceparent"
	keyBaggage     = "baggage"
	keyTracestate  = "tracestate"
	keyWaybill     = "waybill"
)

// parcel is what one inject has to write: the fields of the propagator, and
// the values of those that ctx has.
type parcel struct {
	fields []string
	values map[string]string
}

// pack takes the context of ctx, as far as the preset lets it pass.
func pack(ctx context.Context, cfg config) *parcel {
	p := &parcel{fields: make([]string, 0, 4)} // as the default propagator has.
	propagation.Inject(ctx, p, propagation.Setter[*parcel](packer{}), cfg.forward[:]...)
	slices.Sort(p.fields) // a propagator names them in any order.
	for key, value := range p.values {
		if passed, ok := cfg.preset.pass(key, value); ok {
			p.values[key] = passed
		} else {
			delete(p.values, key)
		}
	}
	return p
}

// lighten takes off what others can best do without, and reports whether there
// was such.
func (p *parcel) lighten() bool {
	for _, key := range []string{keyBaggage, keyTracestate, keyWaybill} {
		if _, ok := p.values[key]; ok {
			delete(p.values, key)
			return true
		}
	}
	return false
}

// yield gives way to the caller: with a field of its own it keeps its whole
// context, but for its own baggage only ours stays out. It reports whether there
// was something to give up.
func (p *parcel) yield(held func(field string) bool) bool {
	before := len(p.values)
	for _, field := range p.fields {
		switch {
		case !held(field):
		case field == keyBaggage:
			delete(p.values, keyBaggage)
		default:
			clear(p.values)
		}
	}
	return len(p.values) < before
}

// packer fills a parcel. An inject deletes all fields before it sets any.
type packer struct{}

func (packer) Delete(p *parcel, key string) { p.fields = append(p.fields, key) }

func (packer) Set(p *parcel, key, value string) {
	if !slices.Contains(p.fields, key) {
		p.fields = append(p.fields, key)
	}
	if value == "" {
		return
	}
	if p.values == nil {
		p.values = map[string]string{}
	}
	p.values[key] = value
}
