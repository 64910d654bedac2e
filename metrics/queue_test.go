// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

// queueLines returns the series of the queues in front of all stages.
func queueLines(t testing.TB, gatherer prometheus.Gatherer) []string {
	t.Helper()
	return lines(t, gatherer, "etl_queue_rows", "etl_queue_capacity_rows", "etl_blocked_seconds_total")
}

// The queues of one stage add up, and a queue that is done leaves its blocked time.
func TestMetrics_Queues(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry)
	load := observerOf(m)
	if got := queueLines(t, registry); len(got) != 0 {
		t.Errorf("series before the first queue = %v, want none", got)
	}
	first := &stageQueue{stats: observe.QueueStats{Rows: 3, Capacity: 8, Blocked: time.Second}}
	second := &stageQueue{stats: observe.QueueStats{Rows: 2, Capacity: 4, Blocked: 2 * time.Second}}
	load.Queue(first)
	load.Queue(second)
	clean, _ := m.Stage(observe.StageID{Pipeline: "orders", Stage: "clean"}).(stageObserver)
	clean.Queue(&stageQueue{stats: observe.QueueStats{Capacity: 1}})

	others := []string{
		`etl_blocked_seconds_total{pipeline="orders",stage="clean"} 0`,
		`etl_queue_capacity_rows{pipeline="orders",stage="clean"} 1`,
		`etl_queue_rows{pipeline="orders",stage="clean"} 0`,
	}
	for _, step := range []struct {
		name                    string
		first, second           observe.QueueStats
		rows, capacity, blocked string
	}{
		{
			name:  "both are open",
			first: observe.QueueStats{Rows: 3, Capacity: 8, Blocked: time.Second}, second: observe.QueueStats{Rows: 2, Capacity: 4, Blocked: 2 * time.Second},
			rows: "5", capacity: "12", blocked: "3",
		},
		{
			name:  "one is done",
			first: observe.QueueStats{Capacity: 8, Blocked: 5 * time.Second, Done: true}, second: observe.QueueStats{Rows: 4, Capacity: 4, Blocked: 3 * time.Second},
			rows: "4", capacity: "4", blocked: "8",
		},
		{
			name:  "what is done does not count again",
			first: observe.QueueStats{Rows: 9, Capacity: 8, Blocked: time.Hour}, second: observe.QueueStats{Rows: 4, Capacity: 4, Blocked: 3 * time.Second},
			rows: "4", capacity: "4", blocked: "8",
		},
		{
			name:   "values that go back",
			second: observe.QueueStats{Rows: -4, Capacity: -4, Blocked: -time.Second},
			rows:   "0", capacity: "0", blocked: "8",
		},
		{
			name:   "all are done",
			second: observe.QueueStats{Capacity: 4, Blocked: 4 * time.Second, Done: true},
			rows:   "0", capacity: "0", blocked: "9",
		},
	} {
		first.set(step.first)
		second.set(step.second)
		want := slices.Concat(others, []string{
			`etl_blocked_seconds_total{pipeline="orders",stage="load"} ` + step.blocked,
			`etl_queue_capacity_rows{pipeline="orders",stage="load"} ` + step.capacity,
			`etl_queue_rows{pipeline="orders",stage="load"} ` + step.rows,
		})
		slices.Sort(want)
		if diff := cmp.Diff(want, queueLines(t, registry)); diff != "" {
			t.Errorf("%s: series (-want +got)\n%s", step.name, diff)
		}
	}
}

func TestMetrics_QueueThatPanics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	load := observerOf(mustNew(t, registry))
	hostile := &stageQueue{stats: observe.QueueStats{Rows: 1, Capacity: 2, Blocked: time.Second}}
	var typedNil *stageQueue
	load.Queue(nil)
	load.Queue(typedNil)
	load.Queue(hostile)
	load.Queue(&stageQueue{stats: observe.QueueStats{Rows: 4, Capacity: 8, Blocked: time.Second}})
	queueLines(t, registry)
	hostile.panic = errBoom
	if diff := cmp.Diff([]string{
		`etl_blocked_seconds_total{pipeline="orders",stage="load"} 2`,
		`etl_queue_capacity_rows{pipeline="orders",stage="load"} 8`,
		`etl_queue_rows{pipeline="orders",stage="load"} 4`,
	}, queueLines(t, registry)); diff != "" {
		t.Errorf("series (-want +got)\n%s", diff)
	}
	// Once for each of the two scrapes.
	if diff := cmp.Diff([]string{`etl_telemetry_dropped_total{reason="observer"} 2`}, lines(t, registry, "etl_telemetry_dropped")); diff != "" {
		t.Errorf("dropped telemetry (-want +got)\n%s", diff)
	}
}

// The time that producers were blocked never decreases, whatever is created, closed
// and scraped at once, and nothing of it is lost.
func TestMetrics_QueuesAndScrapesAtOnce(t *testing.T) {
	t.Parallel()
	const workers, each = 64, 50
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry)
	blocked := func() float64 {
		family := families(t, registry)["etl_blocked_seconds_total"]
		if family == nil {
			return 0
		}
		return family.GetMetric()[0].GetCounter().GetValue()
	}
	var producers, scrapers sync.WaitGroup
	var ended atomic.Bool
	for range 4 {
		scrapers.Go(func() {
			for last := 0.0; !ended.Load(); {
				now := blocked()
				if now < last {
					t.Errorf("blocked seconds went from %v to %v", last, now)
				}
				last = now
			}
		})
	}
	for range workers {
		producers.Go(func() {
			load := observerOf(m)
			for range each {
				q := &stageQueue{}
				load.Queue(q)
				q.set(observe.QueueStats{Rows: 1, Capacity: 1, Blocked: time.Second})
				load.Waited(t.Context(), time.Second)
				q.set(observe.QueueStats{Blocked: 2 * time.Second, Done: true})
			}
		})
	}
	producers.Wait()
	ended.Store(true)
	scrapers.Wait()
	if got := blocked(); got != 2*workers*each {
		t.Errorf("blocked seconds = %v, want %d", got, 2*workers*each)
	}
}

// A program that makes a queue for each run and is never scraped keeps none of them.
func TestMetrics_QueuesThatAreDoneAreForgotten(t *testing.T) {
	t.Parallel()
	const queues = 1000
	load := observerOf(mustNew(t, nil))
	defer runtime.KeepAlive(load)
	var freed atomic.Int64
	for range queues {
		q := &stageQueue{stats: observe.QueueStats{Done: true, Blocked: time.Second}}
		runtime.AddCleanup(q, func(*atomic.Int64) { freed.Add(1) }, &freed)
		load.Queue(q)
	}
	for range 100 {
		if runtime.GC(); freed.Load() > queues-100 {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("%d of %d queues were freed", freed.Load(), queues)
}

// The bounds of the waiting time are seconds, and a time that is negative does not
// move the sum back.
func TestMetrics_QueueWait(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	load := observerOf(mustNew(t, registry, metrics.WithoutNativeHistograms()))
	for _, d := range []time.Duration{0, time.Second, -time.Hour, math.MinInt64} {
		load.Waited(t.Context(), d)
	}
	if diff := cmp.Diff([]string{
		`etl_queue_wait_seconds_bucket{pipeline="orders",stage="load",le="0.001"} 3`,
		`etl_queue_wait_seconds_count{pipeline="orders",stage="load"} 4`,
		`etl_queue_wait_seconds_sum{pipeline="orders",stage="load"} 1`,
	}, lines(t, registry, `etl_queue_wait_seconds_bucket{pipeline="orders",stage="load",le="0.001"}`, "etl_queue_wait_seconds_count", "etl_queue_wait_seconds_sum")); diff != "" {
		t.Errorf("series (-want +got)\n%s", diff)
	}
}

// The queue of package stages, as a program uses it.
func TestMetrics_QueueOfStages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewPedanticRegistry()
		q, err := stages.NewQueue[int](newStage(t, mustNew(t, registry)), 2)
		if err != nil {
			t.Fatal(err)
		}
		var producer sync.WaitGroup
		producer.Go(func() {
			for i := range 3 {
				if err := q.Put(t.Context(), i); err != nil {
					t.Error(err)
				}
			}
		})
		time.Sleep(2 * time.Second)
		want := func(step string, rows, capacity, blocked int) {
			t.Helper()
			if diff := cmp.Diff([]string{
				fmt.Sprintf(`etl_blocked_seconds_total{pipeline="orders",stage="load"} %d`, blocked),
				fmt.Sprintf(`etl_queue_capacity_rows{pipeline="orders",stage="load"} %d`, capacity),
				fmt.Sprintf(`etl_queue_rows{pipeline="orders",stage="load"} %d`, rows),
			}, queueLines(t, registry)); diff != "" {
				t.Errorf("%s: series (-want +got)\n%s", step, diff)
			}
		}
		want("the third item waits", 2, 2, 2)
		time.Sleep(time.Second)
		want("it still waits", 2, 2, 3)
		for range 3 {
			if _, err := q.Take(t.Context()); err != nil {
				t.Error(err)
			}
		}
		producer.Wait()
		want("all are taken", 0, 2, 3)
		q.Close()
		want("closed", 0, 0, 3)
		if len(lines(t, registry, "etl_queue_wait_seconds_count")) != 1 {
			t.Error("the waiting time of no item was observed")
		}
	})
}

// A queue that is no longer used counts no longer, even if nobody closed it.
func TestMetrics_QueueThatIsAbandoned(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	s := newStage(t, mustNew(t, registry))
	for range 100 {
		q, err := stages.NewQueue[int](s, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Put(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for range 100 {
		runtime.GC()
		got = lines(t, registry, "etl_queue_rows", "etl_queue_capacity")
		if slices.Equal(got, []string{`etl_queue_capacity_rows{pipeline="orders",stage="load"} 0`, `etl_queue_rows{pipeline="orders",stage="load"} 0`}) {
			return
		}
	}
	t.Errorf("series = %v, want no rows and no capacity", got)
}
