// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// FuzzWithMaxBytes tries each way to leave something out, in the order that
// is promised, and expects the first that fits.
func FuzzWithMaxBytes(f *testing.F) {
	for _, maxBytes := range []int{math.MinInt, -1, 0, 1, 65, 66, 109, 110, 111, 130, 140, 200, 8192, math.MaxInt} {
		f.Add(maxBytes, "vendor=1", "alice")
		f.Add(maxBytes, "", "grüße, %")
		f.Add(maxBytes, "a=1", repeated(5000))
		f.Add(maxBytes, "a="+repeated(200), "")
	}
	f.Fuzz(func(t *testing.T, maxBytes int, tracestate, user string) {
		state, _ := trace.ParseTraceState(tracestate)
		ctx := trace.ContextWithSpanContext(t.Context(), spanContextOf(t, traceparentText, "").WithTraceState(state))
		if m, err := baggage.NewMemberRaw("user", user); err == nil {
			b, _ := baggage.New(m)
			ctx = baggage.ContextWithBaggage(ctx, b)
		}
		all := inject(ctx, text{}, textAccessor{}, defaults).without("waybill")
		all["waybill"] = waybillText // Of the same size.

		want := text{}
		for _, left := range []text{all, all.without("baggage"), all.without("baggage", "tracestate"), all.without("baggage", "tracestate", "waybill")} {
			if maxBytes <= 0 || left.size() <= maxBytes {
				want = left
				break
			}
		}
		for name, option := range map[string]propagation.Option{
			"native": defaults, "not native": propagation.WithPropagator(opaque{propagation.Default()}),
		} {
			got := inject(ctx, stale(), textAccessor{}, option, propagation.WithMaxBytes(maxBytes)).without("tenant")
			if len(got["waybill"]) == len(waybillText) {
				got["waybill"] = waybillText
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: in %d bytes (-want +got):\n%s", name, maxBytes, diff)
			}
		}
	})
}

// size is the bytes of the keys and values of c.
func (c text) size() int {
	n := 0
	for key, value := range c {
		n += len(key + value)
	}
	return n
}

// FuzzWaybill_RoundTrip writes any waybill and reads it again.
func FuzzWaybill_RoundTrip(f *testing.F) {
	for _, micros := range []int64{math.MinInt64, -1, 0, 1, 1_700_000_000_000_000, 1<<56 - 1, 1 << 56, math.MaxInt64} {
		f.Add(micros, int64(1), 0)
		f.Add(int64(1), micros, math.MaxInt)
		f.Add(micros, micros, -1)
	}
	f.Fuzz(func(t *testing.T, origin, sent int64, hops int) {
		w := propagation.Waybill{Origin: time.UnixMicro(origin).UTC(), Sent: time.UnixMicro(sent).UTC(), Hops: hops}
		text := w.String()
		const last = 1<<56 - 1
		if holds := origin > 0 && origin <= last && sent > 0 && sent <= last; (text != "") != holds {
			t.Fatalf("%v has the text %q", w, text)
		}
		if text == "" {
			return
		}
		if len(text) > 40 || strings.Trim(text, "0123456789abcdef-") != "" {
			t.Errorf("%v has the text %q", w, text)
		}
		w.Hops = min(max(hops, 0), 65535)
		if got, err := propagation.ParseWaybill(text); err != nil || got != w {
			t.Errorf("%v is read as %v, %v", w, got, err)
		}
	})
}
