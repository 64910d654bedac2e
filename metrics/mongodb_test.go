// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
)

func TestMetrics_Documents(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry, metrics.WithoutClassicBuckets())
	ctx := t.Context()
	processed := func(documents int, outcome observe.Outcome, errorType string) {
		m.Processed(ctx, observe.Process{System: observe.SystemMongoDB, Destination: "orders", Messages: documents, Outcome: outcome, ErrorType: errorType})
	}
	m.Arrived(ctx, observe.Arrival{System: observe.SystemMongoDB, Destination: "orders", Hop: 2 * time.Second, EndToEnd: time.Minute})
	processed(3, observe.OutcomeSuccess, "")
	processed(2, observe.OutcomeFailure, "*errors.errorString")
	processed(4, observe.OutcomeCanceled, "canceled")
	processed(1, 99, "*errors.errorString")
	processed(0, observe.OutcomeSuccess, "")
	// The failure of a document is counted when it was processed.
	m.Failed(ctx, observe.Failure{System: observe.SystemMongoDB, Operation: "process", Destination: "orders", ErrorType: "*errors.errorString"})
	m.Dropped(observe.Drop{Reason: observe.DropSkew})
	if diff := cmp.Diff([]string{
		`etl_mongodb_documents_total{collection="orders",outcome="cancelled"} 4`,
		`etl_mongodb_documents_total{collection="orders",outcome="failure"} 2`,
		`etl_mongodb_documents_total{collection="orders",outcome="success"} 3`,
		`etl_mongodb_errors_total{collection="orders",error_type="*errors.errorString"} 2`,
		`etl_mongodb_queue_seconds_bucket{collection="orders",le="+Inf"} 1`,
		`etl_mongodb_queue_seconds_count{collection="orders"} 1`,
		`etl_mongodb_queue_seconds_sum{collection="orders"} 2`,
		`etl_telemetry_dropped_total{reason="clock_skew"} 1`,
	}, lines(t, registry, "etl_mongodb", "etl_telemetry_dropped")); diff != "" {
		t.Errorf("documents (-want +got)\n%s", diff)
	}
}

func TestMetrics_CollectionsAreBounded(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry, metrics.WithLabelLimit(3))
	for i := range 100 {
		m.Processed(t.Context(), observe.Process{System: observe.SystemMongoDB, Destination: "collection-" + strconv.Itoa(i), Messages: 1})
	}
	// Success and failure of three collections and of all others.
	if got := len(families(t, registry)["etl_mongodb_documents_total"].GetMetric()); got != 4*2 {
		t.Errorf("%d series, want 8", got)
	}
}
