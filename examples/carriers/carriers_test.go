// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/propagation"
)

// client is one way of data from a producer to a consumer.
type client struct {
	name string
	// carry sends data in ctx and returns the context in which it is received.
	carry func(ctx context.Context, t *testing.T) context.Context
	// stored is for data that is kept, and so carries no baggage.
	stored bool
}

func clients() []client {
	return append(cgoClients(), []client{
		{name: "AMQP", carry: carryAMQP},
		{name: "asynq", carry: carryAsynq, stored: true},
		{name: "CloudEvents in HTTP", carry: carryCloudEventInHTTP},
		{name: "CloudEvents in JSON", carry: carryCloudEventInJSON},
		{name: "a file", carry: carryManifest, stored: true},
		{name: "franz-go", carry: carryFranz, stored: true},
		{name: "gRPC", carry: carryGRPC},
		{name: "JetStream", carry: carryJetStream},
		{name: "MQTT", carry: carryMQTT},
		{name: "NATS", carry: carryNATS},
		{name: "Pub/Sub", carry: carryPubSub},
		{name: "Redis, a list", carry: carryRedisList},
		{name: "Redis, a map", carry: carryRedisMap},
		{name: "River", carry: carryRiver, stored: true},
		{name: "S3", carry: carryS3, stored: true},
		{name: "sarama", carry: carrySarama, stored: true},
		{name: "SNS", carry: carrySNS},
		{name: "SQL", carry: carrySQL, stored: true},
		{name: "SQS", carry: carrySQS},
	}...)
}

// inSpan returns a context with all that travels, and the span in it.
func inSpan(t *testing.T, tracer trace.Tracer) (context.Context, trace.Span) {
	t.Helper()
	ctx, span := tracer.Start(t.Context(), "send")
	state, err := trace.ParseTraceState("vendor=7")
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := baggage.Parse("tenant=8")
	if err != nil {
		t.Fatal(err)
	}
	ctx = trace.ContextWithSpanContext(ctx, span.SpanContext().WithTraceState(state))
	return baggage.ContextWithBaggage(ctx, tenant), span
}

// inAnySpan returns a context for a test that does not ask who received it.
func inAnySpan(t *testing.T) context.Context {
	t.Helper()
	ctx, span := inSpan(t, flowtest.New(t).Service("producer").Tracer("test"))
	span.End()
	return ctx
}

// traceID returns the trace that ctx is in.
func traceID(ctx context.Context) trace.TraceID { return trace.SpanContextFromContext(ctx).TraceID() }

func TestEveryClientCarriesOneFlow(t *testing.T) {
	t.Parallel()
	for _, c := range clients() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := flowtest.New(t)
			ctx, send := inSpan(t, f.Service("producer").Tracer("test"))
			received := c.carry(ctx, t)
			send.End()
			_, process := f.Service("consumer").Tracer("test").Start(received, "process")
			process.End()

			fl := f.Wait(5*time.Second, "process")
			fl.RequireOneTrace()
			fl.RequirePath("producer send", "consumer process")
			fl.Span("process").Remote().ChildOf("producer send")
			if got := trace.SpanContextFromContext(received).TraceState().String(); got != "vendor=7" {
				t.Errorf("the tracestate is %q", got)
			}
			if w := propagation.WaybillFromContext(received); w.Origin.IsZero() || w.Hops != 1 {
				t.Errorf("the waybill is %+v", w)
			}
			// Data that is kept carries no baggage.
			if got := baggage.FromContext(received).Member("tenant").Value(); (got == "8") == c.stored {
				t.Errorf("the baggage is %q", got)
			}
		})
	}
}

func TestNoClientCarriesWhatIsNotThere(t *testing.T) {
	t.Parallel()
	for _, c := range clients() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			received := c.carry(t.Context(), t)
			if sc := trace.SpanContextFromContext(received); sc.IsValid() {
				t.Errorf("the span is %+v", sc)
			}
			if w := propagation.WaybillFromContext(received); !w.IsZero() {
				t.Errorf("the waybill is %+v", w)
			}
		})
	}
}

// TestEachClientIsAFewLines counts the lines inside of functions.
func TestEachClientIsAFewLines(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		if n := linesOfCode(t, file); n > 15 {
			t.Errorf("%s has %d lines in its functions, more than 15", file, n)
		}
	}
}

func linesOfCode(t *testing.T, file string) int {
	t.Helper()
	positions := token.NewFileSet()
	parsed, err := parser.ParseFile(positions, file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, decl := range parsed.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok {
			lines += max(1, positions.Position(f.Body.Rbrace).Line-positions.Position(f.Body.Lbrace).Line-1)
		}
	}
	return lines
}
