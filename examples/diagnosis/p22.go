// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// The ids of all replicas come from a generator with one seed, as in a test that wants
// the same ids in each run.
func p22Fault(ctx context.Context, s *system) error {
	return s.scaleOutTo(ctx, newIDs("seed"), newIDs("seed"))
}

// The ids of each replica are random.
func p22Cure(ctx context.Context, s *system) error {
	return s.scaleOutTo(ctx, newIDs("api-1"), newIDs("api-2"))
}

// scaleOutTo lets two replicas of api send an order each.
func (s *system) scaleOutTo(ctx context.Context, generators ...sdktrace.IDGenerator) error {
	for _, generator := range generators {
		replica := s.service("api", sdktrace.WithIDGenerator(generator))
		if err := s.sendOrders(ctx, replica, "book"); err != nil {
			return err
		}
	}
	return s.work(ctx, "orders", len(generators))
}
