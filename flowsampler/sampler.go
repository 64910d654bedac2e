// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowsampler

import (
	"errors"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flowlink"
	"github.com/waybill-go/waybill/propagation"
)

// ErrNil is returned when the sampler to wrap is nil.
var ErrNil = errors.New("flowsampler: nil sampler")

// Sampler decides by flow whether a span is sampled. A span with a parent follows
// the parent. A new root with links takes the randomness of the flow from its
// earliest link, so that it is decided as the root of the linked trace was.
//
// The earliest link is the one to the remote with the earliest origin in its
// waybill if [propagation.Start] made the span, and the first valid link
// otherwise.
//
// Sampler is safe for concurrent use. A nil or zero Sampler follows parents and
// drops all other spans.
type Sampler struct {
	root           root
	limiter        *limiter
	keep           []attribute.KeyValue
	untrustedLinks bool
	description    string
}

// Compile-time check that Sampler implements the interface of the SDK.
var _ sdktrace.Sampler = (*Sampler)(nil)

// New returns a Sampler that keeps each flow with the given probability. It
// decides as OpenTelemetry's specification of consistent probability sampling
// says, so services in other languages that do the same keep the same flows.
//
// The error is not nil if probability is neither 0, which keeps nothing, nor
// between 2^-56 and 1, or if an option is invalid.
//
// https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
func New(probability float64, opts ...Option) (*Sampler, error) {
	if !isProbability(probability) {
		return nil, fmt.Errorf("flowsampler: the probability %v is not between 0 and 1", probability)
	}
	return newSampler(newRoot(probability), opts)
}

// Wrap returns a Sampler that asks root for each new root span. root must decide
// by the trace ID alone, as [sdktrace.TraceIDRatioBased] does: it is given a
// trace ID whose last 8 bytes are made of the randomness of the flow, and is not
// called for spans with a parent. If root panics, the span is dropped.
//
// Services keep the same flows only if all of them wrap the same kind of sampler.
// The error is [ErrNil] if root is nil, and otherwise reports an invalid option.
func Wrap(root sdktrace.Sampler, opts ...Option) (*Sampler, error) {
	if root == nil {
		return nil, ErrNil
	}
	return newSampler(wrapRoot(root), opts)
}

func newSampler(root root, opts []Option) (*Sampler, error) {
	var cfg config
	for _, o := range opts {
		if o != nil {
			cfg = o.apply(cfg)
		}
	}
	if cfg.err != nil {
		return nil, cfg.err
	}
	s := &Sampler{root: root, keep: cfg.keep, untrustedLinks: cfg.untrustedLinks, description: cfg.describe(&root)}
	if cfg.perSecond > 0 {
		s.limiter = newLimiter(cfg.perSecond, cfg.burst)
	}
	return s, nil
}

// Description returns the configuration of the Sampler.
func (s *Sampler) Description() string {
	if s == nil || !s.root.isSet() {
		return "FlowSampler{}"
	}
	return s.description
}

// ShouldSample decides whether to sample the span that p describes. It never
// panics: if a wrapped sampler does, the span is dropped.
//
// The tracestate of the result is that of the parent. For a new root, it has the
// randomness of the flow, if that is not the one of the trace ID, whether the
// span is sampled or not; and if it is, the threshold it was sampled with, if
// that is known.
func (s *Sampler) ShouldSample(p sdktrace.SamplingParameters) (result sdktrace.SamplingResult) {
	defer func() {
		if recover() != nil {
			result.Decision = sdktrace.Drop
		}
	}()
	parent := trace.SpanContextFromContext(p.ParentContext)
	result.Tracestate = parent.TraceState()
	switch {
	case parent.IsValid():
		if parent.IsSampled() {
			result.Decision = sdktrace.RecordAndSample
		}
	case s != nil && s.root.isSet():
		s.begin(&p, &result)
	}
	return result
}

// begin decides on a new root. result has the initial tracestate.
func (s *Sampler) begin(p *sdktrace.SamplingParameters, result *sdktrace.SamplingResult) {
	var f flow
	s.find(&f, p, result.Tracestate)
	if s.marks(p.Attributes) {
		f.mark(kept)
	}
	begins := !f.given
	f.uncounted = f.uncounted || begins && s.limiter != nil
	threshold := everything
	if f.isKept() {
		result.Decision, f.uncounted = sdktrace.RecordAndSample, false
	} else {
		threshold = s.root.decide(p, &f, result)
	}
	sampled := result.Decision == sdktrace.RecordAndSample
	if sampled && begins && !s.limiter.allow() {
		f.mark(dropped)
		result.Decision, sampled = sdktrace.Drop, false
	}
	if f.uncounted || !sampled {
		threshold = ""
	}
	result.Tracestate = f.in(result.Tracestate, threshold)
}

// find sets f to the flow that a new root belongs to.
func (s *Sampler) find(f *flow, p *sdktrace.SamplingParameters, initial trace.TraceState) {
	if initial.Len() > 0 && f.fromInitial(initial) {
		return
	}
	if link := s.earliestLink(p); link != nil {
		f.fromLink(link)
		return
	}
	f.randomness = randomnessOf(p.TraceID)
}

// earliestLink returns the link that gives the randomness, or nil.
func (s *Sampler) earliestLink(p *sdktrace.SamplingParameters) (first *trace.SpanContext) {
	if len(p.Links) == 0 {
		return nil
	}
	localOnly := !s.untrustedLinks && propagation.IsUntrusted(p.ParentContext)
	var earliest trace.SpanContext
	if len(p.Links) > 1 {
		earliest = flowlink.Earliest(p.ParentContext)
	}
	for i := range p.Links {
		link := &p.Links[i].SpanContext
		switch {
		case !link.IsValid() || localOnly && link.IsRemote():
		case link.SpanID() == earliest.SpanID() && link.TraceID() == earliest.TraceID():
			return link
		case first == nil:
			first = link
		}
	}
	return first
}

// marks reports whether one of attributes marks a flow as kept.
func (s *Sampler) marks(attributes []attribute.KeyValue) bool {
	for i := range s.keep {
		if slices.Contains(attributes, s.keep[i]) {
			return true
		}
	}
	return false
}
