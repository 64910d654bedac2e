// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/stages"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

var errBoom = errors.New("boom")

func mustNew(t testing.TB, registerer prometheus.Registerer, opts ...metrics.Option) *metrics.Metrics {
	t.Helper()
	m, err := metrics.New(registerer, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// newStage makes the stage "load" of the pipeline "orders".
func newStage(t testing.TB, m *metrics.Metrics, opts ...stages.Option) *stages.Stage {
	t.Helper()
	p, err := stages.NewPipeline("orders", append([]stages.Option{stages.WithObserver(m), stages.WithoutSpans()}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Stage("load")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// families gathers a registry, by name.
func families(t testing.TB, gatherer prometheus.Gatherer) map[string]*dto.MetricFamily {
	t.Helper()
	all, err := gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*dto.MetricFamily{}
	for _, family := range all {
		byName[family.GetName()] = family
	}
	return byName
}

// labelsOf returns the labels of a metric.
func labelsOf(metric *dto.Metric) map[string]string {
	labels := map[string]string{}
	for _, pair := range metric.GetLabel() {
		labels[pair.GetName()] = pair.GetValue()
	}
	return labels
}

// everything makes a stage feed every series there is.
func everything(t testing.TB, m *metrics.Metrics) {
	t.Helper()
	s := newStage(t, m, stages.WithSource("orders.raw"))
	_ = s.Run(t.Context(), func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		run.Read(3)
		run.Wrote(2)
		run.Rejected(1, "no_price")
		run.Rejected(-1, "no_price")
		run.Bytes(20)
		run.BytesOut(10)
		run.Retried()
		run.Watermark(watermark)
		return nil
	})
	_ = s.Run(t.Context(), func(context.Context) error { return errBoom })
}
