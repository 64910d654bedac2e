// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package mongocarrier_test

import (
	"slices"
	"testing"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
)

// The limits, with the default propagator, so with a waybill. What is read
// with a waybill costs one allocation more than a bare traceparent.
func TestAllocationLimits(t *testing.T) {
	ctx, none := spanCtx(t, traceparentA), t.Context()
	doc := slices.Clip(D{{"_id", 1}, {"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}, {"e", 5}, {"f", 6}, {"g", 7}})
	raw := slices.Clip(encode(t, doc))
	room := make(Raw, len(raw), len(raw)+200)
	withD := mongocarrier.InjectD(ctx, doc)
	withM := mongocarrier.InjectM(ctx, toM(doc))
	withRaw, _ := mongocarrier.InjectRaw(ctx, raw)
	bareD := mongocarrier.InjectD(ctx, doc, w3c())
	bareM := mongocarrier.InjectM(ctx, toM(doc), w3c())
	bareRaw, _ := mongocarrier.InjectRaw(ctx, raw, w3c())
	nestedM := M{"_otel": D{{"traceparent", traceparentA}}} // as driver v2 decodes it.
	full, bare := mongocarrier.Capture(ctx), mongocarrier.Capture(ctx, w3c())
	absentM := toM(doc)
	w3cOnly := w3c()
	captured := mongocarrier.WithCaptured(full)
	var sink mongocarrier.TraceContext

	for name, c := range map[string]struct {
		limit float64
		run   func()
	}{
		"Raw with room":          {0, func() { _, _ = mongocarrier.InjectRaw(ctx, append(room[:0], raw...)) }},
		"Raw that grows":         {1, func() { _, _ = mongocarrier.InjectRaw(ctx, raw) }},
		"Raw again":              {0, func() { _, _ = mongocarrier.InjectRaw(ctx, withRaw) }},
		"D with room or without": {2, func() { mongocarrier.InjectD(ctx, doc) }},
		"D again":                {1, func() { mongocarrier.InjectD(ctx, withD) }},
		"M":                      {1, func() { mongocarrier.InjectM(ctx, withM) }},
		"struct":                 {1, func() { sink = mongocarrier.Capture(ctx) }},
		"M of many":              {0, func() { mongocarrier.InjectM(none, withM, captured) }},
		"D of many":              {0, func() { mongocarrier.InjectD(none, withD, captured) }},

		"D without a span":      {0, func() { mongocarrier.InjectD(none, doc) }},
		"M without a span":      {0, func() { mongocarrier.InjectM(none, absentM) }},
		"Raw without a span":    {0, func() { _, _ = mongocarrier.InjectRaw(none, raw) }},
		"struct without a span": {0, func() { sink = mongocarrier.Capture(none) }},

		"extract D":        {2, func() { mongocarrier.ExtractD(none, bareD, w3cOnly) }},
		"extract M":        {2, func() { mongocarrier.ExtractM(none, bareM, w3cOnly) }},
		"extract M of D":   {2, func() { mongocarrier.ExtractM(none, nestedM, w3cOnly) }},
		"extract Raw":      {2, func() { mongocarrier.ExtractRaw(none, bareRaw, w3cOnly) }},
		"extract struct":   {2, func() { bare.Context(none, w3cOnly) }},
		"extract D all":    {3, func() { mongocarrier.ExtractD(none, withD) }},
		"extract M all":    {3, func() { mongocarrier.ExtractM(none, withM) }},
		"extract Raw all":  {3, func() { mongocarrier.ExtractRaw(none, withRaw) }},
		"extract struct a": {3, func() { full.Context(none) }},
		"read Raw":         {0, func() { mongocarrier.ReadRaw(withRaw) }},
		"read D":           {0, func() { mongocarrier.ReadD(withD) }},

		"absent in D":   {0, func() { mongocarrier.ExtractD(none, doc) }},
		"absent in M":   {0, func() { mongocarrier.ExtractM(none, absentM) }},
		"absent in Raw": {0, func() { mongocarrier.ExtractRaw(none, raw) }},
	} {
		if got := testing.AllocsPerRun(200, c.run); got > c.limit {
			t.Errorf("%s: %v allocations, limit %v", name, got, c.limit)
		}
	}
	_ = sink
}
