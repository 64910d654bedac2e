// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowsampler

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
)

// Option configures a [Sampler]. If an option is given more than once, the last
// one wins. Nil options are ignored.
type Option interface{ apply(config) config }

type config struct {
	perSecond      float64
	burst          int
	keep           []attribute.KeyValue
	untrustedLinks bool
	err            error
}

type optionFunc func(config) config

func (f optionFunc) apply(cfg config) config { return f(cfg) }

// WithRateLimit limits the flows that begin in this process and are kept, to
// perSecond flows a second, and to burst flows at once. perSecond may be a
// fraction: 0.1 is one flow in ten seconds. A rate above a million is met within
// a thousandth. The default is no limit.
//
// A flow over the limit is marked with the lowest randomness, so the services
// that link to it drop it too, unless they keep everything. A new root that takes
// the randomness of a link is not limited, because that would leave a flow
// incomplete. Flows that are marked as kept are not limited either.
//
// The probability with which a flow is kept under a limit is not known, so its
// spans carry no threshold.
func WithRateLimit(perSecond float64, burst int) Option {
	return optionFunc(func(cfg config) config {
		cfg.perSecond, cfg.burst, cfg.err = perSecond, burst, nil
		if !(perSecond > 0) || math.IsInf(perSecond, 0) || burst < 1 { // Negated for NaN.
			cfg.err = fmt.Errorf("flowsampler: the limit of %v a second with a burst of %d is not positive", perSecond, burst)
		}
		return cfg
	})
}

// WithKeep marks each flow whose root span is started with one of attributes, for
// example a replay or a test. A marked flow is kept by this process and by all
// services that link to it: its randomness is the highest one, which every
// consistent sampler keeps. It does not count against [WithRateLimit].
//
// A span with a parent follows its parent, with or without the attributes. The
// default is no attributes.
func WithKeep(attributes ...attribute.KeyValue) Option {
	attributes = slices.Clone(attributes)
	return optionFunc(func(cfg config) config { cfg.keep = attributes; return cfg })
}

// WithUntrustedLinks also takes the randomness of links to remotes that
// [propagation.WithUntrusted] has marked, which lets their senders choose what is
// sampled. By default a new root for untrusted remotes is decided by its own
// trace ID.
//
// Since the tracestate of an untrusted remote is discarded, the randomness is
// always that of its trace ID.
func WithUntrustedLinks() Option {
	return optionFunc(func(cfg config) config { cfg.untrustedLinks = true; return cfg })
}

// describe returns the text of [Sampler.Description].
func (cfg *config) describe(root *root) string {
	var b strings.Builder
	b.WriteString("FlowSampler{root:" + root.description)
	if cfg.perSecond > 0 {
		fmt.Fprintf(&b, ",limit:%g/s,burst:%d", cfg.perSecond, cfg.burst)
	}
	for _, kv := range cfg.keep {
		b.WriteString(",keep:" + string(kv.Key) + "=" + kv.Value.String())
	}
	if cfg.untrustedLinks {
		b.WriteString(",untrustedLinks")
	}
	b.WriteString("}")
	return b.String()
}
