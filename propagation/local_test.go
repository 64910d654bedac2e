// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

func TestRemoteFromContext(t *testing.T) {
	t.Parallel()
	origin := propagation.Waybill{Origin: time.Unix(1, 0).UTC(), Sent: time.Unix(2, 0).UTC(), Hops: 3}
	ctx := contents{traceparent: "00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01", tracestate: "a=b", baggage: "tenant=blue"}.context(t)
	got := propagation.RemoteFromContext(propagation.ContextWithWaybill(ctx, origin))
	if sc := trace.SpanContextFromContext(ctx); !got.SpanContext().Equal(sc) || !got.SpanContext().IsRemote() || got.Err() != nil {
		t.Errorf("span context = %v, %v, want %v, remote", got.SpanContext(), got.Err(), sc)
	}
	if got.Waybill() != origin {
		t.Errorf("waybill = %+v, want %+v", got.Waybill(), origin)
	}
	if member := got.Baggage().Member("tenant").Value(); member != "blue" {
		t.Errorf("baggage = %q, want blue", member)
	}
}

func TestRemoteFromContext_Empty(t *testing.T) {
	t.Parallel()
	for name, ctx := range map[string]context.Context{"nil": nil, "without values": context.Background()} { //nolint:usetesting // Its values would count.
		if got := propagation.RemoteFromContext(ctx); !got.IsEmpty() || got.Err() != propagation.ErrAbsent {
			t.Errorf("%s: %+v, %v, want an empty Remote, ErrAbsent", name, got, got.Err())
		}
	}
}

func ExampleRemoteFromContext() {
	ctx := propagation.ContextWithWaybill(context.Background(), propagation.Waybill{Origin: time.Unix(0, 0).UTC()})
	fmt.Println(propagation.RemoteFromContext(ctx).Waybill().Origin)
	// Output: 1970-01-01 00:00:00 +0000 UTC
}
