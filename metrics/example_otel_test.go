// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

// export prints the data points of the metrics whose names begin with prefix.
func export(reader sdkmetric.Reader, prefix string) {
	var all metricdata.ResourceMetrics
	_ = reader.Collect(context.Background(), &all)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if !strings.HasPrefix(m.Name, prefix) {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, point := range data.DataPoints {
					fmt.Println(m.Name, point.Attributes.Encoded(attribute.DefaultEncoder()), point.Value)
				}
			case metricdata.Histogram[float64]:
				for _, point := range data.DataPoints {
					fmt.Println(m.Name, point.Attributes.Encoded(attribute.DefaultEncoder()), point.Count, "in", point.Bounds)
				}
			case metricdata.ExponentialHistogram[float64]:
				for _, point := range data.DataPoints {
					fmt.Println(m.Name, point.Attributes.Encoded(attribute.DefaultEncoder()), point.Count, "in exponential buckets")
				}
			}
		}
	}
}

func ExampleNewOTel() {
	reader := sdkmetric.NewManualReader() // A periodic reader with an exporter of yours.
	provider := sdkmetric.NewMeterProvider(
		sdkmetric.WithReader(reader),
		sdkmetric.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "loader"),
			attribute.String("service.instance.id", "627cc493-f310-47de-96bd-71410b7dec09"), // Another one for each process.
		)),
	)
	m, err := metrics.NewOTel(provider)
	if err != nil {
		fmt.Println(err)
		return
	}
	load(m, stages.WithSource("orders.raw"))

	export(reader, "etl.rows.")
	export(reader, "etl.processing")
	_ = provider.Shutdown(context.Background()) // Collects for the last time.
	// Output:
	// etl.rows.read etl.pipeline=orders,etl.source=orders.raw,etl.stage=load 2
	// etl.rows.processed etl.pipeline=orders,etl.source=orders.raw,etl.stage=load 1
	// etl.rows.rejected etl.pipeline=orders,etl.reason=no_price,etl.stage=load 1
	// etl.processing etl.outcome=success,etl.pipeline=orders,etl.stage=load 1 in [0.001 0.01 0.1 1 10 60 600 3600]
}

// Exponential histograms, the lag of a topic without its partitions, nothing of what
// kafkacarrier records itself, and room for 5,000 sets of attributes.
func ExampleNewOTel_views() {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(
		sdkmetric.WithReader(reader),
		sdkmetric.WithCardinalityLimit(5000),
		sdkmetric.WithView(
			sdkmetric.NewView(
				sdkmetric.Instrument{Name: "etl.*", Kind: sdkmetric.InstrumentKindHistogram},
				sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}},
			),
			sdkmetric.NewView(
				sdkmetric.Instrument{Name: "etl.kafka.lag.messages"},
				sdkmetric.Stream{AttributeFilter: attribute.NewDenyKeysFilter("messaging.destination.partition.id")},
			),
			sdkmetric.NewView(
				sdkmetric.Instrument{Name: "messaging.client.*"},
				sdkmetric.Stream{Aggregation: sdkmetric.AggregationDrop{}},
			),
		),
	)
	m, _ := metrics.NewOTel(provider)
	load(m)
	for partition := range 3 {
		m.Fetched(context.Background(), observe.Fetch{
			System: observe.SystemKafka, Group: "loader", Topic: "orders", Partition: partition, Lag: 10, Queued: -1, Reader: 1,
		})
	}
	export(reader, "etl.processing")
	export(reader, "etl.kafka.lag")
	// Output:
	// etl.processing etl.outcome=success,etl.pipeline=orders,etl.stage=load 1 in exponential buckets
	// etl.kafka.lag.messages messaging.consumer.group.name=loader,messaging.destination.name=orders 30
}

func ExampleWithPrometheusLabels() {
	reader := sdkmetric.NewManualReader()
	m, _ := metrics.NewOTel(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), metrics.WithPrometheusLabels())
	load(m, stages.WithSource("orders.raw"))
	export(reader, "etl.rows.read")
	// Output: etl.rows.read pipeline=orders,source=orders.raw,stage=load 2
}

func ExampleMetrics_Close() {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)) // It outlives the metrics.
	m, _ := metrics.NewOTel(provider)
	load(m)
	if err := m.Close(); err != nil {
		fmt.Println(err)
	}
	load(m) // Works, and is not counted any more.
	export(reader, "etl.rows.")
	// Output:
}
