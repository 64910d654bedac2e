// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
)

// flushGlobals flushes the providers that are global in OpenTelemetry. Those of the
// API, which are there if nobody set others, have nothing to flush.
func flushGlobals(ctx context.Context) error {
	var failures []error
	for _, provider := range []any{otel.GetTracerProvider(), otel.GetMeterProvider(), otel.GetLoggerProvider()} {
		if p, ok := provider.(interface{ ForceFlush(context.Context) error }); ok {
			failures = append(failures, p.ForceFlush(ctx))
		}
	}
	return errors.Join(failures...)
}
