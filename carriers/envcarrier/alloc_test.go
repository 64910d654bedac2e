// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package envcarrier_test

import (
	"maps"
	"strconv"
	"testing"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/internal/alloctest"
	"github.com/waybill-go/waybill/propagation"
)

func TestAllocations(t *testing.T) {
	ctx := spanContext(t)
	environ := make([]string, 50)
	for i := range environ {
		environ[i] = "NAME_" + strconv.Itoa(i) + "=value"
	}
	with := envcarrier.WithPropagation(propagation.WithPropagator(propagation.Default()))
	full := envcarrier.Inject(ctx, environ, with)
	values := map[string]string{"PATH": "/bin"}
	fullMap := envcarrier.InjectMap(ctx, values, with)
	plain := envcarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{}))
	var name string
	for what, test := range map[string]struct {
		limit float64
		f     func()
	}{
		// The list, a pointer to it, the two values together and each variable.
		"Inject": {5, func() { envcarrier.Inject(ctx, environ, with) }},
		// The map, of two parts, the carrier, and the two values together.
		"InjectMap":       {4, func() { envcarrier.InjectMap(ctx, values, with) }},
		"Read":            {0, func() { envcarrier.Read(with) }},
		"ReadFrom":        {0, func() { envcarrier.ReadFrom(full, with) }},
		"ReadMap":         {0, func() { envcarrier.ReadMap(fullMap, with) }},
		"ExtractFrom":     {3, func() { envcarrier.ExtractFrom(ctx, full, with) }},
		"ExtractFrom W3C": {2, func() { envcarrier.ExtractFrom(ctx, full, plain) }},
		"Normalize":       {0, func() { name = envcarrier.Normalize("traceparent") }},
		"Normalize all":   {1, func() { name = envcarrier.Normalize("x-b3-traceid") }},
	} {
		if got := testing.AllocsPerRun(100, test.f); got > test.limit {
			t.Errorf("%s: %.0f allocations, want at most %.0f", what, got, test.limit)
		}
	}
	if name != "X_B3_TRACEID" && name != "TRACEPARENT" {
		t.Errorf("Normalize gave %q", name)
	}
}

// An injection copies the list once, of whatever length it is, and each variable that it
// writes.
func TestInject_CopiesOnce(t *testing.T) {
	ctx := withTracestate(t, withBaggage(t, spanContext(t), "tenant=7"), "a=1")
	with := envcarrier.WithPropagation(propagation.WithPropagator(propagation.Default()), propagation.WithBaggage("tenant"))
	for _, size := range []int{0, 200, 1000} {
		environ, values := make([]string, size), make(map[string]string, size)
		for i := range environ {
			environ[i], values["NAME_"+strconv.Itoa(i)] = "NAME_"+strconv.Itoa(i)+"=value", "value"
		}
		full := envcarrier.Inject(ctx, environ, with)
		list := func() { kept = append(make([]string, 0, size+4), environ...) }
		table := func() {
			own := make(map[string]string, size+4)
			maps.Copy(own, values)
			kept = own
		}
		for _, tt := range []struct {
			name         string
			inject, once func()
			count, bytes int // More than one copy.
		}{
			{name: "Inject", inject: func() { kept = envcarrier.Inject(ctx, environ, with) }, once: list, count: 9, bytes: 1 << 10},
			{name: "Inject, replacing", inject: func() { kept = envcarrier.Inject(ctx, full, with) }, once: list, count: 9, bytes: 1 << 10},
			{name: "Inject, no span", inject: func() { kept = envcarrier.Inject(t.Context(), environ, with) }, once: list, count: 0, bytes: 64},
			{name: "InjectMap", inject: func() { kept = envcarrier.InjectMap(ctx, values, with) }, once: table, count: 6, bytes: 1<<10 + 128},
		} {
			count, bytes := alloctest.PerRun(tt.inject)
			onceCount, onceBytes := alloctest.PerRun(tt.once)
			if count-onceCount > tt.count || bytes-onceBytes > tt.bytes {
				t.Errorf("%s of %d variables: %d allocations of %d bytes, and one copy takes %d of %d; want at most %d and %d more",
					tt.name, size, count, bytes, onceCount, onceBytes, tt.count, tt.bytes)
			}
		}
	}
}

// kept keeps the compiler from leaving a copy out.
var kept any

// A program that starts finds its context in fewer than 20 allocations, in an environment
// as programs have it.
//
// The limit of what is measured is below the one of the requirement, which is 20.
func TestStartUp_Allocations(t *testing.T) {
	for i := range 200 {
		t.Setenv("WAYBILL_TEST_"+strconv.Itoa(i), "value")
	}
	const most = 4
	for _, value := range []string{"", traceparent, "malformed"} {
		t.Setenv("TRACEPARENT", value)
		t.Setenv("TRACESTATE", "a=1,b=2")
		t.Setenv("BAGGAGE", "tenant=7,user=42")
		for name, f := range map[string]func(){
			"Extract":       func() { kept = envcarrier.Extract(t.Context()) },
			"Read":          func() { remote := envcarrier.Read(); kept = &remote },
			"ReadCreator":   func() { remote := envcarrier.ReadCreator(); kept = &remote },
			"KubernetesJob": func() { _, _ = envcarrier.KubernetesJob() },
		} {
			got := testing.AllocsPerRun(100, f)
			if got > most {
				t.Errorf("%s of %q: %.0f allocations, want at most %d", name, value, got, most)
			}
		}
	}
}
