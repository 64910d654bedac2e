// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"math"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

// Both results of a check exist from its first use, so that a ratio of them never
// divides by nothing.
func TestMetrics_Checks(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	load := observerOf(mustNew(t, registry))
	for _, c := range []observe.Check{
		{Name: "has_price", Passed: 3},
		{Name: "has_price", Passed: 1, Rejected: 2},
		{Name: "is_new"},
		{Name: "goes back", Passed: -1, Rejected: math.MinInt},
	} {
		load.Checked(c)
	}
	if diff := cmp.Diff([]string{
		`etl_checks_total{check="goes back",pipeline="orders",result="passed",stage="load"} 0`,
		`etl_checks_total{check="goes back",pipeline="orders",result="rejected",stage="load"} 0`,
		`etl_checks_total{check="has_price",pipeline="orders",result="passed",stage="load"} 4`,
		`etl_checks_total{check="has_price",pipeline="orders",result="rejected",stage="load"} 2`,
		`etl_checks_total{check="is_new",pipeline="orders",result="passed",stage="load"} 0`,
		`etl_checks_total{check="is_new",pipeline="orders",result="rejected",stage="load"} 0`,
	}, lines(t, registry, "etl_checks_total")); diff != "" {
		t.Errorf("series (-want +got)\n%s", diff)
	}
}

// A check that is named from the data of a row is bounded, and the checks that were
// there before keep their series.
func TestMetrics_ChecksAreBounded(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	load := observerOf(mustNew(t, registry, metrics.WithLabelLimit(3)))
	load.Checked(observe.Check{Name: "has_price", Passed: 1})
	var all sync.WaitGroup
	for worker := range 64 {
		all.Go(func() {
			for i := range 100 {
				load.Checked(observe.Check{Name: "row " + strconv.Itoa(worker*100+i), Rejected: 1})
			}
			load.Checked(observe.Check{Name: "has_price", Passed: 1})
		})
	}
	all.Wait()
	var rejected, passed float64
	series := families(t, registry)["etl_checks_total"].GetMetric()
	for _, metric := range series {
		switch labels := labelsOf(metric); {
		case labels["result"] == "rejected":
			rejected += metric.GetCounter().GetValue()
		case labels["check"] == "has_price":
			passed = metric.GetCounter().GetValue()
		}
	}
	if len(series) != 2*4 || rejected != 6400 || passed != 65 {
		t.Errorf("%d series, %v rejected, %v passed has_price, want 8, 6400, 65", len(series), rejected, passed)
	}
	if diff := cmp.Diff([]string{`etl_telemetry_label_overflow_total{label="check"} 6398`}, lines(t, registry, `etl_telemetry_label_overflow_total{label="check"}`)); diff != "" {
		t.Errorf("overflow (-want +got)\n%s", diff)
	}
}

// Rows are no seconds: the classic buckets of a batch reach a million rows.
func TestMetrics_BatchRows(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	load := observerOf(mustNew(t, registry, metrics.WithBuckets(0.5)))
	for _, rows := range []int{0, 1, 5000, 2_000_000, -1} {
		load.Batched(t.Context(), observe.Batch{Rows: rows})
	}
	histogram := families(t, registry)["etl_batch_rows"].GetMetric()[0].GetHistogram()
	got := map[float64]uint64{}
	for _, bucket := range histogram.GetBucket() {
		got[bucket.GetUpperBound()] = bucket.GetCumulativeCount()
	}
	want := map[float64]uint64{
		1: 3, 4: 3, 16: 3, 64: 3, 256: 3, 1024: 3, 4096: 3, 16384: 4, 65536: 4, 262144: 4, 1048576: 4,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("buckets (-want +got)\n%s", diff)
	}
	if histogram.GetSampleCount() != 5 || histogram.GetSampleSum() != 2_005_001 {
		t.Errorf("%d batches of %v rows, want 5 of 2005001", histogram.GetSampleCount(), histogram.GetSampleSum())
	}
	if got := histogram.GetZeroCount(); got != 2 {
		t.Errorf("%d batches in the native bucket of zero, want 2", got)
	}
}

// The age of a row is often hours or days.
func TestMetrics_RowAge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		opts []metrics.Option
		want []float64 // Bounds.
	}{
		{name: "default", want: []float64{1, 10, 60, 600, 3600, 21600, 86400, 604800}},
		{name: "bounds of the user", opts: []metrics.Option{metrics.WithBuckets(60, 120)}, want: []float64{60, 120}},
		{name: "default again", opts: []metrics.Option{metrics.WithBuckets(60, 120), metrics.WithBuckets()}, want: []float64{1, 10, 60, 600, 3600, 21600, 86400, 604800}},
		{name: "native only", opts: []metrics.Option{metrics.WithoutClassicBuckets()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewPedanticRegistry()
			load := observerOf(mustNew(t, registry, tt.opts...))
			load.RowAge(t.Context(), 48*time.Hour)
			load.RowAge(t.Context(), -time.Second)
			histogram := families(t, registry)["etl_row_age_seconds"].GetMetric()[0].GetHistogram()
			var bounds []float64
			for _, bucket := range histogram.GetBucket() {
				bounds = append(bounds, bucket.GetUpperBound())
			}
			if diff := cmp.Diff(tt.want, bounds); diff != "" {
				t.Errorf("bounds (-want +got)\n%s", diff)
			}
			if got := histogram; got.GetSampleCount() != 2 || got.GetSampleSum() != 48*3600 {
				t.Errorf("%d rows of %v seconds, want 2 of 172800", got.GetSampleCount(), got.GetSampleSum())
			}
		})
	}
}

// The time that a sequence waits for its consumer is not the time of its stage.
func TestMetrics_Downstream(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	load := observerOf(mustNew(t, registry, metrics.WithoutClassicBuckets()))
	end := func(e observe.RunEnd) {
		load.Started(t.Context())
		load.Ended(t.Context(), e)
	}
	end(observe.RunEnd{Duration: time.Second})
	end(observe.RunEnd{Duration: time.Second, Downstream: -time.Second})
	if got := lines(t, registry, "etl_downstream"); len(got) != 0 {
		t.Errorf("series of a stage without a sequence = %v, want none", got)
	}
	end(observe.RunEnd{Duration: time.Second, Downstream: time.Minute})
	if diff := cmp.Diff([]string{
		`etl_downstream_seconds_total{pipeline="orders",stage="load"} 60`,
		`etl_processing_seconds_sum{outcome="success",pipeline="orders",stage="load"} 3`,
	}, lines(t, registry, "etl_downstream", `etl_processing_seconds_sum{outcome="success"`)); diff != "" {
		t.Errorf("series (-want +got)\n%s", diff)
	}
}

// A watermark goes back when it is reset, and only then.
func TestMetrics_WatermarkReset(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	load := observerOf(mustNew(t, registry))
	for _, step := range []struct {
		name string
		do   func()
		want string // Empty for no series.
	}{
		{name: "reset before the first", do: func() { load.WatermarkReset(time.Time{}) }},
		{name: "first", do: func() { load.Watermark(time.Unix(1000, 0)) }, want: "1000"},
		{name: "earlier", do: func() { load.Watermark(time.Unix(10, 0)) }, want: "1000"},
		{name: "reset to an earlier time", do: func() { load.WatermarkReset(time.Unix(500, 0)) }, want: "500"},
		{name: "later than the reset", do: func() { load.Watermark(time.Unix(600, 0)) }, want: "600"},
		{name: "reset to no time", do: func() { load.WatermarkReset(time.Time{}) }},
		{name: "first after the reset", do: func() { load.Watermark(time.Unix(1, 0)) }, want: "1"},
		{name: "before 1970", do: func() { load.WatermarkReset(time.Unix(-10, 0)) }, want: "-10"},
	} {
		step.do()
		var want []string
		if step.want != "" {
			want = []string{`etl_watermark_timestamp_seconds{pipeline="orders",stage="load"} ` + step.want}
		}
		if diff := cmp.Diff(want, lines(t, registry, "etl_watermark")); diff != "" {
			t.Errorf("%s: series (-want +got)\n%s", step.name, diff)
		}
	}
}

// Whatever is set and reset at once, the last word is what a reset or a later
// watermark said.
func TestMetrics_WatermarkResetAtOnce(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	load := observerOf(mustNew(t, registry))
	var all sync.WaitGroup
	for worker := range 128 {
		all.Go(func() {
			for i := range 100 {
				if worker%16 == 0 && i%10 == 0 {
					load.WatermarkReset(time.Time{})
				}
				load.Watermark(time.Unix(int64(i), 0))
			}
		})
	}
	all.Wait()
	load.Watermark(time.Unix(99, 0))
	if diff := cmp.Diff([]string{`etl_watermark_timestamp_seconds{pipeline="orders",stage="load"} 99`}, lines(t, registry, "etl_watermark")); diff != "" {
		t.Errorf("series (-want +got)\n%s", diff)
	}
}

// What a stage does not use has no series, of the new kinds too.
func TestMetrics_SeriesThatAreNotUsed(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry)
	_ = newStage(t, m).Run(t.Context(), func(context.Context) error { return nil })
	if got := lines(t, registry, "etl_queue", "etl_blocked", "etl_batch", "etl_row", "etl_checks", "etl_downstream", "etl_watermark", "etl_kafka", "etl_mongodb"); len(got) != 0 {
		t.Errorf("series = %v, want none", got)
	}
}

// The checks of package stages, as a program uses them.
func TestMetrics_ChecksOfStages(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	s := newStage(t, mustNew(t, registry))
	_ = s.Run(t.Context(), func(ctx context.Context) error {
		for row := range 10 {
			stages.Validate(ctx, s, row,
				stages.NewCheck("even", func(row int) bool { return row%2 == 0 }),
				stages.NewCheck("small", func(row int) bool { return row < 6 || row == 7 }),
			)
		}
		return nil
	})
	if diff := cmp.Diff([]string{
		`etl_checks_total{check="even",pipeline="orders",result="passed",stage="load"} 5`,
		`etl_checks_total{check="even",pipeline="orders",result="rejected",stage="load"} 5`,
		`etl_checks_total{check="small",pipeline="orders",result="passed",stage="load"} 3`,
		`etl_checks_total{check="small",pipeline="orders",result="rejected",stage="load"} 2`,
		`etl_rows_rejected_total{pipeline="orders",reason="even",stage="load"} 5`,
		`etl_rows_rejected_total{pipeline="orders",reason="small",stage="load"} 2`,
	}, lines(t, registry, "etl_checks", "etl_rows_rejected")); diff != "" {
		t.Errorf("series (-want +got)\n%s", diff)
	}
}
