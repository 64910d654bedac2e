// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"fmt"
	"os"

	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// stuckExporter is an exporter whose backend does not answer before it is closed.
type stuckExporter chan struct{}

func (e stuckExporter) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	<-e
	return nil
}

func (stuckExporter) Shutdown(context.Context) error { return nil }

// The SDK drops spans when the queue of its batch processor is full. It says so if
// it is asked to before the tracer provider is created.
func Example_spansThatTheSDKDrops() {
	_ = os.Setenv("OTEL_GO_X_OBSERVABILITY", "true") // In the environment of the process, usually.
	defer func() { _ = os.Unsetenv("OTEL_GO_X_OBSERVABILITY") }()
	reader := sdkmetric.NewManualReader() // An exporter of yours, such as the one for Prometheus.
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	defer otel.SetMeterProvider(before)

	backend := make(stuckExporter)
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(backend, sdktrace.WithMaxQueueSize(1), sdktrace.WithMaxExportBatchSize(1)))
	for range 100 {
		_, span := provider.Tracer("orders").Start(context.Background(), "load")
		span.End()
	}
	var all metricdata.ResourceMetrics
	_ = reader.Collect(context.Background(), &all)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum, _ := m.Data.(metricdata.Sum[int64])
			for _, point := range sum.DataPoints {
				if errorType, _ := point.Attributes.Value("error.type"); errorType.AsString() == "queue_full" {
					fmt.Println(m.Name, "with queue_full:", point.Value > 90)
				}
			}
		}
	}
	close(backend)
	_ = provider.Shutdown(context.Background())
	// Output: otel.sdk.processor.span.processed with queue_full: true
}
