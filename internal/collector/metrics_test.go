// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package collector_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"
)

// transformOfPage returns the configuration of the transform processor that
// docs/opentelemetry.md shows.
func transformOfPage(t *testing.T) *confmap.Conf {
	t.Helper()
	page, err := os.ReadFile("../../docs/opentelemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(processors:.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("docs/opentelemetry.md has no processors")
	}
	file := filepath.Join(t.TempDir(), "collector.yaml")
	if err := os.WriteFile(file, block[1], 0o600); err != nil {
		t.Fatal(err)
	}
	return load(t, file)
}

// The statements on the page make of the attributes of metrics.NewOTel the labels
// that the boards query, and leave other metrics alone.
func TestTransform_LabelsOfMetrics(t *testing.T) {
	t.Parallel()
	factory := factories["transform"]
	cfg := factory.CreateDefaultConfig()
	unmarshal(t, transformOfPage(t), "processors::transform/waybill", cfg)
	if err := confmap.Validate(cfg); err != nil {
		t.Fatal(err)
	}
	sink := new(consumertest.MetricsSink)
	settings := processortest.NewNopSettings(factory.Type())
	settings.ID = component.NewIDWithName(factory.Type(), "waybill")
	transform, err := factory.CreateMetrics(t.Context(), settings, cfg, sink)
	if err != nil {
		t.Fatal(err)
	}
	if err := transform.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}

	stage := map[string]any{"etl.pipeline": "orders", "etl.stage": "load"}
	with := func(more map[string]any) map[string]any {
		all := maps.Clone(stage)
		maps.Copy(all, more)
		return all
	}
	tests := []struct {
		name      string
		got, want map[string]any
	}{
		{name: "etl.processing", got: with(map[string]any{"etl.outcome": "success"}), want: map[string]any{"pipeline": "orders", "stage": "load", "outcome": "success"}},
		{name: "etl.rows.read", got: with(map[string]any{"etl.source": "raw"}), want: map[string]any{"pipeline": "orders", "stage": "load", "source": "raw"}},
		{name: "etl.rows.rejected", got: with(map[string]any{"etl.reason": "no_price"}), want: map[string]any{"pipeline": "orders", "stage": "load", "reason": "no_price"}},
		{name: "etl.bytes", got: with(map[string]any{"etl.direction": "in"}), want: map[string]any{"pipeline": "orders", "stage": "load", "direction": "in"}},
		{name: "etl.checks", got: with(map[string]any{"etl.check": "price", "etl.result": "passed"}), want: map[string]any{"pipeline": "orders", "stage": "load", "check": "price", "result": "passed"}},
		{name: "etl.telemetry.label_overflow", got: map[string]any{"etl.label": "topic"}, want: map[string]any{"label": "topic"}},
		{
			name: "etl.kafka.lag.messages",
			got:  map[string]any{"messaging.consumer.group.name": "workers", "messaging.destination.name": "raw", "messaging.destination.partition.id": "7"},
			want: map[string]any{"group": "workers", "topic": "raw", "partition": "7"},
		},
		{
			name: "etl.kafka.errors",
			got:  map[string]any{"messaging.operation.name": "send", "messaging.destination.name": "raw", "error.type": "eof"},
			want: map[string]any{"operation": "send", "topic": "raw", "error_type": "eof"},
		},
		{name: "etl.mongodb.queue", got: map[string]any{"messaging.destination.name": "jobs"}, want: map[string]any{"collection": "jobs"}},
		{name: "etl.hop", got: map[string]any{"messaging.system": "kafka", "messaging.destination.name": "raw"}, want: map[string]any{"carrier": "kafka", "destination": "raw"}},
		{name: "etl.end_to_end", got: with(map[string]any{"messaging.destination.name": "raw"}), want: map[string]any{"pipeline": "orders", "stage": "load", "destination": "raw"}},
		{name: "messaging.process.duration", got: map[string]any{"messaging.system": "kafka", "error.type": "eof"}, want: map[string]any{"messaging.system": "kafka", "error.type": "eof"}},
	}
	batch := pmetric.NewMetrics()
	all := batch.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	for _, tt := range tests {
		m := all.AppendEmpty()
		m.SetName(tt.name)
		if err := m.SetEmptySum().DataPoints().AppendEmpty().Attributes().FromRaw(tt.got); err != nil {
			t.Fatal(err)
		}
	}
	if err := transform.ConsumeMetrics(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if err := transform.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := sink.AllMetrics()[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	for i, tt := range tests {
		if diff := cmp.Diff(tt.want, got.At(i).Sum().DataPoints().At(0).Attributes().AsRaw()); diff != "" {
			t.Errorf("attributes of %s (-want +got):\n%s", tt.name, diff)
		}
	}
}
