// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "context"

// api sends to the new topic, and worker still reads the old one.
func p21Fault(ctx context.Context, s *system) error {
	return s.sendTo(ctx, "orders.v2")
}

// Both use the same.
func p21Cure(ctx context.Context, s *system) error {
	if err := s.sendTo(ctx, "orders"); err != nil {
		return err
	}
	return s.work(ctx, "orders", 1)
}

// sendTo lets api send an order to a topic.
func (s *system) sendTo(ctx context.Context, topic string) error {
	ctx, span := s.api.Start(ctx, "POST /orders", server)
	defer span.End()
	w := s.writer(s.api)
	defer w.Close()
	return w.WriteMessages(ctx, order(topic, "book"))
}
