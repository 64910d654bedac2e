// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command otelmetrics measures a stage with OpenTelemetry metrics, and prints what a
// Prometheus that scrapes the program gets: the same series as from metrics.New, so
// the boards and alerts of this module fit. A program that sends its metrics by OTLP
// has a periodic reader with an OTLP exporter instead of the exporter for Prometheus;
// everything else is the same.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"go.opentelemetry.io/otel"
	prometheusexporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/stages"
)

var errOdd = errors.New("odd")

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	registry := prometheus.NewRegistry()
	exporter, err := prometheusexporter.New(prometheusexporter.WithRegisterer(registry), prometheusexporter.WithoutScopeInfo())
	if err != nil {
		return err
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithResource(resource.NewSchemaless(
		semconv.ServiceName("half"),
		semconv.ServiceInstanceID(fmt.Sprint("half-", os.Getpid())), // Two processes without it have one series.
	)))
	otel.SetMeterProvider(provider)
	defer func() { _ = provider.Shutdown(ctx) }()

	observer, err := metrics.NewOTel(nil, metrics.WithPrometheusLabels())
	if err != nil {
		return err
	}
	pipeline, err := stages.NewPipeline("example", stages.WithObserver(observer), stages.WithErrorType(errOdd, "odd"))
	if err != nil {
		return err
	}
	stage, err := pipeline.Stage("half")
	if err != nil {
		return err
	}
	half := stages.Wrap(stage, func(ctx context.Context, n int) (int, error) {
		stages.FromContext(ctx).Read(1)
		if n%2 != 0 {
			return 0, errOdd
		}
		return n / 2, nil
	})
	for n := range 5 {
		_, _ = half(ctx, n)
	}
	return show(registry)
}

// show prints the counters of the registry.
func show(registry prometheus.Gatherer) error {
	families, err := registry.Gather()
	if err != nil {
		return err
	}
	for _, family := range families {
		switch family.GetName() {
		case "etl_rows_read_total", "etl_errors_total":
			if _, err := expfmt.MetricFamilyToText(os.Stdout, family); err != nil {
				return err
			}
		}
	}
	return nil
}
