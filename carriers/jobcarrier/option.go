// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import "github.com/waybill-go/waybill/propagation"

// maxBytes is the default budget of a context, keys and values added up.
const maxBytes = 8 << 10

// Option changes how a context is put among job parameters or taken from them.
// When one is given twice the last counts, and a nil one does not count.
type Option interface {
	apply(config) config
}

type config struct {
	forward       [slots]propagation.Option // the options of propagation, each in its slot.
	replace       bool
	conflictFails bool
	preset        preset
}

const (
	slotPolicy = iota
	slotPropagator
	slotMaxBytes
	slotBaggage
	slots
)

func newConfig(opts []Option) config {
	cfg := config{forward: [slots]propagation.Option{
		// A parcel is empty; this makes it learn the fields of the propagator.
		slotPolicy:   propagation.WithPolicy(propagation.Replace),
		slotMaxBytes: propagation.WithMaxBytes(maxBytes),
		slotBaggage:  propagation.WithoutBaggage(),
	}}
	for _, o := range opts {
		if o != nil {
			cfg = o.apply(cfg)
		}
	}
	return cfg
}

type optionFunc func(config) config

func (f optionFunc) apply(cfg config) config { return f(cfg) }

// forward puts an option of propagation in its slot.
func forward(slot int, value propagation.Option) Option {
	return optionFunc(func(cfg config) config { cfg.forward[slot] = value; return cfg })
}

// WithPropagator uses p instead of the global propagator; nil means the global
// one at the time of the call, or [propagation.Default] if that was never set.
func WithPropagator(p propagation.TextMapPropagator) Option {
	return forward(slotPropagator, propagation.WithPropagator(p))
}

// WithPolicy sets what happens to a context among the caller's parameters. By
// default, and with [propagation.KeepExisting], it stays, valid or not, and
// nothing is written. With [propagation.Replace] it goes, also when ctx has no
// valid span.
func WithPolicy(p propagation.Policy) Option {
	return optionFunc(func(cfg config) config { cfg.replace = p == propagation.Replace; return cfg })
}

// WithErrorOnConflict makes a context among the caller's parameters an
// [ErrConflict] when there is one to write. It has no effect on [InjectArgs],
// and none with [propagation.Replace].
func WithErrorOnConflict() Option {
	return optionFunc(func(cfg config) config { cfg.conflictFails = true; return cfg })
}

// WithMaxBytes limits the context to n bytes, keys and values added up: over it
// the baggage goes first, then the tracestate, then the waybill, each whole.
// The default is 8 KiB. An n of 0 or less means no limit.
func WithMaxBytes(n int) Option {
	return forward(slotMaxBytes, propagation.WithMaxBytes(n))
}

// WithBaggage lets the baggage members named keys pass, and no other, in both
// directions. By default none passes: job parameters are stored, shown and
// logged.
func WithBaggage(keys ...string) Option {
	return forward(slotBaggage, propagation.WithBaggage(keys...))
}

// WithoutBaggage lets no baggage pass, which is the default.
func WithoutBaggage() Option {
	return forward(slotBaggage, propagation.WithoutBaggage())
}
