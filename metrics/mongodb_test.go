// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/metrics"
)

// Metrics satisfies the interface by its shape, without importing the package.
var _ mongocarrier.Observer = (*metrics.Metrics)(nil)

func TestDocuments(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry, metrics.WithoutClassicBuckets())
	m.MongoTravelled(t.Context(), "orders", 2*time.Second, time.Minute)
	m.MongoProcessed(t.Context(), "orders", 3, "success", "")
	m.MongoProcessed(t.Context(), "orders", 2, "failure", "*errors.errorString")
	m.MongoProcessed(t.Context(), "orders", 4, "cancelled", "context_canceled")
	m.MongoProcessed(t.Context(), "orders", 1, "no outcome", "*errors.errorString")
	m.MongoProcessed(t.Context(), "orders", 0, "success", "")
	m.MongoDropped("clock_skew")
	if diff := cmp.Diff([]string{
		`etl_mongodb_documents_total{collection="orders",outcome="cancelled"} 4`,
		`etl_mongodb_documents_total{collection="orders",outcome="failure"} 2`,
		`etl_mongodb_documents_total{collection="orders",outcome="panic"} 0`,
		`etl_mongodb_documents_total{collection="orders",outcome="success"} 3`,
		`etl_mongodb_documents_total{collection="orders",outcome="timeout"} 0`,
		`etl_mongodb_errors_total{collection="orders",error_type="*errors.errorString"} 2`,
		`etl_mongodb_queue_seconds_bucket{collection="orders",le="+Inf"} 1`,
		`etl_mongodb_queue_seconds_count{collection="orders"} 1`,
		`etl_mongodb_queue_seconds_sum{collection="orders"} 2`,
		`etl_telemetry_dropped_total{reason="clock_skew"} 1`,
	}, lines(t, registry, "etl_mongodb", "etl_telemetry_dropped")); diff != "" {
		t.Error(diff)
	}
}

// R25.
func TestCollectionsAreBounded(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry, metrics.WithLabelLimit(3))
	for i := range 100 {
		m.MongoProcessed(t.Context(), "collection-"+strconv.Itoa(i), 1, "success", "")
	}
	if got := len(families(t, registry)["etl_mongodb_documents_total"].GetMetric()); got != 4*5 {
		t.Errorf("%d series", got)
	}
}
