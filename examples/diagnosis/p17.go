// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

// The helper ends the span that it has started, so that what its caller does under it
// comes late.
func p17Fault(ctx context.Context, s *system) error {
	begin := func(ctx context.Context, name string) context.Context {
		ctx, span := s.api.Start(ctx, name)
		defer span.End()
		return ctx
	}
	ctx = begin(ctx, "place order")
	return s.sendOneByOne(ctx, "book", "pen")
}

// The caller ends the span.
func p17Cure(ctx context.Context, s *system) error {
	begin := func(ctx context.Context, name string) (context.Context, trace.Span) {
		return s.api.Start(ctx, name)
	}
	ctx, span := begin(ctx, "place order")
	defer span.End()
	return s.sendOneByOne(ctx, "book", "pen")
}
