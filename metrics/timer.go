// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/safe"
)

// exemplarInterval is the least time between two exemplars of one series. An
// exemplar costs more than ten times what the observation costs, and a scrape
// keeps one of each bucket.
const exemplarInterval = time.Second

// timer observes durations, some of them with the trace they belong to.
type timer struct {
	observer  prometheus.Observer
	exemplars prometheus.ExemplarObserver // Nil for no exemplars.

	made time.Time    // Where the monotonic clock of next starts.
	next atomic.Int64 // When the next exemplar may come.
}

func newTimer(observer prometheus.Observer, c config) *timer {
	t := &timer{observer: observer, made: time.Now()}
	if exemplars, ok := observer.(prometheus.ExemplarObserver); ok && !c.withoutExemplars {
		t.exemplars = exemplars
	}
	return t
}

// observe observes d, which belongs to the span in ctx. A negative d is treated as
// 0, because the sum of a histogram must not go back.
func (t *timer) observe(ctx context.Context, d time.Duration) {
	d = max(d, 0)
	if t.exemplars != nil {
		if span := spanContext(ctx); span.IsValid() && span.IsSampled() && t.isDue() {
			t.exemplars.ObserveWithExemplar(d.Seconds(), prometheus.Labels{
				"trace_id": span.TraceID().String(),
				"span_id":  span.SpanID().String(),
			})
			return
		}
	}
	t.observer.Observe(d.Seconds())
}

// spanContext returns the context of the span in ctx, or the zero one if ctx or the
// span panics: then the observation has no exemplar.
func spanContext(ctx context.Context) (span trace.SpanContext) {
	defer safe.Contain()
	return trace.SpanContextFromContext(safe.Context(ctx))
}

// isDue reports whether this observation may have the exemplar.
func (t *timer) isDue() bool {
	now := time.Since(t.made)
	next := t.next.Load()
	return int64(now) >= next && t.next.CompareAndSwap(next, int64(now+exemplarInterval))
}
