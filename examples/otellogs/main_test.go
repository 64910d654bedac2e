// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/stages"
)

// exported is an exporter that keeps records.
type exported struct {
	mu      sync.Mutex
	records []sdklog.Record
}

func (e *exported) Export(_ context.Context, records []sdklog.Record) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range records {
		e.records = append(e.records, r.Clone())
	}
	return nil
}

func (*exported) Shutdown(context.Context) error   { return nil }
func (*exported) ForceFlush(context.Context) error { return nil }

// newLogs returns a logger provider and the records that it exports.
func newLogs(t *testing.T) (*sdklog.LoggerProvider, *exported) {
	t.Helper()
	to := &exported{}
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(to)))
	t.Cleanup(func() { _ = provider.Shutdown(context.WithoutCancel(t.Context())) })
	return provider, to
}

// attributes returns the attributes of a record. It fails the test if a key occurs
// twice.
func attributes(t *testing.T, r sdklog.Record) map[string]string {
	t.Helper()
	all := map[string]string{}
	r.WalkAttributes(func(a attribute.KeyValue) bool {
		if _, isThere := all[string(a.Key)]; isThere {
			t.Errorf("the record %q has %s twice", r.Body().String(), a.Key)
		}
		all[string(a.Key)] = a.Value.String()
		return true
	})
	return all
}

// The records have the span that they were logged in, and where the data came from.
// Not parallel: it sets a variable.
func TestHandle_RecordsAreCorrelated(t *testing.T) {
	t.Setenv("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "logs")
	logs, to := newLogs(t)
	spans := tracetest.NewInMemoryExporter()
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	err := handle(t.Context(), traces, logs, kafka.Message{Topic: "orders", Partition: 3, Offset: 815})
	if _, ok := errors.AsType[*stages.PanicError](err); !ok {
		t.Errorf("handle = %v, want the panic", err)
	}
	load := spans.GetSpans()[0]
	if load.Name != "load" || len(load.Events) != 0 {
		t.Errorf("span %s with events %v, want load without", load.Name, load.Events)
	}
	if len(to.records) != 2 {
		t.Fatalf("%d records, want 2", len(to.records))
	}
	for _, r := range to.records {
		if r.TraceID() != load.SpanContext.TraceID() || r.SpanID() != load.SpanContext.SpanID() {
			t.Errorf("record %q of trace %v, span %v, want those of the stage, %v and %v", r.Body().String(), r.TraceID(), r.SpanID(), load.SpanContext.TraceID(), load.SpanContext.SpanID())
		}
	}
	want := map[string]string{"bytes": "0", "pipeline": "orders", "stage": "load", "topic": "orders", "partition": "3", "offset": "815"}
	if diff := cmp.Diff(want, attributes(t, to.records[0])); diff != "" {
		t.Errorf("attributes (-want +got)\n%s", diff)
	}
	panicked := attributes(t, to.records[1])
	if got := to.records[1].EventName(); got != "exception" || panicked["exception.type"] != "runtime.boundsError" || panicked["exception.stacktrace"] == "" || panicked["etl.stage"] != "load" {
		t.Errorf("event %q, attributes %v, want an exception of the stage", got, panicked)
	}
}

// The attributes of a record do not depend on the groups and attributes of its logger.
func TestNewLogger_GroupsAndAttributes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		opts []stages.LogOption
		log  func(context.Context, *slog.Logger)
		want map[string]string
	}{
		{
			name: "attributes", log: func(ctx context.Context, l *slog.Logger) { l.With("app", "etl").With().InfoContext(ctx, "m") },
			want: map[string]string{"app": "etl", "topic": "orders", "partition": "3", "offset": "815"},
		},
		{
			name: "group", log: func(ctx context.Context, l *slog.Logger) {
				l.With("app", "etl").WithGroup("sql").With("rows", 1).InfoContext(ctx, "m", "ms", 2)
			},
			want: map[string]string{"app": "etl", "sql": `{"ms":2,"rows":1}`, "topic": "orders", "partition": "3", "offset": "815"},
		},
		{
			name: "error", log: func(ctx context.Context, l *slog.Logger) { l.ErrorContext(ctx, "m", "err", errors.New("full")) },
			want: map[string]string{
				"topic": "orders", "partition": "3", "offset": "815", "exception.message": "full", "exception.type": "*errors.errorString",
			},
		},
		{
			name: "error in a group", opts: []stages.LogOption{stages.WithGroupedAttrs()},
			log: func(ctx context.Context, l *slog.Logger) {
				l.WithGroup("sql").ErrorContext(ctx, "m", "err", errors.New("full"))
			},
			want: map[string]string{
				"sql": `{"offset":815,"partition":3,"topic":"orders"}`, "exception.message": "full", "exception.type": "*errors.errorString",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			logs, to := newLogs(t)
			logger := slog.New(stages.NewLogHandler(otelslog.NewHandler("orders", otelslog.WithLoggerProvider(logs)), tt.opts...))
			err := kafkacarrier.Process(t.Context(), kafka.Message{Topic: "orders", Partition: 3, Offset: 815}, func(ctx context.Context) error {
				tt.log(ctx, logger)
				return nil
			})
			if err != nil || len(to.records) != 1 {
				t.Fatalf("%d records, error %v, want 1, nil", len(to.records), err)
			}
			got := attributes(t, to.records[0])
			for _, key := range []string{"err", "exception.stacktrace"} { // Which of them there are is up to the bridge.
				delete(got, key)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("attributes (-want +got)\n%s", diff)
			}
		})
	}
}

func TestNewLogger_ConcurrentUse(t *testing.T) {
	t.Parallel()
	logs, to := newLogs(t)
	logger := newLogger(logs)
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			_ = kafkacarrier.Process(t.Context(), kafka.Message{Topic: "orders", Offset: int64(i)}, func(ctx context.Context) error {
				logger.With("app", "etl").WithGroup("g").InfoContext(ctx, "m", "i", i)
				return nil
			})
		})
	}
	all.Wait()
	var offsets []string
	for _, r := range to.records {
		offsets = append(offsets, attributes(t, r)["offset"])
	}
	slices.Sort(offsets)
	if n := len(slices.Compact(offsets)); n != 64 {
		t.Errorf("%d offsets, want 64", n)
	}
}
