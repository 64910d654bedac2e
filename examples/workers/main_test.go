// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// One failure is one failure, whoever else is canceled by it.
func TestRun_OneFailureIsOneFailure(t *testing.T) {
	t.Parallel()
	for range 50 {
		spans := tracetest.NewInMemoryExporter()
		if err := run(t.Context(), sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))); !errors.Is(err, errFull) {
			t.Fatalf("run = %v, want %v", err, errFull)
		}
		// A worker that finds the pool stopped takes no row.
		outcome := map[string]int{}
		for _, line := range outcomes(spans) {
			outcome[line]++
		}
		if outcome["load: cancelled, 1 links"] > workers-1 {
			t.Errorf("%d loads were canceled, want at most %d", outcome["load: cancelled, 1 links"], workers-1)
		}
		delete(outcome, "load: cancelled, 1 links")
		want := map[string]int{"extract: success, 0 links": 1, "load: failure, 1 links": 1, "orders: failure, 0 links": 1}
		if diff := cmp.Diff(want, outcome); diff != "" {
			t.Fatalf("outcomes (-want +got)\n%s", diff)
		}
	}
}
