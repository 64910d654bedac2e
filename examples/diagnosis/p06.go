// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
)

// The message has a time limit of its own, and a context without the span.
func p06Fault(ctx context.Context, s *system) error {
	_, span := s.api.Start(ctx, "send orders", producer, sends("orders"))
	defer span.End()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	msg := order("orders", "book")
	kafkacarrier.Inject(ctx, &msg)
	return s.write(ctx, msg)
}

// The time limit is set on the context of the span.
func p06Cure(ctx context.Context, s *system) error {
	ctx, span := s.api.Start(ctx, "send orders", producer, sends("orders"))
	defer span.End()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	msg := order("orders", "book")
	kafkacarrier.Inject(ctx, &msg)
	return s.write(ctx, msg)
}
