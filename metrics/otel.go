// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

// NewOTel creates a set of metrics and registers it with provider, for programs that
// export their metrics by OpenTelemetry. It measures the same as [New]; the package
// documentation lists the instruments and their attributes.
//
// If provider is nil, the global MeterProvider at the time of the call is used. If none
// has been set by then, the metrics belong to the first one that is set. NewOTel
// returns an error if an option is invalid or provider fails; then nothing is
// registered. An instrument that panics later is contained, and counted as dropped
// telemetry with the reason meter.
//
// The provider reads counters and gauges when it collects. A count is therefore an
// atomic addition, a revoked partition has no lag any more, and an idle stage keeps its
// series under delta temporality. Histograms are recorded at once, with attributes that
// are made once, and with the context of the run, for exemplars. A histogram has no
// data point before its first value.
//
// The bounds of histograms are advice, which a view or a reader with exponential
// aggregation overrides. The SDK keeps 2,000 sets of attributes of one instrument, and
// adds up later ones as otel.metric.overflow. If topics and partitions are more than
// that, raise the limit with [sdkmetric.WithCardinalityLimit], or use
// [WithoutPartitions] and [WithLabelLimit].
//
// Create one set for each provider. The values of two sets with one provider are added,
// except for times, of which the last one is reported. [Metrics.Close] removes a set
// from a provider that outlives it. Processes need different values of
// service.instance.id in their resources, or a backend takes their series for one.
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
