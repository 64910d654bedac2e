// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"context"
	"reflect"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/safe"
)

// flusher is a provider of an SDK. Those of the API, which are there if nobody set
// others, have nothing to flush.
type flusher interface {
	ForceFlush(ctx context.Context) error
}

// flushProviders flushes own and the providers that are global in OpenTelemetry at the
// same time, until ctx is done.
func flushProviders(ctx context.Context, own trace.TracerProvider) error {
	global := otel.GetTracerProvider()
	providers := []any{global, otel.GetMeterProvider(), otel.GetLoggerProvider()}
	if !isSame(own, global) {
		providers = append(providers, own)
	}
	var flushes []func(context.Context) error
	for _, provider := range providers {
		if f, ok := provider.(flusher); ok {
			flushes = append(flushes, f.ForceFlush)
		}
	}
	return safe.Together(ctx, flushes...)
}

// isSame reports whether a and b are one provider.
func isSame(a, b trace.TracerProvider) bool {
	t := reflect.TypeOf(a)
	return t == nil || t.Comparable() && a == b
}
