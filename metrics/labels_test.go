// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

func TestMetrics_LabelsThatUsersFillAreBounded(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		limit int
		opts  []metrics.Option
	}{
		"default": {100, nil},
		"set":     {5, []metrics.Option{metrics.WithLabelLimit(5)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewPedanticRegistry()
			s := newStage(t, mustNew(t, registry, tt.opts...))
			const workers, each = 16, 1000
			_ = s.Run(t.Context(), func(ctx context.Context) error {
				var all sync.WaitGroup
				for worker := range workers {
					all.Go(func() {
						for i := range each {
							stages.FromContext(ctx).Rejected(1, "row "+strconv.Itoa(i+worker*500))
						}
					})
				}
				all.Wait()
				return nil
			})
			got := families(t, registry)
			series := got["etl_rows_rejected_total"].GetMetric()
			if len(series) != tt.limit+1 {
				t.Errorf("%d series, limit %d", len(series), tt.limit)
			}
			var sum, other float64
			for _, metric := range series {
				sum += metric.GetCounter().GetValue()
				if labelsOf(metric)["reason"] == "_OTHER" {
					other = metric.GetCounter().GetValue()
				}
			}
			if sum != workers*each {
				t.Errorf("%v rows, want %d", sum, workers*each)
			}
			for _, metric := range got["etl_telemetry_label_overflow_total"].GetMetric() {
				if labelsOf(metric)["label"] == "reason" && metric.GetCounter().GetValue() != other {
					t.Errorf("overflow %v, other %v", metric.GetCounter().GetValue(), other)
				}
			}
		})
	}
}

func TestMetrics_SourcesAreBounded(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry, metrics.WithLabelLimit(3))
	for i := range 10 {
		_ = newStage(t, m, stages.WithSource("topic-"+strconv.Itoa(i))).Run(t.Context(), func(ctx context.Context) error {
			stages.FromContext(ctx).Read(1)
			return nil
		})
	}
	if got := len(families(t, registry)["etl_rows_read_total"].GetMetric()); got != 4 {
		t.Errorf("%d series", got)
	}
}

// The limit of the metrics is not below that of the stages, so the span and the
// metric have the same type, which may be _OTHER.
func TestMetrics_ErrorTypesOfStagesFit(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	s := newStage(t, mustNew(t, registry))
	for i := range 1000 {
		_ = s.Run(t.Context(), func(context.Context) error { return codedError(strconv.Itoa(i)) })
	}
	series := families(t, registry)["etl_errors_total"].GetMetric()
	if len(series) != 33 {
		t.Errorf("%d series", len(series))
	}
	for _, metric := range series {
		if got := metric.GetCounter().GetValue(); labelsOf(metric)["error_type"] == "_OTHER" && got != 1000-32 {
			t.Errorf("%v others, want those of the stage, %d", got, 1000-32)
		}
	}
}

type codedError string

func (codedError) Error() string       { return "coded" }
func (e codedError) ErrorType() string { return string(e) }

func TestMetrics_AnyLabelValue(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry)
	s := newStage(t, m)
	_ = s.Run(t.Context(), func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		run.Rejected(1, "")
		run.Rejected(1, "not \xff text")
		run.Rejected(1, strings.Repeat("long", 100))
		return nil
	})
	seen := map[string]float64{}
	for _, metric := range families(t, registry)["etl_rows_rejected_total"].GetMetric() {
		seen[labelsOf(metric)["reason"]] = metric.GetCounter().GetValue()
	}
	if len(seen) != 3 || seen[""] != 1 || seen["not \uFFFD text"] != 1 || seen["_OTHER"] != 1 {
		t.Errorf("series: %v", seen)
	}
	// Stages check their names; another user of the observer may not.
	m.Stage(observe.StageID{Pipeline: "\xff", Stage: "\xff", Source: "\xff"}).Started(t.Context())
	families(t, registry)
}
