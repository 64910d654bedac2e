// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package collector_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/stages"
)

const redactionPath = "../../docs/collector/redaction.yaml"

// secrets must not be found in what leaves the collector.
var secrets = []string{
	"alice@example.com", "4111111111111111", "5500000000000004", "hunter2", "eyJhbGciOiJIUzI1NiJ9",
	"abc123credential", "s3cr3t", "SELECT", "customer-42", "Alice",
}

// leak starts a span as others may, with a secret in each place that a span has.
func leak(ctx context.Context, tracer trace.Tracer) {
	_, span := tracer.Start(ctx, "POST /orders", trace.WithAttributes(
		attribute.String("http.request.method", "POST"),
		attribute.String("http.route", "/orders"),
		attribute.Int("http.response.status_code", 500),
		attribute.String("http.request.header.authorization", "Bearer abc123credential"),
		attribute.String("user.full_name", "Alice"),
		attribute.String("db.query.text", "SELECT * FROM users"),
		attribute.String("messaging.destination.name", "orders of alice@example.com"),
		attribute.String("messaging.kafka.message.key", "customer-42"),
		attribute.StringSlice("db.collection.name", []string{"orders", "alice@example.com"}),
		attribute.Int("messaging.kafka.offset", 4111111111111111),
	))
	defer span.End()
	span.AddEvent("exception", trace.WithAttributes(
		attribute.String("exception.type", "*net.OpError"),
		attribute.String("exception.message", "dial mongodb://root:hunter2@db: password=s3cr3t, Authorization: Bearer abc123credential"),
		attribute.String("exception.stacktrace", "main.Alice(...)"),
	))
	span.AddEvent("payment", trace.WithAttributes(
		attribute.String("exception.message", "card 5500000000000004, token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig"),
		attribute.String("payload", "alice@example.com"),
	))
	span.SetStatus(codes.Error, "duplicate key: alice@example.com")
}

func TestRedaction(t *testing.T) {
	sender := newReceiver(t)
	leak(t.Context(), sender.Tracer("others"))

	pipeline, err := stages.NewPipeline("orders", stages.WithTracerProvider(sender), stages.WithErrorDescription(nil))
	if err != nil {
		t.Fatal(err)
	}
	load, err := pipeline.Stage("load", stages.WithSource("orders.raw"))
	if err != nil {
		t.Fatal(err)
	}
	failure := errors.New("duplicate key: alice@example.com")
	if err := load.Run(t.Context(), func(context.Context) error { return failure }); err != failure {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	if err := load.Run(ctx, func(ctx context.Context) error {
		cancel(errors.New("alice@example.com has stopped it"))
		return ctx.Err()
	}); err != context.Canceled {
		t.Fatal(err)
	}

	batches := sender.received(t)
	if before := text(t, batches...); !strings.Contains(before, "hunter2") {
		t.Fatal("the spans that are sent hold no secret")
	}
	p := newPipeline(t, redactionPath, "traces")
	spans := p.run(t, batches)
	if len(spans) != 3 {
		t.Fatalf("%d spans came out, want 3", len(spans))
	}
	after := text(t, p.sink.AllTraces()...)
	for _, secret := range secrets {
		if strings.Contains(after, secret) {
			t.Errorf("%q came out: %s", secret, after)
		}
	}

	for _, want := range []struct {
		span string
		keys []string
	}{
		{span: "POST /orders", keys: []string{
			"db.collection.name", "http.request.method", "http.response.status_code", "http.route", "messaging.destination.name", "messaging.kafka.offset",
		}},
		{span: "load", keys: []string{"error.type", "etl.outcome", "etl.pipeline", "etl.source", "etl.stage"}},
	} {
		i := slices.IndexFunc(spans, func(s ptrace.Span) bool { return s.Name() == want.span })
		if i < 0 {
			t.Fatalf("the span %q did not come out", want.span)
		}
		var keys []string
		for key := range spans[i].Attributes().All() {
			if !strings.HasPrefix(key, "redaction.") {
				keys = append(keys, key)
			}
		}
		if slices.Sort(keys); !slices.Equal(keys, want.keys) {
			t.Errorf("%s has the attributes %q, want %q", want.span, keys, want.keys)
		}
		if status := spans[i].Status(); status.Code() != ptrace.StatusCodeError || status.Message() != "" {
			t.Errorf("%s has the status %v %q, want an error without a description", want.span, status.Code(), status.Message())
		}
	}
}

// text returns batches as JSON.
func text(t *testing.T, batches ...ptrace.Traces) string {
	t.Helper()
	var all strings.Builder
	for _, batch := range batches {
		json, err := new(ptrace.JSONMarshaler).MarshalTraces(batch)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(json)
	}
	return all.String()
}
