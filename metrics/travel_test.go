// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/propagation"
)

// R8, R20: each stage that data comes to observes how long it was on its way;
// what a carrier brings counts for the stage that runs.
func TestTravels(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewPedanticRegistry()
		m := mustNew(t, registry, metrics.WithoutClassicBuckets(), metrics.WithoutExemplars())
		s := newStage(t, m)
		m.KafkaTravelled(t.Context(), "orders", 2*time.Second, time.Minute)
		m.MongoTravelled(t.Context(), "orders", 3*time.Second, time.Minute)
		ctx := propagation.ContextWithWaybill(t.Context(), propagation.Waybill{Origin: time.Now().Add(-time.Hour)})
		_ = s.Run(ctx, func(ctx context.Context) error {
			m.KafkaTravelled(ctx, "orders", 4*time.Second, time.Hour)
			return nil
		})
		_ = s.Run(t.Context(), func(context.Context) error { return nil })
		if diff := cmp.Diff([]string{
			`etl_end_to_end_seconds_count{pipeline="",stage=""} 2`,
			`etl_end_to_end_seconds_count{pipeline="orders",stage="load"} 2`,
			`etl_end_to_end_seconds_sum{pipeline="",stage=""} 120`,
			`etl_end_to_end_seconds_sum{pipeline="orders",stage="load"} 7200`,
			`etl_hop_seconds_count{carrier="kafka",pipeline="",stage=""} 1`,
			`etl_hop_seconds_count{carrier="kafka",pipeline="orders",stage="load"} 1`,
			`etl_hop_seconds_count{carrier="mongodb",pipeline="",stage=""} 1`,
			`etl_hop_seconds_sum{carrier="kafka",pipeline="",stage=""} 2`,
			`etl_hop_seconds_sum{carrier="kafka",pipeline="orders",stage="load"} 4`,
			`etl_hop_seconds_sum{carrier="mongodb",pipeline="",stage=""} 3`,
		}, lines(t, registry, "etl_hop_seconds_s", "etl_hop_seconds_c", "etl_end_to_end_seconds_s", "etl_end_to_end_seconds_c")); diff != "" {
			t.Error(diff)
		}
	})
}
