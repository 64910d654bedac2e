// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/stages"
)

// insertOrders is a function of the service.
func insertOrders(ctx context.Context, orders []string) error {
	stages.FromContext(ctx).Wrote(len(orders))
	return nil
}

// A service that serves the metrics of its stages.
func Example() {
	ctx := context.Background()
	registry := prometheus.NewRegistry()
	m, err := metrics.New(registry)
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := metrics.Listen(ctx, "127.0.0.1:0", registry) // Or ":8000".
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = server.Shutdown(ctx) }()

	pipeline := stages.Must(stages.NewPipeline("orders", stages.WithObserver(m)))
	insert := stages.WrapErr(stages.Must(pipeline.Stage("insert")), insertOrders)
	if err = insert(ctx, []string{"a", "b", "c"}); err != nil {
		fmt.Println(err)
		return
	}

	// What Prometheus does.
	response, err := http.Get("http://" + server.Addr().String() + "/metrics")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = response.Body.Close() }()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "etl_rows_processed_total") || strings.HasPrefix(lines.Text(), "etl_processing_seconds_count") {
			fmt.Println(lines.Text())
		}
	}
	// Output:
	// etl_processing_seconds_count{outcome="failure",pipeline="orders",stage="insert"} 0
	// etl_processing_seconds_count{outcome="success",pipeline="orders",stage="insert"} 1
	// etl_rows_processed_total{pipeline="orders",source="",stage="insert"} 3
}
