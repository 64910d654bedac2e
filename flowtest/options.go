// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import sdktrace "go.opentelemetry.io/otel/sdk/trace"

type config struct{ sampler sdktrace.Sampler }

func newConfig(opts []Option) config {
	c := config{sampler: sdktrace.AlwaysSample()}
	for _, opt := range opts {
		if opt != nil {
			c = opt.apply(c)
		}
	}
	return c
}

// Option configures a [Flow]. A nil Option is skipped.
type Option interface{ apply(c config) config }

type optionFunc func(config) config

func (f optionFunc) apply(c config) config { return f(c) }

// WithSampler sets the sampler of every service; nil means the default, which
// is to sample all spans. Spans that the sampler drops are not part of the flow.
func WithSampler(sampler sdktrace.Sampler) Option {
	return optionFunc(func(c config) config {
		if sampler != nil {
			c.sampler = sampler
		}
		return c
	})
}
