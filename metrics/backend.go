// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"sync"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// A backend keeps the series of all metrics: [collectors] for Prometheus, or
// [instruments] for OpenTelemetry. The rest of this package decides what is
// observed, and sets it by handles that it keeps.
//
// The values are those of the labels of the metric, in their order. They are valid
// UTF-8. A series exists from when its handle is first asked for, if the backend can
// show a series without a value. The handle of the same values is the same series. A
// backend and its handles are safe for concurrent use.
type backend interface {
	counter(m series.Metric, values ...string) counter
	gauge(m series.Metric, values ...string) gauge
	histogram(m series.Metric, values ...string) histogram
	// removeGauge removes a series, whose handle must not be used any more.
	removeGauge(m series.Metric, values ...string)
	// collect adds a function that puts the series of some metrics each time that
	// metrics are collected. These metrics have no handles.
	collect(read func(put put))
}

// counter is a series that only increases. The argument of Add is at least 0.
type counter interface {
	Inc()
	Add(n float64)
}

// gauge is a series that is set.
type gauge interface {
	Set(value float64)
	Add(n float64)
}

// histogram observes values, which belong to the span in ctx. A negative value is
// treated as 0, because the sum of a histogram must not go back.
type histogram interface {
	observe(ctx context.Context, value float64)
}

// put is called with the value of a series during a collection.
type put func(m series.Metric, value float64, values ...string)

// onFirstUse returns the handle of a series that does not exist until it is used.
func onFirstUse[H any](create func(series.Metric, ...string) H, m series.Metric, values ...string) func() H {
	return sync.OnceValue(func() H { return create(m, values...) })
}
