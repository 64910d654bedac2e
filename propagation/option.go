// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"slices"
	"time"

	"go.opentelemetry.io/otel/baggage"
)

// Option configures how a context is written to a carrier or read from one. If
// an option is given more than once, the last one wins. Nil options are ignored.
type Option interface {
	apply(*config)
}

type config struct {
	codec    *codec
	policy   Policy
	maxBytes int
	maxAge   time.Duration // of a waybill; 0 means the default.
	baggage  baggageRule
	journal  *Journal // nil for that of the context.
}

// newConfig calls the options by their types: through the interface, the config
// and the list of options of each call would be allocated.
func newConfig(opts []Option) (cfg config) {
	for _, o := range opts {
		switch o := o.(type) {
		case propagatorOption:
			o.apply(&cfg)
		case policyOption:
			o.apply(&cfg)
		case maxBytesOption:
			o.apply(&cfg)
		case baggageOption:
			o.apply(&cfg)
		case maxAgeOption:
			o.apply(&cfg)
		case journalOption:
			o.apply(&cfg)
		}
	}
	if cfg.codec == nil {
		cfg.codec = globalCodec()
	}
	return cfg
}

// WithPropagator uses p, and exactly p, instead of the global propagator. If p
// is nil, the global propagator at the time of the call is used. If p panics, it
// writes and reads nothing in that call.
//
// WithPropagator inspects p once, so an Option that is stored and reused avoids
// repeating that work.
func WithPropagator(p TextMapPropagator) Option {
	if p == nil {
		return propagatorOption{}
	}
	return propagatorOption{newCodec(p)}
}

type propagatorOption struct{ codec *codec }

func (o propagatorOption) apply(cfg *config) { cfg.codec = o.codec }

// Policy determines what happens to a context that a carrier already holds.
//
// With the zero Policy, the default, a context that is written replaces it. If
// ctx has no valid span, an existing trace context is left as it is, and so are
// the baggage and the waybill beside it.
type Policy int

const (
	// Replace always replaces the existing context. If ctx has no valid span,
	// any existing context is removed.
	Replace Policy = iota + 1
	// KeepExisting leaves a carrier that already holds a valid trace context
	// unchanged. It requires a [Setter] that also implements [Getter]; any other
	// carrier is assumed to be empty.
	KeepExisting
)

// WithPolicy sets the [Policy] for a context that the carrier already holds.
func WithPolicy(p Policy) Option { return policyOption(p) }

type policyOption Policy

func (o policyOption) apply(cfg *config) { cfg.policy = Policy(o) }

// WithMaxBytes limits the keys and values that are written to n bytes in total,
// as [Fields.Shrink] does. The default is 0; a value of 0 or less means no limit.
func WithMaxBytes(n int) Option { return maxBytesOption(n) }

type maxBytesOption int

func (o maxBytesOption) apply(cfg *config) { cfg.maxBytes = max(int(o), 0) }

// WithBaggage restricts baggage to the members with the given keys, for both
// injection and extraction. Without keys it is [WithoutBaggage].
func WithBaggage(keys ...string) Option {
	return baggageOption{restricted: true, keys: slices.Clone(keys)}
}

// WithoutBaggage disables baggage, for both injection and extraction.
func WithoutBaggage() Option { return baggageOption{restricted: true} }

type baggageOption baggageRule

func (o baggageOption) apply(cfg *config) { cfg.baggage = baggageRule(o) }

// WithMaxWaybillAge sets how old the data of a waybill may be for
// [Remote.Latency] to believe it. The default is 365 days; a value of 0 or less
// means no limit.
func WithMaxWaybillAge(d time.Duration) Option {
	if d <= 0 {
		d = noMaxAge
	}
	return maxAgeOption(d)
}

type maxAgeOption time.Duration

func (o maxAgeOption) apply(cfg *config) { cfg.maxAge = time.Duration(o) }

// baggageRule selects members of a baggage: all, unless it is restricted.
type baggageRule struct {
	restricted bool
	keys       []string
}

// isNone reports whether r selects no member.
func (r baggageRule) isNone() bool { return r.restricted && len(r.keys) == 0 }

// filter returns the members of b that r selects.
func (r baggageRule) filter(b baggage.Baggage) baggage.Baggage {
	if !r.restricted || b.Len() == 0 {
		return b
	}
	var selected baggage.Baggage
	for _, key := range r.keys {
		member := b.Member(key)
		if member.Key() == "" {
			continue
		}
		// A member of a valid baggage stays valid in another one.
		if with, err := selected.SetMember(member); err == nil {
			selected = with
		}
	}
	return selected
}
