// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package stages_test

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"testing"

	"github.com/waybill-go/waybill/stages"
)

// Not parallel: allocations of other tests would be counted.
func TestSeq_Allocations(t *testing.T) {
	s := mustStage(t, mustPipeline(t, stages.WithObserver(quiet{})), "extract", stages.WithoutSpans())
	allocations := func(n int) float64 {
		seq := stages.Seq(t.Context(), s, rows(n))
		return testing.AllocsPerRun(100, func() {
			for range seq {
			}
		})
	}
	if none, many := allocations(0), allocations(10_000); many != none {
		t.Errorf("10,000 rows: %v allocations, want %v as without rows", many, none)
	}
	const limit = 8
	if got := allocations(0); got > limit {
		t.Errorf("a run: %v allocations, limit %d", got, limit)
	}
}

func BenchmarkSeq(b *testing.B) {
	s := mustStage(b, mustPipeline(b, stages.WithObserver(quiet{})), "extract", stages.WithoutSpans())
	benchmarkSeq(b, func(ctx context.Context, seq iter.Seq2[int, error]) iter.Seq2[int, error] {
		return stages.Seq(ctx, s, seq)
	})
}

func BenchmarkSeq_Bare(b *testing.B) {
	benchmarkSeq(b, func(_ context.Context, seq iter.Seq2[int, error]) iter.Seq2[int, error] { return seq })
}

// benchmarkSeq measures one row, with goroutines that all range on one stage.
func benchmarkSeq(b *testing.B, wrap func(context.Context, iter.Seq2[int, error]) iter.Seq2[int, error]) {
	b.Helper()
	for _, goroutines := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			seq := wrap(b.Context(), rows(b.N/goroutines+1))
			b.ReportAllocs()
			b.ResetTimer()
			var all sync.WaitGroup
			for range goroutines {
				all.Go(func() {
					for range seq {
					}
				})
			}
			all.Wait()
		})
	}
}
