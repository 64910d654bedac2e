// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"iter"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/stages"
)

const bare = "bare"

// rowTasks measure what is done for each row inside a stage: the row "bare" is the
// same without waybill.
func rowTasks() []task {
	return []task{
		{row: bare, column: "count a row", setup: inStage(bareCount)},
		{row: "waybill", column: "count a row", setup: inStage(waybillCount)},
		{row: bare, column: "check a row twice", setup: inStage(bareCheck)},
		{row: "waybill", column: "check a row twice", setup: inStage(waybillCheck)},
		{row: bare, column: "put and take", setup: inStage(bareQueue)},
		{row: "waybill", column: "put and take", setup: inStage(waybillQueue)},
		{row: bare, column: "range over 100 rows", setup: inStage(bareSequence)},
		{row: "waybill", column: "range over 100 rows", setup: inStage(waybillSequence)},
		{row: bare, column: "log a record", setup: inStage(bareLog)},
		{row: "waybill", column: "log a record", setup: inStage(waybillLog)},
	}
}

// rowNotes say what the columns are.
const rowNotes = `Bare are: a counter that is looked up before; two comparisons; a channel of a struct with the context; an
iter.Seq2; the JSON handler of slog. waybill counts with Run.Read, checks with a Validator of two checks, whose passes
are counted, queues with Queue, ranges with Seq, which is a run of its own with a span that is not recorded, and adds
the trace and the stage to the record with NewLogHandler.
`

// inStage runs makeOp in a run of a stage with metrics, in a span that is not
// recorded.
func inStage(makeOp func(ctx context.Context, s *stages.Stage) func()) func() (op, done func()) {
	return func() (op, done func()) {
		ctx, done := startOpenTelemetry(unsampled)
		m, err := metrics.New(nil)
		check(err)
		s := waybillStage(m)
		check(s.Run(ctx, func(ctx context.Context) error {
			op = makeOp(ctx, s)
			return nil
		}))
		return op, done
	}
}

func bareCount(context.Context, *stages.Stage) func() {
	rows := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rows_total", Help: "x"}, []string{"pipeline", "stage"}).WithLabelValues("orders", "load")
	return func() { rows.Add(1) }
}

func waybillCount(ctx context.Context, _ *stages.Stage) func() {
	run := stages.FromContext(ctx)
	return func() { run.Read(1) }
}

// order is a row.
type order struct {
	id    int
	price float64
	item  string
}

func hasPrice(o order) bool { return o.price > 0 }
func hasItem(o order) bool  { return o.item != "" }

var anOrder = order{1, 9.5, "book"}

const notPassed = "a row has not passed"

func bareCheck(context.Context, *stages.Stage) func() {
	checks := []func(order) bool{hasPrice, hasItem}
	return func() {
		for _, passes := range checks {
			if !passes(anOrder) {
				panic(notPassed)
			}
		}
	}
}

func waybillCheck(ctx context.Context, s *stages.Stage) func() {
	v, err := stages.NewValidator(s, []stages.Check[order]{stages.NewCheck("has_price", hasPrice), stages.NewCheck("has_item", hasItem)})
	check(err)
	return func() { check(v.Validate(ctx, anOrder)) }
}

const queueCapacity = 1024

// queuedOrder is what a program puts into a channel to keep the context of a row.
type queuedOrder struct {
	ctx   context.Context //nolint:containedctx // What is compared.
	order order
}

func bareQueue(ctx context.Context, _ *stages.Stage) func() {
	queue := make(chan queuedOrder, queueCapacity)
	return func() {
		select {
		case queue <- queuedOrder{ctx, anOrder}:
		case <-ctx.Done():
		}
		select {
		case <-queue:
		case <-ctx.Done():
		}
	}
}

func waybillQueue(ctx context.Context, s *stages.Stage) func() {
	queue, err := stages.NewQueue[order](s, queueCapacity)
	check(err)
	return func() {
		check(queue.Put(ctx, anOrder))
		_, err := queue.Take(ctx)
		check(err)
	}
}

// hundred yields 100 rows.
func hundred(yield func(order, error) bool) {
	for range 100 {
		if !yield(anOrder, nil) {
			return
		}
	}
}

func bareSequence(context.Context, *stages.Stage) func() { return rangeOver(hundred) }

func waybillSequence(ctx context.Context, s *stages.Stage) func() {
	return rangeOver(stages.Seq(ctx, s, hundred))
}

func rangeOver(rows iter.Seq2[order, error]) func() {
	return func() {
		for o, err := range rows {
			if err != nil || !hasPrice(o) {
				panic(notPassed)
			}
		}
	}
}

// logTo returns the handler of a log that nobody reads.
func logTo() slog.Handler { return slog.NewJSONHandler(io.Discard, nil) }

func bareLog(ctx context.Context, _ *stages.Stage) func() {
	logger := slog.New(logTo())
	return func() { logger.InfoContext(ctx, "loaded", "rows", 3) }
}

func waybillLog(ctx context.Context, _ *stages.Stage) func() {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		panic("no span")
	}
	logger := slog.New(stages.NewLogHandler(logTo()))
	return func() { logger.InfoContext(ctx, "loaded", "rows", 3) }
}
