//go:build !race

// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagators_test

import (
	"testing"

	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// TestAllocations_OtherFormats compares with the same propagator on the same
// map: the way through the options may cost one allocation, for the adapter.
func TestAllocations_OtherFormats(t *testing.T) {
	for format, propagator := range formats {
		option := propagation.WithPropagator(propagator)
		for _, ctx := range contexts(t) {
			theirs, ours := otelpropagation.MapCarrier{}, map[string]string{}
			own := testing.AllocsPerRun(100, func() { propagator.Inject(ctx, theirs) })
			if format == "ot" {
				own++ // The list of keys in which the baggage of an earlier context is found.
			}
			if got := testing.AllocsPerRun(100, func() { propagation.InjectTextMap(ctx, carriers.Map(ours), option) }); got > own+1 {
				t.Errorf("%s: Inject has %v allocations, OpenTelemetry's own %v", format, got, own)
			}
			if got := testing.AllocsPerRun(100, func() { propagation.Inject(ctx, ours, accessor{}, option) }); got > own+1 {
				t.Errorf("%s: Inject by accessors has %v allocations, OpenTelemetry's own %v", format, got, own)
			}
			empty := t.Context()
			own = testing.AllocsPerRun(100, func() { propagator.Extract(empty, theirs) })
			if got := testing.AllocsPerRun(100, func() { propagation.ExtractTextMap(empty, carriers.Map(ours), option) }); got > own+1 {
				t.Errorf("%s: Extract has %v allocations, OpenTelemetry's own %v", format, got, own)
			}
			if got := testing.AllocsPerRun(100, func() { propagation.Extract(empty, ours, accessor{}, option) }); got > own+1 {
				t.Errorf("%s: Extract by accessors has %v allocations, OpenTelemetry's own %v", format, got, own)
			}
		}
	}
}

// accessor reads and writes a map.
type accessor struct{}

func (accessor) Get(m map[string]string, key string) string { return m[key] }
func (accessor) Set(m map[string]string, key, value string) { m[key] = value }
func (accessor) Delete(m map[string]string, key string)     { delete(m, key) }
func (accessor) Keys(m map[string]string) []string          { return carriers.Map(m).Keys() }
