// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/internal/messaging"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

func TestWork_SpanAndEvents(t *testing.T) {
	t.Parallel()
	remote := read("traceparent", traceparentA)
	for name, tt := range map[string]struct {
		batch   messaging.Batch
		remotes []propagation.Remote
		want    map[string]string
		links   int
	}{
		"one message of a partition": {
			batch:   messaging.Batch{Destination: "orders", Partition: 2, Offset: 815, Messages: 1},
			remotes: []propagation.Remote{remote},
			want: map[string]string{
				"messaging.system": "kafka", "messaging.operation.name": "process", "messaging.operation.type": "process",
				"messaging.destination.name": "orders", "messaging.destination.partition.id": "2", "messaging.consumer.group.name": "workers",
				"messaging.client.id": "worker-1", "server.address": "broker", "server.port": "9092",
			},
			links: 1,
		},
		"several of a collection": {
			batch: messaging.Batch{
				Destination: "orders", Partition: -1, Offset: -1, Messages: 2, Attributes: []attribute{messaging.MessageCount(2)},
			},
			remotes: []propagation.Remote{remote, read("traceparent", traceparentB)},
			want:    map[string]string{"messaging.destination.name": "orders", "messaging.destination.partition.id": "", "messaging.batch.message_count": "2"},
			links:   2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, e := flowtest.New(t), &events{}
			r := messaging.New(messaging.Config{
				Scope: "test", System: "kafka", Group: "workers", ClientID: "worker-1", Server: "broker:9092",
				TracerProvider: f.Service("worker"), Observer: e,
			})
			w := r.Begin(t.Context(), messaging.Process, &tt.batch, tt.remotes...)
			if err := w.Run(func(ctx context.Context) error {
				if !trace.SpanContextFromContext(ctx).IsValid() {
					t.Error("the handler has no span")
				}
				want := observe.Message{System: "kafka", Destination: "orders", Partition: tt.batch.Partition, Offset: tt.batch.Offset}
				if got, ok := observe.MessageFromContext(ctx); got != want || !ok {
					t.Errorf("MessageFromContext = %+v, %t, want %+v", got, ok, want)
				}
				return io.EOF
			}); !errors.Is(err, io.EOF) {
				t.Errorf("Run returns %v, want EOF", err)
			}
			span := only(t, f)
			if span.Name != "process orders" || span.SpanKind != trace.SpanKindConsumer || len(span.Links) != tt.links || span.Status.Code != codes.Error {
				t.Errorf("the span is %q of kind %v with %d links and status %v", span.Name, span.SpanKind, len(span.Links), span.Status)
			}
			for key, want := range tt.want {
				if got := attributeOf(span, key); got != want {
					t.Errorf("%s is %q, want %q", key, got, want)
				}
			}
			if diff := cmp.Diff([]string{"failed process orders eof", fmt.Sprintf("processed orders messages=%d failure eof", tt.batch.Messages)}, e.take()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWork_EveryEnd(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancelExpired := context.WithTimeout(t.Context(), 0)
	defer cancelExpired()
	selfish := &selfWrappedError{}
	for name, tt := range map[string]struct {
		ctx       context.Context //nolint:containedctx // a row of a table.
		fn        func(context.Context) error
		outcome   string
		errorType string
		status    codes.Code
		value     any
	}{
		"success":               {t.Context(), func(context.Context) error { return nil }, "success", "", codes.Unset, nil},
		"failure":               {t.Context(), func(context.Context) error { return io.EOF }, "failure", "eof", codes.Error, nil},
		"canceled":              {canceled, func(ctx context.Context) error { return ctx.Err() }, "cancelled", "canceled", codes.Unset, nil},
		"timeout":               {expired, func(ctx context.Context) error { return fmt.Errorf("wrapped: %w", ctx.Err()) }, "timeout", "timeout", codes.Error, nil},
		"panic":                 {t.Context(), func(context.Context) error { panic("boom") }, "panic", "panic", codes.Error, "boom"},
		"Goexit":                {t.Context(), func(context.Context) error { runtime.Goexit(); return nil }, "cancelled", "canceled", codes.Unset, nil},
		"error wrapping itself": {t.Context(), func(context.Context) error { return selfish }, "failure", "*messaging_test.selfWrappedError", codes.Error, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, e := flowtest.New(t), &events{}
			r := messaging.New(messaging.Config{Scope: "test", System: "mongodb", TracerProvider: f.Service("worker"), Observer: e})
			done := make(chan any)
			go func() {
				var value any
				defer func() { done <- value }()
				defer func() { value = recover() }()
				w := r.Begin(tt.ctx, messaging.Process, &messaging.Batch{Destination: "jobs", Partition: -1, Messages: 1})
				_ = w.Run(tt.fn)
			}()
			if got := <-done; got != tt.value {
				t.Errorf("the panic is %v, want %v", got, tt.value)
			}
			span := only(t, f)
			if got := attributeOf(span, "error.type"); got != tt.errorType || span.Status.Code != tt.status {
				t.Errorf("error.type is %q and the status %v, want %q and %v", got, span.Status, tt.errorType, tt.status)
			}
			want := []string{"processed jobs messages=1 " + tt.outcome + " " + tt.errorType}
			if tt.status == codes.Error {
				want = append([]string{"failed process jobs " + tt.errorType}, want...)
			}
			if diff := cmp.Diff(want, e.take()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRecorder_Arrived(t *testing.T) {
	t.Parallel()
	now := time.Now()
	waybill := func(origin, sent time.Duration) string {
		return propagation.Waybill{Origin: now.Add(-origin), Sent: now.Add(-sent), Hops: 1}.String()
	}
	for name, tt := range map[string]struct {
		remote propagation.Remote
		want   []string
	}{
		"waybill":               {read("waybill", waybill(time.Hour, time.Minute)), []string{"arrived orders hop=1m0s end-to-end=1h0m0s"}},
		"no waybill yet":        {read("traceparent", traceparentA), nil},
		"malformed context":     {read("traceparent", "junk"), []string{"dropped malformed_context orders"}},
		"clock ahead":           {read("waybill", waybill(time.Hour, -time.Minute)), []string{"arrived orders hop=0s end-to-end=1h0m0s", "dropped clock_skew orders"}},
		"waybill of years ago":  {read("waybill", waybill(50*365*24*time.Hour, time.Minute)), []string{"dropped stale_waybill orders"}},
		"sent long ago":         {read("waybill", waybill(0, 50*365*24*time.Hour)), []string{"dropped stale_waybill orders"}},
		"waybill without trace": {read("waybill", waybill(0, 0)), []string{"arrived orders hop=0s end-to-end=0s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &events{}
			messaging.New(messaging.Config{System: "kafka", Observer: e}).Arrived(t.Context(), "orders", &tt.remote)
			if diff := cmp.Diff(tt.want, e.take()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A destination that brings data without a waybill for a minute is reported once
// a minute.
func TestRecorder_ArrivedWithoutWaybill(t *testing.T) {
	t.Parallel()
	synctestRun(t, func(t *testing.T) {
		e := &events{}
		r := messaging.New(messaging.Config{System: "kafka", Observer: e})
		bare, whole := read("traceparent", traceparentA), read("waybill", propagation.Waybill{Origin: time.Now(), Sent: time.Now(), Hops: 1}.String())
		minutes := func(n int, remote propagation.Remote) {
			for range n * 6 {
				r.Arrived(t.Context(), "orders", &remote)
				time.Sleep(10 * time.Second)
			}
		}
		for _, step := range []struct {
			remote  propagation.Remote
			minutes int
			want    int
		}{{bare, 1, 0}, {bare, 3, 3}, {whole, 3, 0}, {bare, 2, 2}} {
			minutes(step.minutes, step.remote)
			got := 0
			for _, event := range e.take() {
				if event == "dropped no_waybill orders" {
					got++
				}
			}
			if got != step.want {
				t.Errorf("%d minutes: %d reports, want %d", step.minutes, got, step.want)
			}
		}
	})
}

// selfWrappedError is an error that wraps itself.
type selfWrappedError struct{}

func (*selfWrappedError) Error() string   { return "self" }
func (e *selfWrappedError) Unwrap() error { return e }
