// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/internal/safe"
)

// arrival is the context that a message arrives in outside of any span: the
// context of the caller, with the span that sent the message. A latency that is
// observed in it has the trace of the message as its exemplar. It is reused, so
// it is valid only while the observer is called, and costs no allocation.
type arrival struct {
	context.Context //nolint:containedctx // it is a context.

	sender sender
	within context.Context //nolint:containedctx // holds sender as the current span.
}

// sender is the span that sent a message.
type sender struct {
	noop.Span

	spanContext trace.SpanContext
}

func (s *sender) SpanContext() trace.SpanContext { return s.spanContext }

var arrivals = sync.Pool{New: func() any {
	a := &arrival{Context: safe.Context(nil)} //nolint:staticcheck // nil is taken.
	a.within = trace.ContextWithSpan(a.Context, &a.sender)
	return a
}}

// newArrival returns ctx with the span of a sender.
func newArrival(ctx context.Context, sc trace.SpanContext) *arrival {
	a, _ := arrivals.Get().(*arrival)
	a.Context, a.sender.spanContext = ctx, sc
	return a
}

func (a *arrival) release() {
	a.Context, a.sender.spanContext = safe.Context(nil), trace.SpanContext{} //nolint:staticcheck // nil is taken.
	arrivals.Put(a)
}

// Value implements [context.Context].
func (a *arrival) Value(key any) any {
	if value := a.within.Value(key); value != nil {
		return value
	}
	return a.Context.Value(key)
}
