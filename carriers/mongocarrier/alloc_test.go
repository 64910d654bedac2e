// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package mongocarrier_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
)

// What is read with a waybill costs one allocation more than a bare traceparent.
func TestAllocations(t *testing.T) {
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
	nestedM := M{"_otel": D{{"traceparent", traceparentA}}} // As driver v2 decodes it.
	full, bare := mongocarrier.Capture(ctx), mongocarrier.Capture(ctx, w3cContext)
	absentM := toM(doc)
	w3cOnly, inPlace := w3c(), mongocarrier.WithInPlace()
	captured := mongocarrier.WithCaptured(full)
	var sink mongocarrier.Field
	var sinkM M
	copyM := testing.AllocsPerRun(200, func() {
		sinkM = make(M, len(withM)+1)
		maps.Copy(sinkM, withM)
	})

	for name, c := range map[string]struct {
		limit float64
		run   func()
	}{
		"Raw":       {1, func() { _, _ = mongocarrier.InjectRaw(ctx, raw) }},
		"Raw again": {1, func() { _, _ = mongocarrier.InjectRaw(ctx, withRaw) }},
		"D":         {2, func() { mongocarrier.InjectD(ctx, doc) }},
		"D again":   {2, func() { mongocarrier.InjectD(ctx, withD) }},
		"M":         {copyM + 1, func() { sinkM = mongocarrier.InjectM(ctx, withM) }},
		"struct":    {1, func() { sink = mongocarrier.Capture(ctx) }},
		"M of many": {copyM, func() { sinkM = mongocarrier.InjectM(none, withM, captured) }},
		"D of many": {1, func() { mongocarrier.InjectD(none, withD, captured) }},

		"Raw in place, with room": {0, func() { _, _ = mongocarrier.InjectRaw(ctx, append(room[:0], raw...), inPlace) }},
		"Raw in place, again":     {0, func() { _, _ = mongocarrier.InjectRaw(ctx, withRaw, inPlace) }},
		"Raw in place, grows":     {1, func() { _, _ = mongocarrier.InjectRaw(ctx, raw, inPlace) }},
		"D in place, again":       {1, func() { mongocarrier.InjectD(ctx, withD, inPlace) }},
		"M in place":              {1, func() { mongocarrier.InjectM(ctx, withM, inPlace) }},
		"M in place, of many":     {0, func() { mongocarrier.InjectM(none, withM, captured, inPlace) }},
		"D in place, of many":     {0, func() { mongocarrier.InjectD(none, withD, captured, inPlace) }},

		"D without a span":      {0, func() { mongocarrier.InjectD(none, doc) }},
		"M without a span":      {0, func() { mongocarrier.InjectM(none, absentM) }},
		"Raw without a span":    {0, func() { _, _ = mongocarrier.InjectRaw(none, raw) }},
		"struct without a span": {0, func() { sink = mongocarrier.Capture(none) }},

		"extract D":        {2, func() { mongocarrier.ExtractD(none, bareD, w3cOnly) }},
		"extract M":        {2, func() { mongocarrier.ExtractM(none, bareM, w3cOnly) }},
		"extract M of D":   {2, func() { mongocarrier.ExtractM(none, nestedM, w3cOnly) }},
		"extract Raw":      {2, func() { mongocarrier.ExtractRaw(none, bareRaw, w3cOnly) }},
		"extract struct":   {2, func() { bare.Context(none, w3cContext) }},
		"extract D all":    {3, func() { mongocarrier.ExtractD(none, withD) }},
		"extract M all":    {3, func() { mongocarrier.ExtractM(none, withM) }},
		"extract Raw all":  {3, func() { mongocarrier.ExtractRaw(none, withRaw) }},
		"extract struct a": {3, func() { full.Context(none) }},
		"read Raw":         {0, func() { mongocarrier.ReadRaw(withRaw) }},
		"read D":           {0, func() { mongocarrier.ReadD(withD) }},
		"read M":           {0, func() { mongocarrier.ReadM(withM) }},
		"read struct":      {0, func() { full.Remote() }},

		"absent in D":   {0, func() { mongocarrier.ExtractD(none, doc) }},
		"absent in M":   {0, func() { mongocarrier.ExtractM(none, absentM) }},
		"absent in Raw": {0, func() { mongocarrier.ExtractRaw(none, raw) }},
	} {
		if got := testing.AllocsPerRun(200, c.run); got > c.limit {
			t.Errorf("%s: %v allocations, want at most %v", name, got, c.limit)
		}
	}
	_, _ = sink, sinkM
}
