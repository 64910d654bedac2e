// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import "github.com/waybill-go/waybill/propagation"

// maxBytes is the default budget of a context, names and values added up, far
// below what any system refuses to start a process with.
const maxBytes = 8 << 10

// Option changes how a context is put into an environment or taken from one.
// When one is given twice the last counts, and a nil one does not count.
type Option interface {
	apply(config) config
}

// config holds the options of propagation, each in its slot.
type config [slots]propagation.Option

const (
	slotPropagator = iota
	slotPolicy
	slotMaxBytes
	slotBaggage
	slots
)

func newConfig(opts []Option) config {
	cfg := config{
		slotPolicy:   propagation.WithPolicy(propagation.Replace),
		slotMaxBytes: propagation.WithMaxBytes(maxBytes),
		slotBaggage:  propagation.WithoutBaggage(),
	}
	for _, o := range opts {
		if o != nil {
			cfg = o.apply(cfg)
		}
	}
	return cfg
}

// option puts an option of propagation in its slot.
type option struct {
	slot  int
	value propagation.Option
}

func (o option) apply(cfg config) config {
	cfg[o.slot] = o.value
	return cfg
}

// WithPropagator uses p instead of the global propagator; nil means the global
// one at the time of the call, or [propagation.Default] if that was never set.
func WithPropagator(p propagation.TextMapPropagator) Option {
	return option{slotPropagator, propagation.WithPropagator(p)}
}

// WithPolicy sets what happens to a context the environment holds already. The
// default, also for the zero Policy, is [propagation.Replace]: what this
// process inherited never reaches a child of another span.
func WithPolicy(p propagation.Policy) Option {
	if p == 0 {
		p = propagation.Replace
	}
	return option{slotPolicy, propagation.WithPolicy(p)}
}

// WithPassThrough leaves an inherited context in the environment when ctx has
// no valid span, so that the child continues it. A span in ctx replaces it.
func WithPassThrough() Option { return option{slot: slotPolicy} }

// WithMaxBytes limits the context to n bytes, names and values added up: over
// it the baggage goes first, then the tracestate, then the waybill, each whole.
// The default is 8 KiB. An n of 0 or less means no limit.
func WithMaxBytes(n int) Option {
	return option{slotMaxBytes, propagation.WithMaxBytes(n)}
}

// WithBaggage lets the baggage members named keys pass, and no other, in both
// directions. By default none passes: an environment can be read by anyone who
// may look at the process.
func WithBaggage(keys ...string) Option {
	return option{slotBaggage, propagation.WithBaggage(keys...)}
}

// WithoutBaggage lets no baggage pass, which is the default.
func WithoutBaggage() Option {
	return option{slotBaggage, propagation.WithoutBaggage()}
}
