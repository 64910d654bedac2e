// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"context"
	"slices"

	"github.com/waybill-go/waybill/propagation"
)

const (
	keyBaggage    = "baggage"
	keyTracestate = "tracestate"
	keyWaybill    = "waybill"
)

// fields is how many the default propagator has.
const fields = 4

// parcel is what one inject has to write: the fields of the propagator, and
// the values of those that ctx has.
type parcel struct {
	fields []string
	values map[string]string
}

func pack(ctx context.Context, cfg config) *parcel {
	p := &parcel{fields: make([]string, 0, fields)}
	propagation.Inject(ctx, p, propagation.Setter[*parcel](packer{}), cfg.forward[:]...)
	return p
}

// packer fills a parcel. An inject deletes all fields before it sets any.
type packer struct{}

func (packer) Delete(p *parcel, key string) { p.fields = append(p.fields, key) }

func (packer) Set(p *parcel, key, value string) {
	if !slices.Contains(p.fields, key) {
		p.fields = append(p.fields, key)
	}
	if value == "" || !passable(envName(key), value) {
		return
	}
	if p.values == nil {
		p.values = make(map[string]string, fields)
	}
	p.values[key] = value
}

// empty reports whether there is no context to write.
func (p *parcel) empty() bool { return len(p.values) == 0 }

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

// sentAs returns the waybill to write where held says what is there. A waybill
// has the time of its inject; to make a second inject of one context change
// nothing, the waybill of the first one stays.
func (p *parcel) sentAs(held func(key string) string) string {
	fresh := p.values[keyWaybill]
	if !p.same(held) {
		return fresh
	}
	now, err := propagation.ParseWaybill(fresh)
	if err != nil {
		return fresh
	}
	before, err := propagation.ParseWaybill(held(keyWaybill))
	if err != nil || before.Hops != now.Hops {
		return fresh
	}
	setOutNow := now.Origin.Equal(now.Sent) && before.Origin.Equal(before.Sent)
	if !setOutNow && !before.Origin.Equal(now.Origin) {
		return fresh
	}
	return held(keyWaybill)
}

// same reports whether what is there is this context, but for its waybill.
func (p *parcel) same(held func(key string) string) bool {
	for _, field := range p.fields {
		if field != keyWaybill && held(field) != p.values[field] {
			return false
		}
	}
	return true
}
