// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// The worker samples one in ten by its own decision, whatever the sender has decided.
func p15Fault(ctx context.Context, s *system) error {
	s.worker = s.service("worker", sdktrace.WithSampler(sdktrace.TraceIDRatioBased(0.1)))
	return s.sendAndWork(ctx)
}

// The ratio is for flows that begin here; the others follow their parent.
func p15Cure(ctx context.Context, s *system) error {
	s.worker = s.service("worker", sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.1))))
	return s.sendAndWork(ctx)
}
