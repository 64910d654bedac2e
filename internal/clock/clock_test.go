// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package clock_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-go/waybill/internal/clock"
)

func TestTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := clock.Now()
		for _, pause := range []time.Duration{0, time.Millisecond, 998 * time.Millisecond, time.Second, time.Hour} {
			time.Sleep(pause)
			if got, want := clock.Time(clock.Now()), time.Now(); !got.Equal(want) {
				t.Errorf("Time after %v = %v, want %v", pause, got, want)
			}
		}
		elapsed := clock.Now() - first
		if want := time.Hour + 1999*time.Millisecond; elapsed != want {
			t.Errorf("elapsed = %v, want %v", elapsed, want)
		}
		if got, want := clock.Time(first), time.Now().Add(-elapsed); !got.Equal(want) {
			t.Errorf("Time of an old reading = %v, want %v", got, want)
		}
	})
}

func TestTime_ConcurrentUse(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for range 128 {
		all.Go(func() {
			for range 100 {
				before := time.Now()
				got := clock.Time(clock.Now())
				if off := got.Sub(before); off < -time.Second || off > time.Minute {
					t.Errorf("Time is %v after time.Now", off)
				}
			}
		})
	}
	all.Wait()
}

func TestTime_Allocations(t *testing.T) {
	if got := testing.AllocsPerRun(1000, func() { clock.Time(clock.Now()) }); got != 0 {
		t.Errorf("Time allocates %v times, want 0", got)
	}
}
