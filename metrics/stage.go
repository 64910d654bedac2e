// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/observe"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// stage holds the series of one stage, looked up once. Those that are functions
// exist from their first use: a function that does not count has no counts, a
// stage that never timed out no timeouts, and a time that was not set must not
// look like 1970.
type stage struct {
	name              stageName
	processing        *outcomes
	rejected, errors  *limited[counter]
	dropped           *limited[counter]
	checks            *limited[checkResults]
	bytesIn, bytesOut func() counter
	retries           func() counter
	downstream        func() counter
	endToEnd          func(context.Context, time.Duration)

	batchRows, rowAge, queueWait func() histogram

	// Read when metrics are collected.
	inFlight                        atomic.Int64
	lastRun, lastSuccess, watermark *moment
	queues                          *stageQueues

	sources *limited[*stageSource]
}

func newStage(m *Metrics, of stageName) *stage {
	b, pipeline, name := m.backend, of.pipeline, of.stage
	s := &stage{
		name:       of,
		processing: newOutcomes(b, series.Processing, pipeline, name),
		rejected: newLimited(m, series.Reason, func(reason string) counter {
			return b.counter(series.RowsRejected, pipeline, name, reason)
		}),
		errors: newLimited(m, series.ErrorType, func(errorType string) counter {
			return b.counter(series.Errors, pipeline, name, errorType)
		}),
		dropped: m.dropped,
		checks: newLimited(m, series.Check, func(check string) checkResults {
			return checkResults{
				passed:   b.counter(series.Checks, pipeline, name, check, series.Passed),
				rejected: b.counter(series.Checks, pipeline, name, check, series.Rejected),
			}
		}),
		bytesIn:     onFirstUse(b.counter, series.Bytes, pipeline, name, series.In),
		bytesOut:    onFirstUse(b.counter, series.Bytes, pipeline, name, series.Out),
		retries:     onFirstUse(b.counter, series.Retries, pipeline, name),
		downstream:  onFirstUse(b.counter, series.Downstream, pipeline, name),
		endToEnd:    m.latencies.stage(pipeline, name),
		batchRows:   onFirstUse(b.histogram, series.BatchRows, pipeline, name),
		rowAge:      onFirstUse(b.histogram, series.RowAge, pipeline, name),
		queueWait:   onFirstUse(b.histogram, series.QueueWait, pipeline, name),
		lastRun:     newMoment(),
		lastSuccess: newMoment(),
		watermark:   newMoment(),
		queues:      &stageQueues{panicked: func() { m.dropped.with(observe.DropPanic).Inc() }},
	}
	s.sources = newLimited(m, series.Source, func(source string) *stageSource {
		return &stageSource{
			stage:     s,
			read:      onFirstUse(b.counter, series.RowsRead, pipeline, name, source),
			processed: onFirstUse(b.counter, series.RowsProcessed, pipeline, name, source),
		}
	})
	return s
}

// read puts the series of s that have no handles.
func (s *stage) read(put put) {
	put(series.InFlight, float64(max(s.inFlight.Load(), 0)), s.name.pipeline, s.name.stage)
	s.lastRun.read(put, series.LastRun, s.name)
	s.lastSuccess.read(put, series.LastSuccess, s.name)
	s.watermark.read(put, series.Watermark, s.name)
	s.queues.read(put, s.name)
}

// checkResults counts the rows that a check passed and rejected. Both exist from
// the first use of the check, so that a ratio never divides by nothing.
type checkResults struct{ passed, rejected counter }

// stageSource observes a stage that reads from one source.
type stageSource struct {
	*stage

	read, processed func() counter
}

// Compile-time checks that stageSource implements every observer of a stage.
var (
	_ observe.RunObserver            = (*stageSource)(nil)
	_ observe.EndObserver            = (*stageSource)(nil)
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
func (s *stage) Started(context.Context) { s.inFlight.Add(1) }

// Ended implements [observe.RunObserver].
func (s *stage) Ended(ctx context.Context, end observe.RunEnd) { s.EndedAt(ctx, end, time.Now()) }

// EndedAt implements [observe.EndObserver].
func (s *stage) EndedAt(ctx context.Context, end observe.RunEnd, at time.Time) {
	s.inFlight.Add(-1)
	s.lastRun.set(at)
	if end.Outcome == observe.OutcomeSuccess {
		s.lastSuccess.set(at)
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
func (s *stage) Waited(ctx context.Context, d time.Duration) { s.queueWait().observe(ctx, d.Seconds()) }

// Watermark implements [observe.WatermarkObserver].
func (s *stage) Watermark(t time.Time) { s.watermark.advance(t) }

// WatermarkReset implements [observe.WatermarkResetObserver].
func (s *stage) WatermarkReset(t time.Time) {
	if t.IsZero() {
		s.watermark.clear()
		return
	}
	s.watermark.set(t)
}

// RowAge implements [observe.RowAgeObserver].
func (s *stage) RowAge(ctx context.Context, age time.Duration) {
	s.rowAge().observe(ctx, age.Seconds())
}

// Latency implements [observe.LatencyObserver].
func (s *stage) Latency(ctx context.Context, l observe.Latency) { s.endToEnd(ctx, l.EndToEnd) }

// Dropped implements [observe.DropObserver].
func (s *stage) Dropped(d observe.Drop) { s.dropped.with(d.Reason).Inc() }
