// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

func TestWaybill_String(t *testing.T) {
	t.Parallel()
	first, last := time.UnixMicro(1).UTC(), time.UnixMicro(1<<56-1).UTC()
	at := time.Date(2024, 5, 17, 9, 30, 0, 123456000, time.UTC)
	for _, tt := range []struct {
		name    string
		waybill propagation.Waybill
		want    string
	}{
		{name: "zero", waybill: propagation.Waybill{}, want: ""},
		{name: "usual", waybill: propagation.Waybill{Origin: at, Sent: at.Add(time.Second), Hops: 3}, want: "00-" + fourteen(at) + "-" + fourteen(at.Add(time.Second)) + "-0003"},
		{name: "first and last", waybill: propagation.Waybill{Origin: first, Sent: last, Hops: 0}, want: "00-00000000000001-ffffffffffffff-0000"},
		{name: "most hops", waybill: propagation.Waybill{Origin: first, Sent: first, Hops: 65535}, want: "00-00000000000001-00000000000001-ffff"},
		{name: "more hops", waybill: propagation.Waybill{Origin: first, Sent: first, Hops: math.MaxInt}, want: "00-00000000000001-00000000000001-ffff"},
		{name: "negative hops", waybill: propagation.Waybill{Origin: first, Sent: first, Hops: -1}, want: "00-00000000000001-00000000000001-0000"},
		{name: "origin in 1970", waybill: propagation.Waybill{Origin: time.Unix(0, 0), Sent: at}, want: ""},
		{name: "origin before 1970", waybill: propagation.Waybill{Origin: first.Add(-time.Hour), Sent: at}, want: ""},
		{name: "origin too late", waybill: propagation.Waybill{Origin: last.Add(time.Microsecond), Sent: at}, want: ""},
		{name: "sent before 1970", waybill: propagation.Waybill{Origin: at, Sent: first.Add(-time.Hour)}, want: ""},
		{name: "sent too late", waybill: propagation.Waybill{Origin: at, Sent: last.Add(time.Microsecond)}, want: ""},
		{name: "never sent", waybill: propagation.Waybill{Origin: at}, want: ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.waybill.String()
			if got != tt.want {
				t.Errorf("the text is %q, want %q", got, tt.want)
			}
			if len(got) > 40 {
				t.Errorf("the text has %d bytes, and 40 are promised", len(got))
			}
			if got == "" {
				return
			}
			want := tt.waybill
			want.Hops = min(max(want.Hops, 0), 65535)
			if back, err := propagation.ParseWaybill(got); err != nil || back != want {
				t.Errorf("it is read as %v, %v", back, err)
			}
		})
	}
}

// fourteen are the digits of a time.
func fourteen(at time.Time) string {
	digits := strconv.FormatInt(at.UnixMicro(), 16)
	return strings.Repeat("0", 14-len(digits)) + digits
}

func TestParseWaybill_Malformed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, reason string }{
		"empty":             {text: "", reason: "shorter than 37 bytes"},
		"short":             {text: waybillText[:36], reason: "shorter than 37 bytes"},
		"long":              {text: waybillText + "0", reason: "longer than the 37 bytes of version 00"},
		"version 00 dash":   {text: waybillText + "-", reason: "longer than the 37 bytes of version 00"},
		"version ff":        {text: "ff" + waybillText[2:], reason: "version ff is forbidden"},
		"later, no dash":    {text: "01" + waybillText[2:] + "x", reason: "no dash after the hops of a later version"},
		"upper case":        {text: strings.ToUpper(waybillText), reason: "a digit is not lower-case hexadecimal"},
		"not a digit":       {text: "00-0123456789abcg-0123456789abce-0002", reason: "a digit is not lower-case hexadecimal"},
		"other dividers":    {text: strings.ReplaceAll(waybillText, "-", ":"), reason: "the fields are not divided by dashes at the fixed places"},
		"zero origin":       {text: "00-00000000000000-0123456789abce-0002", reason: "a time is zero"},
		"zero sent":         {text: "00-0123456789abcd-00000000000000-0002", reason: "a time is zero"},
		"binary":            {text: repeated(10) + "\x00\xff" + repeated(25), reason: "the fields are not divided by dashes at the fixed places"},
		"dashes for digits": {text: strings.Repeat("-", 37), reason: "a digit is not lower-case hexadecimal"},
	} {
		w, err := propagation.ParseWaybill(tt.text)
		var why *propagation.MalformedError
		if !errors.As(err, &why) || why.Key != "waybill" || why.Reason != tt.reason || !w.IsZero() {
			t.Errorf("%s: %v, %v, want the reason %q", name, w, err, tt.reason)
		}
	}
}

func TestParseWaybill_LaterVersion(t *testing.T) {
	t.Parallel()
	want, err := propagation.ParseWaybill(waybillText)
	if err != nil {
		t.Fatal(err)
	}
	for _, later := range []string{"01" + waybillText[2:], "fe" + waybillText[2:] + "-", "cc" + waybillText[2:] + "-what-comes"} {
		if got, err := propagation.ParseWaybill(later); err != nil || got != want {
			t.Errorf("%q is read as %v, %v", later, got, err)
		}
	}
}

var waybillOracle = regexp.MustCompile(`^(?s)([0-9a-f]{2})-([0-9a-f]{14})-([0-9a-f]{14})-([0-9a-f]{4})(-.*)?$`)

// FuzzParseWaybill compares with a regular expression and strconv.
func FuzzParseWaybill(f *testing.F) {
	for _, seed := range []string{
		"", waybillText, waybillText + "-", "01" + waybillText[2:] + "-x", "ff" + waybillText[2:], strings.ToUpper(waybillText),
		"00-00000000000000-0123456789abce-0002", "00-ffffffffffffff-ffffffffffffff-ffff", waybillText + "\n", "cc" + waybillText[2:] + "-\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var want propagation.Waybill
		match := waybillOracle.FindStringSubmatch(value)
		if match != nil && match[1] != "ff" && (match[1] != "00" || match[5] == "") {
			origin, _ := strconv.ParseInt(match[2], 16, 64)
			sent, _ := strconv.ParseInt(match[3], 16, 64)
			hops, _ := strconv.ParseInt(match[4], 16, 64)
			if origin != 0 && sent != 0 {
				want = propagation.Waybill{
					Origin: time.Unix(origin/1e6, origin%1e6*1e3).UTC(), Sent: time.Unix(sent/1e6, sent%1e6*1e3).UTC(), Hops: int(hops),
				}
			}
		}
		got, err := propagation.ParseWaybill(value)
		if got != want || (err == nil) == want.IsZero() {
			t.Errorf("%q is read as %v, %v, want %v", value, got, err, want)
		}
		if err == nil && got.String() != "00"+value[2:37] {
			t.Errorf("%q became %q", value, got)
		}
		for name, w := range map[string]propagation.Waybill{
			"text":  propagation.Read(text{"waybill": value}, textAccessor{}, defaults).Waybill(),
			"bytes": propagation.Read(&list{{"waybill", []byte(value)}}, listAccessor{}, defaults).Waybill(),
		} {
			if w != want {
				t.Errorf("%s: %q is read as %v, want %v", name, value, w, want)
			}
		}
	})
}

// hop puts ctx on a carrier and takes it off, as the next process would.
func hop(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	carrier := propagation.Map(ctx, defaults)
	return propagation.Extract(t.Context(), text(carrier), textAccessor{}, defaults)
}

func TestWaybill_SeveralHops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := contents{traceparent: traceparentText}.context(t)
		start := micros(time.Now())
		for i := 1; i <= 3; i++ {
			sent := micros(time.Now())
			ctx = hop(ctx, t) //nolint:fatcontext // three hops of one flow.
			want := propagation.Waybill{Origin: start, Sent: sent, Hops: i}
			if got := propagation.WaybillFromContext(ctx); got != want {
				t.Errorf("after hop %d the waybill is %v, want %v", i, got, want)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestWaybill_HopsStayAtTheirMost(t *testing.T) {
	t.Parallel()
	for before, after := range map[int]int{-5: 1, 0: 1, 65533: 65534, 65534: 65535, 65535: 65535, math.MaxInt: 65535} {
		ctx := propagation.ContextWithWaybill(full(t), propagation.Waybill{Origin: time.Now(), Hops: before})
		if got := propagation.WaybillFromContext(hop(ctx, t)).Hops; got != after {
			t.Errorf("%d hops became %d, want %d", before, got, after)
		}
	}
}

func TestContextWithWaybill_KeepsTheOrigin(t *testing.T) {
	t.Parallel()
	event := time.Date(2001, 2, 3, 4, 5, 6, 7000, time.UTC)
	ctx := propagation.ContextWithWaybill(full(t), propagation.Waybill{Origin: event})
	if got := propagation.WaybillFromContext(hop(ctx, t)).Origin; !got.Equal(event) {
		t.Errorf("the origin is %v, want %v", got, event)
	}
	for name, origin := range map[string]time.Time{
		"before 1970": time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC), "too late": time.Date(5000, 1, 1, 0, 0, 0, 0, time.UTC), "1970": time.Unix(0, 0),
	} {
		ctx := propagation.ContextWithWaybill(full(t), propagation.Waybill{Origin: origin})
		carrier := propagation.Map(ctx, defaults)
		if _, ok := carrier["waybill"]; ok || carrier["traceparent"] == "" {
			t.Errorf("%s: an origin that has no text makes the carrier %v", name, carrier)
		}
		foreign := propagation.Map(ctx, propagation.WithPropagator(opaque{propagation.Default()}))
		if _, ok := foreign["waybill"]; ok {
			t.Errorf("%s: the propagator writes %q", name, foreign["waybill"])
		}
	}
}

func TestWaybillFromContext(t *testing.T) {
	t.Parallel()
	w := propagation.Waybill{Origin: time.Unix(1, 0), Hops: 3}
	if got := propagation.WaybillFromContext(nil); !got.IsZero() { //nolint:staticcheck // a nil ctx is documented.
		t.Errorf("a nil ctx has %v", got)
	}
	if got := propagation.WaybillFromContext(t.Context()); !got.IsZero() {
		t.Errorf("an empty ctx has %v", got)
	}
	type key struct{}
	type otherKey struct{}
	ctx := propagation.ContextWithWaybill(context.WithValue(t.Context(), key{}, "value"), propagation.Waybill{Hops: 1})
	ctx = context.WithValue(propagation.ContextWithWaybill(ctx, w), otherKey{}, "other")
	if got := propagation.WaybillFromContext(ctx); got != w || ctx.Value(key{}) != "value" {
		t.Errorf("the innermost waybill is %v, want %v", got, w)
	}
	if got := propagation.WaybillFromContext(propagation.ContextWithWaybill(nil, w)); got != w { //nolint:staticcheck // a nil ctx is documented.
		t.Errorf("a nil ctx with a waybill has %v", got)
	}
}

func TestWaybillPropagator(t *testing.T) {
	t.Parallel()
	p := propagation.WaybillPropagator{}
	withWaybill := propagation.ContextWithWaybill(t.Context(), propagation.Waybill{Origin: time.Unix(1, 0), Hops: 4})
	for hops, ctx := range map[string]context.Context{"": t.Context(), "0001": full(t), "0005": withWaybill} {
		carrier := otelpropagation.MapCarrier{}
		p.Inject(ctx, carrier)
		if got := carrier["waybill"]; (got == "") != (hops == "") || !strings.HasSuffix(got, hops) || len(carrier) > 1 {
			t.Errorf("it writes %v, want %q hops", carrier, hops)
		}
	}
	for _, value := range []string{"", "00-", strings.ToUpper(waybillText)} {
		if p.Extract(withWaybill, otelpropagation.MapCarrier{"waybill": value}) != withWaybill {
			t.Errorf("%q changed the context", value)
		}
	}
	got := propagation.WaybillFromContext(p.Extract(t.Context(), otelpropagation.MapCarrier{"waybill": waybillText}))
	if got.String() != waybillText {
		t.Errorf("the waybill is %v", got)
	}
	if fields := p.Fields(); len(fields) != 1 || fields[0] != "waybill" {
		t.Errorf("the fields are %v", fields)
	}
}

// TestWaybillPropagator_OverHTTP composes it with the propagators of a service
// that knows nothing of this package but its propagator.
func TestWaybillPropagator_OverHTTP(t *testing.T) {
	t.Parallel()
	composite := otelpropagation.NewCompositeTextMapPropagator(
		otelpropagation.TraceContext{}, otelpropagation.Baggage{}, propagation.WaybillPropagator{})
	arrived := make(chan context.Context, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- composite.Extract(r.Context(), otelpropagation.HeaderCarrier(r.Header))
	}))
	defer server.Close()

	origin := time.Date(2024, 5, 17, 9, 30, 0, 0, time.UTC)
	ctx := propagation.ContextWithWaybill(full(t), propagation.Waybill{Origin: origin})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	composite.Inject(ctx, otelpropagation.HeaderCarrier(request.Header))
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	got := <-arrived
	if w := propagation.WaybillFromContext(got); !w.Origin.Equal(origin) || w.Hops != 1 {
		t.Errorf("the waybill that arrived is %v", w)
	}
	if !trace.SpanContextFromContext(got).Equal(spanContextOf(t, traceparentText, "vendor=1")) {
		t.Errorf("the span context that arrived is %v", trace.SpanContextFromContext(got))
	}
}

func TestDefault(t *testing.T) {
	t.Parallel()
	fields := propagation.Default().Fields()
	for _, key := range []string{"traceparent", "tracestate", "baggage", "waybill"} {
		if !strings.Contains(" "+strings.Join(fields, " ")+" ", " "+key+" ") {
			t.Errorf("the fields are %v, without %s", fields, key)
		}
	}
	if len(fields) != 4 {
		t.Errorf("the fields are %v", fields)
	}
}

func TestCompose_IgnoresNil(t *testing.T) {
	t.Parallel()
	p := propagation.Compose(nil, propagation.TraceContext{}, nil, propagation.Compose(propagation.WaybillPropagator{}, nil))
	got := propagation.Map(full(t), propagation.WithPropagator(p))
	if len(got) != 3 || got["traceparent"] != traceparentText || got["tracestate"] == "" || got["waybill"] == "" {
		t.Errorf("it writes %v", got)
	}
}
