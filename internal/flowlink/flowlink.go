// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package flowlink names for a sampler the link of a new root to the data that
// entered the flow first. It imports the OpenTelemetry API only.
package flowlink

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

type earliestKey struct{}

// ContextWithEarliest returns ctx for starting a new root of several links, of
// which the one to sc is the earliest. It is needed only if that is not the
// first link.
func ContextWithEarliest(ctx context.Context, sc trace.SpanContext) context.Context {
	return context.WithValue(ctx, earliestKey{}, sc)
}

// Earliest returns what [ContextWithEarliest] put into ctx. The span that ctx was
// made for and every span below it have that ctx, so the caller must ignore a
// span context to which its span has no link.
func Earliest(ctx context.Context) trace.SpanContext {
	if ctx == nil {
		return trace.SpanContext{}
	}
	sc, _ := ctx.Value(earliestKey{}).(trace.SpanContext)
	return sc
}
