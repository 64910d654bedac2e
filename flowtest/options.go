// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import sdktrace "go.opentelemetry.io/otel/sdk/trace"

type config struct {
	sampler     sdktrace.Sampler
	maxReceived int
}

func newConfig(opts []Option) config {
	c := config{sampler: sdktrace.AlwaysSample(), maxReceived: maxReceived}
	for _, opt := range opts {
		if opt != nil {
			c = opt.apply(c)
		}
	}
	return c
}

// Option configures a [Flow]. If an option is given more than once, the last one
// wins. Nil options are ignored.
type Option interface{ apply(c config) config }

type optionFunc func(config) config

func (f optionFunc) apply(c config) config { return f(c) }

// WithSampler sets the sampler of every service. The default, which nil selects,
// samples all spans. A span that the sampler drops is not part of the flow.
func WithSampler(sampler sdktrace.Sampler) Option {
	return optionFunc(func(c config) config {
		if sampler != nil {
			c.sampler = sampler
		}
		return c
	})
}
