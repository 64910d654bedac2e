// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"testing"

	"go.opentelemetry.io/otel"
)

// failOnLog fails t for whatever OpenTelemetry would report. A test that calls
// it is not parallel.
func failOnLog(t *testing.T) {
	t.Helper()
	t.Setenv("WAYBILL_TEST_USES_GLOBALS", "1") // Which forbids t.Parallel.
	before := otel.GetErrorHandler()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { t.Errorf("an error was reported: %v", err) }))
	t.Cleanup(func() { otel.SetErrorHandler(before) })
}
