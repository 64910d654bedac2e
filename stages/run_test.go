// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

func TestRun_Counts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	mark := time.Unix(1_700_000_000, 0)
	_ = r.Run(t.Context(), func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		run.Read(10)
		run.Wrote(7)
		run.Rejected(2, "no depth")
		run.Rejected(1, "no time")
		run.BytesIn(100)
		run.BytesOut(50)
		run.Retried()
		run.Retried()
		run.Watermark(mark)
		return nil
	})
	want := map[string]int{
		"read": 10, "wrote": 7, "rejected no depth": 2, "rejected no time": 1, "bytes in": 100, "bytes out": 50, "retried": 2,
	}
	if diff := cmp.Diff(want, r.probe.counts); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]time.Time{mark}, r.probe.watermarks); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(observe.RunEnd{Read: 10, Wrote: 7, Rejected: 3, BytesIn: 100, BytesOut: 50, Retries: 2}, r.probe.last(t)); diff != "" {
		t.Error(diff)
	}
	if got := attributeOf(r.span(t), "etl.rows.rejected"); got != "3" {
		t.Errorf("etl.rows.rejected = %s", got)
	}
}

// A count below zero would make a counter panic.
func TestRun_NegativeCountsAreIgnored(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_ = r.Run(t.Context(), func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		run.Read(-1)
		run.Wrote(-1)
		run.Rejected(-1, "x")
		run.BytesIn(-1)
		run.BytesOut(-1)
		run.Watermark(time.Time{})
		run.Watermark(time.Now().Add(time.Hour))
		return nil
	})
	if len(r.probe.counts) != 0 || len(r.probe.watermarks) != 0 {
		t.Errorf("observed %v, %v, want nothing", r.probe.counts, r.probe.watermarks)
	}
	if diff := cmp.Diff(map[string]int{"negative": 5, "watermark": 1}, r.probe.drops); diff != "" {
		t.Errorf("dropped (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(observe.RunEnd{}, r.probe.last(t)); diff != "" {
		t.Errorf("end (-want +got)\n%s", diff)
	}
}

// A function that found nothing is not one that does not count.
func TestRun_ZeroCountsAreObserved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_ = r.Run(t.Context(), func(ctx context.Context) error {
		stages.FromContext(ctx).Read(0)
		return nil
	})
	if diff := cmp.Diff(map[string]int{"read": 0}, r.probe.counts); diff != "" {
		t.Errorf("observed (-want +got)\n%s", diff)
	}
	if got := attributeOf(r.span(t), "etl.rows.read"); got != "" {
		t.Errorf("etl.rows.read = %q, want no attribute", got)
	}
}

// What a function reports is kept, even if it does not add up.
func TestRun_MoreRejectedThanRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_ = r.Run(t.Context(), func(ctx context.Context) error {
		stages.FromContext(ctx).Read(1)
		stages.FromContext(ctx).Rejected(5, "x")
		return nil
	})
	if diff := cmp.Diff(observe.RunEnd{Read: 1, Rejected: 5}, r.probe.last(t)); diff != "" {
		t.Error(diff)
	}
}

func TestRun_Nil(t *testing.T) {
	t.Parallel()
	run := stages.FromContext(t.Context())
	run.Read(1)
	run.Wrote(1)
	run.Rejected(1, "x")
	run.BytesIn(1)
	run.BytesOut(1)
	run.Retried()
	run.Watermark(time.Now())
}

func TestRun_CountsAfterTheEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var run *stages.Run
	_ = r.Run(t.Context(), func(ctx context.Context) error { run = stages.FromContext(ctx); return nil })
	run.Read(3)
	if r.probe.counts["read"] != 3 || r.probe.last(t).Read != 0 {
		t.Errorf("counts %v, result %+v", r.probe.counts, r.probe.last(t))
	}
}

func TestRun_ConcurrentUse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_ = r.Run(t.Context(), func(ctx context.Context) error {
		var all sync.WaitGroup
		for range 128 {
			all.Go(func() {
				for range 100 {
					stages.FromContext(ctx).Read(1)
					stages.FromContext(ctx).Rejected(1, "x")
				}
			})
		}
		all.Wait()
		return nil
	})
	if got := r.probe.last(t); got.Read != 12800 || got.Rejected != 12800 {
		t.Errorf("got %+v", got)
	}
}

func TestStage_ContextIsItsParentsContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	parent, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "value"), time.Hour)
	t.Cleanup(cancel)
	_ = newRig(t).Run(parent, func(ctx context.Context) error {
		deadline, ok := ctx.Deadline()
		if want, _ := parent.Deadline(); !ok || !deadline.Equal(want) {
			t.Errorf("deadline %v", deadline)
		}
		if ctx.Value(key{}) != "value" {
			t.Error("the value is gone")
		}
		child, cancelChild := context.WithCancel(ctx)
		defer cancelChild()
		cancel()
		<-child.Done()
		return nil
	})
}
