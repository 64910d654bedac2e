// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
)

// The loop keeps the context of the message that it has handled, so that the span of
// the next message is its child.
func p24Fault(ctx context.Context, s *system, msgs []kafka.Message) error {
	consumer := kafkacarrier.NewConsumer(kafkacarrier.WithTracerProvider(s.worker.provider))
	for _, msg := range msgs {
		var end func(error)
		ctx, end = consumer.Start(ctx, msg)
		end(s.store(ctx, msg))
	}
	return nil
}

// Each message has a context of its own.
func p24Cure(ctx context.Context, s *system, msgs []kafka.Message) error {
	consumer := kafkacarrier.NewConsumer(kafkacarrier.WithTracerProvider(s.worker.provider))
	for _, msg := range msgs {
		msgCtx, end := consumer.Start(ctx, msg)
		end(s.store(msgCtx, msg))
	}
	return nil
}
