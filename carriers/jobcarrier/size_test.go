// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/propagation"
)

// limit is what Databricks accepts of {"python_named_params":...}, in bytes.
const limit = 10_000

// order is the order in which parts are dropped, the last of them with everything.
var order = []string{"baggage", "tracestate", "traceparent"}

// FuzzDatabricks_Size checks that the result fits, as package json writes it, and that
// a part is dropped only if it does not fit with those that are dropped after it.
func FuzzDatabricks_Size(f *testing.F) {
	for times := 9_750; times < 9_980; times += 3 { // From room for all to room for nothing.
		f.Add("v", times)
	}
	f.Add("\"\\/\b\f\n\r\t\x00\x1f\x7f", 600)
	f.Add("<&>\u2028\u2029\u00e9\U0001f4e6", 330)
	f.Add("\xff\xc0\x80\xed\xa0\x80\xf4\x90", 1_240)
	f.Add("", 0)
	f.Fuzz(func(t *testing.T, text string, times int) {
		value := strings.Repeat(text, max(0, min(times, 20_000/max(1, len(text)))))
		ctx := withTracestate(t, withBaggage(t, spanContext(t), "user=42"), "a=1")
		opts := []jobcarrier.Option{
			jobcarrier.Databricks(), jobcarrier.WithPropagation(propagation.WithPropagator(w3c), propagation.WithBaggage("user")),
		}
		full, err := jobcarrier.Inject(ctx, nil, opts...)
		if err != nil {
			t.Fatal(err)
		}
		own := map[string]string{"p": value, "traceparent": ""} // One of ours has an empty default.
		params, err := jobcarrier.Inject(ctx, own, opts...)
		wanted := maps.Clone(own)
		maps.Copy(wanted, full)
		fits := func() bool { return sizeAsJSON(t, wanted) <= limit }
		for _, key := range order {
			if !fits() {
				delete(wanted, key)
			}
		}
		if wanted["traceparent"] == "" {
			wanted = own
		}
		if !maps.Equal(params, wanted) {
			t.Errorf("of %d bytes: keys %q, want %q", sizeAsJSON(t, wanted), keysOf(params), keysOf(wanted))
		}
		if tooLarge := wanted["traceparent"] == ""; errors.Is(err, jobcarrier.ErrTooLarge) != tooLarge || (err != nil) != tooLarge {
			t.Errorf("error %v, want too large: %t", err, tooLarge)
		}

		args := []string{"--p", value, "--", "file"}
		injected := jobcarrier.InjectArgs(ctx, args, opts...)
		flags := []string{"--baggage=user=42", "--traceparent=" + traceparent, "--tracestate=a=1"}
		for _, key := range order {
			if sizeAsJSON(t, slices.Concat(args, flags)) > limit {
				flags = slices.DeleteFunc(flags, func(flag string) bool { return strings.HasPrefix(flag, "--"+key+"=") })
			}
		}
		if want := slices.Concat(args[:2], flags, args[2:]); !slices.Equal(injected, want) {
			t.Errorf("arguments %.200q, want %.200q", injected[2:], want[2:])
		}
	})
}

// sizeAsJSON returns the length of params in a request.
func sizeAsJSON(t *testing.T, params any) int {
	t.Helper()
	text, err := json.Marshal(map[string]any{"python_named_params": params})
	if err != nil {
		t.Fatal(err)
	}
	return len(text)
}

func keysOf(params map[string]string) []string { return slices.Sorted(maps.Keys(params)) }
