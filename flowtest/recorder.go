// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"context"
	"maps"
	"runtime"
	"slices"
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/flowtest/internal/otlp"
	"github.com/waybill-go/waybill/internal/flow"
)

// recorder keeps the spans of all services of a flow, including open ones, and those of
// other processes.
type recorder struct {
	maxReceived int

	mu       sync.Mutex
	open     map[flow.ID]sdktrace.ReadOnlySpan
	ended    []sdktrace.ReadOnlySpan
	started  map[flow.ID][]uintptr // The calls that led to the start of each span.
	received []otlp.Span
	known    map[delivery]bool // What was received,
	services map[string]bool   // and from which services.
	parents  parents
	waiting  []chan struct{} // Each receives a value when a span has ended or was received.
}

// delivery is equal for spans that were sent twice, as an exporter does when it tries
// again.
type delivery struct {
	id   flow.ID
	name string
	end  int64
}

// Compile-time check that recorder implements SpanProcessor.
var _ sdktrace.SpanProcessor = (*recorder)(nil)

func newRecorder(maxReceived int) *recorder {
	return &recorder{
		maxReceived: maxReceived,
		open:        make(map[flow.ID]sdktrace.ReadOnlySpan), started: make(map[flow.ID][]uintptr),
		known: make(map[delivery]bool), services: make(map[string]bool), parents: newParents(),
	}
}

// maxCalls is how many calls are kept for the start of a span: those of this module and
// of OpenTelemetry, and one of the code under test.
const maxCalls = 24

// OnStart adds s to the open spans.
func (r *recorder) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) {
	calls := make([]uintptr, maxCalls)
	calls = slices.Clip(calls[:runtime.Callers(2, calls)])
	id := flow.IDOf(s.SpanContext())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[id] = s
	r.started[id] = calls
	r.parents.found(id, flow.IDOf(s.Parent()))
}

// OnEnd moves s from the open to the ended spans.
func (r *recorder) OnEnd(s sdktrace.ReadOnlySpan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, flow.IDOf(s.SpanContext()))
	r.ended = append(r.ended, s)
	r.notify()
}

// receive adds spans of another process, and returns how many were left out because
// there are too many.
func (r *recorder) receive(spans []otlp.Span) (left int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range spans {
		d := delivery{id: flow.IDOf(s.SpanContext), name: s.Name, end: s.EndTime.UnixNano()}
		switch {
		case r.known[d]:
		case len(r.received) == r.maxReceived:
			left++
		default:
			r.known[d] = true
			r.services[processOf(s.Resource).Service] = true
			r.parents.received(&s)
			r.received = append(r.received, s)
		}
	}
	r.notify()
	return left
}

// notify wakes those who wait. The caller holds the lock.
func (r *recorder) notify() {
	for _, changed := range r.waiting {
		select {
		case changed <- struct{}{}:
		default: // The receiver has not handled the value before.
		}
	}
}

// Shutdown does nothing.
func (*recorder) Shutdown(context.Context) error { return nil }

// ForceFlush does nothing.
func (*recorder) ForceFlush(context.Context) error { return nil }

// watch returns a channel that receives a value when a span has ended or was received,
// until stop is called.
func (r *recorder) watch() (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, c)
	return c, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.waiting = slices.DeleteFunc(r.waiting, func(other chan struct{}) bool { return other == c })
	}
}

// idle reports whether no span of this process is open.
func (r *recorder) idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open) == 0
}

// orphans returns the spans of other processes of which a parent is yet to come.
func (r *recorder) orphans() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.parents.orphans()
}

// receivedServices returns the services of which a span was received.
func (r *recorder) receivedServices() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.services))
}

// hasReceived reports whether a span of a service was received.
func (r *recorder) hasReceived(service string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.services[service]
}

// spans returns the ended spans in the order in which they ended, those of other
// processes in the order in which they came, and the open spans in the order in which
// they started.
func (r *recorder) spans() (ended, open tracetest.SpanStubs) {
	r.mu.Lock()
	defer r.mu.Unlock()
	started := make([]sdktrace.ReadOnlySpan, 0, len(r.open))
	for _, s := range r.open {
		started = append(started, s)
	}
	open = tracetest.SpanStubsFromReadOnlySpans(started)
	slices.SortFunc(open, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	ended = tracetest.SpanStubsFromReadOnlySpans(r.ended)
	return r.appendReceived(ended), open
}

// calls returns the calls that led to the start of each span of this process.
func (r *recorder) calls() map[flow.ID][]uintptr {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.started)
}

// appendReceived appends the spans of other processes. A parent of which the process
// did not say where it was is remote if its span is not one of the same process.
func (r *recorder) appendReceived(stubs tracetest.SpanStubs) tracetest.SpanStubs {
	local := make(map[flow.ID]flow.Process, len(r.received))
	for _, s := range r.received {
		local[flow.IDOf(s.SpanContext)] = processOf(s.Resource)
	}
	for _, s := range r.received {
		stub := s.SpanStub
		if s.RemoteUnknown && stub.Parent.IsValid() {
			process, known := local[flow.IDOf(stub.Parent)]
			stub.Parent = stub.Parent.WithRemote(!known || process != processOf(stub.Resource))
		}
		stubs = append(stubs, stub)
	}
	return stubs
}
