// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package job_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/otel"
	lognoop "go.opentelemetry.io/otel/log/noop"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/job"
	"github.com/waybill-go/waybill/stages"
)

// programs are main functions of processes that this program starts of itself.
var programs = map[string]func(){
	"ordinary succeeds": func() { ordinary(nil) },
	"ordinary fails":    func() { ordinary(errBoom) },
	"own provider fails": func() {
		provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(slow{}))
		defer shutDown(provider.Shutdown)
		job.Main(stages.Must(stages.NewPipeline("nightly", stages.WithTracerProvider(provider))), ending(errBoom))
	},
	"SDK is set up by the work": func() {
		job.Main(stages.Must(stages.NewPipeline("nightly")), func(ctx context.Context) error {
			otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithBatcher(slow{})))
			late := stages.Must(stages.NewPipeline("late"))
			return late.Run(ctx, ending(errBoom))
		})
	},
	"SDK is shut down by the work": func() {
		provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(slow{}))
		otel.SetTracerProvider(provider)
		job.Main(stages.Must(stages.NewPipeline("nightly")), func(ctx context.Context) error { return errors.Join(provider.Shutdown(ctx), errBoom) })
	},
	"no SDK": func() { job.Main(stages.Must(stages.NewPipeline("nightly")), ending(errBoom)) },
	"deaf provider": func() {
		otel.SetTracerProvider(deafProvider{})
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { fmt.Println("reported:", err) }))
		job.Main(stages.Must(stages.NewPipeline("nightly")), ending(errBoom), job.WithRunOptions(stages.WithFlushTimeout(time.Millisecond)))
	},

	"signal before": func() {
		p := stages.Must(stages.NewPipeline("nightly", stages.WithTracerProvider(signaling{})))
		job.Main(p, func(ctx context.Context) error {
			fmt.Println("ready")
			<-ctx.Done()
			fmt.Println("the work begins:", ctx.Err())
			return ctx.Err()
		})
	},
	"signal while flushing":          func() { flushing(nil) },
	"signal while a failure flushes": func() { flushing(context.Canceled) },
	"signal after": func() {
		job.Main(nil, ending(nil))
		_ = hang()
	},
	"signal after a panic": func() {
		defer func() {
			_ = recover()
			_ = hang()
		}()
		job.Main(nil, func(context.Context) error { panic("at the disco") })
	},
	"second job": func() {
		job.Main(nil, ending(nil))
		job.Main(nil, works["stops"])
	},
}

func ending(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

// ordinary is a program that sets up OpenTelemetry as its documentation shows.
func ordinary(err error) {
	traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(slow{}, sdktrace.WithBatchTimeout(time.Hour)))
	defer shutDown(traces.Shutdown)
	otel.SetTracerProvider(traces)
	meters := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(slowMetrics{}, metric.WithInterval(time.Hour))))
	defer shutDown(meters.Shutdown)
	otel.SetMeterProvider(meters)
	otel.SetLoggerProvider(logs{})

	job.Main(stages.Must(stages.NewPipeline("nightly")), func(ctx context.Context) error {
		rows, instrumentErr := otel.Meter("test").Int64Counter("rows")
		rows.Add(ctx, 1)
		return errors.Join(instrumentErr, err)
	})
}

func shutDown(shutdown func(context.Context) error) {
	fmt.Println("shut down:", shutdown(context.Background()))
}

// slow is an exporter that needs a while to send spans.
type slow struct{}

func (slow) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	wait := time.NewTimer(100 * time.Millisecond)
	select {
	case <-wait.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, s := range spans {
		fmt.Println("span", s.Name())
	}
	return nil
}
func (slow) Shutdown(context.Context) error { return nil }

// slowMetrics is an exporter of metrics.
type slowMetrics struct{ metric.Exporter }

func (slowMetrics) Temporality(metric.InstrumentKind) metricdata.Temporality {
	return metricdata.DeltaTemporality
}

func (slowMetrics) Aggregation(kind metric.InstrumentKind) metric.Aggregation {
	return metric.DefaultAggregationSelector(kind)
}

func (slowMetrics) Export(_ context.Context, all *metricdata.ResourceMetrics) error {
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			fmt.Println("metric", m.Name)
		}
	}
	return nil
}
func (slowMetrics) ForceFlush(context.Context) error { return nil }
func (slowMetrics) Shutdown(context.Context) error   { return nil }

// logs is a logger provider with records that are not sent yet.
type logs struct{ lognoop.LoggerProvider }

func (logs) ForceFlush(context.Context) error { fmt.Println("logs"); return nil }

// deafProvider never ends to flush, whatever its context says.
type deafProvider struct{ noop.TracerProvider }

func (deafProvider) ForceFlush(context.Context) error { return hang() }

// signaling sends SIGTERM to this process when a span starts.
type signaling struct{ noop.TracerProvider }

func (signaling) Tracer(string, ...trace.TracerOption) trace.Tracer { return signalingTracer{} }

type signalingTracer struct{ noop.Tracer }

func (signalingTracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		panic(err)
	}
	<-ctx.Done()
	return noop.Tracer{}.Start(ctx, name, opts...)
}

// flushing is a program that is told to end while it flushes.
func flushing(err error) {
	flush := func(context.Context) error {
		received := make(chan os.Signal, 1)
		signal.Notify(received, syscall.SIGTERM)
		fmt.Println("ready")
		<-received
		fmt.Println("flushed")
		return nil
	}
	job.Main(nil, ending(err), job.WithRunOptions(stages.WithFlush(flush), stages.WithFlushTimeout(time.Hour)))
	fmt.Println("main goes on")
}

// What a program has recorded is sent before its process ends, also if its own deferred
// calls do not run.
func TestMain_Flushes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		program string
		code    int
		want    []string // Lines of standard output, in any order.
	}{
		{program: "ordinary succeeds", want: []string{"logs", "metric rows", "shut down: <nil>", "shut down: <nil>", "span nightly"}},
		{program: "ordinary fails", code: 1, want: []string{"logs", "metric rows", "span nightly"}},
		{program: "own provider fails", code: 1, want: []string{"span nightly"}},
		{program: "SDK is set up by the work", code: 1, want: []string{"span late"}},
		{program: "SDK is shut down by the work", code: 1}, // Its span has not ended then.
		{program: "no SDK", code: 1},
		{program: "deaf provider", code: 1, want: []string{"hanging", "reported: stages: flush after run: context deadline exceeded"}},
	} {
		t.Run(tt.program, func(t *testing.T) {
			t.Parallel()
			cmd, out, failures := start(t, tt.program)
			text, code, killed := wait(t, cmd, out)
			got := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
			slices.Sort(got)
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" || code != tt.code {
				t.Errorf("exit %d (%v), want %d, %s; standard output (-want +got):\n%s", code, killed, tt.code, failures, diff)
			}
		})
	}
}
