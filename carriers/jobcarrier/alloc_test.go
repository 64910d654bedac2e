// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package jobcarrier_test

import (
	"testing"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
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
