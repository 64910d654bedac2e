// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// handlingMessage returns the context of a handler of a Kafka message.
func handlingMessage(t testing.TB, ctx context.Context) (handler context.Context) { //nolint:revive // The test comes first.
	t.Helper()
	err := kafkacarrier.Process(ctx, kafka.Message{Topic: "orders", Partition: 3, Offset: 815}, func(ctx context.Context) error {
		handler = ctx //nolint:fatcontext // Set once.
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

func TestNewLogHandler_Message(t *testing.T) {
	t.Parallel()
	load := mustStage(t, mustPipeline(t), "load", stages.WithoutSpans())
	consumer, nameless := mongocarrier.NewConsumer("jobs"), mongocarrier.NewConsumer("")
	batch := func(msgs ...kafka.Message) func(context.Context, func(context.Context) error) error {
		return func(ctx context.Context, fn func(context.Context) error) error {
			return kafkacarrier.ProcessBatch(ctx, msgs, fn)
		}
	}
	for _, tt := range []struct {
		name    string
		process func(context.Context, func(context.Context) error) error
		opts    []stages.LogOption
		want    map[string]any
	}{
		{name: "message", process: func(ctx context.Context, fn func(context.Context) error) error {
			return kafkacarrier.Process(ctx, kafka.Message{Topic: "orders", Partition: 3, Offset: 815}, fn)
		}, want: map[string]any{"topic": "orders", "partition": 3.0, "offset": 815.0}},
		{name: "first message", process: func(ctx context.Context, fn func(context.Context) error) error {
			return kafkacarrier.Process(ctx, kafka.Message{Topic: "orders"}, fn)
		}, want: map[string]any{"topic": "orders", "partition": 0.0, "offset": 0.0}},
		{name: "of a Reader", process: func(ctx context.Context, fn func(context.Context) error) error {
			handler, end := kafkacarrier.Start(ctx, kafka.Message{Topic: "orders", Partition: 3, Offset: 815})
			end(fn(handler))
			return nil
		}, want: map[string]any{"topic": "orders", "partition": 3.0, "offset": 815.0}},
		{name: "batch of one", process: batch(kafka.Message{Topic: "orders", Partition: 1, Offset: 7}), want: map[string]any{"topic": "orders", "partition": 1.0, "offset": 7.0}},
		{name: "batch of a partition", process: batch(kafka.Message{Topic: "orders", Partition: 1, Offset: 7}, kafka.Message{Topic: "orders", Partition: 1, Offset: 8}), want: map[string]any{"topic": "orders", "partition": 1.0}},
		{name: "batch of a topic", process: batch(kafka.Message{Topic: "orders", Partition: 1}, kafka.Message{Topic: "orders", Partition: 2}), want: map[string]any{"topic": "orders"}},
		{name: "batch of anything", process: batch(kafka.Message{Topic: "a"}, kafka.Message{Topic: "b"}), want: map[string]any{}},
		{name: "document", process: func(ctx context.Context, fn func(context.Context) error) error {
			return consumer.Process(ctx, propagation.Remote{}, fn)
		}, want: map[string]any{"collection": "jobs"}},
		{name: "document of an unknown collection", process: func(ctx context.Context, fn func(context.Context) error) error {
			return nameless.Process(ctx, propagation.Remote{}, fn)
		}, want: map[string]any{}},
		{name: "keys", process: batch(kafka.Message{Topic: "orders", Partition: 1, Offset: 7}), opts: []stages.LogOption{
			stages.WithMessageKeys("messaging.destination.name", "", "messaging.kafka.offset"),
		}, want: map[string]any{"messaging.destination.name": "orders", "messaging.kafka.offset": 7.0}},
		{name: "key of a collection", process: func(ctx context.Context, fn func(context.Context) error) error {
			return consumer.Process(ctx, propagation.Remote{}, fn)
		}, opts: []stages.LogOption{stages.WithCollectionKey("queue")}, want: map[string]any{"queue": "jobs"}},
		{name: "message in a message", process: func(ctx context.Context, fn func(context.Context) error) error {
			return kafkacarrier.Process(ctx, kafka.Message{Topic: "orders", Partition: 3, Offset: 815}, func(ctx context.Context) error {
				return consumer.Process(ctx, propagation.Remote{}, fn)
			})
		}, want: map[string]any{"collection": "jobs"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log logged
			logger := slog.New(stages.NewLogHandler(log.handler(), append([]stages.LogOption{stages.WithoutTraceKeys()}, tt.opts...)...))
			err := tt.process(t.Context(), func(ctx context.Context) error {
				logger.InfoContext(ctx, "m")
				return load.Run(ctx, func(ctx context.Context) error { logger.InfoContext(ctx, "m"); return nil })
			})
			if err != nil {
				t.Fatal(err)
			}
			outside := map[string]any{"level": "INFO", "msg": "m"}
			maps.Copy(outside, tt.want)
			inside := map[string]any{"pipeline": "orders", "stage": "load"}
			maps.Copy(inside, outside)
			if diff := cmp.Diff([]map[string]any{outside, inside}, log.records(t)); diff != "" {
				t.Errorf("records (-want +got)\n%s", diff)
			}
		})
	}
}

// What the user says of a message is not said again.
func TestNewLogHandler_MessageKeysAreNotDuplicated(t *testing.T) {
	t.Parallel()
	var log logged
	logger := slog.New(stages.NewLogHandler(log.handler(), stages.WithoutTraceKeys()))
	ctx := stages.ContextWithLogAttrs(handlingMessage(t, t.Context()), slog.Int("offset", 1))
	logger.With("topic", "mine").InfoContext(ctx, "m", "partition", 2)
	want := []map[string]any{{"level": "INFO", "msg": "m", "topic": "mine", "partition": 2.0, "offset": 1.0}}
	text := log.String()
	if diff := cmp.Diff(want, log.records(t)); diff != "" {
		t.Errorf("records (-want +got)\n%s", diff)
	}
	for _, key := range []string{"topic", "partition", "offset"} {
		if got := strings.Count(text, `"`+key+`":`); got != 1 {
			t.Errorf("%s occurs %d times in %s", key, got, text)
		}
	}
}

// The text of IDs is kept for one span, and not used for another one that is almost
// the same.
func TestNewLogHandler_SimilarSpans(t *testing.T) {
	t.Parallel()
	var log logged
	logger := slog.New(stages.NewLogHandler(log.handler()))
	first := trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}}
	otherTrace, otherSpan, otherFlags := first, first, first
	otherTrace.TraceID[0], otherSpan.SpanID[0], otherFlags.TraceFlags = 2, 2, 1
	for name, other := range map[string]trace.SpanContextConfig{"trace": otherTrace, "span": otherSpan, "flags": otherFlags} {
		for _, sc := range []trace.SpanContextConfig{first, other, first} {
			logger.InfoContext(trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(sc)), "m")
			want := map[string]any{"level": "INFO", "msg": "m", "trace_id": sc.TraceID.String(), "span_id": sc.SpanID.String(), "trace_flags": sc.TraceFlags.String()}
			if diff := cmp.Diff([]map[string]any{want}, log.records(t)); diff != "" {
				t.Errorf("another %s: record (-want +got)\n%s", name, diff)
			}
		}
	}
}

// The text of IDs is kept for the spans that share a place, too.
func TestNewLogHandler_ManySpans(t *testing.T) {
	t.Parallel()
	var log logged
	logger := slog.New(stages.NewLogHandler(log.handler()))
	var all sync.WaitGroup
	for i := range 128 {
		all.Go(func() {
			sc := trace.NewSpanContext(trace.SpanContextConfig{
				TraceID: trace.TraceID{1, byte(i / 8)}, SpanID: trace.SpanID{1, byte(i / 4 % 2)}, TraceFlags: trace.TraceFlags(i % 2),
			})
			ctx := trace.ContextWithSpanContext(t.Context(), sc)
			for range 10 {
				logger.InfoContext(ctx, "m", "want", sc.TraceID().String()+sc.SpanID().String()+sc.TraceFlags().String())
			}
		})
	}
	all.Wait()
	records := log.records(t)
	for _, record := range records {
		if got := fmt.Sprint(record["trace_id"], record["span_id"], record["trace_flags"]); got != record["want"] {
			t.Fatalf("IDs = %v, want %v", got, record["want"])
		}
	}
	if len(records) != 1280 {
		t.Errorf("%d records, want 1280", len(records))
	}
}

func TestContextWithLogAttrs(t *testing.T) {
	t.Parallel()
	var log logged
	logger := slog.New(stages.NewLogHandler(log.handler())).WithGroup("g")
	ctx := stages.ContextWithLogAttrs(nil, slog.Int("tenant", 1), slog.Int("line", 7), slog.Int("", 9)) //nolint:staticcheck // A nil ctx is documented.
	inner := stages.ContextWithLogAttrs(ctx, slog.Int("line", 8), slog.String("file", "a"))
	logger.InfoContext(inner, "m")
	logger.InfoContext(ctx, "m")
	logger.InfoContext(stages.ContextWithLogAttrs(t.Context()), "m")
	want := []map[string]any{
		{"level": "INFO", "msg": "m", "tenant": 1.0, "line": 8.0, "file": "a"},
		{"level": "INFO", "msg": "m", "tenant": 1.0, "line": 7.0},
		{"level": "INFO", "msg": "m"},
	}
	if diff := cmp.Diff(want, log.records(t)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	var many []slog.Attr
	for i := range 20 {
		many = append(many, slog.Int(fmt.Sprintf("a%02d", i), i))
	}
	logger.InfoContext(stages.ContextWithLogAttrs(stages.ContextWithLogAttrs(inSpan(t), many[:10]...), many[10:]...), "m")
	got := log.records(t)[0]
	if _, ok := got["a15"]; !ok || len(got) != 2+3+16 {
		t.Errorf("%d attributes: %v", len(got), got)
	}
}

func ExampleNewLogHandler_message() {
	var log strings.Builder
	logger := slog.New(stages.NewLogHandler(slog.NewTextHandler(&log, withoutTime)))

	msg := kafka.Message{Topic: "orders", Partition: 3, Offset: 815}
	_ = kafkacarrier.Process(context.Background(), msg, func(ctx context.Context) error {
		logger.InfoContext(ctx, "handled")
		return nil
	})
	fmt.Print(log.String())
	// Output: level=INFO msg=handled topic=orders partition=3 offset=815
}

func ExampleContextWithLogAttrs() {
	var log strings.Builder
	logger := slog.New(stages.NewLogHandler(slog.NewTextHandler(&log, withoutTime)))

	ctx := stages.ContextWithLogAttrs(context.Background(), slog.String("file", "orders.csv"), slog.Int("line", 815))
	logger.InfoContext(ctx, "read")
	fmt.Print(log.String())
	// Output: level=INFO msg=read file=orders.csv line=815
}
