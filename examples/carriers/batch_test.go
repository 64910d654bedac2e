// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/propagation"
)

// processOne handles msg in a span of the trace that it belongs to.
func processOne(ctx context.Context, tracer trace.Tracer, msg *nats.Msg, handle func(context.Context)) {
	ctx = ExtractNATS(ctx, msg.Header)
	ctx, span := tracer.Start(ctx, "process quake", trace.WithSpanKind(trace.SpanKindConsumer))
	defer span.End()
	handle(ctx)
}

// processBatch handles msgs in one span, which is linked to each of theirs.
func processBatch(ctx context.Context, tracer trace.Tracer, msgs []*nats.Msg, handle func(context.Context)) {
	remotes := make([]propagation.Remote, len(msgs))
	for i, msg := range msgs {
		remotes[i] = propagation.ReadTextMap(carriers.MultiMap(msg.Header))
	}
	ctx, span := propagation.Start(ctx, tracer, "process quakes", remotes)
	defer span.End()
	handle(ctx)
}

func TestMessagesAreOneFlowAloneAndInABatch(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	producer, consumer := f.Service("producer").Tracer("test"), f.Service("consumer").Tracer("test")
	var msgs []*nats.Msg
	for range 3 {
		ctx, send := inSpan(t, producer)
		msg := nats.NewMsg("quakes")
		InjectNATS(ctx, msg)
		send.End()
		msgs = append(msgs, msg)
	}
	handled := 0
	handle := func(context.Context) { handled++ }
	processOne(t.Context(), consumer, msgs[0], handle)
	processBatch(t.Context(), consumer, msgs, handle)
	if handled != 2 {
		t.Errorf("%d calls, want 2", handled)
	}

	fl := f.Wait(5 * time.Second)
	fl.RequireConnected()
	fl.Span("process quake").Remote().ChildOf("producer send")
	fl.Span("process quakes").LinkedTo("producer send")
	if links := len(fl.Span("process quakes").Stub().Links); links != 3 {
		t.Errorf("the batch has %d links", links)
	}
}
