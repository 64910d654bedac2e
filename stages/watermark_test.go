// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

// at returns a watermark.
func at(minute int) time.Time {
	return time.Date(2026, 10, 1, 0, minute, 0, 0, time.UTC)
}

func TestRun_WatermarkOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		report func(run *stages.Run)
		want   []time.Time // What the stage reports.
	}{
		{name: "one input", report: func(run *stages.Run) {
			run.WatermarkOf("a", at(1))
			run.WatermarkOf("a", at(3))
			run.WatermarkOf("a", at(2))
		}, want: []time.Time{at(1), at(3)}},
		{name: "the slower of two", report: func(run *stages.Run) {
			run.WatermarkOf("a", at(1))
			run.WatermarkOf("b", at(2))
			run.WatermarkOf("b", at(5))
			run.WatermarkOf("a", at(3))
			run.WatermarkOf("a", at(9))
		}, want: []time.Time{at(1), at(3), at(5)}},
		{name: "does not go back for a late input", report: func(run *stages.Run) {
			run.WatermarkOf("a", at(5))
			run.WatermarkOf("b", at(2))
			run.WatermarkOf("b", at(7))
			run.WatermarkOf("a", at(6))
		}, want: []time.Time{at(5), at(6)}},
		{name: "an idle input holds nothing up", report: func(run *stages.Run) {
			run.WatermarkOf("a", at(1))
			run.WatermarkOf("b", at(5))
			run.InputIdle("a")
			run.WatermarkOf("b", at(6))
		}, want: []time.Time{at(1), at(5), at(6)}},
		{name: "an idle input that comes back", report: func(run *stages.Run) {
			run.WatermarkOf("a", at(1))
			run.InputIdle("a")
			run.WatermarkOf("b", at(5))
			run.WatermarkOf("a", at(2))
			run.WatermarkOf("b", at(9))
			run.WatermarkOf("a", at(8))
		}, want: []time.Time{at(1), at(5), at(8)}},
		{name: "an input that was always idle", report: func(run *stages.Run) {
			run.InputIdle("a")
			run.WatermarkOf("b", at(5))
		}, want: []time.Time{at(5)}},
		{name: "all inputs idle", report: func(run *stages.Run) {
			run.WatermarkOf("a", at(1))
			run.WatermarkOf("b", at(1))
			run.InputIdle("a")
			run.InputIdle("b")
			run.InputIdle("b")
		}, want: []time.Time{at(1)}},
		{name: "no time", report: func(run *stages.Run) { run.WatermarkOf("a", time.Time{}) }},
		{name: "far in the future", report: func(run *stages.Run) {
			run.WatermarkOf("a", time.Now().Add(time.Hour))
			run.WatermarkOf("a", at(1))
		}, want: []time.Time{at(1)}},
		{name: "before 1678", report: func(run *stages.Run) {
			run.WatermarkOf("a", time.Date(1492, 10, 12, 0, 0, 0, 0, time.UTC))
			run.WatermarkOf("a", at(1))
		}, want: []time.Time{time.Date(1492, 10, 12, 0, 0, 0, 0, time.UTC), at(1)}},
		{name: "after a reset", report: func(run *stages.Run) {
			run.WatermarkOf("a", at(5))
			run.WatermarkOf("b", at(6))
			run.ResetWatermark(at(2))
			run.WatermarkOf("a", at(1))
			run.WatermarkOf("a", at(3))
		}, want: []time.Time{at(5), at(3)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			_ = r.Run(t.Context(), func(ctx context.Context) error { tt.report(stages.FromContext(ctx)); return nil })
			if diff := cmp.Diff(tt.want, r.probe.watermarks); diff != "" {
				t.Errorf("watermarks (-want +got)\n%s", diff)
			}
		})
	}
}

// The inputs belong to the stage, and not to one of its runs.
func TestRun_WatermarkOfSeveralRuns(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i, input := range []string{"a", "b", "a"} {
		_ = r.Run(t.Context(), func(ctx context.Context) error {
			stages.FromContext(ctx).WatermarkOf(input, at(i+1))
			return nil
		})
	}
	if diff := cmp.Diff([]time.Time{at(1), at(2)}, r.probe.watermarks); diff != "" {
		t.Errorf("watermarks (-want +got)\n%s", diff)
	}
}

func TestRun_WatermarkOfTooManyInputs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_ = r.Run(t.Context(), func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		for i := range 1100 {
			run.WatermarkOf(strconv.Itoa(i), at(1))
			run.InputIdle(strconv.Itoa(i))
		}
		return nil
	})
	if got := r.probe.dropped(observe.DropWatermark); got != 100 {
		t.Errorf("%d watermarks dropped, want 100", got)
	}
}

func TestRun_WatermarkOfConcurrentUse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_ = r.Run(t.Context(), func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		var all sync.WaitGroup
		for i := range 64 {
			run.WatermarkOf(strconv.Itoa(i), at(0))
			all.Go(func() {
				for minute := range 50 {
					run.WatermarkOf(strconv.Itoa(i), at(minute+1+i))
				}
			})
		}
		all.Wait()
		return nil
	})
	latest := at(0)
	for _, mark := range r.probe.watermarks {
		if mark.After(latest) {
			latest = mark
		}
	}
	if want := at(50); !latest.Equal(want) { // Of the input 0.
		t.Errorf("latest watermark = %v, want %v", latest, want)
	}
}

// Inputs that rise at the same time leave the watermark at the earliest of them, and not
// below, where no input would advance it again.
func TestRun_WatermarkOfInputsThatRiseAtOnce(t *testing.T) {
	t.Parallel()
	const inputs, rounds = 1000, 2000
	second := func(n int) time.Time { return at(0).Add(time.Duration(n) * time.Second) }
	r := newRig(t)
	_ = r.Run(t.Context(), func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		run.WatermarkOf("a", second(0))
		run.WatermarkOf("b", second(0))
		for i := range inputs - 2 { // They make the search for the earliest take long.
			run.WatermarkOf(strconv.Itoa(i), second(rounds*10))
		}
		for round := range rounds {
			start := 10 * round
			run.WatermarkOf("a", second(start+1))
			run.WatermarkOf("b", second(start+2))
			var all sync.WaitGroup
			all.Go(func() { run.WatermarkOf("a", second(start+4)) })
			all.Go(func() {
				for i := range round % 100 * 10 { // At various times of the search.
					_ = ctx.Value(i)
				}
				run.WatermarkOf("b", second(start+3))
			})
			all.Wait()
			if got, want := slices.MaxFunc(r.probe.watermarks, time.Time.Compare), second(start+3); !got.Equal(want) {
				t.Errorf("round %d: watermark = %v, want %v", round, got, want)
				break
			}
			r.probe.watermarks = nil
		}
		return nil
	})
}

func TestRun_ResetWatermark(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_ = r.Run(t.Context(), func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		run.Watermark(at(5))
		run.ResetWatermark(at(1))
		run.ResetWatermark(time.Time{})
		run.ResetWatermark(time.Now().Add(time.Hour))
		return nil
	})
	if diff := cmp.Diff([]time.Time{at(1), {}}, r.probe.resets); diff != "" {
		t.Errorf("resets (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"watermark": 1}, r.probe.drops); diff != "" {
		t.Errorf("dropped (-want +got)\n%s", diff)
	}
}

func TestRun_EventTime(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		event time.Time
		want  time.Duration // Rounded to a minute; -1 for none.
		drops map[string]int
	}{
		{name: "an hour ago", event: time.Now().Add(-time.Hour), want: time.Hour, drops: map[string]int{}},
		{name: "a minute ahead", event: time.Now().Add(time.Minute), want: 0, drops: map[string]int{"clock_skew": 1}},
		{name: "an hour ahead", event: time.Now().Add(time.Hour), want: -1, drops: map[string]int{"clock_skew": 1}},
		{name: "no time", want: -1, drops: map[string]int{"no_event_time": 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			_ = r.Run(t.Context(), func(ctx context.Context) error {
				stages.FromContext(ctx).EventTime(tt.event)
				return nil
			})
			got := time.Duration(-1)
			if len(r.probe.ages) == 1 {
				got = r.probe.ages[0].Round(time.Minute)
			}
			if got != tt.want || len(r.probe.ages) > 1 {
				t.Errorf("ages = %v, want %v", r.probe.ages, tt.want)
			}
			if diff := cmp.Diff(tt.drops, r.probe.drops); diff != "" {
				t.Errorf("dropped (-want +got)\n%s", diff)
			}
		})
	}
}

// watermarks is an observer that prints watermarks.
type watermarks struct{ printer }

func (watermarks) Stage(observe.StageID) observe.RunObserver { return watermarks{} }
func (watermarks) Ended(context.Context, observe.RunEnd)     {}
func (watermarks) Watermark(t time.Time) {
	fmt.Println("watermark", t.UTC().Format(time.TimeOnly))
}

func (watermarks) WatermarkReset(t time.Time) {
	fmt.Println("watermark set to", t.UTC().Format(time.TimeOnly))
}

func ExampleRun_WatermarkOf() {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(watermarks{}))
	load, _ := p.Stage("load")
	_ = load.Run(context.Background(), func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		run.WatermarkOf("orders/0", at(1))
		run.WatermarkOf("orders/1", at(9))
		run.WatermarkOf("orders/0", at(5))
		return nil
	})
	// Output:
	// watermark 00:01:00
	// watermark 00:05:00
}

func ExampleRun_InputIdle() {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(watermarks{}))
	load, _ := p.Stage("load")
	_ = load.Run(context.Background(), func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		run.WatermarkOf("orders/0", at(1))
		run.WatermarkOf("orders/1", at(9))
		run.InputIdle("orders/0") // The partition was revoked.
		return nil
	})
	// Output:
	// watermark 00:01:00
	// watermark 00:09:00
}

func ExampleRun_ResetWatermark() {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(watermarks{}))
	load, _ := p.Stage("load")
	_ = load.Run(context.Background(), func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		run.Watermark(at(9))
		run.ResetWatermark(at(2)) // The last seven minutes are processed again.
		run.Watermark(at(3))
		return nil
	})
	// Output:
	// watermark 00:09:00
	// watermark set to 00:02:00
	// watermark 00:03:00
}

// ages is an observer that prints the ages of rows.
type ages struct{ printer }

func (ages) Stage(observe.StageID) observe.RunObserver { return ages{} }
func (ages) Ended(context.Context, observe.RunEnd)     {}
func (ages) RowAge(_ context.Context, age time.Duration) {
	fmt.Println("age", age.Round(time.Minute))
}

func ExampleRun_EventTime() {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(ages{}))
	load, _ := p.Stage("load")
	_ = load.Run(context.Background(), func(ctx context.Context) error {
		happened := time.Now().Add(-90 * time.Minute) // A field of the row.
		stages.FromContext(ctx).EventTime(happened)
		return nil
	})
	// Output: age 1h30m0s
}
