// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"context"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
)

type untrustedKey struct{}

// IsUntrusted reports whether ctx was made by [Start] with [WithUntrusted], or
// from such a ctx. Code that writes data on must not continue a context that it
// finds on the data handled in ctx.
func IsUntrusted(ctx context.Context) bool {
	return ctx != nil && ctx.Value(untrustedKey{}) != nil
}

// untrusted returns ctx, marked, without what comes from remotes. If extracted,
// its remote span does too: a tracer that records nothing would pass it on.
func untrusted(ctx context.Context, remotes []Remote, extracted bool) context.Context { //nolint:revive // extracted is a fact of ctx.
	if extracted {
		ctx = trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	}
	for i := range remotes {
		ctx = remotes[i].hiddenIn(ctx) //nolint:fatcontext // only for what is found in it.
	}
	if IsUntrusted(ctx) {
		return ctx
	}
	return context.WithValue(ctx, untrustedKey{}, true)
}

// hiddenIn returns ctx without what r put there.
func (r *Remote) hiddenIn(ctx context.Context) context.Context {
	if r.extracted != nil {
		if above, ok := ctx.Value(extractionKey{}).(*extractedContext); ok && above.extraction == r.extracted {
			ctx = &hidingContext{Context: ctx, hidden: above}
		}
	}
	if !r.waybill.IsZero() && WaybillFromContext(ctx) == r.waybill {
		ctx = ContextWithWaybill(ctx, Waybill{})
	}
	if kept, changed := withoutMembers(baggage.FromContext(ctx), r.baggage); changed {
		ctx = baggage.ContextWithBaggage(ctx, kept)
	}
	return ctx
}

// withoutMembers returns b without the members that theirs has with the same
// value, and reports whether there were any.
func withoutMembers(b, theirs baggage.Baggage) (kept baggage.Baggage, changed bool) {
	kept = b
	for _, member := range theirs.Members() {
		if own := b.Member(member.Key()); own.Key() != "" && own.Value() == member.Value() {
			kept, changed = kept.DeleteMember(member.Key()), true
		}
	}
	return kept, changed
}

// hidingContext is a context without the values of an extraction.
type hidingContext struct {
	context.Context //nolint:containedctx // it is a context.

	hidden *extractedContext
}

func (c *hidingContext) Value(key any) any {
	if key == (extractionKey{}) {
		return c.hidden.Context.Value(key)
	}
	value := c.Context.Value(key)
	if theirs := c.hidden.extraction.ctx.Value(key); theirs != nil && sameValue(value, theirs) {
		return c.hidden.Context.Value(key)
	}
	return value
}

// sameValue reports whether a and b are equal, or cannot be compared.
func sameValue(a, b any) (same bool) {
	defer func() {
		if recover() != nil {
			same = true
		}
	}()
	return a == b
}
