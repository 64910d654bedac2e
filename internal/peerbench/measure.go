// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// task is one thing to measure. setup returns what is timed, and what undoes it.
type task struct {
	row, column string
	setup       func() (op, done func())
}

// cell names the place of a task in its table.
type cell struct{ row, column string }

// cost is what one operation takes.
type cost struct {
	ns     float64
	bytes  int64
	allocs int64
}

// costs measures every task once a round, in a new order each, and returns the
// medians.
func costs(tasks []task, rounds int) map[cell]cost {
	measured := map[cell][]cost{}
	for round := range rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d, %d tasks\n", round+1, rounds, len(tasks))
		for _, i := range rand.Perm(len(tasks)) {
			t := tasks[i]
			at := cell{t.row, t.column}
			measured[at] = append(measured[at], benchmark(t))
		}
	}
	medians := map[cell]cost{}
	for at, all := range measured {
		medians[at] = cost{
			ns:     median(all, func(c cost) float64 { return c.ns }),
			bytes:  median(all, func(c cost) int64 { return c.bytes }),
			allocs: median(all, func(c cost) int64 { return c.allocs }),
		}
	}
	return medians
}

func benchmark(t task) cost {
	op, done := t.setup()
	defer done()
	r := testing.Benchmark(func(b *testing.B) { //nolint:thelper // The benchmark itself.
		for b.Loop() {
			op()
		}
	})
	return cost{ns: float64(r.T.Nanoseconds()) / float64(r.N), bytes: r.AllocedBytesPerOp(), allocs: r.AllocsPerOp()}
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
