// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/scope"
)

// meter resolves the instruments. With a provider of its own it always uses
// that one; with none it asks for the global provider at each call, so that one
// that is installed later is used from then on. It keeps the instruments of the
// provider it used last, so that asking costs no allocation.
type meter struct {
	provider metric.MeterProvider // nil for the global one.
	last     atomic.Pointer[provided]
}

// provided is the instruments of a provider.
type provided struct {
	provider    metric.MeterProvider
	instruments *instruments
}

// globalMeter is that of everyone without a provider.
var globalMeter = new(meter) //nolint:gochecknoglobals // a cache.

// recentMeter keeps the meter that was made last, so that a function that is
// called with the same provider again does not make its instruments anew.
var recentMeter atomic.Pointer[meter] //nolint:gochecknoglobals // a cache.

func meterOf(provider metric.MeterProvider) *meter {
	if provider == nil {
		return globalMeter
	}
	if recent := recentMeter.Load(); recent != nil && scope.Same(recent.provider, provider) {
		return recent
	}
	m := &meter{provider: provider}
	recentMeter.Store(m)
	return m
}

func (m *meter) get() *instruments {
	last := m.last.Load()
	if last != nil && m.provider != nil {
		return last.instruments
	}
	provider := m.provider
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	if last != nil && scope.Same(last.provider, provider) {
		return last.instruments
	}
	made := newInstruments(provider)
	m.last.Store(&provided{provider, made})
	return made
}
