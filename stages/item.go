// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// Item is an item that was taken from a [Queue]. The zero value has no context.
type Item[T any] struct {
	// Value is the item that was put.
	Value T

	ctx context.Context //nolint:containedctx // It is how the context passes the queue.
	put time.Duration   // When it was put, by package clock; 0 if that is not measured.
}

// Context returns the context to handle the item with. It is ctx, with the values
// of the context that the item was put with: its waybill, its baggage and its
// attributes for logs. It is done when ctx is done. That the producer has returned,
// or its context is done, does not matter.
//
// If ctx has no span, the span that put the item is the current one. Each run of a
// stage that is started with the context, and not inside of another such run, has a
// link to that span, whether or not it is the parent. [FromContext] returns the run of
// ctx, and not the producer's. A nil ctx is treated as [context.Background].
func (i Item[T]) Context(ctx context.Context) context.Context {
	ctx = safe.Context(ctx)
	if i.ctx == nil {
		return ctx
	}
	return &itemContext{Context: ctx, item: context.WithoutCancel(i.ctx)}
}

// Remote returns the context that the item was put with for [Batch], which
// handles many items in one run.
func (i Item[T]) Remote() (remote propagation.Remote) {
	defer safe.Contain() // The context of the user.
	return propagation.RemoteFromContext(i.ctx)
}

// itemContext is a context with the values of an item over its own.
type itemContext struct {
	context.Context //nolint:containedctx // It is a context.

	item context.Context //nolint:containedctx // For its values.
}

type itemKey struct{}

// Value implements [context.Context].
func (c *itemContext) Value(key any) any {
	switch key.(type) {
	case itemKey:
		return c
	case callKey, observe.StageContextKey:
		return c.Context.Value(key)
	}
	value := c.item.Value(key)
	if value == nil {
		return c.Context.Value(key)
	}
	if _, ok := value.(trace.Span); ok {
		if own, ok := c.Context.Value(key).(trace.Span); ok && isValid(own) {
			return own // The span of the consumer stays the current one.
		}
	}
	return value
}

// isValid reports whether span has a valid context.
func isValid(span trace.Span) bool {
	defer safe.Contain()
	return span.SpanContext().IsValid()
}

// itemLink returns a link to the span that put the item that ctx belongs to. It
// reports false if there is none.
func itemLink(ctx context.Context) (link trace.Link, ok bool) {
	item, ok := ctx.Value(itemKey{}).(*itemContext)
	if !ok {
		return trace.Link{}, false
	}
	link.SpanContext = trace.SpanContextFromContext(item.item)
	return link, link.SpanContext.IsValid()
}
