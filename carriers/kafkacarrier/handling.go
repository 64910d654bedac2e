// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/trace"
)

// handling is the context of a handler. It remembers which context each message
// came with that the handler forwards: a Writer links that one, rather than the
// span of the handler, which the forwarded message carries.
type handling struct {
	context.Context //nolint:containedctx // it is a context.

	mu        sync.Mutex
	forwarded map[Source]trace.SpanContext
}

type handlingKey struct{}

// Value implements [context.Context].
func (h *handling) Value(key any) any {
	if key == (handlingKey{}) {
		return h
	}
	return h.Context.Value(key)
}

// isHandling reports whether ctx is that of a handler.
func isHandling(ctx context.Context) bool {
	_, ok := ctx.Value(handlingKey{}).(*handling)
	return ok
}

// maxForwarded is how many messages a handler is expected to forward.
const maxForwarded = 4096

// noteForwarded remembers, if ctx is that of a handler, that a message is
// forwarded which came with sc.
func noteForwarded(ctx context.Context, s Source, sc trace.SpanContext) {
	h, ok := ctx.Value(handlingKey{}).(*handling)
	if !ok || !sc.IsValid() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.forwarded == nil {
		h.forwarded = make(map[Source]trace.SpanContext)
	}
	if len(h.forwarded) < maxForwarded {
		h.forwarded[s] = sc
	}
}

// creationOf returns the context that a message came with which the handler of
// ctx forwards.
func creationOf(ctx context.Context, s Source) trace.SpanContext {
	h, ok := ctx.Value(handlingKey{}).(*handling)
	if !ok {
		return trace.SpanContext{}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.forwarded[s]
}
