// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

// NewOTel creates a set of metrics that are recorded with the instruments of provider,
// and observe the same as those of [New]. The package documentation lists them.
//
// If provider is nil, the global MeterProvider at the time of the call is used; if that
// has not been set, the one that is set later. NewOTel returns an error if an option is
// invalid or provider fails, and then nothing is registered. What fails later is
// contained and counted as dropped telemetry, with the reason meter.
//
// The provider reads counters and gauges when it collects, so that a count costs an
// atomic addition, the lag of a partition that is revoked disappears, and a stage that
// is idle keeps its series if the temporality is delta. Histograms are recorded at
// once, with attributes that are made once and with the context of the run, so that
// the provider may take exemplars. A histogram has no data point before its first
// value.
//
// The bounds of histograms are advice: a view, or a reader whose aggregation is
// exponential, takes others. For one instrument, the SDK keeps 2,000 sets of
// attributes, and adds up those that come later under otel.metric.overflow. Where
// topics and partitions are more than that, set the limit by
// [sdkmetric.WithCardinalityLimit], or use [WithoutPartitions] and [WithLabelLimit].
//
// Create one set for each provider. Those of two on one provider add up, but for
// times, of which the last is shown. [Metrics.Close] unregisters a set from a provider
// that outlives it. Processes that run at once need different values of
// service.instance.id in their resources, because their series are one without.
//
// [sdkmetric.WithCardinalityLimit]: https://pkg.go.dev/go.opentelemetry.io/otel/sdk/metric#WithCardinalityLimit
func NewOTel(provider metric.MeterProvider, opts ...OTelOption) (*Metrics, error) {
	c := newConfig(opts)
	if err := c.validate(); err != nil {
		return nil, err
	}
	if isNil(provider) {
		provider = otel.GetMeterProvider()
	}
	in, meter, err := newInstruments(c, provider)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	m := newMetrics(c, in)
	registration, err := in.register(meter)
	if !isNil(registration) {
		m.close = once(registration.Unregister)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("metrics: callback: %w", err), m.Close())
	}
	return m, nil
}
