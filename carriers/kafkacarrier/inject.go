// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/propagation"
)

// Inject writes the trace context of ctx to the headers of msg, replacing any
// context already present, in whatever format. Other headers keep their order
// and their bytes. The keys are spelled as the propagator spells them.
//
// If ctx has no valid span, Inject writes no trace context; a waybill and allowed
// baggage are written all the same, unless msg carries a context. Baggage is not
// written unless selected by [propagation.WithBaggage], because a topic retains
// what is written to it. If msg is nil, Inject is a no-op.
//
// Inject does not write to the slice of headers that msg arrived with, so
// messages that share one stay independent. It allocates at most twice.
func Inject(ctx context.Context, msg *kafka.Message, opts ...propagation.Option) {
	if msg == nil {
		return
	}
	var e encoded
	var room [8]propagation.Option // Without an allocation for the options of each call.
	e.encode(ctx, append(append(room[:0], withoutBaggage), opts...))
	if kept, _ := e.kept(msg.Headers); !e.leaves(msg, kept, opts) {
		e.write(msg, kept)
	}
}

// InjectAll is [Inject] for messages that are sent together with one context. It
// allocates at most twice for all of them. The messages share the bytes of the
// values, which must not be modified.
func InjectAll(ctx context.Context, msgs []kafka.Message, opts ...propagation.Option) {
	var e encoded
	var room [8]propagation.Option // Without an allocation for the options of each call.
	e.encode(ctx, append(append(room[:0], withoutBaggage), opts...))
	if e.fields.IsEmpty() {
		return
	}
	headers := 0
	for i := range msgs {
		headers += len(msgs[i].Headers) + e.headers
	}
	s := space{headers: make([]kafka.Header, 0, headers), values: make([]byte, 0, e.values)}
	values := e.appendValues(&s)
	var written []kafka.Header
	for i := range msgs {
		if kept, _ := e.kept(msgs[i].Headers); !e.leaves(&msgs[i], kept, opts) {
			written = e.writeTo(&msgs[i], kept, &s, values, written)
		}
	}
}

// Extract and Read are not inlined, because then the options of each call would be
// allocated.

// Extract returns ctx with the context that msg carries: the remote span as the
// parent of the next one, the baggage, the waybill, and what else the propagator
// extracts. It returns ctx itself if msg carries none, and keeps the deadline,
// the cancellation and the values of ctx.
//
// Extract never fails; a malformed context is treated as absent, as is any
// context if the propagator panics.
//
//go:noinline
func Extract(ctx context.Context, msg kafka.Message, opts ...propagation.Option) context.Context {
	return propagation.Extract(ctx, msg.Headers, getter{}, opts...)
}

// Read returns the context that msg carries, to be used as a parent or a link, or
// to be inspected. Read never fails; see [propagation.Remote.Err].
//
//go:noinline
func Read(msg kafka.Message, opts ...propagation.Option) propagation.Remote {
	return propagation.Read(msg.Headers, getter{}, opts...)
}
