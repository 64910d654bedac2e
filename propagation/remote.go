// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
)

// ErrAbsent is returned when a carrier holds no trace context, or no waybill.
var ErrAbsent = errors.New("the carrier holds no trace context")

// ErrImplausible is returned when a waybill holds a time that is not believed.
var ErrImplausible = errors.New("the waybill holds a time that is not plausible")

// MalformedError reports a value that is not a valid trace context, or not a
// valid waybill.
type MalformedError struct {
	Key    string // The key on the carrier, such as "traceparent".
	Reason string // Why the value was refused; never the value itself.
}

// Error returns the key that is malformed and the reason.
func (e *MalformedError) Error() string {
	return fmt.Sprintf("malformed %s: %s", e.Key, e.Reason)
}

// Remote is what a carrier held: the span context of the sender, its baggage,
// the waybill of the data, and other values the propagator extracted. The zero
// Remote describes an empty carrier.
//
// Remote is a value, retains no memory of the carrier, and is safe for
// concurrent use.
type Remote struct {
	spanContext trace.SpanContext
	baggage     baggage.Baggage
	waybill     Waybill
	err         error
	maxAge      time.Duration // of the waybill; 0 means the default.

	// extracted is all that foreign propagators extracted, and nil if there is
	// none.
	extracted *extraction

	noted *note // How the carrier was read, if a journal is asked for.
}

// SpanContext returns the span context of the sender. It is valid if and only
// if [Remote.Err] returns nil, and then remote.
func (r Remote) SpanContext() trace.SpanContext { return r.spanContext }

// Baggage returns the baggage, which is empty if there was none or it was
// filtered out.
func (r Remote) Baggage() baggage.Baggage { return r.baggage }

// Waybill returns the waybill, which is zero if there was none.
func (r Remote) Waybill() Waybill { return r.waybill }

// Err returns nil if there is a span context, and otherwise [ErrAbsent] or a
// [*MalformedError]. A malformed tracestate, baggage, or waybill is ignored
// rather than reported, as the W3C specifications require.
func (r Remote) Err() error {
	if r.err == nil && !r.spanContext.IsValid() {
		return ErrAbsent
	}
	return r.err
}

// IsEmpty reports whether there is nothing to continue: the carrier held neither
// a span context nor baggage, a waybill or another value, or a malformed trace
// context.
func (r Remote) IsEmpty() bool {
	return r.extracted == nil && r.waybill.IsZero() && !r.spanContext.IsValid() && r.baggage.Len() == 0
}

// Conflict reports whether the carrier held different trace contexts in several
// formats. One of them was read: see [Indexer].
func (r Remote) Conflict() bool { return r.extracted != nil && r.extracted.conflict }

// Context returns ctx with everything that was extracted: the remote span
// context as the parent of the next span, the baggage, the waybill, and the
// values of other propagators. It returns ctx itself if the carrier held
// nothing, or a malformed trace context. Cancellation, deadline and other values
// of ctx are kept.
func (r Remote) Context(ctx context.Context) context.Context {
	if r.noted != nil {
		journalOf(ctx).adopt(r.noted)
	}
	return r.in(orBackground(ctx))
}

// in is Context with a ctx that is not nil.
func (r *Remote) in(ctx context.Context) context.Context {
	ctx = r.companions(ctx)
	if r.extracted == nil && r.spanContext.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, r.spanContext)
	}
	return ctx
}

// beside returns ctx with everything but the span context.
func (r *Remote) beside(ctx context.Context) context.Context {
	with := r.companions(ctx)
	if r.extracted != nil && spanContext(r.extracted.ctx).IsValid() {
		return trace.ContextWithSpan(with, trace.SpanFromContext(ctx))
	}
	return with
}

// companions returns ctx with everything that was extracted, of which the span
// context may be part.
func (r *Remote) companions(ctx context.Context) context.Context {
	if r.extracted != nil {
		with := context.Context(&extractedContext{Context: ctx, extraction: r.extracted})
		if own := baggage.FromContext(ctx); r.baggage.Len() == 0 && own.Len() > 0 {
			return baggage.ContextWithBaggage(with, own) // What was extracted was filtered out.
		}
		return with
	}
	if r.baggage.Len() > 0 {
		ctx = baggage.ContextWithBaggage(ctx, r.baggage)
	}
	if !r.waybill.IsZero() {
		ctx = ContextWithWaybill(ctx, r.waybill)
	}
	return ctx
}

// Link returns a link to the remote span with the given attributes. If there is
// no remote span, the link is invalid, and tracers ignore it.
func (r Remote) Link(attributes ...attribute.KeyValue) trace.Link {
	return trace.Link{SpanContext: r.spanContext, Attributes: attributes}
}

// Unsent returns r as read from a carrier that was written and has not been sent
// yet, such as a message that waits for its producer. Its waybill counts one hop
// less, so that writing the carrier again does not count the same hop twice.
func (r Remote) Unsent() Remote {
	r.waybill = r.waybill.unsent()
	if r.extracted != nil && !r.waybill.IsZero() {
		r.extracted = &extraction{ContextWithWaybill(r.extracted.ctx, r.waybill), r.extracted.conflict}
	}
	return r
}

// Latency is how long data took until it was received.
type Latency struct {
	Hop   time.Duration // since it was last sent.
	Total time.Duration // since it entered the flow.
	// Skewed reports whether a time is ahead of the receiver's clock; its
	// duration is then 0.
	Skewed bool
}

const (
	defaultMaxAge = 365 * 24 * time.Hour
	noMaxAge      = time.Duration(1<<63 - 1)
	maxSkew       = 24 * time.Hour
)

// Latency returns how long data that is received at now took. The error is
// [ErrAbsent] if the carrier held no waybill. It is [ErrImplausible] if data
// entered the flow longer ago than [WithMaxWaybillAge], or a time is more than a
// day ahead: a single such value would move an average far.
func (r Remote) Latency(now time.Time) (Latency, error) {
	if r.waybill.IsZero() {
		return Latency{}, ErrAbsent
	}
	maxAge := r.maxAge
	if maxAge == 0 {
		maxAge = defaultMaxAge
	}
	hop, total := now.Sub(r.waybill.Sent), now.Sub(r.waybill.Origin)
	if maxAge != noMaxAge && max(hop, total) > maxAge || min(hop, total) < -maxSkew {
		return Latency{}, ErrImplausible
	}
	return Latency{Hop: max(hop, 0), Total: max(total, 0), Skewed: min(hop, total) < 0}, nil
}

// extraction is what propagators extracted from one carrier, in a context of
// their own. Its address identifies it.
type extraction struct {
	ctx      context.Context //nolint:containedctx // the values of it are what was extracted.
	conflict bool            // Reports whether another trace context was found.
}

// extractedContext is a context with the values of an extraction over its own.
type extractedContext struct {
	context.Context //nolint:containedctx // it is a context.

	extraction *extraction
}

type extractionKey struct{}

func (c *extractedContext) Value(key any) any {
	if key == (extractionKey{}) {
		return c
	}
	if value := c.extraction.ctx.Value(key); value != nil {
		return value
	}
	return c.Context.Value(key)
}
