// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
)

var errSoldOut = errors.New("sold out")

// The span ends on one of two paths.
func p20Fault(ctx context.Context, s *system) error {
	ctx, span := s.api.Start(ctx, "reserve")
	if err := s.reserve(ctx); err != nil {
		return err
	}
	span.End()
	return nil
}

// The span ends on each path.
func p20Cure(ctx context.Context, s *system) error {
	ctx, span := s.api.Start(ctx, "reserve")
	defer span.End()
	return s.reserve(ctx)
}
