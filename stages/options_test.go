// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

// hostile is a global provider that must not be used.
type hostile struct {
	noop.TracerProvider
	t *testing.T
}

func (h hostile) Tracer(name string, _ ...trace.TracerOption) trace.Tracer {
	h.t.Errorf("the global tracer provider was asked for %s", name)
	return noop.Tracer{}
}

// Not parallel: it sets the global tracer provider.
func TestOption_DoesNotUseTheGlobals(t *testing.T) {
	before := otel.GetTracerProvider()
	defer otel.SetTracerProvider(before)
	otel.SetTracerProvider(hostile{t: t})

	for name, opt := range map[string]stages.Option{
		"nil":                       nil,
		"WithSource":                stages.WithSource("a"),
		"WithObserver":              stages.WithObserver(newProbe()),
		"WithoutSpans":              stages.WithoutSpans(),
		"WithClassifier":            stages.WithClassifier(observe.Classify),
		"WithClassifier(nil)":       stages.WithClassifier(nil),
		"WithErrorType":             stages.WithErrorType(errBoom, "boom"),
		"WithErrorTypeLimit":        stages.WithErrorTypeLimit(1),
		"WithErrorTypeLimit(0)":     stages.WithErrorTypeLimit(0),
		"WithErrorDescription":      stages.WithErrorDescription(error.Error),
		"WithErrorDescription(nil)": stages.WithErrorDescription(nil),
	} {
		t.Run(name, func(t *testing.T) {
			runsAsUsual(t, newRig(t, opt).Stage)
			p, _ := newRun(t, opt)
			if err := p.Run(t.Context(), func(context.Context) error { return errBoom }); err != errBoom {
				t.Errorf("Run = %v", err)
			}
		})
	}
	if got := len(newRig(t, stages.WithoutSpans()).run(t).spans.GetSpans()); got != 0 {
		t.Errorf("%d spans without spans", got)
	}
}

func (r rig) run(t *testing.T) rig {
	t.Helper()
	runsAsUsual(t, r.Stage)
	return r
}

// Not parallel: it sets the global tracer provider.
func TestWithTracerProvider_NilIsTheGlobalOneAtTheCall(t *testing.T) {
	before := otel.GetTracerProvider()
	defer otel.SetTracerProvider(before)
	s := mustStage(t, mustPipeline(t), "load", stages.WithTracerProvider(nil))
	_ = s.Run(t.Context(), func(context.Context) error { return nil })
	for range 2 {
		spans := tracetest.NewInMemoryExporter()
		otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))
		_ = s.Run(t.Context(), func(context.Context) error { return nil })
		if got := len(spans.GetSpans()); got != 1 {
			t.Errorf("%d spans", got)
		}
	}
}
