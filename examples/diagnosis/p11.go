// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
)

// The message for the retry topic gets the headers of the one that failed, and with
// them the context of its first hop.
func p11Fault(ctx context.Context, s *system, msg kafka.Message) error {
	ctx, span := s.worker.Start(ctx, "send orders.retry", producer, sends("orders.retry"))
	defer span.End()
	retry := kafka.Message{Topic: "orders.retry", Key: msg.Key, Value: msg.Value, Headers: msg.Headers}
	return s.write(ctx, retry)
}

// The context of this hop replaces that of the first one.
func p11Cure(ctx context.Context, s *system, msg kafka.Message) error {
	ctx, span := s.worker.Start(ctx, "send orders.retry", producer, sends("orders.retry"))
	defer span.End()
	retry := kafka.Message{Topic: "orders.retry", Key: msg.Key, Value: msg.Value, Headers: msg.Headers}
	kafkacarrier.Inject(ctx, &retry)
	return s.write(ctx, retry)
}
