// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/contrib/propagators/b3"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/propagation"
)

// The sender speaks B3, and the receiver reads W3C Trace Context only.
func p09Fault(ctx context.Context, s *system, msg kafka.Message) error {
	consumer := kafkacarrier.NewConsumer(kafkacarrier.WithTracerProvider(s.worker.provider))
	return consumer.Process(ctx, msg, func(ctx context.Context) error { return s.store(ctx, msg) })
}

// The receiver reads both.
func p09Cure(ctx context.Context, s *system, msg kafka.Message) error {
	both := propagation.WithPropagator(propagation.Compose(propagation.Default(), b3.New()))
	consumer := kafkacarrier.NewConsumer(kafkacarrier.WithTracerProvider(s.worker.provider), kafkacarrier.WithPropagation(both))
	return consumer.Process(ctx, msg, func(ctx context.Context) error { return s.store(ctx, msg) })
}
