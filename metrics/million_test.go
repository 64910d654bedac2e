// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package metrics_test

import (
	"runtime"
	"strconv"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
)

// A million values of a label cost the memory of a hundred. Not parallel: the heap
// of other tests would be measured.
func TestMetrics_MillionLabelValues(t *testing.T) {
	const (
		values   = 1_000_000
		maxBytes = 4 << 20 // 101 values with their series, whose histograms are the largest.
	)
	ctx := t.Context()
	for _, tt := range []struct {
		label string
		// Returns the function that uses a value.
		use    func(m *metrics.Metrics) func(value string)
		series map[string]int // By family, of one stage and 101 values.
	}{
		{label: "check", series: map[string]int{"etl_checks_total": 2 * 101}, use: func(m *metrics.Metrics) func(string) {
			load := observerOf(m)
			return func(value string) { load.Checked(observe.Check{Name: value, Passed: 1}) }
		}},
		{label: "reason", series: map[string]int{"etl_rows_rejected_total": 101}, use: func(m *metrics.Metrics) func(string) {
			load := observerOf(m)
			return func(value string) {
				load.Counted(observe.Count{Kind: observe.CountRejected, N: 1, Reason: value})
			}
		}},
		{label: "reason", series: map[string]int{"etl_telemetry_dropped_total": 101}, use: func(m *metrics.Metrics) func(string) {
			return func(value string) { m.Dropped(observe.Drop{Reason: value}) }
		}},
		{label: "error_type", series: map[string]int{"etl_errors_total": 101}, use: func(m *metrics.Metrics) func(string) {
			load := observerOf(m)
			return func(value string) {
				load.Ended(ctx, observe.RunEnd{Outcome: observe.OutcomeFailure, ErrorType: value})
			}
		}},
		{label: "error_type", series: map[string]int{"etl_kafka_errors_total": 101}, use: func(m *metrics.Metrics) func(string) {
			return func(value string) {
				m.Failed(ctx, observe.Failure{System: observe.SystemKafka, Operation: "send", Destination: "orders", ErrorType: value})
			}
		}},
		{label: "source", series: map[string]int{"etl_rows_read_total": 101}, use: func(m *metrics.Metrics) func(string) {
			return func(value string) {
				run, _ := m.Stage(observe.StageID{Pipeline: "orders", Stage: "load", Source: value}).(stageObserver)
				run.Counted(observe.Count{Kind: observe.CountRead, N: 1})
			}
		}},
		{label: "topic", series: map[string]int{"etl_kafka_messages_total": 101, "etl_kafka_processing_seconds": 2 * 101}, use: func(m *metrics.Metrics) func(string) {
			return func(value string) {
				m.Sent(ctx, observe.Send{System: observe.SystemKafka, Destination: value, Messages: 1})
				m.Processed(ctx, observe.Process{System: observe.SystemKafka, Destination: value, Messages: 1})
			}
		}},
		{label: "collection", series: map[string]int{"etl_mongodb_documents_total": 2 * 101}, use: func(m *metrics.Metrics) func(string) {
			return func(value string) {
				m.Processed(ctx, observe.Process{System: observe.SystemMongoDB, Destination: value, Messages: 1})
			}
		}},
		{label: "destination", series: map[string]int{"etl_hop_seconds": 101, "etl_end_to_end_seconds": 101}, use: func(m *metrics.Metrics) func(string) {
			return func(value string) { m.Arrived(ctx, observe.Arrival{Destination: value}) }
		}},
	} {
		registry := prometheus.NewRegistry()
		use := tt.use(mustNew(t, registry))
		before := liveHeap()
		for i := range values {
			use(strconv.Itoa(i))
		}
		grown := liveHeap() - before
		got := families(t, registry)
		for name, want := range tt.series {
			if n := len(got[name].GetMetric()); n != want {
				t.Errorf("%s: %d series of %s, want %d", tt.label, n, name, want)
			}
		}
		if grown > maxBytes {
			t.Errorf("%s: the heap grew by %d bytes, want at most %d", tt.label, grown, maxBytes)
		}
		for _, metric := range got["etl_telemetry_label_overflow_total"].GetMetric() {
			if n := metric.GetCounter().GetValue(); labelsOf(metric)["label"] == tt.label && n < values-100 {
				t.Errorf("%s: overflow = %v, want %d", tt.label, n, values-100)
			}
		}
	}
}

// liveHeap returns the bytes of the heap that are in use.
func liveHeap() int64 {
	runtime.GC()
	runtime.GC() // What finalizers and pools kept.
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc) //nolint:gosec // Far below.
}
