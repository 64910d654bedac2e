// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/internal/golden"
)

// hostile is a global provider that fails any test that uses it.
type hostile struct{ embedded.TracerProvider }

func (hostile) Tracer(name string, _ ...trace.TracerOption) trace.Tracer {
	panic("the global provider was asked for " + name)
}

func TestMain(m *testing.M) {
	if mode := os.Getenv(childKey); mode != "" {
		os.Exit(child(mode))
	}
	otel.SetTracerProvider(hostile{})
	goleak.VerifyTestMain(program{m})
}

// program runs the tests, and the cleanups of the examples, which have no test.
type program struct{ *testing.M }

func (p program) Run() int {
	code := p.M.Run()
	for _, cleanup := range cleanups {
		cleanup()
	}
	return code
}

// fake is a test that keeps what it is told.
type fake struct {
	testing.TB
	text     strings.Builder
	failed   bool
	cleanups []func()
}

func (*fake) Helper()                           {}
func (f *fake) Cleanup(fn func())               { f.cleanups = append(f.cleanups, fn) }
func (f *fake) Logf(format string, args ...any) { fmt.Fprintf(&f.text, format+"\n", args...) }

func (f *fake) Errorf(format string, args ...any) {
	f.failed = true
	f.Logf(format, args...)
}

func (f *fake) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

// run runs a test with a fake, to its end and with its cleanups, and returns
// the fake.
func run(t *testing.T, test func(tb testing.TB)) *fake {
	t.Helper()
	f := &fake{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(f)
	}()
	<-done
	for n := range f.cleanups {
		f.cleanups[len(f.cleanups)-1-n]()
	}
	return f
}

// fails runs a test that must fail, and compares what it prints with a file.
func fails(t *testing.T, name string, test func(tb testing.TB)) {
	t.Helper()
	f := run(t, test)
	if !f.failed {
		t.Errorf("%s: the test did not fail; it printed:\n%s", name, f.text.String())
	}
	golden.Compare(t, "failures/"+name+".txt", withoutIDs(f.text.String()))
}

var (
	ids   = regexp.MustCompile(`\b([0-9a-f]{32}|[0-9a-f]{16})\b`)
	lines = regexp.MustCompile(`_test\.go:\d+`)
)

// withoutIDs returns text with the ids of spans and traces, and numbers of lines, masked.
func withoutIDs(text string) string {
	return lines.ReplaceAllString(ids.ReplaceAllString(text, "<id>"), "_test.go:<line>")
}

// passes runs a test that must not fail.
func passes(t *testing.T, test func(tb testing.TB)) {
	t.Helper()
	if f := run(t, test); f.failed {
		t.Errorf("the test failed:\n%s", f.text.String())
	}
}

// noon is when all flows of the tests start.
var noon = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

// at starts or ends a span some milliseconds after noon.
func at(ms int) trace.SpanEventOption {
	return trace.WithTimestamp(noon.Add(time.Duration(ms) * time.Millisecond))
}

// hop is how the order gets from one service to the other.
type hop func(ctx context.Context, sent trace.SpanContext) (context.Context, []trace.Link)

func asParent(ctx context.Context, sent trace.SpanContext) (context.Context, []trace.Link) {
	return trace.ContextWithRemoteSpanContext(ctx, sent), nil
}

func asLink(ctx context.Context, sent trace.SpanContext) (context.Context, []trace.Link) {
	return ctx, []trace.Link{{SpanContext: sent.WithRemote(true)}}
}

func forgotten(ctx context.Context, _ trace.SpanContext) (context.Context, []trace.Link) {
	return ctx, nil
}

var kafka = trace.WithAttributes(
	attribute.String("messaging.system", "kafka"),
	attribute.String("messaging.destination.name", "orders"),
	attribute.String("messaging.operation.name", "send"),
	attribute.Int("messaging.kafka.offset", 815),
)

// order runs an order from an API through Kafka to an ETL job.
func order(f *flowtest.Flow, over hop) {
	api, job := f.Service("api").Tracer("test"), f.Service("etl-job").Tracer("test")
	ctx, root := api.Start(f.Context(), "POST /orders", trace.WithSpanKind(trace.SpanKindServer), at(0))
	_, send := api.Start(ctx, "send orders", trace.WithSpanKind(trace.SpanKindProducer), kafka, at(1))
	send.End(at(3))
	root.End(at(12))

	ctx, links := over(f.Context(), send.SpanContext())
	ctx, process := job.Start(ctx, "process orders",
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(links...), kafka, at(100))
	_, extract := job.Start(ctx, "extract", at(101))
	extract.End(at(104))
	_, load := job.Start(ctx, "load", trace.WithSpanKind(trace.SpanKindClient), at(105), trace.WithAttributes(
		attribute.String("db.system.name", "mongodb"),
		attribute.String("db.collection.name", "orders"),
		attribute.String("error.type", "duplicate_key"),
		attribute.Int("etl.rows.written", 0),
		attribute.StringSlice("app.shards", []string{"a", "b"}),
	))
	load.SetStatus(codes.Error, "E11000 duplicate key")
	load.End(at(114))
	process.End(at(140))
}

// recorded returns the recording of an order.
func recorded(tb testing.TB, over hop) *flowtest.Recording {
	tb.Helper()
	f := flowtest.New(tb)
	order(f, over)
	return f.Wait(time.Second)
}

// stubs returns the spans of an order.
func stubs(tb testing.TB, over hop) tracetest.SpanStubs {
	tb.Helper()
	return recorded(tb, over).Spans()
}
