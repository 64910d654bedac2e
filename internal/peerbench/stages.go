// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	wmmetrics "github.com/ThreeDotsLabs/watermill/components/metrics"
	wmmessage "github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river/rivertype"
	"github.com/riverqueue/rivercontrib/otelriver"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/stages"
)

// table is what is measured in turns and printed together.
type table struct {
	title string
	tasks []task
	notes string
}

func stageTables() []table {
	return []table{
		{"Measure a call", measuredTasks(), measuredNotes},
		{"Measure a call in many goroutines", sharedTasks(), "Processor time of a call, on all cores, with classic buckets. All goroutines share one stage, or the same handles.\n"},
		{"Measure a call in a span", spanTasks(), spanNotes},
		{"Rows in a stage", rowTasks(), rowNotes},
	}
}

// measuredCall calls a function that does nothing, and measures it.
type measuredCall func(ctx context.Context) error

func doNothing(context.Context) error { return nil }

// buckets are those of a histogram.
type buckets string

const (
	classic buckets = "classic buckets"
	both    buckets = "classic and native buckets"
)

// measurer is a way to measure a call.
type measurer struct {
	name string
	make func(buckets) measuredCall // Nil for buckets that it has not.
}

func measurers() []measurer {
	return []measurer{
		{byHand, handMeasured},
		{"by hand, all series", handMeasuredAll},
		{"waybill", waybillMeasured},
		{"watermill", watermillMeasured},
	}
}

// measuredNotes say what the rows are.
const measuredNotes = `The function does nothing, and no span is started. "By hand" is the least: a histogram and a counter that
are looked up before, and time.Since. "By hand, all series" has what waybill has: the outcome, the runs in flight, and
the times of the last run and the last success. waybill also contains panics, of the function and of the observer,
classifies the error, and gives the function a context. Watermill's middleware looks its histogram up for each call.
`

// measuredTasks measure a call by one goroutine.
func measuredTasks() []task {
	var tasks []task
	for _, m := range measurers() {
		for _, b := range []buckets{classic, both} {
			if m.make(b) != nil {
				tasks = append(tasks, task{row: m.name, column: string(b), setup: callOf(m, b)})
			}
		}
	}
	return tasks
}

// sharedTasks measure a call by one and by many goroutines that use the same
// handles.
func sharedTasks() []task {
	var tasks []task
	for _, m := range measurers() {
		for _, g := range []goroutines{1, 4, 16, 64} {
			tasks = append(tasks, task{row: m.name, column: g.String(), goroutines: g, setup: callOf(m, classic)})
		}
	}
	return tasks
}

func callOf(m measurer, b buckets) func() (op, done func()) {
	return func() (op, done func()) {
		call, ctx := m.make(b), context.Background()
		return func() { check(call(ctx)) }, func() {}
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// handHistogram returns a histogram with the buckets of package metrics.
func handHistogram(b buckets) prometheus.Observer {
	opts := prometheus.HistogramOpts{Name: "processing_seconds", Help: "x", Buckets: []float64{0.001, 0.01, 0.1, 1, 10, 60, 600, 3600}}
	if b == both {
		opts.NativeHistogramBucketFactor, opts.NativeHistogramMaxBucketNumber, opts.NativeHistogramMinResetDuration = 1.1, 160, time.Hour
	}
	return prometheus.NewHistogramVec(opts, []string{"pipeline", "stage", "outcome"}).WithLabelValues("orders", "load", "success")
}

// handMeasured is the least code that measures a call.
func handMeasured(b buckets) measuredCall {
	duration := handHistogram(b)
	calls := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "calls_total", Help: "x"}, []string{"pipeline", "stage"}).WithLabelValues("orders", "load")
	return func(ctx context.Context) error {
		start := time.Now()
		err := doNothing(ctx)
		calls.Inc()
		duration.Observe(time.Since(start).Seconds())
		return err
	}
}

// handMeasuredAll is the least code that sets the series that a stage has.
func handMeasuredAll(b buckets) measuredCall {
	gauge := func(name string) prometheus.Gauge {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: "x"}, []string{"pipeline", "stage"}).WithLabelValues("orders", "load")
	}
	success, failure := handHistogram(b), handHistogram(b)
	inFlight, lastRun, lastSuccess := gauge("in_flight"), gauge("last_run_timestamp_seconds"), gauge("last_success_timestamp_seconds")
	return func(ctx context.Context) error {
		inFlight.Inc()
		defer inFlight.Dec()
		start := time.Now()
		err := doNothing(ctx)
		end := time.Now()
		lastRun.Set(float64(end.UnixMilli()) / 1e3)
		if err != nil {
			failure.Observe(end.Sub(start).Seconds())
			return err
		}
		lastSuccess.Set(float64(end.UnixMilli()) / 1e3)
		success.Observe(end.Sub(start).Seconds())
		return nil
	}
}

// waybillStage returns a stage with metrics.
func waybillStage(m *metrics.Metrics, opts ...stages.Option) *stages.Stage {
	p := stages.Must(stages.NewPipeline("orders", append(opts, stages.WithObserver(m))...))
	return stages.Must(p.Stage("load"))
}

func waybillMeasured(b buckets) measuredCall {
	var opts []metrics.Option
	if b == classic {
		opts = append(opts, metrics.WithoutNativeHistograms())
	}
	m, err := metrics.New(nil, opts...)
	check(err)
	s := waybillStage(m, stages.WithoutSpans())
	return func(ctx context.Context) error { return s.Run(ctx, doNothing) }
}

// watermillMeasured is a handler of a message with the middleware of Watermill, which
// has classic buckets only.
func watermillMeasured(b buckets) measuredCall {
	if b != classic {
		return nil
	}
	middleware := wmmetrics.NewPrometheusMetricsBuilder(prometheus.NewRegistry(), "", "").NewRouterMiddleware()
	handle := middleware.Middleware(func(msg *wmmessage.Message) ([]*wmmessage.Message, error) {
		return nil, doNothing(msg.Context())
	})
	msg := wmmessage.NewMessage("1", nil)
	return func(context.Context) error {
		_, err := handle(msg)
		return err
	}
}

// spanMeasurer is a way to measure a call in a span.
type spanMeasurer struct {
	name string
	make func() measuredCall
}

func spanMeasurers() []spanMeasurer {
	return []spanMeasurer{
		{"OpenTelemetry by hand, span only", handSpan},
		{"waybill, span only", waybillSpan},
		{"OpenTelemetry by hand, span and histogram", handSpanMeasured},
		{"waybill, New", waybillSpanMeasured},
		{"waybill, NewOTel", waybillSpanOTel},
		{"otelriver", riverMeasured},
	}
}

// spanNotes say what the rows are.
const spanNotes = `Each span is a child of the caller's and has the same attributes: pipeline, stage, and the outcome if it is
recorded. The histogram by hand has its attributes made before. otelriver records two histograms, a counter and eight
attributes, which its users get.
`

func spanTasks() []task {
	var tasks []task
	for _, m := range spanMeasurers() {
		for _, r := range recordings {
			tasks = append(tasks, task{row: m.name, column: string(r), setup: func() (op, done func()) {
				ctx, done := startOpenTelemetry(r)
				call := m.make()
				return func() { check(call(ctx)) }, done
			}})
		}
	}
	return tasks
}

// spanAttributes are those of the span of a stage.
var spanAttributes = trace.WithAttributes(attribute.String("etl.pipeline", "orders"), attribute.String("etl.stage", "load"))

func handSpan() measuredCall {
	tracer, start := otel.Tracer("by hand"), []trace.SpanStartOption{spanAttributes}
	return func(ctx context.Context) error {
		ctx, span := tracer.Start(ctx, "load", start...)
		defer span.End()
		err := doNothing(ctx)
		if span.IsRecording() {
			span.SetAttributes(attribute.String("etl.outcome", "success"))
		}
		return err
	}
}

func handSpanMeasured() measuredCall {
	call := handSpan()
	duration, err := meterProvider().Meter("by hand").Float64Histogram("processing", metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(0.001, 0.01, 0.1, 1, 10, 60, 600, 3600))
	check(err)
	attributes := []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(
		attribute.String("etl.pipeline", "orders"), attribute.String("etl.stage", "load"), attribute.String("etl.outcome", "success"),
	))}
	return func(ctx context.Context) error {
		start := time.Now()
		err := call(ctx)
		duration.Record(ctx, time.Since(start).Seconds(), attributes...)
		return err
	}
}

func meterProvider() metric.MeterProvider {
	return sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
}

func waybillSpan() measuredCall {
	s := stages.Must(stages.Must(stages.NewPipeline("orders")).Stage("load"))
	return func(ctx context.Context) error { return s.Run(ctx, doNothing) }
}

func waybillSpanMeasured() measuredCall {
	m, err := metrics.New(nil)
	check(err)
	s := waybillStage(m)
	return func(ctx context.Context) error { return s.Run(ctx, doNothing) }
}

func waybillSpanOTel() measuredCall {
	m, err := metrics.NewOTel(meterProvider())
	check(err)
	s := waybillStage(m)
	return func(ctx context.Context) error { return s.Run(ctx, doNothing) }
}

// riverMeasured is the work of a job with the middleware of River.
func riverMeasured() measuredCall {
	middleware := otelriver.NewMiddleware(&otelriver.MiddlewareConfig{MeterProvider: meterProvider()})
	job := &rivertype.JobRow{ID: 1, Kind: "load", Queue: "orders", Attempt: 1, Priority: 1}
	return func(ctx context.Context) error { return middleware.Work(ctx, job, doNothing) }
}
