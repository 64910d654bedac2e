// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"

	"github.com/waybill-go/waybill/metrics"
)

var errMeter = fmt.Errorf("meter: %w", errBoom)

// hostileProvider is a provider of meters that fail in one way or another.
type hostileProvider struct {
	metric.MeterProvider

	provider func() metric.Meter
}

func (p hostileProvider) Meter(string, ...metric.MeterOption) metric.Meter { return p.provider() }

// hostileMeter fails where one of its functions is set.
type hostileMeter struct {
	metric.Meter

	histogram func() (metric.Float64Histogram, error)
	counter   func() (metric.Int64ObservableCounter, error)
	register  func(metric.Callback, ...metric.Observable) (metric.Registration, error)
}

func (m hostileMeter) Float64Histogram(name string, opts ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	if m.histogram != nil {
		return m.histogram()
	}
	return m.Meter.Float64Histogram(name, opts...)
}

func (m hostileMeter) Int64ObservableCounter(name string, opts ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	if m.counter != nil {
		return m.counter()
	}
	return m.Meter.Int64ObservableCounter(name, opts...)
}

func (m hostileMeter) RegisterCallback(callback metric.Callback, instruments ...metric.Observable) (metric.Registration, error) {
	if m.register != nil {
		return m.register(callback, instruments...)
	}
	return m.Meter.RegisterCallback(callback, instruments...)
}

type hostileHistogram struct{ metric.Float64Histogram }

func (hostileHistogram) Record(context.Context, float64, ...metric.RecordOption) { panic("record") }

type hostileObserver struct{ metric.Observer }

func (hostileObserver) ObserveInt64(metric.Int64Observable, int64, ...metric.ObserveOption) {
	panic("observe")
}

type hostileRegistration struct {
	metric.Registration

	unregistered *int
	panics       bool
}

func (r hostileRegistration) Unregister() error {
	*r.unregistered++
	if r.panics {
		panic(errMeter)
	}
	return errMeter
}

// A provider that fails when the instruments are created is an error.
func TestNewOTel_HostileProvider(t *testing.T) {
	t.Parallel()
	off := metricnoop.Meter{}
	unregistered := 0
	for name, tt := range map[string]struct {
		provider func() metric.Meter
		want     string
	}{
		"provider panics":     {provider: func() metric.Meter { panic("provider") }, want: "no meter"},
		"no meter":            {provider: func() metric.Meter { return nil }, want: "no meter"},
		"histogram panics":    {provider: meterOf(hostileMeter{Meter: off, histogram: func() (metric.Float64Histogram, error) { panic(errMeter) }}), want: "etl.processing: panic: meter: boom"},
		"histogram is nil":    {provider: meterOf(hostileMeter{Meter: off, histogram: func() (metric.Float64Histogram, error) { return nil, nil }}), want: "etl.processing: the meter returned nothing"},
		"histogram fails":     {provider: meterOf(hostileMeter{Meter: off, histogram: func() (metric.Float64Histogram, error) { return nil, errMeter }}), want: "etl.processing: meter: boom"},
		"counter panics":      {provider: meterOf(hostileMeter{Meter: off, counter: func() (metric.Int64ObservableCounter, error) { panic("counter") }}), want: "etl.rows.read: panic: counter"},
		"counter is nil":      {provider: meterOf(hostileMeter{Meter: off, counter: func() (metric.Int64ObservableCounter, error) { return nil, nil }}), want: "etl.rows.read: the meter returned nothing"},
		"callback panics":     {provider: meterOf(hostileMeter{Meter: off, register: func(metric.Callback, ...metric.Observable) (metric.Registration, error) { panic("callback") }}), want: "callback: panic: callback"},
		"registration is nil": {provider: meterOf(hostileMeter{Meter: off, register: func(metric.Callback, ...metric.Observable) (metric.Registration, error) { return nil, nil }}), want: "callback: the meter returned nothing"},
		"callback is refused": {provider: meterOf(hostileMeter{Meter: off, register: func(metric.Callback, ...metric.Observable) (metric.Registration, error) { return nil, errMeter }}), want: "callback: meter: boom"},
		"callback is partly refused": {provider: meterOf(hostileMeter{Meter: off, register: func(metric.Callback, ...metric.Observable) (metric.Registration, error) {
			return hostileRegistration{unregistered: &unregistered}, errMeter
		}}), want: "callback: meter: boom"},
	} {
		m, err := metrics.NewOTel(hostileProvider{provider: tt.provider})
		if m != nil || err == nil || !strings.HasPrefix(err.Error(), "metrics: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: NewOTel = %v, %v; want an error that contains %q", name, m, err, tt.want)
		}
	}
	if unregistered != 1 {
		t.Errorf("unregistered %d times, want 1", unregistered)
	}
}

func meterOf(m metric.Meter) func() metric.Meter { return func() metric.Meter { return m } }

// Instruments and observers that panic change nothing but their own telemetry, and are
// counted.
func TestNewOTel_HostileInstruments(t *testing.T) {
	t.Parallel()
	provider, reader := newReader()
	var callback metric.Callback
	meter := hostileMeter{
		Meter:     provider.Meter("github.com/waybill-go/waybill/metrics"),
		histogram: func() (metric.Float64Histogram, error) { return hostileHistogram{}, nil },
	}
	meter.register = func(c metric.Callback, instruments ...metric.Observable) (metric.Registration, error) {
		callback = c
		return meter.Meter.RegisterCallback(c, instruments...)
	}
	m := mustNewOTel(t, hostileProvider{provider: meterOf(meter)})
	if err := newStage(t, m).Run(t.Context(), func(context.Context) error { return nil }); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
	if err := callback(t.Context(), hostileObserver{}); err != nil {
		t.Errorf("callback = %v, want nil", err)
	}
	got := samples(collected(t, reader), prometheusLabel)
	if key := `etl_telemetry_dropped_total{reason="meter"}`; got[key] != 2 {
		t.Errorf("%s = %v, want 2: one of the histogram, one of the observer", key, got[key])
	}
	if key := `etl_in_flight{pipeline="orders",stage="load"}`; got[key] != 0 {
		t.Errorf("%s = %v, want 0", key, got[key])
	}
}

func TestMetrics_CloseFails(t *testing.T) {
	t.Parallel()
	for _, panics := range []bool{false, true} {
		unregistered := 0
		meter := hostileMeter{Meter: metricnoop.Meter{}, register: func(metric.Callback, ...metric.Observable) (metric.Registration, error) {
			return hostileRegistration{unregistered: &unregistered, panics: panics}, nil
		}}
		m := mustNewOTel(t, hostileProvider{provider: meterOf(meter)})
		for range 2 {
			if err := m.Close(); err == nil || !strings.Contains(err.Error(), "meter: boom") {
				t.Errorf("panics %t: Close = %v, want the error of the registration", panics, err)
			}
		}
		if unregistered != 1 {
			t.Errorf("panics %t: unregistered %d times, want 1", panics, unregistered)
		}
	}
}
