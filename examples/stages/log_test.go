// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/log/embedded"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/stages"
)

// recorded is a provider of a logger that keeps the keys of each record.
type recorded struct {
	embedded.LoggerProvider

	keys [][]string
}

func (r *recorded) Logger(string, ...log.LoggerOption) log.Logger { return recorder{records: r} }

type recorder struct {
	embedded.Logger

	records *recorded
}

func (recorder) Enabled(context.Context, log.EnabledParameters) bool { return true }
func (r recorder) Emit(_ context.Context, record log.Record) {
	var keys []string
	record.WalkAttributes(func(a attribute.KeyValue) bool { keys = append(keys, string(a.Key)); return true })
	r.records.keys = append(r.records.keys, keys)
}

// The handler of OpenTelemetry's bridge reads the span from the context itself.
func TestNewLogHandler_OverTheBridgeOfOpenTelemetry(t *testing.T) {
	t.Parallel()
	pipeline, err := stages.NewPipeline("orders", stages.WithoutSpans())
	if err != nil {
		t.Fatal(err)
	}
	load, err := pipeline.Stage("load")
	if err != nil {
		t.Fatal(err)
	}
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
	for _, tt := range []struct {
		name string
		opts []stages.LogOption
		want []string
	}{
		{name: "default", want: []string{"pipeline", "stage"}},
		{name: "with keys", opts: []stages.LogOption{stages.WithTraceKeys("trace", "", "")}, want: []string{"trace", "pipeline", "stage"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var records recorded
			logger := slog.New(stages.NewLogHandler(otelslog.NewHandler("test", otelslog.WithLoggerProvider(&records)), tt.opts...))
			if err := load.Run(ctx, func(ctx context.Context) error { logger.InfoContext(ctx, "m"); return nil }); err != nil {
				t.Fatal(err)
			}
			if len(records.keys) != 1 || !slices.Equal(records.keys[0], tt.want) {
				t.Errorf("attributes = %v, want %v", records.keys, tt.want)
			}
		})
	}
}
