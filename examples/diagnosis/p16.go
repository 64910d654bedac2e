// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/propagation"
)

// Orders are sent with the baggage, and invoices without: a topic gets none unless
// it is asked for.
func p16Fault(ctx context.Context, s *system) error {
	withTenant := kafkacarrier.WithPropagation(propagation.WithBaggage("tenant"))
	return s.sendBoth(ctx, s.writer(s.api, withTenant), s.writer(s.api))
}

// Both are sent with it.
func p16Cure(ctx context.Context, s *system) error {
	withTenant := kafkacarrier.WithPropagation(propagation.WithBaggage("tenant"))
	return s.sendBoth(ctx, s.writer(s.api, withTenant), s.writer(s.api, withTenant))
}

// sendBoth lets api send an order and an invoice for a tenant, and worker handle them.
// The processors of both show baggage as attributes.
func (s *system) sendBoth(ctx context.Context, orders, invoices *kafkacarrier.Writer) error {
	defer func() { _, _ = orders.Close(), invoices.Close() }()
	tenant, err := baggage.NewMember("tenant", "acme")
	if err != nil {
		return err
	}
	bag, err := baggage.New(tenant)
	if err != nil {
		return err
	}
	s.api.provider.RegisterSpanProcessor(baggageToSpans{})
	s.worker.provider.RegisterSpanProcessor(baggageToSpans{})
	request, span := s.api.Start(baggage.ContextWithBaggage(ctx, bag), "POST /orders", server)
	defer span.End()
	if err := orders.WriteMessages(request, order("orders", "book")); err != nil {
		return err
	}
	if err := invoices.WriteMessages(request, order("invoices", "book")); err != nil {
		return err
	}
	if err := s.work(ctx, "orders", 1); err != nil {
		return err
	}
	return s.work(ctx, "invoices", 1)
}

// baggageToSpans is a processor that sets the baggage of a context as attributes.
type baggageToSpans struct{}

// OnStart implements [sdktrace.SpanProcessor].
func (baggageToSpans) OnStart(ctx context.Context, span sdktrace.ReadWriteSpan) {
	for _, member := range baggage.FromContext(ctx).Members() {
		span.SetAttributes(attribute.String("baggage."+member.Key(), member.Value()))
	}
}

// OnEnd implements [sdktrace.SpanProcessor].
func (baggageToSpans) OnEnd(sdktrace.ReadOnlySpan) {}

// Shutdown implements [sdktrace.SpanProcessor].
func (baggageToSpans) Shutdown(context.Context) error { return nil }

// ForceFlush implements [sdktrace.SpanProcessor].
func (baggageToSpans) ForceFlush(context.Context) error { return nil }
