// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"context"
	"iter"
	"slices"
)

// Propagators of others are called in this file only, so that what they do wrong
// is contained here.

// fieldsOf returns the keys that p names, or reports that it panics.
func fieldsOf(p TextMapPropagator) (fields []string, ok bool) {
	defer func() { ok = recover() == nil }()
	return slices.Clone(p.Fields()), true
}

// extractBy returns the context that p makes of ctx and carrier: ctx if it panics
// or returns none.
func extractBy(p TextMapPropagator, ctx context.Context, carrier TextMapCarrier) (extracted context.Context) { //nolint:revive // p is the subject.
	defer func() {
		if recover() != nil || extracted == nil {
			extracted = ctx //nolint:fatcontext // set once, in place of the result.
		}
	}()
	return p.Extract(ctx, carrier)
}

// collector is a carrier that keeps what a propagator sets, in order. An empty
// value is one that is absent.
type collector struct {
	pairs []pair
	room  [8]pair // for what most propagators set.
}

var _ TextMapCarrier = (*collector)(nil)

// collect returns what p writes for ctx: nothing if it panics. The result stays
// valid when c is used again.
func (c *collector) collect(p TextMapPropagator, ctx context.Context) (pairs []pair) { //nolint:revive // p is the subject.
	if c.pairs == nil {
		c.pairs = c.room[:0]
	}
	c.pairs = c.pairs[len(c.pairs):]
	defer func() {
		if recover() != nil {
			pairs = nil
		}
	}()
	p.Inject(ctx, c)
	return c.pairs
}

func (c *collector) Get(key string) string {
	for i := range c.pairs {
		if c.pairs[i].key == key {
			return c.pairs[i].value
		}
	}
	return ""
}

func (c *collector) Set(key, value string) {
	for i := range c.pairs {
		switch {
		case c.pairs[i].key != key:
			continue
		case value == "":
			c.pairs = slices.Delete(c.pairs, i, i+1)
		default:
			c.pairs[i].value = value
		}
		return
	}
	if value != "" {
		c.pairs = append(c.pairs, pair{key, value})
	}
}

func (c *collector) Keys() []string {
	keys := make([]string, len(c.pairs))
	for i, p := range c.pairs {
		keys[i] = p.key
	}
	return keys
}

// A carrier that comes from elsewhere may hold anything. Propagators get no more
// of it than any format has use for.
const (
	maxOfferedKeys = 256
	maxValueLen    = 64 << 10
)

// view is a carrier as propagators of others see it, for reading.
type view[C any] struct {
	carrier C
	getter  Getter[C]
	indexer Indexer[C]        // nil if the medium has no order.
	offered map[string]string // What Keys found, if the carrier was gone through once.

	newest int // The highest position of what was read of a trace context.
}

// newView returns the view of carrier. OpenTelemetry's Baggage reads one with
// Values at a higher cost, so only a medium that repeats keys has it.
func newView[C any](carrier C, getter Getter[C]) (*view[C], TextMapCarrier) {
	if multi, ok := getter.(ValuesGetter[C]); ok {
		m := &multiView[C]{view: view[C]{carrier: carrier, getter: getter}, multi: multi}
		m.indexer, _ = getter.(Indexer[C])
		return &m.view, m
	}
	v := &view[C]{carrier: carrier, getter: getter}
	v.indexer, _ = getter.(Indexer[C])
	return v, v
}

func (v *view[C]) Get(key string) string {
	value, ok := v.offered[key]
	if !ok {
		value = v.getter.Get(v.carrier, key)
	}
	if value == "" || len(value) > maxValueLen {
		return ""
	}
	if v.indexer != nil {
		if kind := kindOf(key); kind == kindTraceContext || kind == kindOther {
			v.newest = max(v.newest, v.indexer.Index(v.carrier, key))
		}
	}
	return value
}

func (*view[C]) Set(string, string) {}

// Keys returns the keys of the carrier: at most maxOfferedKeys, those of known
// formats first.
func (v *view[C]) Keys() []string {
	if pairs, ok := v.getter.(PairsGetter[C]); ok {
		if all := pairs.All(v.carrier); all != nil {
			return v.offer(all)
		}
	}
	keyer, ok := v.getter.(Keyer[C])
	if !ok {
		return nil
	}
	keys := keyer.Keys(v.carrier)
	if len(keys) <= maxOfferedKeys {
		return keys
	}
	var known, others []string
	for _, key := range keys {
		addKey(&known, &others, key)
	}
	return offered(known, others)
}

// offer is Keys for a carrier that is gone through once.
func (v *view[C]) offer(all iter.Seq2[string, string]) []string {
	var known, others []string
	v.offered = map[string]string{}
	for key, value := range all {
		if addKey(&known, &others, key) {
			v.offered[key] = value
		}
	}
	return offered(known, others)
}

// addKey adds key to the keys of known formats or to the others, unless there
// are enough of those, and reports whether it did.
func addKey(known, others *[]string, key string) bool {
	to := others
	if IsContextKey(key) {
		to = known
	}
	if len(*to) == maxOfferedKeys {
		return false
	}
	*to = append(*to, key)
	return true
}

// offered returns the known keys and as many others as there is room for.
func offered(known, others []string) []string {
	return append(known, others[:min(len(others), maxOfferedKeys-len(known))]...)
}

// multiView is the view of a medium that repeats keys.
type multiView[C any] struct {
	view[C]

	multi ValuesGetter[C]
}

func (v *multiView[C]) Values(key string) []string {
	values := v.multi.Values(v.carrier, key)
	size := 0
	for i, value := range values {
		if size += len(value); i == maxOfferedKeys || size > maxValueLen {
			return values[:i]
		}
	}
	return values
}
