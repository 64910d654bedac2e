// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package stages_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/waybill-go/waybill/stages"
)

// row is an item of a common size.
type row struct {
	id, price float64
	name      string
}

// queued is what a program without package stages puts into a channel.
type queued struct {
	ctx context.Context //nolint:containedctx // What is compared.
	row row
}

// benchmarkQueue measures put and take of one item: by one goroutine, and by
// pairs of a producer and a consumer.
func benchmarkQueue(b *testing.B, make func() (put func(context.Context, row), take func(context.Context) bool, done func())) {
	b.Helper()
	b.Run("serial", func(b *testing.B) {
		put, take, _ := make()
		ctx := b.Context()
		b.ReportAllocs()
		for b.Loop() {
			put(ctx, row{id: 1, price: 3.2, name: "a"})
			take(ctx)
		}
	})
	for _, pairs := range []int{1, 4, 64} {
		b.Run(fmt.Sprintf("pairs=%d", pairs), func(b *testing.B) {
			put, take, done := make()
			ctx := b.Context()
			b.ReportAllocs()
			b.ResetTimer()
			var producers, consumers sync.WaitGroup
			for p := range pairs {
				producers.Go(func() {
					for i := p; i < b.N; i += pairs {
						put(ctx, row{id: 1, price: 3.2, name: "a"})
					}
				})
				consumers.Go(func() {
					for take(ctx) {
					}
				})
			}
			producers.Wait()
			done()
			consumers.Wait()
		})
	}
}

const benchmarkCapacity = 1024

func BenchmarkQueue(b *testing.B) {
	s := mustStage(b, mustPipeline(b, stages.WithObserver(quiet{})), "load", stages.WithoutSpans())
	benchmarkQueue(b, func() (func(context.Context, row), func(context.Context) bool, func()) {
		q, err := stages.NewQueue[row](s, benchmarkCapacity)
		if err != nil {
			b.Fatal(err)
		}
		put := func(ctx context.Context, r row) { _ = q.Put(ctx, r) }
		take := func(ctx context.Context) bool {
			_, err := q.Take(ctx)
			return err == nil
		}
		return put, take, q.Close
	})
}

// The bare channel can neither be closed while it is used nor be left by a context.
func BenchmarkQueue_BareChannel(b *testing.B) {
	benchmarkQueue(b, func() (func(context.Context, row), func(context.Context) bool, func()) {
		c := make(chan queued, benchmarkCapacity)
		put := func(ctx context.Context, r row) { c <- queued{ctx, r} }
		take := func(context.Context) bool {
			_, ok := <-c
			return ok
		}
		return put, take, func() { close(c) }
	})
}

// What a program must do at least to return when its context is done.
func BenchmarkQueue_BareChannelWithContext(b *testing.B) {
	benchmarkQueue(b, func() (func(context.Context, row), func(context.Context) bool, func()) {
		c := make(chan queued, benchmarkCapacity)
		put := func(ctx context.Context, r row) {
			select {
			case c <- queued{ctx, r}:
			case <-ctx.Done():
			}
		}
		take := func(ctx context.Context) bool {
			select {
			case _, ok := <-c:
				return ok
			case <-ctx.Done():
				return false
			}
		}
		return put, take, func() { close(c) }
	})
}

// Not parallel: allocations of other tests would be counted.
func TestQueue_Allocations(t *testing.T) {
	ctx := t.Context()
	for name, s := range map[string]*stages.Stage{"no stage": nil, "observed": mustStage(t, mustPipeline(t, stages.WithObserver(quiet{})), "load")} {
		q, err := stages.NewQueue[row](s, 2)
		if err != nil {
			t.Fatal(err)
		}
		if got := testing.AllocsPerRun(1000, func() {
			_ = q.Put(ctx, row{id: 1, price: 3.2, name: "a"})
			_, _ = q.Take(ctx)
		}); got != 0 {
			t.Errorf("%s: put and take: %v allocations, want 0", name, got)
		}
		_ = q.Put(ctx, row{id: 1})
		item, _ := q.Take(ctx)
		if got := testing.AllocsPerRun(1000, func() { _ = item.Context(ctx) }); got > 2 {
			t.Errorf("%s: the context of an item: %v allocations, limit 2", name, got)
		}
	}
}
