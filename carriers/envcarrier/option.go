// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import (
	"slices"

	"github.com/waybill-go/waybill/propagation"
)

// maxBytes is the default budget of a context, names and values added up. Every
// system starts a process with much more.
const maxBytes = 8 << 10

// defaults are the options of package propagation that apply unless others are
// given.
var defaults = []propagation.Option{
	propagation.WithPolicy(propagation.Replace),
	propagation.WithMaxBytes(maxBytes),
	propagation.WithoutBaggage(),
}

// Option configures how a context is written to an environment or read from one.
// If an option is given more than once, the last one wins. Nil options are
// ignored.
type Option interface {
	apply(config) config
}

type config struct {
	propagation []propagation.Option // defaults, and those that were given.
}

func newConfig(opts []Option) config {
	cfg := config{propagation: defaults}
	for _, o := range opts {
		if o != nil {
			cfg = o.apply(cfg)
		}
	}
	return cfg
}

// WithPropagation sets options of package propagation: the propagator, the
// policy, the limit and the baggage. If it is given more than once, all of them
// apply, in order.
//
// The defaults are [propagation.Replace], so that a child never gets the context
// that its parent was started with, a limit of 8 KiB, and no baggage, because
// anyone who may look at a process may read its environment.
func WithPropagation(opts ...propagation.Option) Option {
	return propagationOption{afterDefaults: slices.Concat(defaults, opts)}
}

// propagationOption holds the options that were given after the defaults, so
// that one such option costs no allocation when it is applied.
type propagationOption struct{ afterDefaults []propagation.Option }

func (o propagationOption) apply(cfg config) config {
	if len(cfg.propagation) == len(defaults) {
		return config{propagation: o.afterDefaults}
	}
	return config{propagation: slices.Concat(cfg.propagation, o.afterDefaults[len(defaults):])}
}

// WithPassThrough leaves an inherited context in the environment if ctx has no
// valid span, so that the child continues it. A span in ctx replaces it. It is
// short for the zero [propagation.Policy].
func WithPassThrough() Option { return WithPropagation(propagation.WithPolicy(0)) }
