// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"math"
	"testing"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
)

// Rule 50.
func TestWindowTellsGapsAndRedeliveries(t *testing.T) {
	t.Parallel()
	run := func(from, to int64) (offsets []int64) {
		for o := from; o < to; o++ {
			offsets = append(offsets, o)
		}
		return offsets
	}
	tests := map[string]struct {
		offsets []int64
		again   int
		skipped int64
	}{
		"in order":                  {run(5, 500), 0, 0},
		"out of order":              {[]int64{5, 7, 6, 9, 8, 4, 10}, 0, 0},
		"a gap":                     {[]int64{1, 2, 5, 6}, 0, 2},
		"a gap wider than a window": {[]int64{1, 1000}, 0, 998},
		"one again":                 {[]int64{1, 2, 2, 3}, 1, 0},
		"a few again":               {append(run(0, 10), run(7, 12)...), 3, 0},
		"many again":                {append(run(0, 500), run(100, 600)...), 400, 0},
		"from before the start":     {append(run(100, 300), run(50, 310)...), 200, 0},
		"again and a gap":           {append(run(0, 300), append(run(100, 200), run(210, 310)...)...), 190, 10},
		"twice again":               {append(run(0, 200), append(run(0, 200), run(0, 200)...)...), 400, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w kafkacarrier.Window
			var again int
			var skipped int64
			for _, o := range tt.offsets {
				repeated, missed := w.Track(o)
				if repeated {
					again++
				}
				skipped += missed
			}
			skipped += w.Missing()
			if again != tt.again || skipped != tt.skipped {
				t.Errorf("%d again and %d skipped, want %d and %d", again, skipped, tt.again, tt.skipped)
			}
		})
	}
}

// A broker may answer with any offset.
func TestWindowHoldsEveryOffset(t *testing.T) {
	t.Parallel()
	offsets := []int64{math.MinInt64, -1, 0, 1, 63, 64, 1 << 62, math.MaxInt64 - 1, math.MaxInt64}
	for _, first := range offsets {
		for _, second := range offsets {
			for _, third := range offsets {
				var w kafkacarrier.Window
				for _, o := range []int64{first, second, third} {
					if _, skipped := w.Track(o); skipped < 0 || w.Missing() < 0 {
						t.Errorf("after %d, %d and %d, %d are skipped and %d missing", first, second, third, skipped, w.Missing())
					}
				}
			}
		}
	}
}

// Rule 50. The oracle is a set without a bound.
func FuzzWindow(f *testing.F) {
	f.Add([]byte{1, 1, 1, 3, 1, 1})
	f.Add([]byte{1, 130, 1, 127, 1})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var w kafkacarrier.Window
		seen := make(map[int64]bool)
		offset, first, highest := int64(1000), int64(1000), int64(-1)
		var skipped int64
		for _, step := range steps {
			offset += int64(step%32) + 1 // Forwards only: each offset is new.
			if highest < 0 {
				first = offset
			}
			highest = offset
			again, missed := w.Track(offset)
			if again {
				t.Fatalf("offset %d is new", offset)
			}
			skipped += missed
			seen[offset] = true
			if step >= 128 { // Some come twice.
				if again, _ := w.Track(offset); !again {
					t.Fatalf("offset %d came again", offset)
				}
			}
		}
		if highest < 0 {
			return
		}
		if got, want := skipped+w.Missing(), highest-first+1-int64(len(seen)); got != want {
			t.Errorf("%d skipped, want %d", got, want)
		}
	})
}
