// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowlink_test

import (
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flowlink"
)

func TestEarliest(t *testing.T) {
	t.Parallel()
	named := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	ctx := flowlink.ContextWithEarliest(t.Context(), named)
	if got := flowlink.Earliest(ctx); !got.Equal(named) {
		t.Errorf("Earliest = %v, want %v", got, named)
	}
	if got := flowlink.Earliest(t.Context()); got.IsValid() {
		t.Errorf("Earliest of a bare context = %v, want none", got)
	}
	if got := flowlink.Earliest(nil); got.IsValid() { //nolint:staticcheck // nil is what is tested.
		t.Errorf("Earliest(nil) = %v, want none", got)
	}
}
