// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"context"
	"slices"
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/internal/flow"
)

// recorder keeps the spans of all services of a flow, including open ones.
type recorder struct {
	mu      sync.Mutex
	open    map[flow.ID]sdktrace.ReadOnlySpan
	ended   []sdktrace.ReadOnlySpan
	waiting []chan struct{} // Each receives a value when a span has ended.
}

// Compile-time check that recorder implements SpanProcessor.
var _ sdktrace.SpanProcessor = (*recorder)(nil)

func newRecorder() *recorder {
	return &recorder{open: make(map[flow.ID]sdktrace.ReadOnlySpan)}
}

// OnStart adds s to the open spans.
func (r *recorder) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[flow.IDOf(s.SpanContext())] = s
}

// OnEnd moves s from the open to the ended spans.
func (r *recorder) OnEnd(s sdktrace.ReadOnlySpan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, flow.IDOf(s.SpanContext()))
	r.ended = append(r.ended, s)
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

// watch returns a channel that receives a value when a span has ended, until stop
// is called.
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

// spans returns the ended spans in the order in which they ended, and the open
// spans in the order in which they started.
func (r *recorder) spans() (ended, open []sdktrace.ReadOnlySpan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.open {
		open = append(open, s)
	}
	slices.SortFunc(open, func(a, b sdktrace.ReadOnlySpan) int { return a.StartTime().Compare(b.StartTime()) })
	return slices.Clone(r.ended), open
}
