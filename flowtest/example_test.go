// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowtest"
)

// printer stands in for the *testing.T of a test, which an example has not.
type printer struct{ testing.TB }

func (printer) Helper() {}

func (printer) Setenv(string, string)    {}
func (printer) Context() context.Context { return context.Background() }
func (printer) Logf(string, ...any)      {}
func (printer) Errorf(format string, args ...any) {
	fmt.Println(withoutIDs(fmt.Sprintf(format, args...)))
}
func (p printer) Fatalf(format string, args ...any) { p.Errorf(format, args...) }

// Cleanup runs fn after all examples.
func (printer) Cleanup(fn func()) { cleanups = append(cleanups, fn) }

var cleanups []func()

// t stands for the test.
var t printer

func Example() {
	f := flowtest.New(t)
	api, job := f.Service("api"), f.Service("etl-job")

	// The producer. The message carries the context of its span.
	ctx, post := api.Tracer("orders").Start(f.Context(), "POST /orders", trace.WithSpanKind(trace.SpanKindServer))
	_, send := api.Tracer("orders").Start(ctx, "send orders", trace.WithSpanKind(trace.SpanKindProducer))
	message := send.SpanContext()
	send.End()
	post.End()

	// The consumer, which extracts the context from the message.
	ctx = trace.ContextWithRemoteSpanContext(f.Context(), message)
	ctx, process := job.Tracer("orders").Start(ctx, "process orders", trace.WithSpanKind(trace.SpanKindConsumer))
	_, load := job.Tracer("orders").Start(ctx, "load")
	load.End()
	process.End()

	fl := f.Wait(5 * time.Second)
	fl.RequireConnected()
	fl.RequirePath("api POST /orders", "api send orders", "etl-job process orders", "etl-job load")
	fl.Span("process orders").Kind(trace.SpanKindConsumer).Remote().ChildOf("api send orders")
	fmt.Println(len(fl.Spans()), "spans, one flow")
	// Output: 4 spans, one flow
}

func ExampleNew() {
	f := flowtest.New(t)
	_, span := f.Service("api").Tracer("orders").Start(f.Context(), "POST /orders")
	span.End()
	f.Wait(time.Second).RequireConnected()
	fmt.Println("connected")
	// Output: connected
}

func ExampleWithSampler() {
	f := flowtest.New(t, flowtest.WithSampler(sdktrace.NeverSample()))
	_, span := f.Service("api").Tracer("orders").Start(f.Context(), "POST /orders")
	span.End()
	fmt.Println(len(f.Wait(time.Second).Spans()), "spans")
	// Output: 0 spans
}

func ExampleFlow_Global() {
	f := flowtest.New(t)
	f.Global("api")

	// The code under test takes no provider.
	_, span := otel.Tracer("orders").Start(f.Context(), "POST /orders")
	span.End()

	f.Wait(time.Second).RequirePath("api POST /orders")
	fmt.Println("recorded")
	// Output: recorded
}

func ExampleFlow_Wait() {
	f := flowtest.New(t)
	go func() {
		_, span := f.Service("etl-job").Tracer("orders").Start(f.Context(), "load")
		span.End()
	}()
	// Nothing may have started yet, so the flow's last span is named.
	fmt.Println(len(f.Wait(5*time.Second, "etl-job load").Spans()), "span")
	// Output: 1 span
}

func ExampleFlow_Env() {
	f := flowtest.New(t)
	ctx, span := f.Service("api").Tracer("orders").Start(f.Context(), "start worker")

	// The worker may be written in any language. This one is the test binary itself.
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), f.Env(ctx, "worker")...)
	cmd.Env = append(cmd.Env, "FLOWTEST_CHILD=process orders")
	err := cmd.Run()
	span.End()

	fl := f.Wait(30*time.Second, "worker process orders")
	fl.RequirePath("api start worker", "worker process orders")
	fmt.Println(err, len(fl.Spans()), "spans, one flow")
	// Output: <nil> 2 spans, one flow
}

func ExampleFlow_EnvMap() {
	f := flowtest.New(t)
	variables := f.EnvMap(f.Context(), "worker")

	// A container reaches the loopback interface of this machine under another name.
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		variables[name] = strings.Replace(variables[name], "127.0.0.1", "host.testcontainers.internal", 1)
	}
	fmt.Println(variables["OTEL_SERVICE_NAME"], variables["OTEL_EXPORTER_OTLP_PROTOCOL"])
	// Output: worker http/protobuf
}

func ExampleRecording_RequireNoFindings() {
	fl := recorded(t, asLink)
	fl.RequireNoFindings()
	fmt.Println("nothing is wrong")
	// Output: nothing is wrong
}

func ExampleAllow() {
	// The span of a job ends before its children start.
	fl := late(t)
	fl.RequireNoFindings(flowtest.Allow("P17"))
	fmt.Println("nothing else is wrong")
	// Output: nothing else is wrong
}

func ExampleWithBoundary() {
	// The producer is recorded elsewhere.
	fl := missed(t)
	fl.RequireNoFindings(flowtest.WithBoundary("etl-job"))
	fmt.Println("nothing else is wrong")
	// Output: nothing else is wrong
}

func ExampleWithInfo() {
	fl := recorded(t, asParent)
	fl.RequireNoFindings(flowtest.WithInfo())
	fmt.Println("nothing is wrong, and nothing is worth knowing")
	// Output: nothing is wrong, and nothing is worth knowing
}

func ExampleFromSpans() {
	elsewhere := recorded(t, asLink).Spans() // Such as those of an exporter.
	fl := flowtest.FromSpans(t, elsewhere...)
	fl.RequireConnected()
	fl.Span("process orders").LinkedTo("api send orders")
	fmt.Println("linked")
	// Output: linked
}

func ExampleTree() {
	fmt.Print(flowtest.Tree(recorded(t, asLink).Spans()...))
	// Output:
	// api      POST /orders          SERVER   12ms
	// api      └─ send orders        PRODUCER  2ms  kafka orders
	// etl-job     └⇢ process orders  CONSUMER 40ms  kafka orders
	// etl-job        ├─ extract      INTERNAL  3ms
	// etl-job        └─ load         CLIENT    9ms  mongodb orders  ERROR duplicate_key: E11000 duplicate key
}

func ExampleRecording_RequireConnected() {
	// The job forgot to extract the context from the message.
	fl := recorded(t, forgotten)
	fl.RequireConnected()
	// Output:
	// flowtest: RequireConnected: BROKEN between api and etl-job: one flow in 2 pieces; 5 spans, 2 services, 2 traces
	//
	// [1] api      POST /orders    SERVER   12ms
	//     api      └─ send orders  PRODUCER  2ms  kafka orders  ✗ P01 the flow is lost after this
	// [2] etl-job  process orders  CONSUMER 40ms  kafka orders  ✗ P01 a consumer starts a new trace
	//     etl-job  ├─ extract      INTERNAL  3ms
	//     etl-job  └─ load         CLIENT    9ms  mongodb orders  ERROR duplicate_key: E11000 duplicate key
	//
	// P01 violation  "etl-job process orders" starts a new trace: no context was extracted from kafka orders@815.
	//     Why:  It has no parent and no link. "api send orders" sent to the same destination before. Span <id> of trace <id>.
	//     Fix:  Look at what the message carries. If there is a context, such as a traceparent, read it before the span is started: in Go, ctx = kafkacarrier.Extract(ctx, msg). If not, write it in "api send orders": kafkacarrier.Inject(ctx, &msg).
	//     This is likely. See https://github.com/waybill-go/waybill/blob/main/docs/diagnosis/P01.md
	//     flowtest/help_test.go:<line> started "api send orders".
	//     flowtest/help_test.go:<line> started "etl-job process orders".
	//
	// With go test -artifacts, the spans are kept in a file for waybill report.
}

func ExampleRecording_RequireOneTrace() {
	recorded(t, asParent).RequireOneTrace()
	fmt.Println("one trace")
	// Output: one trace
}

func ExampleRecording_RequirePath() {
	fl := recorded(t, asLink)
	fl.RequirePath("api POST /orders", "etl-job process orders", "etl-job load")
	fmt.Println("passed")
	// Output: passed
}

func ExampleRecording_Span() {
	fl := recorded(t, asParent)
	fl.Span("etl-job load").
		Kind(trace.SpanKindClient).
		Status(codes.Error).
		ErrorType("duplicate_key").
		Attr("db.system.name", "mongodb").
		NoAttr("db.query.text").
		ChildOf("process orders").
		Times(1)
	fmt.Println(fl.Span("load").Stub().Status.Description)
	// Output: E11000 duplicate key
}

func ExampleRecording_Golden() {
	// UPDATE_FLOW=1 go test ./... writes the file.
	recorded(t, asLink).Golden("testdata/link.flow")
	text, err := os.ReadFile("testdata/three.flow")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.SplitN(string(text), "\n", 2)[0])
	// Output: api POST /orders SERVER ×3
}

func ExampleWithAttributes() {
	fl := recorded(t, asLink)
	fl.Golden("testdata/link-attributes.flow",
		flowtest.WithAttributes("app.", "messaging.kafka.offset"),
		flowtest.WithoutAttributes("messaging.kafka.", "db.system.name"))
	fmt.Println("as in the file")
	// Output: as in the file
}

func ExampleWithoutAttributes() {
	f := flowtest.New(t)
	_, span := f.Service("etl-job").Tracer("orders").Start(f.Context(), "load",
		trace.WithAttributes(attribute.Int64("etl.duration_ms", time.Now().UnixMilli())))
	span.End()

	path := filepath.Join("testdata", "without.flow")
	f.Wait(time.Second).Golden(path, flowtest.WithoutAttributes("etl.duration_ms"))
	fmt.Println("the same at any time")
	// Output: the same at any time
}
