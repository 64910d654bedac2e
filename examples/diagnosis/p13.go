// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
)

// One span sends all messages and is the parent of all that handle them, so that a
// trace grows with the import.
func p13Fault(ctx context.Context, s *system) error {
	ctx, span := s.api.Start(ctx, "send orders", producer, sends("orders"))
	defer span.End()
	msgs := importedOrders()
	for i := range msgs {
		kafkacarrier.Inject(ctx, &msgs[i])
	}
	return s.write(ctx, msgs...)
}

// The Writer gives each message a span of its own.
func p13Cure(ctx context.Context, s *system) error {
	w := s.writer(s.api)
	defer w.Close()
	return w.WriteMessages(ctx, importedOrders()...)
}

// imported is the number of orders that are sent at once.
const imported = 60

func importedOrders() []kafka.Message {
	msgs := make([]kafka.Message, imported)
	for i := range msgs {
		msgs[i] = order("orders", "book")
	}
	return msgs
}
