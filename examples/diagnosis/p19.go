// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "context"

// The message is sent with a context of its own, so that it is sent even if the client
// has gone. That context has no span.
func p19Fault(ctx context.Context, s *system) error {
	w := s.writer(s.api)
	defer w.Close()
	return w.WriteMessages(context.Background(), order("orders", "book"))
}

// WithoutCancel keeps the span.
func p19Cure(ctx context.Context, s *system) error {
	w := s.writer(s.api)
	defer w.Close()
	return w.WriteMessages(context.WithoutCancel(ctx), order("orders", "book"))
}
