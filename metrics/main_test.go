// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

func TestMain(m *testing.M) {
	debug.SetMemoryLimit(1 << 50) // So that the limit has a series on every machine.
	goleak.VerifyTestMain(m)
}

var errBoom = errors.New("boom")

func mustNew(t testing.TB, registerer prometheus.Registerer, opts ...metrics.Option) *metrics.Metrics {
	t.Helper()
	m, err := metrics.New(registerer, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// newStage makes the stage "load" of the pipeline "orders".
func newStage(t testing.TB, m *metrics.Metrics, opts ...stages.Option) *stages.Stage {
	t.Helper()
	p, err := stages.NewPipeline("orders", append([]stages.Option{stages.WithObserver(m), stages.WithoutSpans()}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Stage("load")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// families gathers a registry, by name.
func families(t testing.TB, gatherer prometheus.Gatherer) map[string]*dto.MetricFamily {
	t.Helper()
	all, err := gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*dto.MetricFamily{}
	for _, family := range all {
		byName[family.GetName()] = family
	}
	return byName
}

// labelsOf returns the labels of a metric.
func labelsOf(metric *dto.Metric) map[string]string {
	labels := map[string]string{}
	for _, pair := range metric.GetLabel() {
		labels[pair.GetName()] = pair.GetValue()
	}
	return labels
}

// lines returns the series whose lines begin with one of prefixes, in the text
// format, sorted.
func lines(t testing.TB, gatherer prometheus.Gatherer, prefixes ...string) []string {
	t.Helper()
	var found []string
	for _, family := range families(t, gatherer) {
		var text strings.Builder
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text.String()) {
			if slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(line, prefix) }) {
				found = append(found, strings.TrimSpace(line))
			}
		}
	}
	slices.Sort(found)
	return found
}

// everything makes what is observed feed every series there is.
func everything(t testing.TB, m *metrics.Metrics) {
	t.Helper()
	s := newStage(t, m, stages.WithSource("orders.raw"))
	_ = s.Run(t.Context(), func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		run.Read(3)
		run.Wrote(2)
		run.Rejected(1, "no_price")
		run.Rejected(-1, "no_price")
		run.BytesIn(20)
		run.BytesOut(10)
		run.Retried()
		run.Watermark(watermark)
		return nil
	})
	_ = s.Run(t.Context(), func(context.Context) error { return errBoom })

	ctx := t.Context()
	if run := observerOf(m); run != nil {
		run.Started(ctx)
		run.Checked(observe.Check{Name: "has_price", Passed: 2, Rejected: 1})
		run.Batched(ctx, observe.Batch{Rows: 3})
		run.RowAge(ctx, time.Minute)
		run.Queue(&stageQueue{stats: observe.QueueStats{Rows: 1, Capacity: 8, Blocked: time.Second}})
		run.Waited(ctx, time.Second)
		run.Ended(ctx, observe.RunEnd{Duration: time.Second, Downstream: time.Second})
	}
	const kafka, mongo = observe.SystemKafka, observe.SystemMongoDB
	m.Sent(ctx, observe.Send{System: kafka, Destination: "orders.raw", Messages: 1, Bytes: 10})
	m.Fetched(ctx, observe.Fetch{System: kafka, Group: "workers", Topic: "orders.raw", Bytes: 10, Lag: 3, Queued: time.Second, Reader: 1})
	m.Arrived(ctx, observe.Arrival{System: kafka, Destination: "orders.raw", Hop: time.Second, EndToEnd: time.Minute})
	m.Committed(ctx, observe.Commit{System: kafka, Group: "workers", Topic: "orders.raw", Lag: 4, Reader: 1})
	m.Queued(observe.Queue{System: kafka, Destination: "orders.raw", Change: 1})
	m.Blocked(observe.Block{System: kafka, Operation: "send", Destination: "orders.raw", Duration: time.Second})
	m.Failed(ctx, observe.Failure{System: kafka, Operation: "send", Destination: "orders.raw", ErrorType: "eof"})
	m.Processed(ctx, observe.Process{System: kafka, Destination: "orders.raw", Messages: 1, Duration: time.Second})
	m.Arrived(ctx, observe.Arrival{System: mongo, Destination: "orders", Hop: time.Second, EndToEnd: time.Minute})
	m.Processed(ctx, observe.Process{System: mongo, Destination: "orders", Messages: 1, Outcome: observe.OutcomeTimeout, ErrorType: "timeout"})
}

// stageObserver is everything that observes a stage.
type stageObserver interface {
	observe.RunObserver
	observe.CountObserver
	observe.CheckObserver
	observe.BatchObserver
	observe.QueueObserver
	observe.WatermarkObserver
	observe.WatermarkResetObserver
	observe.RowAgeObserver
	observe.LatencyObserver
	observe.DropObserver
}

// observerOf returns the observer of the stage "load" of the pipeline "orders". It
// is nil if m observes nothing.
func observerOf(m *metrics.Metrics) stageObserver {
	run, _ := m.Stage(observe.StageID{Pipeline: "orders", Stage: "load", Source: "orders.raw"}).(stageObserver)
	return run
}

// stageQueue is a queue of a test.
type stageQueue struct {
	mu    sync.Mutex
	stats observe.QueueStats
	panic any // Of Stats, if not nil.
}

func (q *stageQueue) Stats() observe.QueueStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.panic != nil {
		panic(q.panic)
	}
	return q.stats
}

func (q *stageQueue) set(stats observe.QueueStats) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stats = stats
}
