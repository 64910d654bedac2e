// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/observe"
)

// handling is the context of a handler. It holds the message that is handled, and
// remembers which context each message came with that the handler forwards: who
// sends it on links that one, rather than the span of the handler, which the
// forwarded message carries.
type handling struct {
	context.Context //nolint:containedctx // it is a context.

	message   observe.Message
	mu        sync.Mutex
	forwarded map[any]trace.SpanContext
}

type handlingKey struct{}

// Value implements [context.Context].
func (h *handling) Value(key any) any {
	switch key.(type) {
	case handlingKey:
		return h
	case observe.MessageContextKey:
		return &h.message
	default:
		return h.Context.Value(key)
	}
}

func handlingOf(ctx context.Context) *handling {
	h, _ := ctx.Value(handlingKey{}).(*handling)
	return h
}

// IsHandling reports whether ctx is the context of a handler, made by [Recorder.Begin].
func IsHandling(ctx context.Context) bool { return handlingOf(ctx) != nil }

// maxForwarded is how many messages a handler is expected to forward.
const maxForwarded = 4096

// NoteForwarded remembers, if ctx is the context of a handler, that it forwards a message
// which came with sc. The key identifies the message.
func NoteForwarded(ctx context.Context, key any, sc trace.SpanContext) {
	h := handlingOf(ctx)
	if h == nil || !sc.IsValid() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.forwarded == nil {
		h.forwarded = make(map[any]trace.SpanContext)
	}
	if len(h.forwarded) < maxForwarded {
		h.forwarded[key] = sc
	}
}

// CreationOf returns the context that a message came with which the handler of
// ctx forwards.
func CreationOf(ctx context.Context, key any) trace.SpanContext {
	h := handlingOf(ctx)
	if h == nil {
		return trace.SpanContext{}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.forwarded[key]
}
