// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"fmt"
	"strconv"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

func TestWithMaxLinks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		limit, remotes int
		ambient        bool // Reports whether the span in ctx is linked too.
		want, dropped  int  // Links to remotes, and remotes without one.
	}{
		{limit: 64, remotes: 0},
		{limit: 64, remotes: 63, want: 63},
		{limit: 64, remotes: 64, want: 64},
		{limit: 64, remotes: 64, ambient: true, want: 63, dropped: 1},
		{limit: 64, remotes: 65, want: 64, dropped: 1},
		{limit: 1, remotes: 3, want: 1, dropped: 2},
		{limit: 1, remotes: 3, ambient: true, want: 0, dropped: 3},
		{limit: 0, remotes: 200, want: 128, dropped: 72},
		{limit: -1, remotes: 200, want: 128, dropped: 72},
	} {
		t.Run(fmt.Sprintf("limit=%d remotes=%d ambient=%t", tt.limit, tt.remotes, tt.ambient), func(t *testing.T) {
			t.Parallel()
			tracer, recorder := tracer()
			ctx, links := t.Context(), tt.want
			if tt.ambient {
				ctx = trace.ContextWithSpanContext(ctx, spanContextOf(t, traceparentText, ""))
				links++
			}
			_, span := propagation.Start(ctx, tracer, "process", many(tt.remotes), propagation.AsLink(), propagation.WithMaxLinks(tt.limit))
			span.End()
			got := recorder.Ended()[0]
			if len(got.Links()) != links {
				t.Errorf("%d links, want %d", len(got.Links()), links)
			}
			dropped := ""
			for _, a := range got.Attributes() {
				if a.Key == "waybill.links_dropped" {
					dropped = a.Value.String()
				}
			}
			if want := strconv.Itoa(tt.dropped); dropped != want && (dropped != "" || tt.dropped != 0) {
				t.Errorf("waybill.links_dropped = %q, want %s", dropped, want)
			}
		})
	}
}
