// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"go.opentelemetry.io/otel"

	"github.com/waybill-go/waybill/propagation"
)

// The services use otelhttp, which uses the global propagator. Nobody has set one, and
// the default writes and reads nothing.
func p07Fault(ctx context.Context, s *system) error {
	return s.call(ctx)
}

// The propagator is set when the services start.
func p07Cure(ctx context.Context, s *system) error {
	otel.SetTextMapPropagator(propagation.Default())
	return s.call(ctx)
}
