// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowsampler

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/safe"
)

// everything is the threshold of a sampler that keeps all.
const everything = "0"

// root decides on the root spans of traces: by a threshold, or by asking a sampler
// of the caller's.
type root struct {
	threshold   uint64
	text        string           // of the threshold, as in th.
	sampled     trace.TraceState // of a span that begins a flow and is kept.
	wrapped     sdktrace.Sampler
	description string
}

// isProbability reports whether a sampler can keep spans with a probability of p.
func isProbability(p float64) bool {
	return p == 0 || 1.0/(1<<randomnessBits) <= p && p <= 1
}

func newRoot(probability float64) root {
	threshold := thresholdOf(probability)
	text := textOf(threshold)
	return root{
		threshold:   threshold,
		text:        text,
		sampled:     insert(trace.TraceState{}, thresholdKey+":"+text),
		description: fmt.Sprintf("Probability{%g}", probability),
	}
}

func wrapRoot(sampler sdktrace.Sampler) root {
	return root{wrapped: sampler, description: describe(sampler)}
}

// isSet reports whether r is not the zero root.
func (r *root) isSet() bool { return r.description != "" }

// decide sets result to the decision on a span of f, and its tracestate to the
// initial one or to what [flow.in] will make of that. It returns the value of th,
// which is empty if it is not known.
func (r *root) decide(p *sdktrace.SamplingParameters, f *flow, result *sdktrace.SamplingResult) (threshold string) {
	if r.wrapped != nil {
		return r.ask(p, f.randomness, result)
	}
	if f.randomness < r.threshold {
		return ""
	}
	result.Decision = sdktrace.RecordAndSample
	if !f.given && !f.uncounted && result.Tracestate.Len() == 0 {
		result.Tracestate = r.sampled
	}
	return r.text
}

// ask sets result to that of the wrapped sampler, and leaves it as it is if that
// panics.
func (r *root) ask(p *sdktrace.SamplingParameters, randomness uint64, result *sdktrace.SamplingResult) (threshold string) {
	defer safe.Contain()
	// The last 56 bits are the randomness. The byte before them is looked at by
	// samplers that use 63 or 64 bits, and repeats the bits that matter least.
	binary.BigEndian.PutUint64(p.TraceID[8:], randomness<<randomnessBits|randomness)
	*result = r.wrapped.ShouldSample(*p)
	return subValue(result.Tracestate.Get(memberKey), thresholdKey)
}

// describe returns the description of sampler, or its type if that panics.
func describe(sampler sdktrace.Sampler) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("%T", sampler)
		}
	}()
	return cmp.Or(sampler.Description(), fmt.Sprintf("%T", sampler))
}

// thresholdOf returns the threshold of a probability, rounded to 5 hexadecimal
// digits that are significant, so that th stays short. The probability is then
// met within a relative 2^-17.
func thresholdOf(ratio float64) uint64 {
	const (
		digits      = 5
		all         = 1 << randomnessBits
		digitBits   = 4
		unusedWidth = 64 - randomnessBits
	)
	threshold := all - uint64(math.Round(ratio*all))
	if threshold == 0 || threshold == all {
		return threshold
	}
	// The leading digits that are all f, or all 0, do not distinguish it.
	leading := (bits.LeadingZeros64(min(threshold, all-threshold)) - unusedWidth) / digitBits
	unit := uint64(1) << max(0, randomnessBits-digitBits*(leading+digits))
	rounded := (threshold + unit/2) / unit * unit
	if rounded == all {
		return threshold
	}
	return rounded
}

// textOf returns the value of th for a threshold, which is empty if the threshold
// keeps nothing.
func textOf(threshold uint64) string {
	if threshold > randomnessMask {
		return ""
	}
	text := strings.TrimRight(string(appendRandomness(nil, threshold)), "0")
	if text == "" {
		return everything
	}
	return text
}
