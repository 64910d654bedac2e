// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/observe"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// stage holds the series of one stage, looked up once. Those that are functions
// exist from their first use: a function that does not count has no counts, a
// stage that never timed out no timeouts, and a time that was not set must not
// look like 1970.
type stage struct {
	processing        [observe.Outcomes]func() *timer
	rejected, errors  *limited[prometheus.Counter]
	dropped           *limited[prometheus.Counter]
	bytesIn, bytesOut func() prometheus.Counter
	retries           func() prometheus.Counter
	inFlight          prometheus.Gauge

	lastRun, lastSuccess func() prometheus.Gauge
	watermark            *latest
	endToEnd             func(context.Context, time.Duration)

	sources *limited[*stageSource]
}

func newStage(m *Metrics, pipeline, name string) *stage {
	s := &stage{
		rejected: newLimited(m, series.Reason, func(reason string) prometheus.Counter {
			return m.collectors.rowsRejected.WithLabelValues(pipeline, name, reason)
		}),
		errors: newLimited(m, series.ErrorType, func(errorType string) prometheus.Counter {
			return m.collectors.errors.WithLabelValues(pipeline, name, errorType)
		}),
		dropped:     m.dropped,
		bytesIn:     counterOnFirstUse(m.collectors.bytes, pipeline, name, "in"),
		bytesOut:    counterOnFirstUse(m.collectors.bytes, pipeline, name, "out"),
		retries:     counterOnFirstUse(m.collectors.retries, pipeline, name),
		inFlight:    m.collectors.inFlight.WithLabelValues(pipeline, name),
		lastRun:     gaugeOnFirstUse(m.collectors.lastRun, pipeline, name),
		lastSuccess: gaugeOnFirstUse(m.collectors.lastSuccess, pipeline, name),
		watermark:   &latest{gauge: gaugeOnFirstUse(m.collectors.watermark, pipeline, name)},
		endToEnd:    m.latencies.stage(pipeline, name),
	}
	for o := range s.processing {
		outcome := observe.Outcome(o) //nolint:gosec // Within the range.
		s.processing[o] = sync.OnceValue(func() *timer {
			return newTimer(m.collectors.processing.WithLabelValues(pipeline, name, outcome.String()), m.config)
		})
	}
	s.processing[observe.OutcomeSuccess]()
	s.processing[observe.OutcomeFailure]()
	s.sources = newLimited(m, series.Source, func(source string) *stageSource {
		return &stageSource{
			stage:     s,
			read:      counterOnFirstUse(m.collectors.rowsRead, pipeline, name, source),
			processed: counterOnFirstUse(m.collectors.rowsProcessed, pipeline, name, source),
		}
	})
	return s
}

// stageSource observes a stage that reads from one source.
type stageSource struct {
	*stage

	read, processed func() prometheus.Counter
}

// Compile-time checks that stageSource implements every observer of a stage.
var (
	_ observe.RunObserver       = (*stageSource)(nil)
	_ observe.CountObserver     = (*stageSource)(nil)
	_ observe.WatermarkObserver = (*stageSource)(nil)
	_ observe.LatencyObserver   = (*stageSource)(nil)
	_ observe.DropObserver      = (*stageSource)(nil)
)

// Counted implements [observe.CountObserver].
func (s *stageSource) Counted(c observe.Count) {
	if c.N < 0 {
		return // A counter does not go back.
	}
	switch n := float64(c.N); c.Kind {
	case observe.CountRead:
		s.read().Add(n)
	case observe.CountWrote:
		s.processed().Add(n)
	case observe.CountRejected:
		s.rejected.with(c.Reason).Add(n)
	case observe.CountBytesIn:
		s.bytesIn().Add(n)
	case observe.CountBytesOut:
		s.bytesOut().Add(n)
	case observe.CountRetried:
		s.retries().Add(n)
	}
}

// Started implements [observe.RunObserver].
func (s *stage) Started(context.Context) { s.inFlight.Inc() }

// Ended implements [observe.RunObserver].
func (s *stage) Ended(ctx context.Context, end observe.RunEnd) {
	s.inFlight.Dec()
	now := time.Now()
	s.lastRun().Set(unixSeconds(now))
	if end.Outcome == observe.OutcomeSuccess {
		s.lastSuccess().Set(unixSeconds(now))
	}
	if int(end.Outcome) < len(s.processing) {
		s.processing[end.Outcome]().observe(ctx, end.Duration)
	}
	if end.Outcome.IsError() {
		s.errors.with(end.ErrorType).Inc()
	}
}

// Watermark implements [observe.WatermarkObserver].
func (s *stage) Watermark(t time.Time) { s.watermark.set(t) }

// Latency implements [observe.LatencyObserver].
func (s *stage) Latency(ctx context.Context, l observe.Latency) { s.endToEnd(ctx, l.EndToEnd) }

// Dropped implements [observe.DropObserver].
func (s *stage) Dropped(d observe.Drop) { s.dropped.with(d.Reason).Inc() }

// latest is a timestamp that never goes back.
type latest struct {
	gauge func() prometheus.Gauge

	mu   sync.Mutex
	time time.Time // Zero before the first.
}

func (l *latest) set(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.time.IsZero() || t.After(l.time) {
		l.time = t
		l.gauge().Set(unixSeconds(t))
	}
}

// gaugeOnFirstUse returns a gauge that has no series until it is used.
func gaugeOnFirstUse(gauges *prometheus.GaugeVec, values ...string) func() prometheus.Gauge {
	return sync.OnceValue(func() prometheus.Gauge { return gauges.WithLabelValues(values...) })
}

// counterOnFirstUse returns a counter that has no series until it is used.
func counterOnFirstUse(counters *prometheus.CounterVec, values ...string) func() prometheus.Counter {
	return sync.OnceValue(func() prometheus.Counter { return counters.WithLabelValues(values...) })
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1e3 }
