// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

func TestRun_Latency(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		origin time.Duration // Before the run.
		err    error
		want   []time.Duration
		drops  map[string]int
	}{
		"an hour ago":               {origin: time.Hour, want: []time.Duration{time.Hour + time.Second}, drops: map[string]int{}},
		"only success counts":       {origin: time.Hour, err: errors.New("boom"), drops: map[string]int{}},
		"a clock that is ahead":     {origin: -time.Minute, want: []time.Duration{0}, drops: map[string]int{"clock_skew": 1}},
		"a clock that is far ahead": {origin: -time.Hour, drops: map[string]int{"clock_skew": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				ctx := propagation.ContextWithWaybill(t.Context(), propagation.Waybill{Origin: time.Now().Add(-test.origin)})
				_ = r.Run(ctx, func(context.Context) error { time.Sleep(time.Second); return test.err })
				if diff := cmp.Diff(test.want, r.probe.latencies); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(test.drops, r.probe.drops); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestRun_NoLatencyWithoutWaybill(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_ = r.Run(t.Context(), func(context.Context) error { return nil })
	_ = r.Run(propagation.ContextWithWaybill(t.Context(), propagation.Waybill{}), func(context.Context) error { return nil })
	if len(r.probe.latencies) != 0 || len(r.probe.drops) != 0 {
		t.Errorf("observed %v, dropped %v", r.probe.latencies, r.probe.drops)
	}
}

func TestRun_StageOfItsContext(t *testing.T) {
	t.Parallel()
	p := mustPipeline(t)
	load := mustStage(t, p, "load", stages.WithSource("orders.raw"), stages.WithoutSpans())
	want := observe.StageID{Pipeline: "orders", Stage: "load", Source: "orders.raw"}
	_ = p.Run(t.Context(), func(ctx context.Context) error {
		if got, ok := observe.StageFromContext(ctx); !ok || got != (observe.StageID{Pipeline: "orders"}) {
			t.Errorf("StageFromContext in a whole run = %+v, %t", got, ok)
		}
		return load.Run(ctx, func(ctx context.Context) error {
			inner, cancel := context.WithCancel(ctx)
			defer cancel()
			if got, ok := observe.StageFromContext(inner); !ok || got != want {
				t.Errorf("StageFromContext = %+v, %t, want %+v", got, ok, want)
			}
			return nil
		})
	})
	if got, ok := observe.StageFromContext(t.Context()); ok {
		t.Errorf("StageFromContext outside a run = %+v, want none", got)
	}
}
