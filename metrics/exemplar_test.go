// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/metrics"
)

var (
	traceID = trace.TraceID{0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36}
	spanID  = trace.SpanID{0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7}
)

// inSpan returns a context with a span.
func inSpan(ctx context.Context, flags trace.TraceFlags) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, TraceFlags: flags}))
}

// exemplars returns the exemplars of the native histogram of successes.
func exemplars(t *testing.T, registry *prometheus.Registry) []*dto.Exemplar {
	t.Helper()
	for _, metric := range families(t, registry)["etl_processing_seconds"].GetMetric() {
		if labelsOf(metric)["outcome"] == "success" {
			return metric.GetHistogram().GetExemplars()
		}
	}
	t.Fatal("no series")
	return nil
}

func TestExemplarsAreForSampledSpans(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ctx  context.Context //nolint:containedctx // A row of a table.
		opts []metrics.Option
		want int
	}{
		"sampled":           {inSpan(t.Context(), trace.FlagsSampled), nil, 1},
		"not sampled":       {inSpan(t.Context(), 0), nil, 0},
		"no span":           {t.Context(), nil, 0},
		"without exemplars": {inSpan(t.Context(), trace.FlagsSampled), []metrics.Option{metrics.WithoutExemplars()}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewRegistry()
			s := newStage(t, mustNew(t, registry, tt.opts...))
			_ = s.Run(tt.ctx, func(context.Context) error { return nil })
			got := exemplars(t, registry)
			if len(got) != tt.want {
				t.Fatalf("%d exemplars, want %d", len(got), tt.want)
			}
			for _, exemplar := range got {
				labels := labelsOf(&dto.Metric{Label: exemplar.GetLabel()})
				if labels["trace_id"] != traceID.String() || labels["span_id"] != spanID.String() || len(labels) != 2 {
					t.Errorf("labels: %v", labels)
				}
			}
		})
	}
}

func TestExemplarsAreRateLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		s := newStage(t, mustNew(t, registry))
		ctx := inSpan(t.Context(), trace.FlagsSampled)
		run := func(took time.Duration) {
			_ = s.Run(ctx, func(context.Context) error { time.Sleep(took); return nil })
		}
		run(time.Millisecond)
		run(2 * time.Millisecond)
		run(4 * time.Millisecond)
		if got := len(exemplars(t, registry)); got != 1 {
			t.Errorf("%d exemplars at once", got)
		}
		time.Sleep(time.Second)
		run(8 * time.Millisecond)
		if got := len(exemplars(t, registry)); got != 2 {
			t.Errorf("%d exemplars after a second", got)
		}
		// Each outcome is a series of its own.
		_ = s.Run(ctx, func(context.Context) error { return errBoom })
		for _, metric := range families(t, registry)["etl_processing_seconds"].GetMetric() {
			if labelsOf(metric)["outcome"] == "failure" && len(metric.GetHistogram().GetExemplars()) != 1 {
				t.Error("no exemplar for a failure")
			}
		}
	})
}
