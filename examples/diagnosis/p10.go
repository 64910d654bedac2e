// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
)

// The context of the message is extracted, and the span starts from the other one.
func p10Fault(ctx context.Context, s *system, msg kafka.Message) error {
	msgCtx := kafkacarrier.Extract(ctx, msg)
	_, span := s.worker.Start(ctx, "process orders", consumer, processes(msg), offset(msg))
	defer span.End()
	return validate(msgCtx, msg)
}

// The span starts from the context that Extract has returned.
func p10Cure(ctx context.Context, s *system, msg kafka.Message) error {
	msgCtx := kafkacarrier.Extract(ctx, msg)
	msgCtx, span := s.worker.Start(msgCtx, "process orders", consumer, processes(msg), offset(msg))
	defer span.End()
	return validate(msgCtx, msg)
}

// validate checks an order.
func validate(ctx context.Context, _ kafka.Message) error { return ctx.Err() }
