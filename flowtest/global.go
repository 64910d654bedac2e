// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/internal/scope"
	"github.com/waybill-go/waybill/propagation"
)

// exclusiveKey is the environment variable that [Flow.Global] sets: a test that
// sets one cannot be parallel.
const exclusiveKey = "WAYBILL_FLOWTEST_GLOBAL"

// Global makes the service called name the global [trace.TracerProvider] until the
// test ends, and returns it, for code that calls [otel.Tracer]. If Global is called
// more than once, the last call wins, so a test can run the code of several
// services one after another.
//
// If no global propagator is set, Global also sets [propagation.Default]. When the
// test ends, the previous provider and propagator are restored.
//
// A tracer that was obtained earlier from the default global provider, such as one
// in a package variable, records into the flow of each test that calls Global. A
// tracer of another provider does not.
//
// The globals belong to the process. Global stops the test if the test or a parent
// of it is parallel. After Global, t.Parallel panics.
func (f *Flow) Global(name string) *Service {
	f.t.Helper()
	if reason := f.exclude(); reason != nil {
		f.t.Fatalf("flowtest: Global: the test, or a parent of it, is parallel, but the global provider belongs to all tests: %v", reason)
	}
	f.alone.Store(true)
	s := f.Service(name)
	f.t.Cleanup(install(s))
	return s
}

// exclude prevents other tests from running at the same time, and returns the
// reason if it cannot.
func (f *Flow) exclude() (reason any) {
	defer func() { reason = recover() }()
	f.t.Setenv(exclusiveKey, "1")
	return nil
}

// global is the service that the global provider uses, or nil.
var global atomic.Pointer[Service]

// install makes s the global provider, and returns a function that undoes it.
//
// The default provider of OpenTelemetry delegates its tracers to the first provider
// that is set in the process, and to no later one. So install always sets the same
// provider, which looks up the service at each call.
func install(s *Service) (undo func()) {
	before := global.Swap(s)
	provider, propagator := otel.GetTracerProvider(), otel.GetTextMapPropagator()
	otel.SetTracerProvider(globalProvider{})
	if len(propagator.Fields()) == 0 {
		otel.SetTextMapPropagator(globalPropagator{})
	}
	return func() {
		// OpenTelemetry complains if its default is set to itself.
		if !scope.Same(otel.GetTracerProvider(), provider) {
			otel.SetTracerProvider(provider)
		}
		if !scope.Same(otel.GetTextMapPropagator(), propagator) {
			otel.SetTextMapPropagator(propagator)
		}
		global.Store(before)
	}
}

// globalProvider is the [trace.TracerProvider] of the service that is global at
// the time of each call.
type globalProvider struct{ embedded.TracerProvider }

// Tracer returns a tracer that looks up the service each time.
func (globalProvider) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	return &globalTracer{name: name, opts: opts}
}

type globalTracer struct {
	embedded.Tracer
	name string
	opts []trace.TracerOption
}

// Start starts a span of the service that is global now, or one that records
// nothing.
func (t *globalTracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	var provider trace.TracerProvider = noop.NewTracerProvider()
	if s := global.Load(); s != nil {
		provider = s
	}
	return provider.Tracer(t.name, t.opts...).Start(ctx, name, opts...)
}

// globalPropagator is [propagation.Default] while a service is global, and does
// nothing otherwise.
type globalPropagator struct{}

func (globalPropagator) now() propagation.TextMapPropagator {
	if global.Load() == nil {
		return propagation.Compose()
	}
	return propagation.Default()
}

// Inject writes the context of ctx to carrier.
func (p globalPropagator) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	p.now().Inject(ctx, carrier)
}

// Extract returns ctx with the context that carrier holds.
func (p globalPropagator) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	return p.now().Extract(ctx, carrier)
}

// Fields returns the keys that Inject writes.
func (p globalPropagator) Fields() []string { return p.now().Fields() }
