// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/twmb/franz-go/plugin/kotel"

	"github.com/waybill-go/waybill/propagation"
)

// The instrumentation of franz-go uses the global propagator, which nobody has set: it
// records its spans and writes no header.
func p02Fault(ctx context.Context, s *system) error {
	tracer := kotel.NewTracer(kotel.TracerProvider(s.api.provider))
	return s.produce(ctx, tracer)
}

// The instrumentation has a propagator.
func p02Cure(ctx context.Context, s *system) error {
	tracer := kotel.NewTracer(kotel.TracerProvider(s.api.provider), kotel.TracerPropagator(propagation.Default()))
	return s.produce(ctx, tracer)
}
