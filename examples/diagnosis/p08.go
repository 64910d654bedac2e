// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/waybill-go/waybill/propagation"
)

// The context is kept in a column of 50 characters, and a traceparent has 55.
func p08Fault(ctx context.Context, s *system) error {
	ctx, span := s.api.Start(ctx, "send orders", producer, sends("orders"))
	defer span.End()
	table := outbox{column: 50}
	table.insert("book", propagation.Map(ctx))
	return s.relay(ctx, table)
}

// The column is long enough.
func p08Cure(ctx context.Context, s *system) error {
	ctx, span := s.api.Start(ctx, "send orders", producer, sends("orders"))
	defer span.End()
	table := outbox{column: 255}
	table.insert("book", propagation.Map(ctx))
	return s.relay(ctx, table)
}

// outbox is a table of a database that cuts texts which are too long, as MySQL does when
// it is not strict.
type outbox struct {
	column  int
	order   string
	context map[string]string
}

func (o *outbox) insert(order string, fields map[string]string) {
	o.order, o.context = order, make(map[string]string)
	for key, value := range fields {
		o.context[key] = value[:min(len(value), o.column)]
	}
}
