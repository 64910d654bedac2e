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

	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// R20.
func TestEndToEndIsTheTimeSinceTheDataSetOut(t *testing.T) {
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
				if diff := cmp.Diff(test.want, r.probe.travels); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(test.drops, r.probe.drops); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestDataThatHasNotTravelledHasNoEndToEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_ = r.Run(t.Context(), func(context.Context) error { return nil })
	_ = r.Run(propagation.ContextWithWaybill(t.Context(), propagation.Waybill{}), func(context.Context) error { return nil })
	if len(r.probe.travels) != 0 || len(r.probe.drops) != 0 {
		t.Errorf("observed %v, dropped %v", r.probe.travels, r.probe.drops)
	}
}

func TestARunKnowsItsStage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_ = r.Run(t.Context(), func(ctx context.Context) error {
		if got := stages.FromContext(ctx).Stage(); got != r.Stage || got.Name() != "load" || got.Pipeline() != "orders" {
			t.Errorf("it is %q of %q", got.Name(), got.Pipeline())
		}
		return nil
	})
	if none := stages.FromContext(t.Context()).Stage(); none != nil || none.Name() != "" || none.Pipeline() != "" {
		t.Errorf("outside of a run there is %v", none)
	}
}
