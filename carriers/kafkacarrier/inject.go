// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/propagation"
)

// Inject puts the context of ctx on msg: exactly one, in lower-case headers, in
// the place of any that is there, in this format or another. Other headers keep
// their order and their bytes.
//
// The slice of headers that msg arrived with is not written to, so messages
// that share one stay independent. Without a valid span in ctx nothing changes,
// unless [WithPolicy] says so. Baggage stays behind unless [WithBaggage] names
// it, because a topic keeps what is written to it. A nil msg takes nothing.
//
// It allocates at most twice: the slice of headers and the bytes of the values,
// which are one where a traceparent joins few headers.
func Inject(ctx context.Context, msg *kafka.Message, opts ...Option) {
	if msg == nil {
		return
	}
	s, _ := stamps.Get().(*stamp)
	if len(opts) == 0 {
		s.take(ctx, msg.Headers, outboundByDefault[:])
	} else {
		cfg := newConfig(opts)
		s.take(ctx, msg.Headers, cfg.outbound[:cfg.outbounds])
	}
	s.apply(msg)
	stamps.Put(s)
}

// InjectAll is [Inject] for messages that leave together with one context; it
// allocates twice for all of them. They share the bytes of the values, which
// must not be written to.
func InjectAll(ctx context.Context, msgs []kafka.Message, opts ...Option) {
	cfg := newConfig(opts)
	if cfg.keepsExisting() {
		for i := range msgs {
			Inject(ctx, &msgs[i], opts...)
		}
		return
	}
	s, _ := stamps.Get().(*stamp)
	s.take(ctx, nil, cfg.outbound[:cfg.outbounds])
	s.applyAll(msgs)
	stamps.Put(s)
}

// Extract returns ctx with the context that msg carries, or ctx itself. It
// keeps the deadline, the cancellation and the values of ctx. It never fails:
// what is malformed counts as absent, and so does all if the propagator panics.
func Extract(ctx context.Context, msg kafka.Message, opts ...Option) (extracted context.Context) {
	defer func() {
		if recover() != nil {
			extracted = ctx //nolint:fatcontext // handed back, not nested.
		}
	}()
	if len(opts) == 0 {
		return propagation.Extract(ctx, msg.Headers, getter{})
	}
	cfg := newConfig(opts)
	return propagation.Extract(ctx, msg.Headers, getter{}, cfg.inbound[:cfg.inbounds]...)
}

// Read returns the context that msg carries, to be used as a parent or a link,
// or to be looked at. It uses the global propagator; for another one there is
// propagation.ReadTextMap(New(&msg), opts...).
func Read(msg kafka.Message) propagation.Remote {
	return propagation.Read(msg.Headers, getter{})
}

// getter reads headers without a [Carrier], which would be an allocation.
type getter struct{}

func (getter) Get(headers []kafka.Header, key string) string      { return string(lookup(headers, key)) }
func (getter) GetBytes(headers []kafka.Header, key string) []byte { return lookup(headers, key) }
func (getter) Values(headers []kafka.Header, key string) []string { return valuesOf(headers, key) }
func (getter) Keys(headers []kafka.Header) []string               { return keysOf(headers) }
