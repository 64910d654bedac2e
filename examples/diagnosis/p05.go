// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net/http"
)

// A gateway between the services keeps the last 64 bits of trace ids, as tracers did
// before ids had 128.
func p05Fault(ctx context.Context, s *system) error {
	return s.callThrough(ctx, func(h http.Header) {
		id := h.Get("X-B3-TraceId")
		h.Set("X-B3-TraceId", id[len(id)-16:])
	})
}

// The gateway keeps all of them.
func p05Cure(ctx context.Context, s *system) error {
	return s.callThrough(ctx, func(http.Header) {})
}
