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
	with := envcarrier.WithPropagator(propagation.Default())
	full := envcarrier.Inject(ctx, environ, with)
	var name string
	for what, test := range map[string]struct {
		limit float64
		f     func()
	}{
		// The list's copy, one to grow for each of two variables, the variables,
		// their text, and the carrier.
		"Inject":        {7, func() { envcarrier.Inject(ctx, environ, with) }},
		"ReadFrom":      {1, func() { envcarrier.ReadFrom(full, with) }},
		"Read":          {0, func() { envcarrier.Read(with) }},
		"Normalize":     {0, func() { name = envcarrier.Normalize("traceparent") }},
		"Normalize all": {1, func() { name = envcarrier.Normalize("x-b3-traceid") }},
	} {
		if got := testing.AllocsPerRun(100, test.f); got > test.limit {
			t.Errorf("%s: %.0f allocations, want at most %.0f", what, got, test.limit)
		}
	}
	if name != "X_B3_TRACEID" && name != "TRACEPARENT" {
		t.Errorf("Normalize gave %q", name)
	}
}
