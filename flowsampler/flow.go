// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowsampler

import (
	"encoding/binary"

	"go.opentelemetry.io/otel/trace"
)

// A flow is kept if its randomness, a number of 56 bits, is not less than the
// threshold of a sampler.
// https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
const (
	randomnessBits = 56
	randomnessMask = 1<<randomnessBits - 1
)

// The randomness of a flow that is marked. No threshold is greater than kept, and
// only a sampler that keeps everything keeps dropped.
const (
	kept    = randomnessMask
	dropped = 0
)

// flow is what the decision on a new root depends on.
type flow struct {
	randomness uint64
	given      bool // Reports whether the randomness is not that of the trace ID.
	initial    bool // Reports whether the caller has set it, so it must stay.
	// uncounted reports whether the probability of having been kept so far is
	// not known, so the new root must not state one.
	uncounted bool
	linked    trace.TraceState // of the link that gave the randomness.
}

// randomnessOf returns the randomness of a trace ID, which is presumed to be
// random.
// https://opentelemetry.io/docs/specs/otel/trace/sdk/#presumption-of-traceid-randomness
func randomnessOf(id trace.TraceID) uint64 {
	return binary.BigEndian.Uint64(id[8:]) & randomnessMask
}

// fromInitial takes the randomness that the caller has given to a new root in its
// tracestate, and reports whether there is one.
func (f *flow) fromInitial(state trace.TraceState) (ok bool) {
	f.randomness, ok = parseRandomness(subValue(state.Get(memberKey), randomnessKey))
	f.given, f.initial = ok, ok
	return ok
}

// fromLink takes the randomness of a linked span.
func (f *flow) fromLink(link *trace.SpanContext) {
	f.given, f.linked = true, link.TraceState()
	member := f.linked.Get(memberKey)
	f.uncounted = link.IsSampled() && subValue(member, thresholdKey) == ""
	randomness, ok := parseRandomness(subValue(member, randomnessKey))
	if !ok {
		randomness = randomnessOf(link.TraceID())
	}
	f.randomness = randomness
}

// mark makes f a flow that every sampler keeps, or drops, if the caller has not
// set its randomness.
func (f *flow) mark(randomness uint64) {
	if !f.initial {
		*f = flow{randomness: randomness, given: true}
	}
}

// isKept reports whether f is marked as kept.
func (f *flow) isKept() bool { return f.given && f.randomness == kept }

// in returns state with the randomness of f, if it was given, and the threshold,
// if it is not empty, and without others.
func (f *flow) in(state trace.TraceState, threshold string) trace.TraceState {
	var room [memberRoom]byte
	member := room[:0]
	if threshold != "" {
		member = append(append(member, thresholdKey+":"...), threshold...)
	}
	if f.given {
		if len(member) > 0 {
			member = append(member, ';')
		}
		member = appendRandomness(append(member, randomnessKey+":"...), f.randomness)
	}
	if state.Len() > 0 {
		return withMember(state, member)
	}
	return f.alone(member)
}

// alone returns a tracestate with the given member alone, and none if it is empty.
// It makes a new one only if it must.
func (f *flow) alone(member []byte) trace.TraceState {
	switch {
	case len(member) == 0:
		return trace.TraceState{}
	case f.linked.Len() == 1 && f.linked.Get(memberKey) == string(member):
		return f.linked
	case f.given && f.randomness == dropped && string(member) == droppedMember:
		return droppedState
	}
	return insert(trace.TraceState{}, string(member))
}
