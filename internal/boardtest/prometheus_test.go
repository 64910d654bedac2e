// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package boardtest_test

import (
	"math"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/prometheus/promql/promqltest"

	"github.com/waybill-go/waybill/metrics/dashboards"
)

// boardQuery returns a query of a board.
func boardQuery(t *testing.T, board, panel, refID string) dashboards.Query {
	t.Helper()
	files, err := dashboards.Generate()
	if err != nil {
		t.Fatal(err)
	}
	queries, err := dashboards.Queries(files[board+".json"])
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range queries {
		if q.Panel == panel && q.RefID == refID {
			return q
		}
	}
	t.Fatalf("%s has no panel %q with a query %s", board, panel, refID)
	return dashboards.Query{}
}

var legendLabel = regexp.MustCompile(`\{\{(\w+)\}\}`)

// TestBoards_Values evaluates expressions of the boards over series as a reader
// thinks of them, with one value each half minute, at ten minutes.
func TestBoards_Values(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                string
		board, panel, refID string // The refID is A if it is empty.
		load                string
		want                map[string]float64 // By legend.
	}{
		{
			name:  "the age of the last success counts on after the process has ended",
			board: "flow", panel: "Fresh: time since the last success",
			load: `etl_last_success_timestamp_seconds{pipeline="orders",stage="load",instance="a"} 60x2
			       etl_last_success_timestamp_seconds{pipeline="orders",stage="extract",instance="a"} 500x20`,
			want: map[string]float64{"orders": 540},
		},
		{
			name:  "of a pipeline whose runs are measured, only those count",
			board: "flow", panel: "Fresh: time since the last success",
			load: `etl_last_success_timestamp_seconds{pipeline="orders",stage="",instance="a"} 570x20
			       etl_last_success_timestamp_seconds{pipeline="orders",stage="repair",instance="a"} 0x20`,
			want: map[string]float64{"orders": 30},
		},
		{
			name:  "the worst stage is the error ratio of its pipeline, from classic and native histograms of several instances",
			board: "flow", panel: "Errors: share of failed runs",
			load: `etl_processing_seconds_count{pipeline="orders",stage="load",outcome="success",instance="a"} 0+9x20
			       etl_processing_seconds_count{pipeline="orders",stage="load",outcome="failure",instance="b"} 0+1x20
			       etl_processing_seconds_count{pipeline="orders",stage="load",outcome="cancelled",instance="b"} 0+50x20
			       etl_processing_seconds_count{pipeline="orders",stage="extract",outcome="success",instance="a"} 0+9x20
			       etl_processing_seconds_count{pipeline="orders",stage="extract",outcome="failure",instance="a"} 0x20
			       etl_processing_seconds{pipeline="bills",stage="load",outcome="success",instance="c"} {{schema:0 count:0}}+{{schema:0 sum:3 count:3 buckets:[3]}}x20
			       etl_processing_seconds{pipeline="bills",stage="load",outcome="panic",instance="c"} {{schema:0 count:0}}+{{schema:0 sum:1 count:1 buckets:[1]}}x20`,
			want: map[string]float64{"orders": 0.1, "bills": 0.25},
		},
		{
			name:  "the last run of a pushed job that failed is an error, and one that succeeded is none",
			board: "flow", panel: "Errors: share of failed runs",
			load: `etl_processing_seconds_count{pipeline="orders",stage="load",outcome="success",job="nightly"} 1x20
			       etl_processing_seconds_count{pipeline="orders",stage="load",outcome="failure",job="nightly"} 0x20
			       etl_last_run_timestamp_seconds{pipeline="orders",stage="load",job="nightly"} 100x20
			       etl_last_success_timestamp_seconds{pipeline="orders",stage="load",job="nightly"} 100x20
			       etl_last_run_timestamp_seconds{pipeline="bills",stage="load",job="nightly"} 100x20
			       etl_last_success_timestamp_seconds{pipeline="bills",stage="load",job="nightly"} 50x20
			       etl_last_run_timestamp_seconds{pipeline="new",stage="load",job="nightly"} 100x20`,
			want: map[string]float64{"orders": 0, "bills": 1, "new": 1},
		},
		{
			name:  "a backlog needs its size by the rate, and a partition that two processes report counts once",
			board: "flow", panel: "Lag: time to read the backlog",
			load: `etl_kafka_committed_lag_messages{group="g",topic="busy",partition="0",instance="a"} 600x20
			       etl_kafka_committed_lag_messages{group="g",topic="busy",partition="0",instance="b"} 590x20
			       etl_kafka_committed_lag_messages{group="g",topic="busy",partition="1",instance="b"} 600x20
			       etl_kafka_messages_total{topic="busy",partition="0",direction="in",instance="a"} 0+600x20
			       etl_kafka_messages_total{topic="busy",partition="0",direction="out",instance="a"} 0+9000x20
			       etl_kafka_committed_lag_messages{group="g",topic="stopped",partition="0",instance="a"} 0+100x20
			       etl_kafka_messages_total{topic="stopped",partition="0",direction="in",instance="a"} 500x20
			       etl_kafka_committed_lag_messages{group="g",topic="watched",partition="0",instance="a"} 7x20
			       etl_kafka_committed_lag_messages{group="g",topic="idle",partition="0",instance="a"} 0x20
			       etl_kafka_messages_total{topic="idle",partition="0",direction="in",instance="a"} 500x20`,
			want: map[string]float64{"g on busy": 60, "g on stopped": 604800, "g on watched": 604800, "g on idle": 0},
		},
		{
			name:  "a group that commits nothing has the lag of its fetches",
			board: "flow", panel: "Lag of consumer groups",
			load: `etl_kafka_lag_messages{group="g",topic="a",partition="0"} 5x20
			       etl_kafka_lag_messages{group="h",topic="a",partition="0"} 5x20
			       etl_kafka_committed_lag_messages{group="h",topic="a",partition="0"} 8x20`,
			want: map[string]float64{"g on a": 5, "h on a": 8},
		},
		{
			name:  "a gap that a restart follows is not forgotten or counted twice",
			board: "flow", panel: "Lost: gaps in the offsets",
			load: `etl_kafka_offset_gaps_total{topic="a",instance="x"} 3x18 0 1`,
			want: map[string]float64{"a": 1},
		},
		{
			name:  "the map shows rows of stages, runs where none are counted, and what arrives at topics and collections",
			board: "flow", panel: "Map of the flow: throughput",
			load: `etl_rows_processed_total{pipeline="orders",stage="extract",source="db"} 0+300x20
			       etl_processing_seconds_count{pipeline="orders",stage="extract",outcome="success"} 0+30x20
			       etl_processing_seconds_count{pipeline="orders",stage="load",outcome="success"} 0+60x20
			       etl_processing_seconds_count{pipeline="orders",stage="",outcome="success"} 0+30x20
			       etl_kafka_messages_total{topic="orders.raw",partition="0",direction="in"} 0+90x20
			       etl_kafka_messages_total{topic="orders.raw",partition="0",direction="out"} 0+900x20
			       etl_kafka_messages_total{topic="orders.dead",partition="0",direction="out"} 0+30x20
			       etl_mongodb_documents_total{collection="alerts",outcome="success"} 0+30x20`,
			want: map[string]float64{"orders / extract": 10, "orders / load": 2, "orders": 1, "orders.raw": 3, "orders.dead": 1, "alerts": 1},
		},
		{
			name:  "the map is in the order of the latency at each point, and unknown points are at its end",
			board: "flow", panel: "Map of the flow: throughput", refID: "B",
			load: `etl_rows_processed_total{pipeline="orders",stage="extract",source="db"} 0+300x20
			       etl_rows_processed_total{pipeline="orders",stage="load",source="db"} 300x20
			       etl_rows_processed_total{pipeline="orders",stage="report",source="db"} 300x20
			       etl_end_to_end_seconds_sum{pipeline="orders",stage="extract",destination=""} 10x20
			       etl_end_to_end_seconds_count{pipeline="orders",stage="extract",destination=""} 10x20
			       etl_end_to_end_seconds_sum{pipeline="",stage="",destination="orders.raw"} 20x20
			       etl_end_to_end_seconds_count{pipeline="",stage="",destination="orders.raw"} 10x20
			       etl_end_to_end_seconds{pipeline="orders",stage="load",destination=""} {{schema:0 sum:30 count:10 buckets:[10]}}x20`,
			want: map[string]float64{"orders / extract": 1, "orders.raw": 2, "orders / load": 3, "orders / report": 1e9},
		},
		{
			name:  "the end-to-end latency of a pipeline is that of its last stage, and arrivals are no ends",
			board: "flow", panel: "End-to-end latency",
			load: `etl_end_to_end_seconds_bucket{pipeline="orders",stage="extract",destination="",le="1"} 0+10x20
			       etl_end_to_end_seconds_bucket{pipeline="orders",stage="extract",destination="",le="+Inf"} 0+10x20
			       etl_end_to_end_seconds_bucket{pipeline="orders",stage="load",destination="",le="1"} 0x20
			       etl_end_to_end_seconds_bucket{pipeline="orders",stage="load",destination="",le="3"} 0+10x20
			       etl_end_to_end_seconds_bucket{pipeline="orders",stage="load",destination="",le="+Inf"} 0+10x20
			       etl_end_to_end_seconds_bucket{pipeline="",stage="",destination="t",le="100"} 0x20
			       etl_end_to_end_seconds_bucket{pipeline="",stage="",destination="t",le="+Inf"} 0+10x20`,
			want: map[string]float64{"p50 orders": 2},
		},
		{
			name:  "a histogram that is both native and classic is shown once",
			board: "stages", panel: "Duration of runs (p50, p95)",
			load: `etl_processing_seconds{pipeline="orders",stage="load",outcome="success"} {{schema:0 count:0}}+{{schema:0 sum:1 count:1 buckets:[0 1]}}x20
			       etl_processing_seconds_bucket{pipeline="orders",stage="load",outcome="success",le="100"} 0+1x20
			       etl_processing_seconds_bucket{pipeline="orders",stage="load",outcome="success",le="+Inf"} 0+1x20
			       etl_processing_seconds_bucket{pipeline="orders",stage="",outcome="success",le="2"} 0+1x20
			       etl_processing_seconds_bucket{pipeline="orders",stage="",outcome="success",le="+Inf"} 0+1x20`,
			want: map[string]float64{"p50 orders / load": math.Sqrt2, "p50 orders / whole run": 1},
		},
		{
			name:  "a heatmap of classic histograms has a row for each bucket",
			board: "stages", panel: "Spread of durations",
			load: `etl_processing_seconds_bucket{pipeline="orders",stage="load",outcome="success",le="1"} 0+30x20
			       etl_processing_seconds_bucket{pipeline="orders",stage="load",outcome="success",le="+Inf"} 0+60x20`,
			want: map[string]float64{"1": 1, "+Inf": 2},
		},
		{
			name:  "a heatmap has the native histogram alone if there is one", // Its value as a number is 0.
			board: "stages", panel: "Spread of durations",
			load: `etl_processing_seconds_bucket{pipeline="orders",stage="load",outcome="success",le="1"} 0+30x20
			       etl_processing_seconds_bucket{pipeline="orders",stage="load",outcome="success",le="+Inf"} 0+60x20
			       etl_processing_seconds{pipeline="orders",stage="load",outcome="success"} {{schema:0 count:0}}+{{schema:0 sum:1 count:1 buckets:[0 1]}}x20`,
			want: map[string]float64{"": 0},
		},
		{
			name:  "the run of a pipeline is a step of it only if it has no stages",
			board: "flow", panel: "Where the time goes", refID: "B",
			load: `etl_processing_seconds_sum{pipeline="orders",stage="load",outcome="success"} 0+4x20
			       etl_processing_seconds_count{pipeline="orders",stage="load",outcome="success"} 0+2x20
			       etl_processing_seconds_sum{pipeline="orders",stage="",outcome="success"} 0+4x20
			       etl_processing_seconds_count{pipeline="orders",stage="",outcome="success"} 0+1x20
			       etl_processing_seconds_sum{pipeline="bills",stage="",outcome="success"} 0+3x20
			       etl_processing_seconds_count{pipeline="bills",stage="",outcome="success"} 0+1x20`,
			want: map[string]float64{"orders / load": 2, "bills / whole run": 3},
		},
		{
			name:  "a run that nothing happened in for ten minutes is stuck, and one that counts rows, a whole run and one that ended now are not",
			board: "stages", panel: "Stages without progress",
			load: `etl_in_flight{pipeline="orders",stage="hangs",instance="a"} 1x20
			       etl_in_flight{pipeline="orders",stage="counts",instance="a"} 1x20
			       etl_rows_read_total{pipeline="orders",stage="counts",source="",instance="a"} 0+1x20
			       etl_in_flight{pipeline="orders",stage="ends",instance="a"} 1x20
			       etl_last_run_timestamp_seconds{pipeline="orders",stage="ends",instance="a"} 590x20
			       etl_in_flight{pipeline="orders",stage="",instance="a"} 1x20
			       etl_in_flight{pipeline="orders",stage="idle",instance="a"} 0x20`,
			want: map[string]float64{"stages": 1},
		},
		{
			name:  "queues of several instances are one",
			board: "stages", panel: "Fullest queue",
			load: `etl_queue_rows{pipeline="orders",stage="load",instance="a"} 100x20
			       etl_queue_capacity_rows{pipeline="orders",stage="load",instance="a"} 100x20
			       etl_queue_rows{pipeline="orders",stage="load",instance="b"} 20x20
			       etl_queue_capacity_rows{pipeline="orders",stage="load",instance="b"} 100x20
			       etl_queue_rows{pipeline="orders",stage="send",instance="a"} 0x20
			       etl_queue_capacity_rows{pipeline="orders",stage="send",instance="a"} 0x20`,
			want: map[string]float64{"full": 0.6},
		},
		{
			name:  "the valid share has no value without rows, and one of 0 if all are rejected",
			board: "quality", panel: "Valid share",
			load: `etl_rows_processed_total{pipeline="orders",stage="idle",source=""} 7x20
			       etl_rows_processed_total{pipeline="orders",stage="clean",source=""} 0+9x20
			       etl_rows_rejected_total{pipeline="orders",stage="clean",reason="a"} 0+1x20
			       etl_rows_rejected_total{pipeline="orders",stage="broken",reason="a"} 0+1x20
			       etl_rows_processed_total{pipeline="orders",stage="fine",source=""} 0+9x20`,
			want: map[string]float64{"orders / clean": 0.9, "orders / broken": 0, "orders / fine": 1},
		},
		{
			name:  "the valid share of a stage that has checks, and counts no rows itself",
			board: "quality", panel: "Valid share",
			load: `etl_checks_total{pipeline="orders",stage="v",check="schema",result="passed"} 0+9x20
			       etl_checks_total{pipeline="orders",stage="v",check="schema",result="rejected"} 0+1x20
			       etl_checks_total{pipeline="orders",stage="v",check="range",result="passed"} 0+8x20
			       etl_checks_total{pipeline="orders",stage="v",check="range",result="rejected"} 0+1x20
			       etl_rows_rejected_total{pipeline="orders",stage="v",reason="schema"} 0+1x20
			       etl_rows_rejected_total{pipeline="orders",stage="v",reason="range"} 0+1x20
			       etl_checks_total{pipeline="orders",stage="w",check="schema",result="passed"} 0+9x20`,
			want: map[string]float64{"orders / v": 0.8, "orders / w": 1},
		},
		{
			name:  "a check that only passed rows rejects none",
			board: "quality", panel: "Rejected share by check",
			load: `etl_checks_total{pipeline="orders",stage="v",check="schema",result="passed"} 0+9x20
			       etl_checks_total{pipeline="orders",stage="v",check="range",result="passed"} 0+3x20
			       etl_checks_total{pipeline="orders",stage="v",check="range",result="rejected"} 0+1x20`,
			want: map[string]float64{"schema in orders / v": 0, "range in orders / v": 0.25},
		},
		{
			name:  "the watermark of a stage is that of its fastest instance, and of a pipeline that of its slowest stage",
			board: "quality", panel: "Watermark delay",
			load: `etl_watermark_timestamp_seconds{pipeline="orders",stage="a",instance="x"} 400x20
			       etl_watermark_timestamp_seconds{pipeline="orders",stage="a",instance="y"} 500x20
			       etl_watermark_timestamp_seconds{pipeline="orders",stage="b",instance="x"} 450x20`,
			want: map[string]float64{"orders": 150},
		},
		{
			name:  "the process that is nearest to its limit is shown, and one without a limit is not",
			board: "runtime", panel: "Memory of its limit",
			load: `etl_memory_bytes{instance="a"} 50x20
			       etl_memory_limit_bytes{instance="a"} 100x20
			       etl_memory_bytes{instance="b"} 80x20
			       etl_memory_limit_bytes{instance="b"} 100x20
			       etl_memory_bytes{instance="c"} 5000x20`,
			want: map[string]float64{"used": 0.8},
		},
		{
			name:  "processes of others with the same collectors are not shown",
			board: "runtime", panel: "Goroutines",
			load: `etl_memory_bytes{instance="a",job="etl"} 50x20
			       go_goroutines{instance="a",job="etl"} 7x20
			       go_goroutines{instance="prometheus",job="prometheus"} 99x20`,
			want: map[string]float64{" a": 7},
		},
		{
			name:  "a pod that is down is shown if it ran one of the processes",
			board: "runtime", panel: "Pods ready",
			load: `etl_memory_bytes{instance="a",namespace="n",pod="down"} 50x18 _x2
			       etl_memory_bytes{instance="b",namespace="n",pod="up"} 50x20
			       kube_pod_status_ready{namespace="n",pod="down",condition="true"} 1x18 0x2
			       kube_pod_status_ready{namespace="n",pod="down",condition="false"} 0x18 1x2
			       kube_pod_status_ready{namespace="n",pod="up",condition="true"} 1x20
			       kube_pod_status_ready{namespace="n",pod="other",condition="true"} 1x20`,
			want: map[string]float64{"n/down": 0, "n/up": 1},
		},
		{
			name:  "nothing dropped is a number",
			board: "runtime", panel: "Telemetry dropped",
			load: `etl_telemetry_dropped_total{reason="no_waybill"} 0+9x20`,
			want: map[string]float64{"dropped": 0},
		},
		{
			name:  "no errors are a number",
			board: "runtime", panel: "Errors of Kafka and MongoDB",
			load: `etl_memory_bytes 1x20`,
			want: map[string]float64{"errors": 0},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.refID == "" {
				test.refID = "A"
			}
			q := boardQuery(t, test.board, test.panel, test.refID)
			storage := promqltest.LoadedStorage(t, "load 30s\n"+test.load)
			engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
			query, err := engine.NewInstantQuery(t.Context(), storage, nil, q.PromQL("10m"), time.Unix(600, 0))
			if err != nil {
				t.Fatalf("%v\n%s", err, q.Expr)
			}
			vector, err := query.Exec(t.Context()).Vector()
			if err != nil {
				t.Fatalf("%v\n%s", err, q.Expr)
			}
			got := map[string]float64{}
			for _, sample := range vector {
				legend := legendLabel.ReplaceAllStringFunc(q.Legend, func(label string) string {
					return sample.Metric.Get(label[2 : len(label)-2])
				})
				if _, ok := got[legend]; ok {
					t.Errorf("got two series named %q", legend)
				}
				got[legend] = sample.F
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateApprox(0, 1e-6), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("values by legend (-want +got):\n%s\n%s", diff, q.Expr)
			}
		})
	}
}
