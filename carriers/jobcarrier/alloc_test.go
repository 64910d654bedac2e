// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package jobcarrier_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/internal/alloctest"
	"github.com/waybill-go/waybill/propagation"
)

func TestAllocations(t *testing.T) {
	ctx := spanContext(t)
	with := jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default()))
	plain := jobcarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{}))
	databricks, own := jobcarrier.Databricks(), map[string]string{"day": "mon"}
	params, err := jobcarrier.Inject(ctx, own, with, databricks)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := jobcarrier.InjectConf(ctx, nil, with)
	if err != nil {
		t.Fatal(err)
	}
	args := jobcarrier.InjectArgs(ctx, []string{"run", "--day", "mon"}, with)
	for what, test := range map[string]struct {
		limit float64
		f     func()
	}{
		"Inject":         {9, func() { _, _ = jobcarrier.Inject(ctx, own, with) }},
		"Inject no span": {6, func() { _, _ = jobcarrier.Inject(t.Context(), own, with) }},
		"InjectArgs":     {12, func() { jobcarrier.InjectArgs(ctx, []string{"run"}, with) }},
		"Read":           {0, func() { jobcarrier.Read(params, with, databricks) }},
		"ReadArgs":       {0, func() { jobcarrier.ReadArgs(args, with, databricks) }},
		"ReadConf":       {0, func() { jobcarrier.ReadConf(conf, with) }},
		"Extract":        {3, func() { jobcarrier.Extract(ctx, params, with) }},
		"Extract W3C":    {2, func() { jobcarrier.Extract(ctx, params, plain) }},
	} {
		if got := testing.AllocsPerRun(100, test.f); got > test.limit {
			t.Errorf("%s: %.0f allocations, want at most %.0f", what, got, test.limit)
		}
	}
}

// An injection copies the map or the list once, however large it is, and also if
// parts of the context have to be left out: beyond a copy it allocates the same for
// 10 parameters as for 1,000.
func TestAllocations_OneCopy(t *testing.T) {
	ctx := withTracestate(t, withBaggage(t, spanContext(t), "user=it's"), "a="+strings.Repeat("v", 200))
	with := jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default()), propagation.WithBaggage("user"))
	replace := jobcarrier.WithPropagation(propagation.WithPolicy(propagation.Replace))
	for _, size := range []int{10, 1000} {
		params, conf, args := map[string]string{}, map[string]any{}, []string{}
		for i := range size {
			key := fmt.Sprintf("%03d", i)
			params[key], conf[key], args = "", i, append(args, key)
		}
		// Databricks has room for a traceparent beside these, and for nothing else.
		tight, tightArgs := maps.Clone(params), append(slices.Clone(args), strings.Repeat("v", 9800-6*size))
		tight["own"] = strings.Repeat("v", 9800-9*size)

		copyOf := func(params map[string]string, room int) func() { return func() { copyMap(params, room) } }
		copyArgs := func() { kept = append(make([]string, 0, len(args)+4), args...) }
		for name, test := range map[string]struct {
			inject, once func()
			count, bytes int // More than one copy.
		}{
			"Inject":               {func() { _, _ = jobcarrier.Inject(ctx, params, with) }, copyOf(params, 4), 11, 2 << 10},
			"Inject, replacing":    {func() { _, _ = jobcarrier.Inject(ctx, params, with, replace) }, copyOf(params, 4), 12, 2 << 10},
			"Databricks":           {func() { _, _ = jobcarrier.Inject(ctx, params, with, jobcarrier.Databricks()) }, copyOf(params, 4), 11, 2 << 10},
			"Databricks, no room":  {func() { _, _ = jobcarrier.Inject(ctx, tight, with, jobcarrier.Databricks()) }, copyOf(tight, 4), 11, 2 << 10},
			"Spark":                {func() { _, _ = jobcarrier.Inject(ctx, params, with, jobcarrier.Spark()) }, copyOf(params, 16), 120, 8 << 10},
			"Glue":                 {func() { _, _ = jobcarrier.Inject(ctx, params, with, jobcarrier.Glue()) }, copyOf(params, 4), 66, 3 << 10},
			"InjectConf":           {func() { _, _ = jobcarrier.InjectConf(ctx, conf, with) }, func() { copyMap(conf, 5) }, 44, 3 << 10},
			"InjectArgs":           {func() { jobcarrier.InjectArgs(ctx, args, with) }, copyArgs, 13, 2 << 10},
			"InjectArgs, replaced": {func() { jobcarrier.InjectArgs(ctx, args, with, replace) }, copyArgs, 14, 2 << 10},
			"InjectArgs, no room":  {func() { jobcarrier.InjectArgs(ctx, tightArgs, with, jobcarrier.Databricks()) }, copyArgs, 11, 2 << 10},
			"TakeArgs":             {func() { jobcarrier.TakeArgs(args, with) }, copyArgs, 1, 256},
		} {
			count, bytes := alloctest.PerRun(test.inject)
			onceCount, onceBytes := alloctest.PerRun(test.once)
			if count-onceCount > test.count || bytes-onceBytes > test.bytes {
				t.Errorf("%s of %d: %d allocations of %d bytes, and one copy takes %d of %d; want at most %d and %d more",
					name, size, count, bytes, onceCount, onceBytes, test.count, test.bytes)
			}
		}
	}
}

func copyMap[V any](m map[string]V, room int) {
	own := make(map[string]V, len(m)+room)
	maps.Copy(own, m)
	kept = own
}

// kept keeps the compiler from leaving a copy out.
var kept any
