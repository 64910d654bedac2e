// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// exemplarInterval is the least time between two exemplars of one series. An
// exemplar costs more than ten times what the observation costs, and a scrape
// keeps one of each bucket.
const exemplarInterval = time.Second

// exemplarHistogram is a histogram of Prometheus. Some of its values have the trace
// they belong to.
type exemplarHistogram struct {
	observer  prometheus.Observer
	exemplars prometheus.ExemplarObserver // Nil for no exemplars.

	made time.Time    // Where the monotonic clock of next starts.
	next atomic.Int64 // When the next exemplar may come.
}

func newExemplarHistogram(observer prometheus.Observer, c config) *exemplarHistogram {
	h := &exemplarHistogram{observer: observer, made: time.Now()}
	if exemplars, ok := observer.(prometheus.ExemplarObserver); ok && !c.withoutExemplars {
		h.exemplars = exemplars
	}
	return h
}

func (h *exemplarHistogram) observe(ctx context.Context, value float64) {
	value = max(value, 0)
	if h.exemplars != nil {
		if span := spanContext(ctx); span.IsSampled() && span.IsValid() && h.isDue() {
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
type outcomes struct {
	success, failure histogram
	others           [observe.Outcomes]func() histogram
}

// newOutcomes returns the histograms of a metric whose last label is the outcome.
func newOutcomes(b backend, m series.Metric, values ...string) *outcomes {
	of := func(outcome observe.Outcome) []string { return append(slices.Clip(values), outcome.String()) }
	o := &outcomes{
		success: b.histogram(m, of(observe.OutcomeSuccess)...),
		failure: b.histogram(m, of(observe.OutcomeFailure)...),
	}
	for _, outcome := range [...]observe.Outcome{observe.OutcomeTimeout, observe.OutcomeCanceled, observe.OutcomePanic} {
		o.others[outcome] = onFirstUse(b.histogram, m, of(outcome)...)
	}
	return o
}

// observe observes an operation that took d. It ignores an outcome that does not
// exist.
func (o *outcomes) observe(ctx context.Context, outcome observe.Outcome, d time.Duration) {
	switch {
	case outcome == observe.OutcomeSuccess:
		o.success.observe(ctx, d.Seconds())
	case outcome == observe.OutcomeFailure:
		o.failure.observe(ctx, d.Seconds())
	case int(outcome) < len(o.others):
		o.others[outcome]().observe(ctx, d.Seconds())
	}
}

// spanContext returns the context of the span in ctx, or the zero one if ctx or the
// span panics: then the observation has no exemplar.
func spanContext(ctx context.Context) (span trace.SpanContext) {
	defer safe.Contain()
	return trace.SpanContextFromContext(safe.Context(ctx))
}

// isDue reports whether this observation may have the exemplar.
func (h *exemplarHistogram) isDue() bool {
	now := time.Since(h.made)
	next := h.next.Load()
	return int64(now) >= next && h.next.CompareAndSwap(next, int64(now+exemplarInterval))
}
