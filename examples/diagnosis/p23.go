// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/twmb/franz-go/plugin/kotel"

	"github.com/waybill-go/waybill/propagation"
)

// The client got an instrumentation, and the span that the team had made by hand
// before is still there.
func p23Fault(ctx context.Context, s *system) error {
	ctx, span := s.api.Start(ctx, "send orders", producer, sends("orders"))
	defer span.End()
	return s.produce(ctx, s.kotel())
}

// The instrumentation makes the only span.
func p23Cure(ctx context.Context, s *system) error {
	return s.produce(ctx, s.kotel())
}

// kotel returns the instrumentation of franz-go.
func (s *system) kotel() *kotel.Tracer {
	return kotel.NewTracer(kotel.TracerProvider(s.api.provider), kotel.TracerPropagator(propagation.Default()))
}
