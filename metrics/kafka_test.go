// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/metrics"
)

// Metrics satisfies the interface by its shape, without importing a driver.
var (
	_ kafkacarrier.Observer             = (*metrics.Metrics)(nil)
	_ kafkacarrier.BackpressureObserver = (*metrics.Metrics)(nil)
)

// R8.
func TestKafkaTraffic(t *testing.T) {
	t.Parallel()
	feed := func(m *metrics.Metrics) {
		m.KafkaSent("orders", 0, 2, 20)
		m.KafkaSent("orders", 1, 1, 5)
		m.KafkaSent("orders", -1, 1, 7)
		m.KafkaFetched("workers", "orders", 0, 10, 3, time.Second)
		m.KafkaFetched("workers", "orders", 0, 11, 2, -time.Second)
		m.KafkaRedelivered("workers", "orders", 0)
		m.KafkaSkipped("workers", "orders", 0, 12)
		m.KafkaFailed("commit", "orders", "REBALANCE_IN_PROGRESS")
		m.KafkaFailed("commit", "orders", "REBALANCE_IN_PROGRESS")
		m.KafkaFailed("poll", "", "eof")
	}
	for name, test := range map[string]struct {
		opts []metrics.Option
		want []string
	}{
		"by partition": {nil, []string{
			`etl_kafka_bytes_total{direction="in",partition="0",topic="orders"} 21`,
			`etl_kafka_bytes_total{direction="out",partition="",topic="orders"} 7`,
			`etl_kafka_bytes_total{direction="out",partition="0",topic="orders"} 20`,
			`etl_kafka_bytes_total{direction="out",partition="1",topic="orders"} 5`,
			`etl_kafka_messages_total{direction="in",partition="0",topic="orders"} 2`,
			`etl_kafka_messages_total{direction="out",partition="",topic="orders"} 1`,
			`etl_kafka_messages_total{direction="out",partition="0",topic="orders"} 2`,
			`etl_kafka_messages_total{direction="out",partition="1",topic="orders"} 1`,
		}},
		"by topic": {[]metrics.Option{metrics.WithoutPartitions()}, []string{
			`etl_kafka_bytes_total{direction="in",partition="",topic="orders"} 21`,
			`etl_kafka_bytes_total{direction="out",partition="",topic="orders"} 32`,
			`etl_kafka_messages_total{direction="in",partition="",topic="orders"} 2`,
			`etl_kafka_messages_total{direction="out",partition="",topic="orders"} 4`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewPedanticRegistry()
			feed(mustNew(t, registry, test.opts...))
			if diff := cmp.Diff(test.want, lines(t, registry, "etl_kafka_messages", "etl_kafka_bytes")); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{
				`etl_kafka_errors_total{error_type="REBALANCE_IN_PROGRESS",operation="commit",topic="orders"} 2`,
				`etl_kafka_errors_total{error_type="eof",operation="poll",topic=""} 1`,
				`etl_kafka_lag_messages{group="workers",partition="0",topic="orders"} 2`,
				`etl_kafka_offset_gaps_total{topic="orders"} 1`,
				`etl_kafka_queue_seconds_count{topic="orders"} 1`,
				`etl_kafka_queue_seconds_sum{topic="orders"} 1`,
				`etl_kafka_redelivered_total{topic="orders"} 1`,
			}, lines(t, registry, "etl_kafka_errors", "etl_kafka_lag", "etl_kafka_offset", "etl_kafka_queue_seconds_c", "etl_kafka_queue_seconds_s", "etl_kafka_redelivered")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// R6: what can happen to a topic that is read is there at zero.
func TestKafkaSeriesExistFromTheFirstFetch(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry)
	m.KafkaSent("written", 0, 1, 1)
	m.KafkaFetched("workers", "orders", 0, 10, 3, time.Second)
	if diff := cmp.Diff([]string{
		`etl_kafka_offset_gaps_total{topic="orders"} 0`,
		`etl_kafka_redelivered_total{topic="orders"} 0`,
	}, lines(t, registry, "etl_kafka_offset_gaps", "etl_kafka_redelivered")); diff != "" {
		t.Error(diff)
	}
}

// R21: a partition that went elsewhere leaves no lag behind, and none is below 0.
func TestKafkaLagIsThatOfThePartitionsRead(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry)
	check := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, lines(t, registry, "etl_kafka_lag", "etl_kafka_committed_lag")); diff != "" {
			t.Error(diff)
		}
	}
	m.KafkaFetched("workers", "orders", 0, 1, 10, -1)
	m.KafkaFetched("workers", "orders", 1, 1, -1, -1)
	m.KafkaCommitted("workers", "orders", 0, 11)
	m.KafkaCommitted("stopped", "orders", 0, 500)
	check(
		`etl_kafka_committed_lag_messages{group="stopped",partition="0",topic="orders"} 500`,
		`etl_kafka_committed_lag_messages{group="workers",partition="0",topic="orders"} 11`,
		`etl_kafka_lag_messages{group="workers",partition="0",topic="orders"} 10`,
		`etl_kafka_lag_messages{group="workers",partition="1",topic="orders"} 0`,
	)
	m.KafkaRevoked("workers", "orders", 0)
	m.KafkaRevoked("workers", "orders", 7) // It was never here.
	m.KafkaRevoked("stopped", "orders", 0)
	check(`etl_kafka_lag_messages{group="workers",partition="1",topic="orders"} 0`)
	if got := len(lines(t, registry, "etl_kafka_last_fetch")); got != 1 {
		t.Errorf("%d times of a last fetch", got)
	}
	m.KafkaFetched("workers", "orders", 0, 1, 4, -1)
	check(
		`etl_kafka_lag_messages{group="workers",partition="0",topic="orders"} 4`,
		`etl_kafka_lag_messages{group="workers",partition="1",topic="orders"} 0`,
	)
}

func TestKafkaLastFetchIsATime(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	before := time.Now().Truncate(time.Millisecond)
	mustNew(t, registry).KafkaFetched("workers", "orders", 0, 1, 10, -1)
	value := families(t, registry)["etl_kafka_last_fetch_timestamp_seconds"].GetMetric()[0].GetGauge().GetValue()
	if got := time.UnixMilli(int64(value * 1e3)); got.Before(before.Add(-time.Millisecond)) || got.After(time.Now()) {
		t.Errorf("last fetch at %v", got)
	}
}

func TestKafkaBackpressure(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry)
	m.KafkaQueued("orders", 100)
	m.KafkaQueued("orders", -40)
	m.KafkaBlocked("send", "orders", 2*time.Second)
	m.KafkaBlocked("send", "orders", -time.Second)
	m.KafkaBlocked("poll", "orders", time.Second)
	if diff := cmp.Diff([]string{
		`etl_kafka_blocked_seconds_total{operation="poll",topic="orders"} 1`,
		`etl_kafka_blocked_seconds_total{operation="send",topic="orders"} 2`,
		`etl_kafka_queued_messages{topic="orders"} 60`,
	}, lines(t, registry, "etl_kafka_blocked", "etl_kafka_queued")); diff != "" {
		t.Error(diff)
	}
}

// R25.
func TestKafkaLabelsAreBounded(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry, metrics.WithLabelLimit(5))
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 500 {
				n := i + worker*100
				topic := "topic-" + strconv.Itoa(n)
				m.KafkaSent(topic, n, 1, 1)
				m.KafkaFetched("group-"+topic, topic, n, 1, 1, time.Second)
				m.KafkaFetched("workers", "topic-0", n, 1, 1, time.Second)
				m.KafkaCommitted("workers", "topic-0", n, 1)
				m.KafkaFailed(topic, topic, topic)
				m.KafkaRedelivered("workers", topic, n)
				m.KafkaSkipped("workers", topic, n, 1)
			}
		})
	}
	all.Wait()
	m.KafkaSent(strings.Repeat("long", 100), 0, 1, 1)
	m.KafkaFetched(strings.Repeat("long", 100), "\xff", 0, 1, 1, 0)
	sent := 0.0
	for name, limit := range map[string]int{
		"etl_kafka_messages_total":         2 * 6 * 6,
		"etl_kafka_redelivered_total":      6,
		"etl_kafka_offset_gaps_total":      6,
		"etl_kafka_queue_seconds":          6,
		"etl_kafka_errors_total":           6 * 6 * 6,
		"etl_kafka_lag_messages":           5 * 5,
		"etl_kafka_committed_lag_messages": 5,
	} {
		series := families(t, registry)[name].GetMetric()
		if len(series) > limit || len(series) == 0 {
			t.Errorf("%s has %d series, want at most %d", name, len(series), limit)
		}
		for _, metric := range series {
			if name == "etl_kafka_messages_total" && labelsOf(metric)["direction"] == "out" {
				sent += metric.GetCounter().GetValue()
			}
		}
	}
	if sent != 8*500+1 {
		t.Errorf("%v messages were sent", sent)
	}
	if got := lines(t, registry, "etl_telemetry_label_overflow_total"); len(got) == 0 || strings.HasSuffix(got[0], " 0") && strings.Contains(got[0], "topic") {
		t.Errorf("the overflow is not counted: %v", got)
	}
}

func TestValuesThatMakeNoSenseDoNotPanic(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry)
	m.KafkaSent("\xff", -5, -1, -1)
	m.KafkaFetched("\xff", "\xff", -5, -1, -1, -1)
	m.KafkaCommitted("", "", -1, -1)
	m.KafkaRevoked("\xff", "\xff", -5)
	m.KafkaSkipped("", "", -1, -1)
	m.KafkaTravelled(nil, "", -1, -1) //nolint:staticcheck // a nil context is the case.
	m.KafkaDropped("\xff")
	m.MongoTravelled(nil, "\xff", -1, -1)             //nolint:staticcheck // a nil context is the case.
	m.MongoProcessed(nil, "\xff", -1, "\xff", "\xff") //nolint:staticcheck // a nil context is the case.
	m.MongoProcessed(nil, "\xff", 1, "\xff", "\xff")  //nolint:staticcheck // a nil context is the case.
	m.MongoDropped("")
	families(t, registry)
}
