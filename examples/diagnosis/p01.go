// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
)

// The span of the handler starts from the context of the loop, so that it starts a new
// trace.
func p01Fault(ctx context.Context, s *system, msg kafka.Message) error {
	ctx, span := s.worker.Start(ctx, "process orders", consumer, processes(msg))
	defer span.End()
	return s.store(ctx, msg)
}

// The context of the message is extracted first.
func p01Cure(ctx context.Context, s *system, msg kafka.Message) error {
	ctx = kafkacarrier.Extract(ctx, msg)
	ctx, span := s.worker.Start(ctx, "process orders", consumer, processes(msg))
	defer span.End()
	return s.store(ctx, msg)
}
