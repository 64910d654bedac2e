// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
)

// exemplarInterval is the least time between two exemplars of one series. An
// exemplar costs more than ten times what the observation costs, and a scrape
// keeps one of each bucket.
const exemplarInterval = time.Second

// histogram observes values, some of them with the trace they belong to.
type histogram struct {
	observer  prometheus.Observer
	exemplars prometheus.ExemplarObserver // Nil for no exemplars.

	made time.Time    // Where the monotonic clock of next starts.
	next atomic.Int64 // When the next exemplar may come.
}

func newHistogram(observer prometheus.Observer, c config) *histogram {
	h := &histogram{observer: observer, made: time.Now()}
	if exemplars, ok := observer.(prometheus.ExemplarObserver); ok && !c.withoutExemplars {
		h.exemplars = exemplars
	}
	return h
}

// histogramOnFirstUse returns a histogram that has no series until it is used.
func histogramOnFirstUse(c config, histograms *prometheus.HistogramVec, values ...string) func() *histogram {
	return sync.OnceValue(func() *histogram { return newHistogram(histograms.WithLabelValues(values...), c) })
}

// observeDuration observes d in seconds. The span in ctx is what took this long.
func (h *histogram) observeDuration(ctx context.Context, d time.Duration) {
	h.observe(ctx, d.Seconds())
}

// observe observes value, which belongs to the span in ctx. A negative value is
// treated as 0, because the sum of a histogram must not go back.
func (h *histogram) observe(ctx context.Context, value float64) {
	value = max(value, 0)
	if h.exemplars != nil {
		if span := spanContext(ctx); span.IsValid() && span.IsSampled() && h.isDue() {
			h.exemplars.ObserveWithExemplar(value, prometheus.Labels{
				"trace_id": span.TraceID().String(),
				"span_id":  span.SpanID().String(),
			})
			return
		}
	}
	h.observer.Observe(value)
}

// outcomes are the histograms of one operation, by how it ended. Those of success
// and failure exist from the start, so that a rate over them shows the first one;
// the others exist from their first use.
type outcomes [observe.Outcomes]func() *histogram

// newOutcomes returns the histograms of values and the label outcome, which is the
// last one.
func newOutcomes(c config, histograms *prometheus.HistogramVec, values ...string) *outcomes {
	o := &outcomes{}
	for i := range o {
		o[i] = histogramOnFirstUse(c, histograms, append(slices.Clip(values), observe.Outcome(i).String())...) //nolint:gosec // Within the range.
	}
	o[observe.OutcomeSuccess]()
	o[observe.OutcomeFailure]()
	return o
}

// observe observes an operation that took d. It ignores an outcome that does not
// exist.
func (o *outcomes) observe(ctx context.Context, outcome observe.Outcome, d time.Duration) {
	if int(outcome) < len(o) {
		o[outcome]().observeDuration(ctx, d)
	}
}

// spanContext returns the context of the span in ctx, or the zero one if ctx or the
// span panics: then the observation has no exemplar.
func spanContext(ctx context.Context) (span trace.SpanContext) {
	defer safe.Contain()
	return trace.SpanContextFromContext(safe.Context(ctx))
}

// isDue reports whether this observation may have the exemplar.
func (h *histogram) isDue() bool {
	now := time.Since(h.made)
	next := h.next.Load()
	return int64(now) >= next && h.next.CompareAndSwap(next, int64(now+exemplarInterval))
}
