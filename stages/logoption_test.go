// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

func TestNewLogHandler_Keys(t *testing.T) {
	t.Parallel()
	load := mustStage(t, mustPipeline(t), "load", stages.WithoutSpans())
	for _, tt := range []struct {
		name string
		opts []stages.LogOption
		want map[string]any
	}{
		{name: "default", opts: []stages.LogOption{nil}, want: map[string]any{"trace_id": logTrace, "span_id": logSpan, "trace_flags": "00", "pipeline": "orders", "stage": "load"}},
		{name: "of the trace", opts: []stages.LogOption{stages.WithTraceKeys("traceId", "spanId", "")}, want: map[string]any{"traceId": logTrace, "spanId": logSpan, "pipeline": "orders", "stage": "load"}},
		{name: "of the stage", opts: []stages.LogOption{stages.WithStageKeys("", "step")}, want: map[string]any{"trace_id": logTrace, "span_id": logSpan, "trace_flags": "00", "step": "load"}},
		{name: "without the trace", opts: []stages.LogOption{stages.WithoutTraceKeys()}, want: map[string]any{"pipeline": "orders", "stage": "load"}},
		{name: "the last one wins", opts: []stages.LogOption{stages.WithoutTraceKeys(), stages.WithTraceKeys("a", "", "")}, want: map[string]any{"a": logTrace, "pipeline": "orders", "stage": "load"}},
		{name: "nothing", opts: []stages.LogOption{stages.WithoutTraceKeys(), stages.WithStageKeys("", "")}, want: map[string]any{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for name, handler := range map[string]func(slog.Handler) slog.Handler{
				"at once": func(h slog.Handler) slog.Handler { return stages.NewLogHandler(h, tt.opts...) },
				"later":   func(h slog.Handler) slog.Handler { return stages.NewLogHandler(stages.NewLogHandler(h), tt.opts...) },
			} {
				var log logged
				logger := slog.New(handler(log.handler()))
				_ = load.Run(inSpan(t), func(ctx context.Context) error { logger.InfoContext(ctx, "m"); return nil })
				want := map[string]any{"level": "INFO", "msg": "m"}
				maps.Copy(want, tt.want)
				if diff := cmp.Diff([]map[string]any{want}, log.records(t)); diff != "" {
					t.Errorf("%s: record (-want +got)\n%s", name, diff)
				}
			}
		})
	}
}

// Not parallel: it sets variables.
func TestWithJob(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  map[string]string
		opts []stages.LogOption
		want map[string]any
	}{
		{name: "no job"},
		{name: "Kubernetes Job", env: map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "WAYBILL_JOB_NAME": "nightly"}, want: map[string]any{"job": "nightly"}},
		{name: "Kubernetes Job of an unknown name", env: map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "x"}},
		{name: "pod of a service", env: map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1"}},
		{name: "name of the user's", env: map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "WAYBILL_JOB_NAME": "nightly"}, opts: []stages.LogOption{stages.WithJob("mine")}, want: map[string]any{"job": "mine"}},
		{name: "the default again", env: map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "WAYBILL_JOB_NAME": "nightly"}, opts: []stages.LogOption{stages.WithJob("mine"), stages.WithJob("")}, want: map[string]any{"job": "nightly"}},
		{name: "key", opts: []stages.LogOption{stages.WithJob("mine"), stages.WithJobKey("k8s.job.name")}, want: map[string]any{"k8s.job.name": "mine"}},
		{name: "no key", opts: []stages.LogOption{stages.WithJob("mine"), stages.WithJobKey("")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for key, value := range tt.env {
				t.Setenv(key, value)
			}
			requireRecord(t, t.Context(), tt.opts, tt.want)
		})
	}
}

// requireRecord fails the test unless a handler with opts adds want to a record in ctx.
func requireRecord(t *testing.T, ctx context.Context, opts []stages.LogOption, want map[string]any) { //nolint:revive // The test comes first.
	t.Helper()
	var log logged
	slog.New(stages.NewLogHandler(log.handler(), opts...)).InfoContext(ctx, "m")
	all := map[string]any{"level": "INFO", "msg": "m"}
	maps.Copy(all, want)
	if diff := cmp.Diff([]map[string]any{all}, log.records(t)); diff != "" {
		t.Errorf("record (-want +got)\n%s", diff)
	}
}

// logInSpan logs with a handler that has opts, on a stage and in a span.
func logInSpan(opts ...stages.LogOption) {
	logger := slog.New(stages.NewLogHandler(slog.NewTextHandler(os.Stdout, withoutTime), opts...))
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	p, _ := stages.NewPipeline("orders", stages.WithoutSpans())
	load, _ := p.Stage("load")
	_ = load.Run(trace.ContextWithSpanContext(context.Background(), span), func(ctx context.Context) error {
		logger.InfoContext(ctx, "loaded")
		return nil
	})
}

func ExampleWithTraceKeys() {
	logInSpan(stages.WithTraceKeys("traceId", "spanId", ""))
	// Output: level=INFO msg=loaded traceId=01000000000000000000000000000000 spanId=0200000000000000 pipeline=orders stage=load
}

func ExampleWithoutTraceKeys() {
	logInSpan(stages.WithoutTraceKeys())
	// Output: level=INFO msg=loaded pipeline=orders stage=load
}

func ExampleWithStageKeys() {
	logInSpan(stages.WithoutTraceKeys(), stages.WithStageKeys("", "step"))
	// Output: level=INFO msg=loaded step=load
}

func ExampleWithMessageKeys() {
	logger := slog.New(stages.NewLogHandler(slog.NewTextHandler(os.Stdout, withoutTime), stages.WithMessageKeys("kafka.topic", "kafka.partition", "")))
	_ = kafkacarrier.Process(context.Background(), kafka.Message{Topic: "orders", Partition: 3}, func(ctx context.Context) error {
		logger.InfoContext(ctx, "handled")
		return nil
	})
	// Output: level=INFO msg=handled kafka.topic=orders kafka.partition=3
}

func ExampleWithCollectionKey() {
	logger := slog.New(stages.NewLogHandler(slog.NewTextHandler(os.Stdout, withoutTime), stages.WithCollectionKey("queue")))
	jobs := mongocarrier.NewConsumer("jobs")
	_ = jobs.Process(context.Background(), propagation.Remote{}, func(ctx context.Context) error {
		logger.InfoContext(ctx, "claimed")
		return nil
	})
	// Output: level=INFO msg=claimed queue=jobs
}

func ExampleWithJob() {
	// The name of a Kubernetes Job is found by itself.
	logger := slog.New(stages.NewLogHandler(slog.NewTextHandler(os.Stdout, withoutTime), stages.WithJob("nightly")))
	logger.InfoContext(context.Background(), "begun")
	// Output: level=INFO msg=begun job=nightly
}

func ExampleWithJobKey() {
	logger := slog.New(stages.NewLogHandler(slog.NewTextHandler(os.Stdout, withoutTime), stages.WithJob("nightly"), stages.WithJobKey("k8s.job.name")))
	logger.InfoContext(context.Background(), "begun")
	// Output: level=INFO msg=begun k8s.job.name=nightly
}

func ExampleWithResource() {
	// In a program, this is resource.Attributes()... of the tracer provider, or nothing
	// to read OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
	logger := slog.New(stages.NewLogHandler(slog.NewTextHandler(os.Stdout, withoutTime), stages.WithResource(
		attribute.String("service.name", "etl"), attribute.String("deployment.environment.name", "staging"),
	)))
	logger.InfoContext(context.Background(), "begun")
	// Output: level=INFO msg=begun service=etl environment=staging
}

func ExampleWithResourceKeys() {
	logger := slog.New(stages.NewLogHandler(slog.NewTextHandler(os.Stdout, withoutTime),
		stages.WithResource(attribute.String("service.name", "etl")), stages.WithResourceKeys("service.name", "")))
	logger.InfoContext(context.Background(), "begun")
	// Output: level=INFO msg=begun service.name=etl
}
