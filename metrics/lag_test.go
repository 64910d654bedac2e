// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
)

// A partition that another process reads leaves no lag behind.
func TestMetrics_LagOfAPartitionEndsWithItsRevocation(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry)
	check := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, lines(t, registry, "etl_kafka_lag", "etl_kafka_committed_lag")); diff != "" {
			t.Errorf("lags (-want +got)\n%s", diff)
		}
	}
	workers := orders(m, 1)
	stopped := kafkaEvents{m: m, group: "stopped", topic: "orders", reader: 2}
	workers.fetched(0, 1, 10, -1)
	workers.fetched(1, 1, 0, -1)
	workers.fetched(2, 1, -1, -1) // The lag is not known.
	workers.committed(0, 11)
	stopped.committed(0, 500)
	check(
		`etl_kafka_committed_lag_messages{group="stopped",partition="0",topic="orders"} 500`,
		`etl_kafka_committed_lag_messages{group="workers",partition="0",topic="orders"} 11`,
		`etl_kafka_lag_messages{group="workers",partition="0",topic="orders"} 10`,
		`etl_kafka_lag_messages{group="workers",partition="1",topic="orders"} 0`,
	)
	workers.revoked(0)
	workers.revoked(7) // It was never here.
	stopped.revoked(0)
	check(`etl_kafka_lag_messages{group="workers",partition="1",topic="orders"} 0`)
	if got := len(lines(t, registry, "etl_kafka_last_fetch")); got != 2 {
		t.Errorf("%d times of a last fetch, want 2", got)
	}
	workers.fetched(0, 1, 4, -1)
	check(
		`etl_kafka_lag_messages{group="workers",partition="0",topic="orders"} 4`,
		`etl_kafka_lag_messages{group="workers",partition="1",topic="orders"} 0`,
	)
}

// Two readers, or a reader and a watcher, may share one Metrics.
func TestMetrics_LagOfSeveralReaders(t *testing.T) {
	t.Parallel()
	const (
		lag       = `etl_kafka_lag_messages{group="workers",partition="0",topic="orders"} `
		committed = `etl_kafka_committed_lag_messages{group="workers",partition="0",topic="orders"} `
	)
	type step func(reader, other, watcher kafkaEvents)
	for _, tt := range []struct {
		name  string
		steps step
		want  []string
	}{
		{name: "the latest report is shown", want: []string{lag + "2"}, steps: func(reader, other, _ kafkaEvents) {
			reader.fetched(0, 1, 9, -1)
			other.fetched(0, 1, 2, -1)
		}},
		{name: "a reader loses what another one goes on with", want: []string{lag + "2"}, steps: func(reader, other, _ kafkaEvents) {
			reader.fetched(0, 1, 9, -1)
			other.fetched(0, 1, 2, -1)
			reader.revoked(0)
		}},
		{name: "what the other reader reported is shown again", want: []string{lag + "9"}, steps: func(reader, other, _ kafkaEvents) {
			reader.fetched(0, 1, 9, -1)
			other.fetched(0, 1, 2, -1)
			other.revoked(0)
		}},
		{name: "a watcher ends", want: []string{committed + "4", lag + "3"}, steps: func(reader, _, watcher kafkaEvents) {
			reader.fetched(0, 1, 3, -1)
			reader.committed(0, 4)
			watcher.committed(0, 7)
			watcher.revoked(0)
		}},
		{name: "a watcher ends that alone knew the committed lag", want: []string{lag + "3"}, steps: func(reader, _, watcher kafkaEvents) {
			reader.fetched(0, 1, 3, -1)
			watcher.committed(0, 7)
			watcher.revoked(0)
		}},
		{name: "a reader ends, the watcher goes on", want: []string{committed + "7"}, steps: func(reader, _, watcher kafkaEvents) {
			reader.fetched(0, 1, 3, -1)
			watcher.committed(0, 7)
			reader.revoked(0)
		}},
		{name: "all end", steps: func(reader, other, watcher kafkaEvents) {
			reader.fetched(0, 1, 3, -1)
			other.committed(0, 3)
			watcher.committed(0, 7)
			other.revoked(0)
			reader.revoked(0)
			watcher.revoked(0)
		}},
		{name: "one is revoked twice", want: []string{lag + "2"}, steps: func(reader, other, _ kafkaEvents) {
			reader.fetched(0, 1, 9, -1)
			other.fetched(0, 1, 2, -1)
			reader.revoked(0)
			reader.revoked(0)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewPedanticRegistry()
			m := mustNew(t, registry)
			tt.steps(orders(m, 1), orders(m, 2), orders(m, 3))
			if diff := cmp.Diff(tt.want, lines(t, registry, "etl_kafka_lag", "etl_kafka_committed_lag")); diff != "" {
				t.Errorf("lags (-want +got)\n%s", diff)
			}
		})
	}
}

// Readers that come and go without saying so are not kept for good.
func TestMetrics_LagOfForgottenReaders(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry)
	for reader := range uint64(1000) {
		orders(m, reader).fetched(0, 1, int64(reader), -1)
	}
	for reader := uint64(999); reader > 0; reader-- {
		orders(m, reader).revoked(0)
	}
	if got := lines(t, registry, "etl_kafka_lag"); len(got) != 0 {
		t.Errorf("lags = %v, want none", got)
	}
}

// A sum over the lags of a topic is that of all its partitions, whatever the limit
// of the labels is.
func TestMetrics_LagOfManyPartitions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                                  string
		topics, partitions, lags, overflowing int
	}{
		{name: "twice the limit of labels", topics: 1, partitions: 200, lags: 200},
		{name: "more topics than the limit of labels", topics: 300, partitions: 3, lags: 900},
		{name: "the limit", topics: 2, partitions: 5000, lags: 10_000},
		{name: "more than the limit", topics: 1, partitions: 10_003, lags: 10_000, overflowing: 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewRegistry()
			m := mustNew(t, registry, metrics.WithLabelLimit(10))
			commit := func() {
				for topic := range tt.topics {
					k := kafkaEvents{m: m, group: "workers", topic: "orders-" + strconv.Itoa(topic), reader: 1}
					for partition := range tt.partitions {
						m.Committed(t.Context(), observe.Commit{System: observe.SystemKafka, Group: k.group, Topic: k.topic, Partition: partition, Reader: 1, Lag: 10})
					}
				}
			}
			commit()
			check := func(when string) {
				t.Helper()
				got := families(t, registry)
				sum := 0.0
				for _, metric := range got["etl_kafka_committed_lag_messages"].GetMetric() {
					sum += metric.GetGauge().GetValue()
				}
				if want := float64(10 * tt.lags); sum != want {
					t.Errorf("%s: sum of the lags = %v, want %v", when, sum, want)
				}
			}
			check("at first")
			overflow := slices.IndexFunc(families(t, registry)["etl_telemetry_label_overflow_total"].GetMetric(), func(metric *dto.Metric) bool {
				return labelsOf(metric)["label"] == "partition" && metric.GetCounter().GetValue() == float64(tt.overflowing)
			})
			if overflow < 0 {
				t.Errorf("the overflow of partitions is not %d", tt.overflowing)
			}
			for topic := range tt.topics { // A rebalance makes room.
				k := kafkaEvents{m: m, group: "workers", topic: "orders-" + strconv.Itoa(topic), reader: 1}
				for partition := range tt.partitions {
					k.revoked(partition)
				}
			}
			commit()
			check("after a rebalance")
		})
	}
}

func TestMetrics_LagConcurrentUse(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry)
	var all sync.WaitGroup
	for reader := range uint64(128) {
		all.Go(func() {
			k := orders(m, reader)
			for partition := range 8 {
				k.fetched(partition, 1, 5, time.Second)
				k.committed(partition, 6)
			}
			for partition := range 8 {
				k.revoked(partition)
			}
		})
		if reader%16 == 0 {
			all.Go(func() { families(t, registry) })
		}
	}
	all.Wait()
	if got := lines(t, registry, "etl_kafka_lag", "etl_kafka_committed", "etl_kafka_last"); len(got) != 0 {
		t.Errorf("lags = %v, want none", got)
	}
}

func TestMetrics_LastFetchIsATime(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	before := time.Now().Truncate(time.Millisecond)
	orders(mustNew(t, registry), 1).fetched(0, 1, 10, -1)
	value := families(t, registry)["etl_kafka_last_fetch_timestamp_seconds"].GetMetric()[0].GetGauge().GetValue()
	if got := time.UnixMilli(int64(value * 1e3)); got.Before(before.Add(-time.Millisecond)) || got.After(time.Now()) {
		t.Errorf("last fetch at %s, want now", strconv.FormatFloat(value, 'f', 3, 64))
	}
}
