// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
)

// The span of a batch continues its first message; the others end at their senders.
func p12Fault(ctx context.Context, s *system, msgs []kafka.Message) error {
	ctx = kafkacarrier.Extract(ctx, msgs[0])
	ctx, span := s.worker.Start(ctx, "process orders", consumer, processes(msgs[0]),
		trace.WithAttributes(attribute.Int("messaging.batch.message_count", len(msgs))))
	defer span.End()
	return s.store(ctx, msgs...)
}

// ProcessBatch links each message.
func p12Cure(ctx context.Context, s *system, msgs []kafka.Message) error {
	consumer := kafkacarrier.NewConsumer(kafkacarrier.WithTracerProvider(s.worker.provider))
	return consumer.ProcessBatch(ctx, msgs, func(ctx context.Context) error {
		return s.store(ctx, msgs...)
	})
}
