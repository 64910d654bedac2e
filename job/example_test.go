// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package job_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/job"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// A whole program: its main function is one line.
func Example() {
	nightly := stages.Must(stages.NewPipeline("nightly-report"))

	job.Main(nightly, func(context.Context) error {
		fmt.Println("reporting")
		return nil
	})
	// Output: reporting
}

func ExampleMain() {
	nightly := stages.Must(stages.NewPipeline("nightly-report"))

	job.Main(nightly, func(ctx context.Context) error {
		return ctx.Err() // Done after SIGTERM.
	}, job.WithRunOptions(stages.WithParameter("day", "2026-11-30")))
	fmt.Println("done")
	// Output: done
}

func ExampleRun() {
	nightly := stages.Must(stages.NewPipeline("nightly-report"))

	err := job.Run(context.Background(), nightly, func(context.Context) error {
		return errors.New("no amount")
	})
	fmt.Println(err, job.ExitCode(err))
	// Output: no amount 1
}

func ExampleRead() {
	remote := job.Read(job.WithEnviron([]string{
		"TRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}))
	fmt.Println(remote.SpanContext().TraceID())
	// Output: 4bf92f3577b34da6a3ce929d0e0e4736
}

func ExampleStartOptions() {
	spans := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("report")

	where := []job.ReadOption{job.WithEnviron([]string{"TRACEPARENT=00-zz"}), job.WithArgs(nil)}
	remote := job.Read(where...)
	_, span := propagation.Start(context.Background(), tracer, "report", []propagation.Remote{remote}, job.StartOptions(remote, where...)...)
	span.End()
	fmt.Println(spans.Ended()[0].Attributes()[0].Value.AsString())
	// Output: malformed
}

func ExampleExitCode() {
	fmt.Println(job.ExitCode(nil), job.ExitCode(errors.New("failed")), job.ExitCode(&stages.PanicError{}))
	// Output: 0 1 2
}

func ExampleWithEnviron() {
	remote := job.Read(job.WithEnviron([]string{"PATH=/bin"}), job.WithArgs(nil))
	fmt.Println(errors.Is(remote.Err(), propagation.ErrAbsent))
	// Output: true
}

func ExampleWithArgs() {
	remote := job.Read(job.WithArgs([]string{"--day=1", "--traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}))
	fmt.Println(remote.SpanContext().SpanID())
	// Output: 00f067aa0ba902b7
}

func ExampleWithAnnotations() {
	// The volume is in the pod's template: downwardAPI, metadata.annotations.
	remote := job.Read(job.WithAnnotations("/etc/pod/annotations", "example.com"))
	fmt.Println(remote.Err())
	// Output: the carrier holds no trace context
}

func ExampleWithPropagation() {
	environ := []string{"TRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "BAGGAGE=tenant=blue,user=mary"}
	remote := job.Read(job.WithEnviron(environ), job.WithPropagation(propagation.WithBaggage("tenant")))
	fmt.Println(remote.Baggage())
	// Output: tenant=blue
}

func ExampleWithStartOptions() {
	nightly := stages.Must(stages.NewPipeline("nightly-report"))
	run := func(context.Context) error { return nil }

	// This job is queued for hours: it always has a trace of its own, with a link.
	_ = job.Run(context.Background(), nightly, run, job.WithStartOptions(propagation.AsLink()))
	// This one continues what started it within a minute.
	_ = job.Run(context.Background(), nightly, run, job.WithStartOptions(propagation.WithMaxAge(time.Minute)))
	// Output:
}

func ExampleWithRunOptions() {
	nightly := stages.Must(stages.NewPipeline("nightly-report"))
	push := func(context.Context) error { fmt.Println("metrics pushed"); return nil }

	_ = job.Run(context.Background(), nightly, func(context.Context) error { fmt.Println("done"); return nil },
		job.WithRunOptions(stages.WithFlush(push), stages.WithFlushTimeout(5*time.Second)))
	// Output:
	// done
	// metrics pushed
}

func ExampleSignalError() {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(&job.SignalError{}) // As Main does it.

	if told, ok := errors.AsType[*job.SignalError](context.Cause(ctx)); ok {
		fmt.Println("put the batch back;", told)
	}
	// Output: put the batch back; told to end by no signal
}
