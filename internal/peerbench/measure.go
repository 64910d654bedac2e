// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// task is one thing to measure. setup returns what is timed, and what undoes it.
type task struct {
	row, column string
	setup       func() (op, done func())
	goroutines  goroutines // That call op at once, on all processors; 0 for one on one processor.
}

// goroutines is a number of them.
type goroutines int

func (g goroutines) String() string {
	if g == 1 {
		return "1 goroutine"
	}
	return strconv.Itoa(int(g)) + " goroutines"
}

// cell names the place of a task in its table.
type cell struct{ row, column string }

// cost is what one operation takes.
type cost struct {
	ns     float64
	bytes  int64
	allocs int64
}

// costs measures every task once a round and returns the medians.
func costs(tasks []task, rounds int) map[cell]cost { return medians(measured(tasks, rounds)) }

// measured measures every task once a round, in a new order each.
func measured(tasks []task, rounds int) []map[cell]cost {
	all := make([]map[cell]cost, rounds)
	for round := range rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d, %d tasks\n", round+1, rounds, len(tasks))
		all[round] = map[cell]cost{}
		for _, i := range rand.Perm(len(tasks)) {
			t := tasks[i]
			all[round][cell{t.row, t.column}] = benchmark(t)
		}
	}
	return all
}

func medians(rounds []map[cell]cost) map[cell]cost {
	byCell := map[cell][]cost{}
	for _, round := range rounds {
		for at, c := range round {
			byCell[at] = append(byCell[at], c)
		}
	}
	medians := map[cell]cost{}
	for at, all := range byCell {
		medians[at] = cost{
			ns:     median(all, func(c cost) float64 { return c.ns }),
			bytes:  median(all, func(c cost) int64 { return c.bytes }),
			allocs: median(all, func(c cost) int64 { return c.allocs }),
		}
	}
	return medians
}

// benchmark measures t on one processor, unless t has goroutines, by the time that
// this process has on its processors: so it does not count what others do on the
// machine, and all that a task does on goroutines counts, as do its garbage
// collections.
func benchmark(t task) cost {
	if t.goroutines == 0 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	}
	op, done := t.setup()
	defer done()
	var used time.Duration
	r := testing.Benchmark(func(b *testing.B) { //nolint:thelper // The benchmark itself.
		before := processTime()
		t.goroutines.loop(b, op)
		used = processTime() - before
	})
	perOp := func(total uint64) int64 { return int64(math.Round(float64(total) / float64(r.N))) }
	return cost{ns: float64(used.Nanoseconds()) / float64(r.N), bytes: perOp(r.MemBytes), allocs: perOp(r.MemAllocs)}
}

// loop calls op as often as b asks for, by g goroutines.
func (g goroutines) loop(b *testing.B, op func()) { //nolint:thelper // The benchmark itself.
	if g <= 1 {
		for b.Loop() {
			op()
		}
		return
	}
	var all sync.WaitGroup
	for i := range int(g) {
		all.Go(func() {
			for n := i; n < b.N; n += int(g) {
				op()
			}
		})
	}
	all.Wait()
}

// median returns the middle of what of finds in all.
func median[S any, N cmp.Ordered](all []S, of func(S) N) N {
	values := make([]N, len(all))
	for i, each := range all {
		values[i] = of(each)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
