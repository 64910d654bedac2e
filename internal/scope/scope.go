// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package scope names the instrumentation scopes of this module and resolves
// tracers and meters for them.
package scope

import (
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
)

// Version is the version of this module; the newest CHANGELOG heading and the
// scope of every span and instrument carry it.
const Version = "0.1.0"

// Module is the import path all scope names start with.
const Module = "github.com/waybill-go/waybill"

// Tracer resolves the tracer of one package.
//
// With a provider of its own it always uses that one. With none it asks for
// the global provider at each call, so a provider that is installed later is
// used from then on, and keeps the last tracer, so that asking costs no
// allocation. It is safe for concurrent use and must not be copied.
type Tracer struct {
	name     string
	options  []trace.TracerOption
	provider trace.TracerProvider
	last     atomic.Pointer[cachedTracer]
}

type cachedTracer struct {
	provider trace.TracerProvider
	tracer   trace.Tracer
}

// NewTracer makes the resolver for the package at path, relative to [Module],
// with provider, or with the global one if provider is nil.
func NewTracer(path string, provider trace.TracerProvider, schemaURL string) *Tracer {
	return &Tracer{
		name:     Module + "/" + path,
		options:  []trace.TracerOption{trace.WithInstrumentationVersion(Version), trace.WithSchemaURL(schemaURL)},
		provider: provider,
	}
}

// Get returns the tracer to use now, or nil if the provider panics.
func (t *Tracer) Get() trace.Tracer {
	last := t.last.Load()
	if last != nil && t.provider != nil {
		return last.tracer
	}
	provider := t.provider
	if provider == nil {
		provider = otel.GetTracerProvider()
	}
	if last != nil && Same(last.provider, provider) {
		return last.tracer
	}
	tracer := t.ask(provider)
	if tracer != nil {
		t.last.Store(&cachedTracer{provider: provider, tracer: tracer})
	}
	return tracer
}

// ask returns the tracer of provider, or nil if that panics.
func (t *Tracer) ask(provider trace.TracerProvider) trace.Tracer {
	defer func() { _ = recover() }()
	return provider.Tracer(t.name, t.options...)
}

// Meter returns the meter of the package at path from provider, or from the
// global provider if provider is nil.
//
// The global provider hands out instruments that switch to the real one when
// it is installed, so a meter is resolved once and kept. A provider that panics
// or returns nil has a meter that measures nothing.
func Meter(path string, provider metric.MeterProvider, schemaURL string) (meter metric.Meter) {
	defer func() {
		if recover() != nil || meter == nil {
			meter = noop.Meter{}
		}
	}()
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	return provider.Meter(Module+"/"+path, metric.WithInstrumentationVersion(Version), metric.WithSchemaURL(schemaURL))
}

// Same reports whether a and b are one provider. Comparing providers of a type
// that cannot be compared panics; they are never the same.
func Same[P comparable](a, b P) (same bool) {
	defer func() { _ = recover() }()
	return a == b
}
