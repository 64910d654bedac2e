// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package promtest_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
)

// used returns a registry in which every metric of package metrics has been used.
func used(t testing.TB) *prometheus.Registry {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	m, err := metrics.New(registry)
	if err != nil {
		t.Fatal(err)
	}
	useStage(t, m)
	useMessaging(t, m)
	return registry
}

// stageObserver is everything that observes a stage.
type stageObserver interface {
	observe.RunObserver
	observe.CountObserver
	observe.CheckObserver
	observe.BatchObserver
	observe.QueueObserver
	observe.WatermarkObserver
	observe.RowAgeObserver
	observe.LatencyObserver
	observe.DropObserver
}

func useStage(t testing.TB, m *metrics.Metrics) {
	t.Helper()
	ctx := t.Context()
	run, ok := m.Stage(observe.StageID{Pipeline: "orders", Stage: "load", Source: "orders.raw"}).(stageObserver)
	if !ok {
		t.Fatal("the observer of a stage does not implement all interfaces")
	}
	run.Started(ctx)
	for kind := observe.CountRead; kind <= observe.CountRetried; kind++ {
		run.Counted(observe.Count{Kind: kind, N: 1, Reason: "no_price"})
	}
	run.Checked(observe.Check{Name: "has_price", Passed: 2, Rejected: 1})
	run.Batched(ctx, observe.Batch{Rows: 3})
	run.Queue(&queue{})
	run.Waited(ctx, time.Second)
	run.Watermark(time.Now())
	run.RowAge(ctx, time.Minute)
	run.Latency(ctx, observe.Latency{EndToEnd: time.Minute})
	run.Dropped(observe.Drop{Reason: observe.DropNegative})
	for outcome := range observe.Outcomes {
		o := observe.Outcome(outcome) //nolint:gosec // Within the range.
		run.Ended(ctx, observe.RunEnd{Outcome: o, ErrorType: o.ErrorType(errors.ErrUnsupported), Duration: time.Second, Downstream: time.Second})
	}
}

func useMessaging(t testing.TB, m *metrics.Metrics) {
	t.Helper()
	ctx := t.Context()
	for _, system := range []string{observe.SystemKafka, observe.SystemMongoDB} {
		partition := observe.Partition{System: system, Group: "loader", Topic: "orders", Reader: 1}
		m.Sent(ctx, observe.Send{System: system, Destination: "orders", Messages: 1, Bytes: 10})
		m.Fetched(ctx, observe.Fetch{System: system, Group: "loader", Topic: "orders", Lag: 3, Queued: time.Second, Reader: 1})
		m.Arrived(ctx, observe.Arrival{System: system, Destination: "orders", Hop: time.Second, EndToEnd: time.Minute})
		m.Processed(ctx, observe.Process{System: system, Destination: "orders", Messages: 1, Duration: time.Second, Outcome: observe.OutcomeFailure, ErrorType: "eof"})
		m.Committed(ctx, observe.Commit{System: system, Group: "loader", Topic: "orders", Lag: 4, Reader: 1})
		m.Failed(ctx, observe.Failure{System: system, Operation: "send", Destination: "orders", ErrorType: "eof"})
		m.Redelivered(partition)
		m.Skipped(observe.Gap{Partition: partition, Offsets: 1})
		m.Queued(observe.Queue{System: system, Destination: "orders", Change: 1})
		m.Blocked(observe.Block{System: system, Operation: "send", Destination: "orders", Duration: time.Second})
	}
}

// queue is a queue in front of a stage.
type queue struct{ mu sync.Mutex }

func (q *queue) Stats() observe.QueueStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return observe.QueueStats{Rows: 1, Capacity: 8, Blocked: time.Second}
}

// family is a metric as a query sees it.
type family struct {
	kind   dto.MetricType
	labels []string
}

// familiesOf returns the metrics of a registry, by name.
func familiesOf(t testing.TB, registry *prometheus.Registry) map[string]family {
	t.Helper()
	gathered, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	families := map[string]family{}
	for _, f := range gathered {
		known := family{kind: f.GetType()}
		for _, metric := range f.GetMetric() {
			for _, label := range metric.GetLabel() {
				known.labels = append(known.labels, label.GetName())
			}
		}
		slices.Sort(known.labels)
		known.labels = slices.Compact(known.labels)
		families[f.GetName()] = known
	}
	return families
}

// The registry has each metric that package metrics documents. The limit of the
// memory exists only where there is one.
func TestUsed_Complete(t *testing.T) {
	t.Parallel()
	golden, err := os.ReadFile("../../metrics/testdata/metrics.golden")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for line := range strings.Lines(string(golden)) {
		name, _, _ := strings.Cut(line, " ")
		name, _, _ = strings.Cut(name, "{")
		want = append(want, name)
	}
	for name := range familiesOf(t, used(t)) {
		got = append(got, name)
	}
	slices.Sort(got)
	isLimit := func(name string) bool { return name == "etl_memory_limit_bytes" }
	if diff := cmp.Diff(slices.DeleteFunc(want, isLimit), slices.DeleteFunc(got, isLimit)); diff != "" {
		t.Errorf("metrics that were used (-documented +used):\n%s", diff)
	}
}
