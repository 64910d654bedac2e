// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// The functions of a program that knows nothing of stages. Each has a shape that is
// on the page docs/stages.md.

func refresh(context.Context) error                       { return nil }
func fetch(context.Context) ([]string, error)             { return []string{"1", "2"}, nil }
func parse(_ context.Context, row string) (int, error)    { return strconv.Atoi(row) }
func insert(context.Context, int) error                   { return nil }
func insertAll(context.Context, ...int) error             { return nil }
func join(_ context.Context, a, b string) (string, error) { return a + b, nil }
func parseRow(row string) (int, error)                    { return strconv.Atoi(row) }
func trim(row string) string                              { return strings.TrimSpace(row) }
func vacuum()                                             {}
func syncDisk() error                                     { return nil }
func lookup(row string) (price int, ok bool)              { return len(row), row != "" }
func unique[T comparable](ctx context.Context, rows []T) ([]T, error) {
	return slices.Compact(rows), ctx.Err()
}

func split(_ context.Context, rows []string) (good, bad []string, err error) {
	return rows[:1], rows[1:], nil
}

func double(_ context.Context, in <-chan int, out chan<- int) error {
	defer close(out)
	for n := range in {
		out <- 2 * n
	}
	return nil
}

func each(ctx context.Context, rows []int, visit func(context.Context, int) error) (err error) {
	for _, row := range rows {
		err = errors.Join(err, visit(ctx, row))
	}
	return err
}

func lines(yield func(string, error) bool) { _ = yield("1", nil) && yield("2", nil) }

func readRows(context.Context) iter.Seq2[string, error] { return lines }

func readDay(_ context.Context, _ string) iter.Seq2[string, error] { return lines }

type table struct{}

func (*table) Insert(context.Context, int) error { return nil }
func (*table) Rows() iter.Seq[int]               { return slices.Values([]int{1, 2}) }

// Every shape of function in one line. The page docs/stages.md has the same lines.
func Example_shapes() {
	var (
		ctx    = context.Background()
		orders = stages.Must(stages.NewPipeline("orders"))
		stage  = stages.Must(orders.Stage("shapes"))
		db     = new(table)
		in     = make(chan int)
		out    = make(chan int, 1)
		rows   = []int{1, 2}
		none   []propagation.Remote
	)
	close(in)

	// With a context.
	err := stage.Run(ctx, refresh)
	check(err)
	fetched, err := stages.Call(ctx, stage, fetch)
	check(err)
	parseOne := stages.Wrap(stage, parse)
	insertOne := stages.WrapErr(stage, insert)
	insertRow := stages.WrapErr(stage, db.Insert)
	uniqueRows := stages.Wrap(stage, unique[string])

	// Without a context, a result or an error.
	parseAny := stages.Wrap(stage, func(_ context.Context, row string) (int, error) { return parseRow(row) })
	trimRow := stages.Wrap(stage, func(_ context.Context, row string) (string, error) { return trim(row), nil })
	err = stage.Run(ctx, func(context.Context) error { return syncDisk() })
	check(err)
	err = stage.Run(ctx, func(context.Context) error { vacuum(); return nil })
	check(err)

	// With more arguments or results.
	joined, err := stages.Call(ctx, stage, func(ctx context.Context) (string, error) { return join(ctx, "a", "b") })
	check(err)
	insertMany := stages.WrapErr(stage, func(ctx context.Context, rows []int) error { return insertAll(ctx, rows...) })
	var good, bad []string
	err = stage.Run(ctx, func(ctx context.Context) (err error) { good, bad, err = split(ctx, fetched); return err })
	check(err)
	var price int
	var ok bool
	err = stage.Run(ctx, func(context.Context) error { price, ok = lookup("row"); return nil })
	check(err)

	// With a function: the whole, or each call of it.
	err = stage.Run(ctx, func(ctx context.Context) error { return each(ctx, rows, insert) })
	check(err)
	err = each(ctx, rows, stages.WrapErr(stage, insert))
	check(err)

	// With readers, writers and channels.
	copied, err := stages.Call(ctx, stage, func(context.Context) (int64, error) { return io.Copy(io.Discard, strings.NewReader("row")) })
	check(err)
	err = stage.Run(ctx, func(ctx context.Context) error { return double(ctx, in, out) })
	check(err)
	received := stages.Seq(ctx, stage, stages.Values(func(yield func(int) bool) {
		for n := range out {
			if !yield(n) {
				return
			}
		}
	}))

	// Sequences.
	extracted := stages.Seq(ctx, stage, lines)
	queried := stages.SeqFunc(ctx, stage, readRows)
	ofDay := stages.SeqFunc(ctx, stage, func(ctx context.Context) iter.Seq2[string, error] { return readDay(ctx, "2026-10-01") })
	listed := stages.Seq(ctx, stage, stages.Values(db.Rows()))

	// Many rows at once, and a whole run.
	err = stages.Batch(ctx, stage, none, func(ctx context.Context) error { return insertAll(ctx, rows...) }, stages.WithRows(len(rows)))
	check(err)
	err = orders.Run(ctx, refresh, stages.WithParameter("day", "2026-10-01"))
	check(err)

	// They are what they were.
	n, err := parseOne(ctx, "42")
	check(err)
	m, err := parseAny(ctx, "43")
	check(err)
	text, err := trimRow(ctx, " row ")
	check(err)
	once, err := uniqueRows(ctx, []string{"a", "a"})
	check(err)
	fmt.Println(n, m, text, once, joined, good, bad, price, ok, copied)
	fmt.Println(insertOne(ctx, 1), insertRow(ctx, 1), insertMany(ctx, rows))
	fmt.Println(count(received), count(extracted), count(queried), count(ofDay), count(listed))
	// Output:
	// 42 43 row [a] ab [1] [2] 3 true 3
	// <nil> <nil> <nil>
	// 0 2 2 2 2
}

// check stands for what a program does with an error.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

func count[T any](seq iter.Seq2[T, error]) (n int) {
	for range seq {
		n++
	}
	return n
}

// Each line of code on the page is compiled.
func TestShapes_PageIsCode(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(text), "\r\n", "\n")
	}
	code := map[string]bool{}
	for _, name := range []string{"example_shapes_test.go", "example_workers_test.go", "example_queue_test.go"} {
		for line := range strings.Lines(read(name)) {
			code[strings.TrimSpace(line)] = true
		}
	}
	checked := 0
	for i, block := range strings.Split(read("../docs/stages.md"), "```") {
		body, isGo := strings.CutPrefix(block, "go\n")
		if i%2 == 0 || !isGo {
			continue
		}
		for line := range strings.Lines(body) {
			if line = strings.TrimSpace(line); !code[line] {
				t.Errorf("docs/stages.md has a line that no example has:\n%s", line)
			}
			checked++
		}
	}
	if checked < 30 {
		t.Errorf("%d lines of code on the page, want 30 or more", checked)
	}
}
