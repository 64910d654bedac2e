// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// Latencies are told apart by the destination that the data arrived from, and by
// the stage that runs.
func TestMetrics_Latency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewPedanticRegistry()
		m := mustNew(t, registry, metrics.WithoutClassicBuckets(), metrics.WithoutExemplars())
		arrived := func(ctx context.Context, system, destination string, hop, endToEnd time.Duration) {
			m.Arrived(ctx, observe.Arrival{System: system, Destination: destination, Hop: hop, EndToEnd: endToEnd})
		}
		s := newStage(t, m)
		arrived(t.Context(), observe.SystemKafka, "orders.raw", 2*time.Second, time.Minute)
		arrived(t.Context(), observe.SystemKafka, "orders.clean", 5*time.Second, 2*time.Minute)
		arrived(t.Context(), observe.SystemMongoDB, "orders", 3*time.Second, time.Minute)
		arrived(t.Context(), "nats", "", time.Second, time.Second)
		ctx := propagation.ContextWithWaybill(t.Context(), propagation.Waybill{Origin: time.Now().Add(-time.Hour)})
		_ = s.Run(ctx, func(ctx context.Context) error {
			arrived(ctx, observe.SystemKafka, "orders.raw", 4*time.Second, time.Hour)
			return nil
		})
		_ = s.Run(t.Context(), func(context.Context) error { return nil })
		if diff := cmp.Diff([]string{
			`etl_end_to_end_seconds_sum{destination="",pipeline="",stage=""} 1`,
			`etl_end_to_end_seconds_sum{destination="",pipeline="orders",stage="load"} 3600`,
			`etl_end_to_end_seconds_sum{destination="orders",pipeline="",stage=""} 60`,
			`etl_end_to_end_seconds_sum{destination="orders.clean",pipeline="",stage=""} 120`,
			`etl_end_to_end_seconds_sum{destination="orders.raw",pipeline="",stage=""} 60`,
			`etl_end_to_end_seconds_sum{destination="orders.raw",pipeline="orders",stage="load"} 3600`,
			`etl_hop_seconds_sum{carrier="kafka",destination="orders.clean",pipeline="",stage=""} 5`,
			`etl_hop_seconds_sum{carrier="kafka",destination="orders.raw",pipeline="",stage=""} 2`,
			`etl_hop_seconds_sum{carrier="kafka",destination="orders.raw",pipeline="orders",stage="load"} 4`,
			`etl_hop_seconds_sum{carrier="mongodb",destination="orders",pipeline="",stage=""} 3`,
			`etl_hop_seconds_sum{carrier="nats",destination="",pipeline="",stage=""} 1`,
		}, lines(t, registry, "etl_hop_seconds_sum", "etl_end_to_end_seconds_sum")); diff != "" {
			t.Errorf("latencies (-want +got)\n%s", diff)
		}
	})
}

// One waybill of 1970 would move the average of 10,000 latencies to 50 hours.
func TestMetrics_AbsurdLatencyIsNotObserved(t *testing.T) {
	t.Parallel()
	const absurd = 56 * 365 * 24 * time.Hour
	for _, tt := range []struct {
		name    string
		opts    []metrics.Option
		dropped string
		count   string
	}{
		{name: "default", dropped: "5", count: "1"},
		{name: "another maximum", opts: []metrics.Option{metrics.WithMaxLatency(time.Second)}, dropped: "10", count: ""},
		{name: "no limit", opts: []metrics.Option{metrics.WithMaxLatency(0)}, count: "2"},
		{name: "no limit, less than 0", opts: []metrics.Option{metrics.WithMaxLatency(-1)}, count: "2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				registry := prometheus.NewPedanticRegistry()
				m := mustNew(t, registry, append(tt.opts, metrics.WithoutClassicBuckets())...)
				s := newStage(t, m)
				for _, age := range []time.Duration{time.Hour, absurd} {
					m.Arrived(t.Context(), observe.Arrival{System: observe.SystemMongoDB, Destination: "orders", Hop: age, EndToEnd: age})
					m.Fetched(t.Context(), observe.Fetch{System: observe.SystemKafka, Topic: "orders", Queued: age})
					ctx := propagation.ContextWithWaybill(t.Context(), propagation.Waybill{Origin: time.Now().Add(-age)})
					_ = s.Run(ctx, func(context.Context) error { return nil })
				}
				var want []string
				if tt.count != "" {
					want = []string{
						`etl_end_to_end_seconds_count{destination="",pipeline="orders",stage="load"} ` + tt.count,
						`etl_end_to_end_seconds_count{destination="orders",pipeline="",stage=""} ` + tt.count,
						`etl_hop_seconds_count{carrier="mongodb",destination="orders",pipeline="",stage=""} ` + tt.count,
						`etl_kafka_queue_seconds_count{topic="orders"} ` + tt.count,
						`etl_mongodb_queue_seconds_count{collection="orders"} ` + tt.count,
					}
				} else {
					want = []string{`etl_kafka_queue_seconds_count{topic="orders"} 0`}
				}
				if tt.dropped != "" {
					want = append(want, `etl_telemetry_dropped_total{reason="stale_waybill"} `+tt.dropped)
				}
				got := lines(t, registry, "etl_end_to_end_seconds_count", "etl_hop_seconds_count", "etl_kafka_queue_seconds_count", "etl_mongodb_queue_seconds_count", "etl_telemetry_dropped")
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("latencies (-want +got)\n%s", diff)
				}
			})
		})
	}
}

// The span that is measured is in the context of the event.
func TestMetrics_EveryHistogramHasExemplars(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := mustNew(t, registry)
	ctx := inSpan(t.Context(), trace.FlagsSampled)
	m.Fetched(ctx, observe.Fetch{System: observe.SystemKafka, Topic: "orders", Queued: time.Second})
	m.Processed(ctx, observe.Process{System: observe.SystemKafka, Destination: "orders", Messages: 1, Duration: time.Second})
	m.Arrived(ctx, observe.Arrival{System: observe.SystemMongoDB, Destination: "orders", Hop: time.Second, EndToEnd: time.Second})
	load := observerOf(m)
	load.Ended(ctx, observe.RunEnd{Duration: time.Second})
	load.Batched(ctx, observe.Batch{Rows: 1})
	load.RowAge(ctx, time.Second)
	load.Waited(ctx, time.Second)
	got := families(t, registry)
	for _, s := range series.All() {
		if s.Kind != series.Histogram {
			continue
		}
		var exemplars []*dto.Exemplar
		for _, metric := range got[s.In("etl")].GetMetric() {
			exemplars = append(exemplars, metric.GetHistogram().GetExemplars()...)
		}
		if len(exemplars) != 1 || !strings.Contains(exemplars[0].String(), traceID.String()) {
			t.Errorf("%s has the exemplars %v, want one of the span", s.Name, exemplars)
		}
	}
}
