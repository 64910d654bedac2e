// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"slices"

	"go.opentelemetry.io/otel/baggage"
)

// Option changes how a context is put on a carrier or taken off it. When one
// is given twice the last counts, and a nil one does not count.
type Option interface {
	isOption()
}

type config struct {
	codec    *codec
	policy   Policy
	maxBytes int
	baggage  baggageRule
}

// newConfig knows all options, because a method of theirs would take the config
// to the heap, or copy it again and again.
func newConfig(opts []Option) (cfg config) {
	for _, o := range opts {
		switch o := o.(type) {
		case propagatorOption:
			cfg.codec = o.codec
		case policyOption:
			cfg.policy = Policy(o)
		case maxBytesOption:
			cfg.maxBytes = max(int(o), 0)
		case baggageOption:
			cfg.baggage = baggageRule(o)
		}
	}
	if cfg.codec == nil {
		cfg.codec = currentCodec()
	}
	return cfg
}

// WithPropagator uses p instead of the global propagator; nil means the global
// one at the time of the call. A p without fields carries nothing, and one that
// panics neither writes nor reads anything in that call.
//
// What can be known of p is found out here, so an option that is kept and
// given many times costs nothing more.
func WithPropagator(p TextMapPropagator) Option {
	if p == nil {
		return propagatorOption{}
	}
	return propagatorOption{newCodec(p)}
}

type propagatorOption struct{ codec *codec }

func (propagatorOption) isOption() {}

// Policy says what [Inject] does with a context that the carrier holds
// already. The zero Policy is the default: a span in ctx replaces it, and
// without one the carrier stays as it is.
type Policy int

const (
	// Replace makes the carrier hold the context of ctx and nothing else:
	// without a valid span in ctx, what is there goes.
	Replace Policy = iota + 1
	// KeepExisting leaves a carrier alone that holds a valid context. It needs
	// a [Setter] that is also a [Getter]; another is taken to hold none.
	KeepExisting
)

// WithPolicy sets the policy for a context that is there already.
func WithPolicy(p Policy) Option { return policyOption(p) }

type policyOption Policy

func (policyOption) isOption() {}

// WithMaxBytes limits what [Inject] writes to n bytes, keys and values added
// up. Over the budget it leaves out the baggage, then the tracestate, then the
// waybill, and if what remains is still too much, everything; it never cuts a
// value. An n of 0 or less means no limit.
func WithMaxBytes(n int) Option { return maxBytesOption(n) }

type maxBytesOption int

func (maxBytesOption) isOption() {}

// WithBaggage lets the baggage members named keys pass, and no other, both on
// the way to a carrier and off it. Without a key none passes, as with
// [WithoutBaggage].
func WithBaggage(keys ...string) Option {
	return baggageOption{restricted: true, keys: slices.Clone(keys)}
}

// WithoutBaggage lets no baggage pass, neither to a carrier nor off it.
func WithoutBaggage() Option { return baggageOption{restricted: true} }

// baggageRule says which members pass: all, unless it is restricted.
type baggageRule struct {
	restricted bool
	keys       []string
}

type baggageOption baggageRule

func (baggageOption) isOption() {}

// filter returns the members of b that pass.
func (r baggageRule) filter(b baggage.Baggage) baggage.Baggage {
	if !r.restricted || b.Len() == 0 {
		return b
	}
	var passed baggage.Baggage
	for _, key := range r.keys {
		member := b.Member(key)
		if member.Key() == "" {
			continue
		}
		// A member of a valid baggage stays valid in another one.
		if with, err := passed.SetMember(member); err == nil {
			passed = with
		}
	}
	return passed
}
