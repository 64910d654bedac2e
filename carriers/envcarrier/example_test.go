// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/propagation"
)

// exampleContext returns a ctx with a span, as a handler has it.
func exampleContext() context.Context {
	return trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
}

func ExampleCommand() {
	ctx := exampleContext()
	cmd := exec.Command("worker", "--once")
	envcarrier.Command(ctx, cmd) // and then cmd.Run().

	remote := envcarrier.ReadFrom(cmd.Env) // what the worker reads with Read.
	fmt.Println(remote.SpanContext().TraceID())
	// Output: 01000000000000000000000000000000
}

func ExampleInject() {
	parent := []string{"PATH=/bin", "TRACEPARENT=of the parent itself", "TRACESTATE=old=1"}
	child := envcarrier.Inject(exampleContext(), parent, envcarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{})))
	fmt.Println(strings.Join(child, "\n"))
	// Output:
	// PATH=/bin
	// TRACEPARENT=00-01000000000000000000000000000000-0200000000000000-01
}

func ExampleWriteFile() {
	dir, err := os.MkdirTemp("", "volume") // That of the pod, which the init container mounts.
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "context")
	prepare := func(ctx context.Context) error { // What job.Main runs in the init container.
		return envcarrier.WriteFile(ctx, file)
	}
	err = prepare(exampleContext())
	text, _ := os.ReadFile(file)
	first, _, _ := strings.Cut(string(text), "\n")
	fmt.Println(first, err)
	// Output: TRACEPARENT='00-01000000000000000000000000000000-0200000000000000-01' <nil>
}

func ExampleExtract() {
	// In main, before the first span.
	ctx := envcarrier.Extract(context.Background())
	fmt.Println(trace.SpanContextFromContext(ctx).IsValid()) // whether this process was started with a context.
	// Output: false
}

func ExampleRead() {
	if err := envcarrier.Read().Err(); err != nil {
		fmt.Println(err)
	}
	// Output: the carrier holds no trace context
}

func ExampleExtractFrom() {
	environ := []string{"TRACEPARENT=00-01000000000000000000000000000000-0200000000000000-01"}
	ctx := envcarrier.ExtractFrom(context.Background(), environ)
	fmt.Println(trace.SpanContextFromContext(ctx).SpanID())
	// Output: 0200000000000000
}

func ExampleReadFrom() {
	remote := envcarrier.ReadFrom([]string{"TRACEPARENT=00-0-0-0"})
	fmt.Println(remote.Err())
	// Output: malformed traceparent: shorter than 55 bytes
}

func ExampleInjectMap() {
	environ := map[string]string{"DAY": "2026-02-03"} // of a container to be run.
	environ = envcarrier.InjectMap(exampleContext(), environ, envcarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{})))
	fmt.Println(environ)
	// Output: map[DAY:2026-02-03 TRACEPARENT:00-01000000000000000000000000000000-0200000000000000-01]
}

func ExampleExtractMap() {
	environ := map[string]string{"TRACEPARENT": "00-01000000000000000000000000000000-0200000000000000-01"}
	ctx := envcarrier.ExtractMap(context.Background(), environ)
	fmt.Println(trace.SpanContextFromContext(ctx).SpanID())
	// Output: 0200000000000000
}

func ExampleReadMap() {
	fmt.Println(envcarrier.ReadMap(map[string]string{"traceparent": "is no TRACEPARENT"}).Err())
	// Output: the carrier holds no trace context
}

func ExampleMap() {
	environ := map[string]string{}
	propagation.InjectTextMap(exampleContext(), envcarrier.Map(environ), propagation.WithPropagator(propagation.TraceContext{}))
	fmt.Println(environ)
	// Output: map[TRACEPARENT:00-01000000000000000000000000000000-0200000000000000-01]
}

func ExampleCarrier() {
	carrier := envcarrier.Carrier{"PATH=/bin"}
	propagation.InjectTextMap(exampleContext(), &carrier, propagation.WithPropagator(propagation.TraceContext{}))
	fmt.Println(strings.Join(carrier, "\n"))
	// Output:
	// PATH=/bin
	// TRACEPARENT=00-01000000000000000000000000000000-0200000000000000-01
}

func ExampleNormalize() {
	fmt.Println(envcarrier.Normalize("x-b3-traceid"))
	// Output: X_B3_TRACEID
}

func ExampleKubernetesJob() {
	if job, ok := envcarrier.KubernetesJob(); ok {
		fmt.Println("index", job.Index, "of job", job.Name)
	} else {
		fmt.Println("not in a Kubernetes Job")
	}
	// Output: not in a Kubernetes Job
}

func ExampleJobInfo_Attributes() {
	info := envcarrier.JobInfo{Name: "nightly", Namespace: "etl", Index: -1}
	for _, a := range info.Attributes() { // Or resource.WithAttributes(info.Attributes()...).
		fmt.Println(a.Key, a.Value.AsString())
	}
	// Output:
	// k8s.namespace.name etl
	// k8s.job.name nightly
}

func ExampleReadCreator() {
	creator := envcarrier.ReadCreator() // In a run of a CronJob, what created the CronJob.
	_, span := noop.NewTracerProvider().Tracer("report").Start(context.Background(), "report", trace.WithLinks(creator.Link()))
	span.End()
	fmt.Println(creator.Err())
	// Output: the carrier holds no trace context
}

func ExampleReadCreatorFrom() {
	creator := envcarrier.ReadCreatorFrom([]string{"WAYBILL_CREATOR=00-01000000000000000000000000000000-0200000000000000-01"})
	fmt.Println(creator.SpanContext().SpanID())
	// Output: 0200000000000000
}

func ExampleWithPassThrough() {
	inherited := []string{"TRACEPARENT=00-01000000000000000000000000000000-0200000000000000-01"}
	fmt.Println(len(envcarrier.Inject(context.Background(), inherited)))
	fmt.Println(len(envcarrier.Inject(context.Background(), inherited, envcarrier.WithPassThrough())))
	// Output:
	// 0
	// 1
}

func ExampleWithPropagation() {
	environ := []string{"TRACEPARENT=00-01000000000000000000000000000000-0200000000000000-01", "BAGGAGE=tenant=7,user=42"}
	tenant := envcarrier.WithPropagation(propagation.WithBaggage("tenant"))
	fmt.Println(envcarrier.ReadFrom(environ, tenant).Baggage())
	// Output: tenant=7
}
