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
	processing        *outcomes
	rejected, errors  *limited[prometheus.Counter]
	dropped           *limited[prometheus.Counter]
	checks            *limited[checkResults]
	bytesIn, bytesOut func() prometheus.Counter
	retries           func() prometheus.Counter
	downstream        func() prometheus.Counter
	inFlight          prometheus.Gauge

	lastRun, lastSuccess func() prometheus.Gauge
	watermark            *latest
	endToEnd             func(context.Context, time.Duration)

	batchRows, rowAge, queueWait func() *histogram
	queues                       *stageQueues

	sources *limited[*stageSource]
}

func newStage(m *Metrics, pipeline, name string) *stage {
	of := m.collectors
	s := &stage{
		processing: newOutcomes(m.config, of.processing, pipeline, name),
		rejected: newLimited(m, series.Reason, func(reason string) prometheus.Counter {
			return of.rowsRejected.WithLabelValues(pipeline, name, reason)
		}),
		errors: newLimited(m, series.ErrorType, func(errorType string) prometheus.Counter {
			return of.errors.WithLabelValues(pipeline, name, errorType)
		}),
		dropped: m.dropped,
		checks: newLimited(m, series.Check, func(check string) checkResults {
			return checkResults{
				passed:   of.checks.WithLabelValues(pipeline, name, check, series.Passed),
				rejected: of.checks.WithLabelValues(pipeline, name, check, series.Rejected),
			}
		}),
		bytesIn:     counterOnFirstUse(of.bytes, pipeline, name, series.In),
		bytesOut:    counterOnFirstUse(of.bytes, pipeline, name, series.Out),
		retries:     counterOnFirstUse(of.retries, pipeline, name),
		downstream:  counterOnFirstUse(of.downstream, pipeline, name),
		inFlight:    of.inFlight.WithLabelValues(pipeline, name),
		lastRun:     gaugeOnFirstUse(of.lastRun, pipeline, name),
		lastSuccess: gaugeOnFirstUse(of.lastSuccess, pipeline, name),
		watermark:   newLatest(of.watermark, pipeline, name),
		endToEnd:    m.latencies.stage(pipeline, name),
		batchRows:   histogramOnFirstUse(m.config, of.batchRows, pipeline, name),
		rowAge:      histogramOnFirstUse(m.config, of.rowAge, pipeline, name),
		queueWait:   histogramOnFirstUse(m.config, of.queueWait, pipeline, name),
		queues:      of.queues.of(stageName{pipeline, name}),
	}
	s.sources = newLimited(m, series.Source, func(source string) *stageSource {
		return &stageSource{
			stage:     s,
			read:      counterOnFirstUse(of.rowsRead, pipeline, name, source),
			processed: counterOnFirstUse(of.rowsProcessed, pipeline, name, source),
		}
	})
	return s
}

// checkResults counts the rows that a check passed and rejected. Both exist from
// the first use of the check, so that a ratio never divides by nothing.
type checkResults struct{ passed, rejected prometheus.Counter }

// stageSource observes a stage that reads from one source.
type stageSource struct {
	*stage

	read, processed func() prometheus.Counter
}

// Compile-time checks that stageSource implements every observer of a stage.
var (
	_ observe.RunObserver            = (*stageSource)(nil)
	_ observe.CountObserver          = (*stageSource)(nil)
	_ observe.CheckObserver          = (*stageSource)(nil)
	_ observe.BatchObserver          = (*stageSource)(nil)
	_ observe.QueueObserver          = (*stageSource)(nil)
	_ observe.WatermarkObserver      = (*stageSource)(nil)
	_ observe.WatermarkResetObserver = (*stageSource)(nil)
	_ observe.RowAgeObserver         = (*stageSource)(nil)
	_ observe.LatencyObserver        = (*stageSource)(nil)
	_ observe.DropObserver           = (*stageSource)(nil)
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
	s.processing.observe(ctx, end.Outcome, end.Duration)
	if end.Downstream > 0 {
		s.downstream().Add(end.Downstream.Seconds())
	}
	if end.Outcome.IsError() {
		s.errors.with(end.ErrorType).Inc()
	}
}

// Checked implements [observe.CheckObserver].
func (s *stage) Checked(c observe.Check) {
	results := s.checks.with(c.Name)
	results.passed.Add(float64(max(c.Passed, 0)))
	results.rejected.Add(float64(max(c.Rejected, 0)))
}

// Batched implements [observe.BatchObserver].
func (s *stage) Batched(ctx context.Context, b observe.Batch) {
	s.batchRows().observe(ctx, float64(b.Rows))
}

// Queue implements [observe.QueueObserver].
func (s *stage) Queue(q observe.StageQueue) { s.queues.add(q) }

// Waited implements [observe.QueueObserver].
func (s *stage) Waited(ctx context.Context, d time.Duration) { s.queueWait().observeDuration(ctx, d) }

// Watermark implements [observe.WatermarkObserver].
func (s *stage) Watermark(t time.Time) { s.watermark.set(t) }

// WatermarkReset implements [observe.WatermarkResetObserver].
func (s *stage) WatermarkReset(t time.Time) { s.watermark.reset(t) }

// RowAge implements [observe.RowAgeObserver].
func (s *stage) RowAge(ctx context.Context, age time.Duration) { s.rowAge().observeDuration(ctx, age) }

// Latency implements [observe.LatencyObserver].
func (s *stage) Latency(ctx context.Context, l observe.Latency) { s.endToEnd(ctx, l.EndToEnd) }

// Dropped implements [observe.DropObserver].
func (s *stage) Dropped(d observe.Drop) { s.dropped.with(d.Reason).Inc() }

// gaugeOnFirstUse returns a gauge that has no series until it is used.
func gaugeOnFirstUse(gauges *prometheus.GaugeVec, values ...string) func() prometheus.Gauge {
	return sync.OnceValue(func() prometheus.Gauge { return gauges.WithLabelValues(values...) })
}

// counterOnFirstUse returns a counter that has no series until it is used.
func counterOnFirstUse(counters *prometheus.CounterVec, values ...string) func() prometheus.Counter {
	return sync.OnceValue(func() prometheus.Counter { return counters.WithLabelValues(values...) })
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1e3 }
