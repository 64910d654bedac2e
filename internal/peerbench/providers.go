// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// recording is what becomes of spans.
type recording string

const (
	noProvider recording = "no provider" // The program has set up no tracing.
	unsampled  recording = "unsampled"
	sampled    recording = "sampled" // Spans are recorded, all exported in batches, and thrown away.
)

var recordings = []recording{noProvider, unsampled, sampled}

// startOpenTelemetry sets the global provider, which every library here can be
// told to use, and returns a ctx with a span of it.
func startOpenTelemetry(r recording) (ctx context.Context, done func()) {
	if r == noProvider {
		otel.SetTracerProvider(noop.NewTracerProvider())
		return context.Background(), func() {}
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithSampler(sdktrace.NeverSample())}
	if r == sampled {
		options = []sdktrace.TracerProviderOption{sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithBatcher(discard{}, sdktrace.WithBlocking())}
	}
	provider := sdktrace.NewTracerProvider(options...)
	otel.SetTracerProvider(provider)
	ctx, span := provider.Tracer("peerbench").Start(context.Background(), "request")
	return ctx, func() {
		span.End()
		_ = provider.Shutdown(context.Background()) // what it holds is thrown away.
	}
}

// discard is an exporter to nowhere.
type discard struct{}

func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                             { return nil }

// startDatadog starts the tracer of dd-trace-go, whose agent is one that throws
// away what it gets. It reads its settings, such as W3C Trace Context as the
// only format, from the environment: see main.
func startDatadog(r recording) (done func()) {
	if r == noProvider {
		return func() {}
	}
	rate := map[recording]float64{unsampled: 0, sampled: 1}[r]
	err := tracer.Start(
		tracer.WithHTTPClient(&http.Client{Transport: agent{}}),
		tracer.WithLogStartup(false),
		tracer.WithLogger(silent{}),
		tracer.WithSamplerRate(rate),
	)
	if err != nil {
		panic(err)
	}
	return tracer.Stop
}

// startDatadogRequest starts the tracer and returns a ctx with a span of it.
func startDatadogRequest(r recording) (ctx context.Context, done func()) {
	stop := startDatadog(r)
	if r == noProvider {
		return context.Background(), stop
	}
	span, ctx := tracer.StartSpanFromContext(context.Background(), "request")
	return ctx, func() {
		span.Finish()
		stop()
	}
}

type agent struct{}

func (agent) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
}

type silent struct{}

func (silent) Log(string) {}

// requestContext is a ctx with the context of a sender that is not here.
func requestContext() context.Context {
	return trace.ContextWithSpanContext(context.Background(), spanContext())
}
