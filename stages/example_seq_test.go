// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"github.com/waybill-go/waybill/stages"
)

// The stage is extract; the loop that loads the rows is not part of it.
func ExampleSeq() {
	orders := stages.Must(stages.NewPipeline("orders", stages.WithObserver(totals{})))
	extract := stages.Must(orders.Stage("extract"))
	lines := func(yield func(string, error) bool) { // What reads a file, for example.
		_ = yield("a", nil) && yield("", stages.Reject(errors.New("empty line"), "empty")) && yield("b", nil)
	}
	for line, err := range stages.Seq(context.Background(), extract, lines) {
		fmt.Println(line, err)
	}
	// Output:
	// a <nil>
	//  empty line
	// b <nil>
	// 3 rows in, 2 out, 1 rejected, 0 bytes in, 0 out, 0 retry
}

// queryOrders is what a function looks like that queries a database.
func queryOrders(ctx context.Context, day string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		stages.FromContext(ctx).BytesIn(512)
		_ = yield(day+" order 1", nil) && yield(day+" order 2", nil)
	}
}

func ExampleSeqFunc() {
	orders := stages.Must(stages.NewPipeline("orders", stages.WithObserver(totals{})))
	extract := stages.Must(orders.Stage("extract"))
	rows := stages.SeqFunc(context.Background(), extract, func(ctx context.Context) iter.Seq2[string, error] {
		return queryOrders(ctx, "2026-10-01")
	})
	for row, err := range rows {
		fmt.Println(row, err)
	}
	// Output:
	// 2026-10-01 order 1 <nil>
	// 2026-10-01 order 2 <nil>
	// 2 rows in, 2 out, 0 rejected, 512 bytes in, 0 out, 0 retry
}

// A stage that ranges over the sequence of another one: each has its own time.
func ExampleSeq_chain() {
	orders := stages.Must(stages.NewPipeline("orders", stages.WithObserver(printer{})))
	extract := stages.Must(orders.Stage("extract"))
	transform := stages.Must(orders.Stage("transform"))
	numbers := stages.SeqFunc(context.Background(), transform, func(ctx context.Context) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for line, err := range stages.Seq(ctx, extract, stages.Values(slices.Values([]string{"1", "2"}))) {
				n := 0
				if err == nil {
					n, err = strconv.Atoi(line)
				}
				if !yield(n, err) {
					return
				}
			}
		}
	})
	for n := range numbers {
		fmt.Println(n)
	}
	// Output:
	// 1
	// 2
	// orders/extract: success
	// orders/transform: success
}

func ExampleValues() {
	orders := stages.Must(stages.NewPipeline("orders", stages.WithObserver(totals{})))
	extract := stages.Must(orders.Stage("extract"))
	for row := range stages.Seq(context.Background(), extract, stages.Values(slices.Values([]string{"a", "b"}))) {
		fmt.Println(row)
	}
	// Output:
	// a
	// b
	// 2 rows in, 2 out, 0 rejected, 0 bytes in, 0 out, 0 retry
}
