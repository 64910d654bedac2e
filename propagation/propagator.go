// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import "go.opentelemetry.io/otel/propagation"

// The names a user's file needs beside ours, so that it imports one package
// called propagation.
type (
	// TextMapPropagator is OpenTelemetry's propagator interface.
	TextMapPropagator = propagation.TextMapPropagator
	// TextMapCarrier is OpenTelemetry's carrier interface.
	TextMapCarrier = propagation.TextMapCarrier
	// TraceContext is OpenTelemetry's W3C Trace Context propagator.
	TraceContext = propagation.TraceContext
	// Baggage is OpenTelemetry's W3C Baggage propagator.
	Baggage = propagation.Baggage
)

// Default returns the propagator that is used if the global one was never set:
// W3C Trace Context, W3C Baggage and the [Waybill].
//
// Install it with otel.SetTextMapPropagator so that other instrumentation, such as
// that of HTTP servers and clients, propagates the waybill too.
func Default() TextMapPropagator {
	return Compose(TraceContext{}, Baggage{}, WaybillPropagator{})
}

// Compose returns a propagator that applies all of propagators in order. Nil
// propagators are ignored.
func Compose(propagators ...TextMapPropagator) TextMapPropagator {
	var parts []TextMapPropagator
	for _, p := range propagators {
		if p != nil {
			parts = append(parts, p)
		}
	}
	return propagation.NewCompositeTextMapPropagator(parts...)
}
