// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/flowtest"
)

func consumed(offset int64, headers ...kafka.Header) kafka.Message {
	return kafka.Message{Topic: "orders", Partition: 2, Offset: offset, HighWaterMark: offset + 1, Key: []byte("k"), Value: []byte("v"), Headers: headers}
}

func doNothing(context.Context) error { return nil }

// only returns the one span that was recorded.
func only(t *testing.T, f *flowtest.Flow) tracetest.SpanStub {
	t.Helper()
	spans := f.Wait(time.Second).Spans()
	if len(spans) != 1 {
		t.Fatalf("%d spans were recorded, want 1", len(spans))
	}
	return spans[0]
}

func TestProcess_ContinuesTheContextOfTheMessage(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	type key struct{}
	ctx, cancel := context.WithTimeout(context.WithValue(f.Context(), key{}, "kept"), time.Minute)
	defer cancel()
	msg := consumed(7, header("traceparent", traceparentA), header("baggage", "user=alice"))
	c := kafkacarrier.NewConsumer(withW3C(), kafkacarrier.WithTracerProvider(f.Service("worker")))
	err := c.Process(ctx, msg, func(ctx context.Context) error {
		if got := traceID(ctx); got != traceA {
			t.Errorf("the handler is in trace %q, want %q", got, traceA)
		}
		if _, ok := ctx.Deadline(); !ok || ctx.Value(key{}) != "kept" {
			t.Error("the handler's ctx lost the deadline or the values of the caller's")
		}
		if got := baggage.FromContext(ctx).Member("user").Value(); got != "alice" {
			t.Errorf("the baggage says %q, want alice", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	span := only(t, f)
	if span.Name != "process orders" || span.SpanKind != trace.SpanKindConsumer || span.Status.Code != codes.Unset {
		t.Errorf("the span is %q, %v, %v", span.Name, span.SpanKind, span.Status)
	}
	if span.Parent.TraceID().String() != traceA || !span.Parent.IsRemote() || len(span.Links) != 1 {
		t.Errorf("the parent is %v with %d links", span.Parent, len(span.Links))
	}
}

func TestProcess_RecordsHowTheHandlerEnded(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	boom := errors.New("boom")
	tests := map[string]struct {
		ctx      context.Context //nolint:containedctx // a row of a table.
		fn       func(context.Context) error
		want     error
		panics   any
		status   codes.Code
		errorTyp string
	}{
		"success":          {t.Context(), doNothing, nil, nil, codes.Unset, ""},
		"error":            {t.Context(), func(context.Context) error { return boom }, boom, nil, codes.Error, "*errors.errorString"},
		"Kafka error":      {t.Context(), func(context.Context) error { return kafka.NotLeaderForPartition }, kafka.NotLeaderForPartition, nil, codes.Error, "NOT_LEADER_OR_FOLLOWER"},
		"own cancellation": {cancelled, func(ctx context.Context) error { return ctx.Err() }, context.Canceled, nil, codes.Unset, "canceled"},
		"inner cancel":     {t.Context(), func(context.Context) error { return context.Canceled }, context.Canceled, nil, codes.Error, "canceled"},
		"panic":            {t.Context(), func(context.Context) error { panic(boom) }, nil, boom, codes.Error, "panic"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := flowtest.New(t)
			err, value := recovered(func() error {
				return kafkacarrier.NewConsumer(withW3C(), kafkacarrier.WithTracerProvider(f.Service("worker"))).Process(tt.ctx, consumed(1), tt.fn)
			})
			if err != tt.want || value != tt.panics {
				t.Errorf("Process gives %v and panics with %v, want %v and %v", err, value, tt.want, tt.panics)
			}
			span := only(t, f)
			if span.Status.Code != tt.status || attributeOf(span, "error.type") != tt.errorTyp {
				t.Errorf("the span has status %v and error.type %q", span.Status, attributeOf(span, "error.type"))
			}
		})
	}
}

func recovered(fn func() error) (err error, value any) { //nolint:revive,staticcheck // the error is not this function's.
	defer func() { value = recover() }()
	return fn(), nil
}

func attributeOf(span tracetest.SpanStub, key string) string {
	for _, a := range span.Attributes {
		if string(a.Key) == key {
			return a.Value.String()
		}
	}
	return ""
}
