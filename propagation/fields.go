// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"iter"
	"slices"
	"strings"
)

// Fields is what an injection writes to a carrier: the keys to remove first and
// the pairs of key and value to set. It is returned by [Encode].
//
// Fields is a value: it refers to neither a context nor a carrier, can be
// written to any number of carriers, and is safe for concurrent use. The zero
// Fields changes no carrier.
//
// A carrier is written in three steps: if [Fields.KeepsExisting] reports true
// and the carrier holds a valid trace context, nothing is done; else every key
// for which [Fields.Clears] reports true is removed; then each pair is set.
type Fields struct {
	codec         *codec // of which the keys are cleared; nil if none are.
	keepsExisting bool
	traceContext  bool
	reduced       bool

	// The pairs in the formats of this package come first, in the order of parts.
	parts      [4]part
	partCount  uint8
	fixed      [traceparentLen + waybillLen]byte // A traceparent, then a waybill.
	tracestate string
	baggage    string
	others     []pair // The pairs of other formats.
}

type pair struct{ key, value string }

// part is a pair in a format of this package.
type part uint8

const (
	partTraceparent part = iota
	partWaybill
	partTracestate
	partBaggage
)

var partKeys = [...]string{keyTraceparent, keyWaybill, keyTracestate, keyBaggage}

// Len returns the number of pairs.
func (f Fields) Len() int { return int(f.partCount) + len(f.others) }

// Key returns the key of pair i, as its propagator spells it. It panics if i is
// out of range.
func (f Fields) Key(i int) string {
	if i < int(f.partCount) {
		return partKeys[f.parts[i]]
	}
	return f.others[i-int(f.partCount)].key
}

// ValueLen returns the length of the value of pair i in bytes. It panics if i is
// out of range.
func (f Fields) ValueLen(i int) int {
	if i >= int(f.partCount) {
		return len(f.others[i-int(f.partCount)].value)
	}
	switch f.parts[i] {
	case partTraceparent:
		return traceparentLen
	case partWaybill:
		return waybillLen
	case partTracestate:
		return len(f.tracestate)
	default:
		return len(f.baggage)
	}
}

// AppendValue appends the value of pair i to dst. It panics if i is out of range.
func (f Fields) AppendValue(dst []byte, i int) []byte {
	if i >= int(f.partCount) {
		return append(dst, f.others[i-int(f.partCount)].value...)
	}
	switch f.parts[i] {
	case partTraceparent:
		return append(dst, f.fixed[:traceparentLen]...)
	case partWaybill:
		return append(dst, f.fixed[traceparentLen:]...)
	case partTracestate:
		return append(dst, f.tracestate...)
	default:
		return append(dst, f.baggage...)
	}
}

// All returns an iterator over the pairs, in order. For the formats of this
// package it allocates at most once, for the text of traceparent and waybill.
func (f Fields) All() iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) { f.each(yield) }
}

// each calls yield for each pair until it returns false.
func (f *Fields) each(yield func(key, value string) bool) {
	fixed, cut := f.fixedText()
	for _, p := range f.parts[:f.partCount] {
		value := f.baggage
		switch p {
		case partTraceparent:
			value = fixed[:cut]
		case partWaybill:
			value = fixed[cut:]
		case partTracestate:
			value = f.tracestate
		}
		if !yield(partKeys[p], value) {
			return
		}
	}
	for i := range f.others {
		if !yield(f.others[i].key, f.others[i].value) {
			return
		}
	}
}

// fixedText returns the text of the traceparent and, from cut on, of the waybill.
// It leaves out what f does not have.
func (f *Fields) fixedText() (text string, cut int) {
	from, to := traceparentLen, traceparentLen
	for _, p := range f.parts[:f.partCount] {
		switch p {
		case partTraceparent:
			from = 0
		case partWaybill:
			to = len(f.fixed)
		}
	}
	return string(f.fixed[from:to]), traceparentLen - from
}

// Value returns the value under key, in any case, or the empty string.
func (f Fields) Value(key string) string {
	for k, value := range f.All() {
		if strings.EqualFold(k, key) {
			return value
		}
	}
	return ""
}

// Cleared returns the keys to remove before the pairs are set, as their
// propagator spells them. The list must not be modified. Some propagators write
// keys that they do not name: see [Fields.Clears].
func (f Fields) Cleared() []string {
	if f.codec == nil {
		return nil
	}
	return f.codec.fields
}

// Clears reports whether key, in any case, is to be removed before the pairs are
// set.
func (f Fields) Clears(key string) bool {
	if f.codec == nil {
		return false
	}
	if f.codec.owns(key) {
		return true
	}
	for i := range f.others {
		if sameKey(f.others[i].key, key) {
			return true
		}
	}
	return false
}

// IsEmpty reports whether f changes no carrier: it has neither pairs to set nor
// keys to remove.
func (f Fields) IsEmpty() bool { return f.codec == nil }

// UsesContextKeys reports whether [IsContextKey] reports true for every key of f,
// also those that it clears.
func (f Fields) UsesContextKeys() bool { return f.codec == nil || f.codec.native }

// HasTraceContext reports whether the pairs hold a trace context, rather than
// only baggage, a waybill, or nothing.
func (f Fields) HasTraceContext() bool { return f.traceContext }

// KeepsExisting reports whether a carrier that holds a valid trace context stays
// as it is. It does by [KeepExisting], and, unless the policy is [Replace], if
// there was no valid span: the waybill and the baggage of one flow must not
// stand beside the trace context of another.
func (f Fields) KeepsExisting() bool { return f.keepsExisting }

// IsReduced reports whether values were left out because they were too long.
func (f Fields) IsReduced() bool { return f.reduced }

// Size returns the number of bytes of all keys and values.
func (f Fields) Size() int {
	size := 0
	for i := range f.Len() {
		size += len(f.Key(i)) + f.ValueLen(i)
	}
	return size
}

// Shrink returns f without what makes it larger than maxBytes, keys and values
// added up. The baggage is dropped first, then the tracestate, then the waybill,
// and then everything; a value is never cut. A maxBytes of 0 or less means no
// limit.
func (f Fields) Shrink(maxBytes int) Fields {
	if maxBytes > 0 {
		for f.Size() > maxBytes && f.drop() {
			continue
		}
	}
	return f
}

// ShrinkFunc is [Fields.Shrink] for a carrier with a limit of another kind. It
// returns the first of f and its reductions for which fits reports true, or one
// without pairs. It calls fits at most four times, never for one without pairs.
// If fits is nil, everything fits.
func (f Fields) ShrinkFunc(fits func(Fields) bool) Fields {
	if fits != nil {
		for f.Len() > 0 && !fits(f) && f.drop() {
			continue
		}
	}
	return f
}

// Without returns f without the pair under key, in any case. It does not change
// which keys are cleared.
func (f Fields) Without(key string) Fields {
	f.remove(func(k string) bool { return sameKey(k, key) })
	f.traceContext = f.traceContext && f.holdsTraceContext()
	return f
}

// drop takes off what receivers need least of all that f holds, and reports
// whether there was something.
func (f *Fields) drop() bool {
	for _, kind := range [...]keyKind{kindBaggage, kindTracestate, kindWaybill} {
		if f.remove(func(key string) bool { return kindOf(key) == kind }) {
			f.reduced = true
			return true
		}
	}
	if f.Len() == 0 {
		return false
	}
	f.partCount, f.others, f.traceContext, f.reduced = 0, nil, false, true
	return true
}

// remove takes off the pairs whose keys is reports, and reports whether there was
// one. It leaves the memory of f.others alone, which copies of f share.
func (f *Fields) remove(is func(key string) bool) bool {
	before := f.Len()
	kept := uint8(0)
	for _, p := range f.parts[:f.partCount] {
		if !is(partKeys[p]) {
			f.parts[kept] = p
			kept++
		}
	}
	f.partCount = kept
	if isPair := func(p pair) bool { return is(p.key) }; slices.ContainsFunc(f.others, isPair) {
		f.others = slices.DeleteFunc(slices.Clone(f.others), isPair)
	}
	return f.Len() < before
}

// removeKey takes off the pair under key, in this case, while f is made and no
// copy shares its memory.
func (f *Fields) removeKey(key string) {
	for i, p := range f.parts[:f.partCount] {
		if partKeys[p] == key {
			copy(f.parts[i:f.partCount], f.parts[i+1:f.partCount])
			f.partCount--
			return
		}
	}
	for i := range f.others {
		if f.others[i].key == key {
			f.others = slices.Delete(f.others, i, i+1)
			return
		}
	}
}

// add adds a pair in a format of this package.
func (f *Fields) add(p part) {
	f.parts[f.partCount] = p
	f.partCount++
}

// holdsTraceContext reports whether there is a pair beside baggage, tracestate
// and waybill. A key that is not known may well hold a trace context.
func (f *Fields) holdsTraceContext() bool {
	for i := range f.Len() {
		if kind := kindOf(f.Key(i)); kind == kindTraceContext || kind == kindOther {
			return true
		}
	}
	return false
}

// sameKey reports whether a and b differ in case at most.
func sameKey(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }
