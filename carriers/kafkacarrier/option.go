// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"slices"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// Option changes how a context is carried and what is recorded. When one is
// given twice the last counts, and a nil one does not count. One that has no
// meaning for a function has no effect on it.
type Option interface {
	apply(config) config
}

type optionFunc func(config) config

func (f optionFunc) apply(cfg config) config { return f(cfg) }

// config is passed by value. The options of propagation are kept in arrays, so
// that handing them on costs nothing.
type config struct {
	propagator propagation.Option
	policy     propagation.Policy
	maxBytes   int
	baggage    propagation.Option

	outbound  [4]propagation.Option // what Inject is called with.
	outbounds int
	inbound   [2]propagation.Option // what Extract and Read are called with.
	inbounds  int

	tracerProvider trace.TracerProvider
	start          []propagation.StartOption
}

// noBaggage keeps baggage off the topics of those who did not ask for it.
var noBaggage = propagation.WithoutBaggage() //nolint:gochecknoglobals // constant.

func newConfig(opts []Option) config {
	var cfg config
	for _, o := range opts {
		if o != nil {
			cfg = o.apply(cfg)
		}
	}
	if cfg.propagator != nil {
		cfg.send(cfg.propagator)
		cfg.receive(cfg.propagator)
	}
	if cfg.policy != 0 {
		cfg.send(propagation.WithPolicy(cfg.policy))
	}
	if cfg.maxBytes > 0 {
		cfg.send(propagation.WithMaxBytes(cfg.maxBytes))
	}
	if cfg.baggage != nil {
		cfg.send(cfg.baggage)
		cfg.receive(cfg.baggage)
	} else {
		cfg.send(noBaggage)
	}
	return cfg
}

func (cfg *config) send(o propagation.Option) {
	cfg.outbound[cfg.outbounds] = o
	cfg.outbounds++
}

func (cfg *config) receive(o propagation.Option) {
	cfg.inbound[cfg.inbounds] = o
	cfg.inbounds++
}

// read returns the context that msg carries.
func (cfg *config) read(msg *kafka.Message) propagation.Remote {
	return propagation.Read(msg.Headers, getter{}, cfg.inbound[:cfg.inbounds]...)
}

// keepsExisting reports whether what a message gets depends on what it has.
func (cfg *config) keepsExisting() bool { return cfg.policy == propagation.KeepExisting }

// WithPropagator uses p instead of the global propagator; nil means the global
// one at the time of the call. A p that maps one format to other header names
// is how to read and write headers of another name.
func WithPropagator(p propagation.TextMapPropagator) Option {
	var o propagation.Option
	if p != nil {
		o = propagation.WithPropagator(p)
	}
	return optionFunc(func(cfg config) config { cfg.propagator = o; return cfg })
}

// WithPolicy sets what happens to a context that a message holds already. With
// [propagation.KeepExisting] a [Writer] leaves it alone and links to it.
func WithPolicy(p propagation.Policy) Option {
	return optionFunc(func(cfg config) config { cfg.policy = p; return cfg })
}

// WithMaxBytes limits what a context adds to a message to n bytes, as
// [propagation.WithMaxBytes] does.
func WithMaxBytes(n int) Option {
	return optionFunc(func(cfg config) config { cfg.maxBytes = n; return cfg })
}

// WithBaggage lets the baggage members named keys pass, and no other, both onto
// messages and off them. Without this option none is written, and all is read.
func WithBaggage(keys ...string) Option {
	o := propagation.WithBaggage(keys...)
	return optionFunc(func(cfg config) config { cfg.baggage = o; return cfg })
}

// WithoutBaggage lets no baggage pass, neither onto messages nor off them.
func WithoutBaggage() Option {
	return optionFunc(func(cfg config) config { cfg.baggage = noBaggage; return cfg })
}

// WithTracerProvider records spans with provider instead of the global one; nil
// means the global one at the time of the call.
func WithTracerProvider(provider trace.TracerProvider) Option {
	return optionFunc(func(cfg config) config { cfg.tracerProvider = provider; return cfg })
}

// WithStartOptions says how the spans of [Process] and [ProcessBatch], and
// those of a [Reader], relate to the context of the messages: see
// [propagation.AsParent], [propagation.AsLink], [propagation.WithMaxAge] and
// [propagation.WithUntrusted].
func WithStartOptions(opts ...propagation.StartOption) Option {
	opts = slices.Clone(opts)
	return optionFunc(func(cfg config) config { cfg.start = opts; return cfg })
}
