// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/stages"
)

// outcomes is the number of outcomes.
const outcomes = int(stages.OutcomePanic) + 1

// stage holds the series of one stage, looked up once.
type stage struct {
	processing        [outcomes]*timer
	rejected, errors  *limited[prometheus.Counter]
	dropped           *limited[prometheus.Counter]
	bytesIn, bytesOut prometheus.Counter
	retries           prometheus.Counter
	inFlight          prometheus.Gauge

	// A timestamp that has not been set must not look like 1970.
	lastRun, lastSuccess func() prometheus.Gauge
	watermark            *latest
	endToEnd             func() *timer

	sources *limited[*stageSource]
}

func newStage(m *Metrics, pipeline, name string) *stage {
	s := &stage{
		rejected: newLimited(m, labelReason, func(reason string) prometheus.Counter {
			return m.series.rowsRejected.WithLabelValues(pipeline, name, reason)
		}),
		errors: newLimited(m, labelErrorType, func(errorType string) prometheus.Counter {
			return m.series.errors.WithLabelValues(pipeline, name, errorType)
		}),
		dropped:     m.dropped,
		bytesIn:     m.series.bytes.WithLabelValues(pipeline, name, "in"),
		bytesOut:    m.series.bytes.WithLabelValues(pipeline, name, "out"),
		retries:     m.series.retries.WithLabelValues(pipeline, name),
		inFlight:    m.series.inFlight.WithLabelValues(pipeline, name),
		lastRun:     onFirstUse(m.series.lastRun, pipeline, name),
		lastSuccess: onFirstUse(m.series.lastSuccess, pipeline, name),
		watermark:   &latest{gauge: onFirstUse(m.series.watermark, pipeline, name)},
		endToEnd:    sync.OnceValue(func() *timer { return m.travels.endToEnd(pipeline, name) }),
	}
	for o := range outcomes {
		observer := m.series.processing.WithLabelValues(pipeline, name, stages.Outcome(o).String()) //nolint:gosec // Within the range.
		s.processing[o] = newTimer(observer, m.config)
	}
	s.sources = newLimited(m, labelSource, func(source string) *stageSource {
		return &stageSource{
			stage:     s,
			read:      m.series.rowsRead.WithLabelValues(pipeline, name, source),
			processed: m.series.rowsProcessed.WithLabelValues(pipeline, name, source),
		}
	})
	return s
}

// stageSource observes a stage that reads from one source.
type stageSource struct {
	*stage
	read, processed prometheus.Counter
}

// Compile-time checks that stageSource implements all that stages ask for.
var (
	_ stages.StageObserver     = (*stageSource)(nil)
	_ stages.CountObserver     = (*stageSource)(nil)
	_ stages.WatermarkObserver = (*stageSource)(nil)
	_ stages.TravelObserver    = (*stageSource)(nil)
	_ stages.DropObserver      = (*stageSource)(nil)
)

func (s *stageSource) Read(rows int)  { s.read.Add(float64(rows)) }
func (s *stageSource) Wrote(rows int) { s.processed.Add(float64(rows)) }

func (s *stage) Started(context.Context) { s.inFlight.Inc() }

func (s *stage) Ended(ctx context.Context, result stages.Result) {
	s.inFlight.Dec()
	now := time.Now()
	s.lastRun().Set(unixSeconds(now))
	if result.Outcome == stages.OutcomeSuccess {
		s.lastSuccess().Set(unixSeconds(now))
	}
	s.processing[result.Outcome].observe(ctx, result.Duration)
	if result.ErrorType != "" {
		s.errors.with(result.ErrorType).Inc()
	}
}

func (s *stage) Rejected(rows int, reason string) { s.rejected.with(reason).Add(float64(rows)) }
func (s *stage) BytesIn(n int)                    { s.bytesIn.Add(float64(n)) }
func (s *stage) BytesOut(n int)                   { s.bytesOut.Add(float64(n)) }
func (s *stage) Retried()                         { s.retries.Inc() }
func (s *stage) Watermark(t time.Time)            { s.watermark.set(t) }
func (s *stage) Dropped(reason string)            { s.dropped.with(reason).Inc() }

func (s *stage) Travelled(ctx context.Context, endToEnd time.Duration) {
	s.endToEnd().observe(ctx, endToEnd)
}

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

// onFirstUse returns a gauge that has no series until it is used.
func onFirstUse(gauges *prometheus.GaugeVec, values ...string) func() prometheus.Gauge {
	return sync.OnceValue(func() prometheus.Gauge { return gauges.WithLabelValues(values...) })
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1e3 }
