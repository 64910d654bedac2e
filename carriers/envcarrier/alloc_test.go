// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package envcarrier_test

import (
	"strconv"
	"testing"

	"github.com/waybill-go/waybill/carriers/envcarrier"
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
