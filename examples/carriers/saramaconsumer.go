// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"

	"github.com/IBM/sarama"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// ProcessSarama calls handle in a span that continues the trace of msg.
func ProcessSarama(ctx context.Context, tracer trace.Tracer, msg *sarama.ConsumerMessage, handle func(context.Context) error) error {
	var headers []sarama.RecordHeader // A received message has pointers.
	for _, h := range msg.Headers {
		headers = append(headers, *h)
	}
	remotes := []propagation.Remote{propagation.Read(&headers, saramaHeaders{})}
	ctx, span := propagation.Start(ctx, tracer, "process "+msg.Topic, remotes,
		propagation.WithSpanOptions(trace.WithSpanKind(trace.SpanKindConsumer)))
	defer span.End()
	return handle(ctx)
}
