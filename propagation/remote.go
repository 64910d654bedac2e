// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
)

// ErrAbsent is returned when a carrier holds no trace context.
var ErrAbsent = errors.New("the carrier holds no trace context")

// MalformedError is returned when a carrier holds something under the key of a
// trace context that is none.
type MalformedError struct {
	Key    string // the key on the carrier, such as "traceparent".
	Reason string // why it was refused; never the value itself.
}

// Error says which key is malformed and why.
func (e *MalformedError) Error() string {
	return fmt.Sprintf("malformed %s: %s", e.Key, e.Reason)
}

// Remote is what a carrier held: the span context of the sender, its baggage
// and the waybill of the data. The zero Remote is that of an empty carrier. It
// is a value, keeps nothing of the carrier, and is safe for concurrent use.
type Remote struct {
	spanContext trace.SpanContext
	baggage     baggage.Baggage
	waybill     Waybill
	err         error
}

// SpanContext returns the span context of the sender. It is valid if and only
// if [Remote.Err] is nil, and then remote.
func (r Remote) SpanContext() trace.SpanContext { return r.spanContext }

// Baggage returns the baggage, empty when there was none or none was let pass.
func (r Remote) Baggage() baggage.Baggage { return r.baggage }

// Waybill returns the waybill, zero when there was none.
func (r Remote) Waybill() Waybill { return r.waybill }

// Err says why there is no span context: [ErrAbsent] or a [*MalformedError].
// It is nil when there is one. A malformed tracestate, baggage or waybill is
// left out, and is no error, as the W3C recommendations ask.
func (r Remote) Err() error {
	if r.err == nil && !r.spanContext.IsValid() {
		return ErrAbsent
	}
	return r.err
}

// Context returns ctx with the remote span context as the parent of the next
// span, and with the baggage and the waybill. It is ctx itself when the carrier
// held nothing, or a malformed trace context. Cancellation, deadline and values
// of ctx are kept.
func (r Remote) Context(ctx context.Context) context.Context { return r.in(orBackground(ctx)) }

// in is Context with a ctx that is not nil.
func (r *Remote) in(ctx context.Context) context.Context {
	if r.spanContext.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, r.spanContext)
	}
	return r.cargo(ctx)
}

// cargo returns ctx with the baggage and the waybill only.
func (r *Remote) cargo(ctx context.Context) context.Context {
	if r.baggage.Len() > 0 {
		ctx = baggage.ContextWithBaggage(ctx, r.baggage)
	}
	if !r.waybill.IsZero() {
		ctx = ContextWithWaybill(ctx, r.waybill)
	}
	return ctx
}

// Link returns a link to the remote span with the given attributes. Without a
// remote span the link is invalid, and tracers ignore it.
func (r Remote) Link(attributes ...attribute.KeyValue) trace.Link {
	return trace.Link{SpanContext: r.spanContext, Attributes: attributes}
}
