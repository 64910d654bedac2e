// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// The second replica of api exports to the collector of another environment, which does
// not answer.
func p04Fault(ctx context.Context, s *system) error {
	other := sdktrace.WithBatcher(exporterTo("http://127.0.0.1:1"))
	return s.scaleOut(ctx, s.start("api", other))
}

// Both export to the same collector.
func p04Cure(ctx context.Context, s *system) error {
	same := sdktrace.WithBatcher(exporterTo(s.endpoint))
	return s.scaleOut(ctx, s.start("api", same))
}

// scaleOut lets two replicas of api send an order each.
func (s *system) scaleOut(ctx context.Context, replica *service) error {
	if err := s.sendOrders(ctx, s.api, "book"); err != nil {
		return err
	}
	if err := s.sendOrders(ctx, replica, "pen"); err != nil {
		return err
	}
	return s.work(ctx, "orders", 2)
}
