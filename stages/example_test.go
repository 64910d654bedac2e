// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

// printer is an observer that prints each run when it has ended.
type printer struct{ name string }

func (printer) Stage(id observe.StageID) observe.RunObserver {
	return printer{strings.Trim(id.Pipeline+"/"+id.Stage+" "+id.Source, " /")}
}

func (printer) Started(context.Context) {}

func (p printer) Ended(_ context.Context, result observe.RunEnd) {
	fmt.Println(strings.TrimSpace(fmt.Sprintf("%s: %v %s", p.name, result.Outcome, result.ErrorType)))
}

func ExampleNewPipeline() {
	p, err := stages.NewPipeline("orders", stages.WithObserver(printer{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	extract, err := p.Stage("extract", stages.WithSource("orders.raw"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = extract.Run(context.Background(), func(context.Context) error { return nil })
	// Output: orders/extract orders.raw: success
}

func ExamplePipeline_Stage() {
	p, _ := stages.NewPipeline("orders")
	_, err := p.Stage("")
	fmt.Println(err, errors.Is(err, stages.ErrInvalidName))
	// Output: stages: invalid name: stage "" true
}

func ExamplePipeline_Run() {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(printer{}))
	load, _ := p.Stage("load")
	err := p.Run(context.Background(),
		func(ctx context.Context) error {
			return load.Run(ctx, func(context.Context) error { return io.ErrUnexpectedEOF })
		},
		stages.WithParameter("day", "2026-10-01"),
		stages.WithFlush(func(context.Context) error { fmt.Println("flushed"); return nil }),
	)
	fmt.Println(err)
	// Output:
	// orders/load: failure unexpected_eof
	// orders: failure unexpected_eof
	// flushed
	// unexpected EOF
}

func ExampleStage_Run() {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(printer{}))
	load, _ := p.Stage("load")
	err := load.Run(context.Background(), func(context.Context) error { return io.ErrUnexpectedEOF })
	fmt.Println(err)
	// Output:
	// orders/load: failure unexpected_eof
	// unexpected EOF
}

func ExampleCall() {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(printer{}))
	extract, _ := p.Stage("extract")
	rows, err := stages.Call(context.Background(), extract, func(context.Context) ([]string, error) {
		return []string{"a", "b"}, nil
	})
	fmt.Println(rows, err)
	// Output:
	// orders/extract: success
	// [a b] <nil>
}

func ExampleWrap() {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(printer{}))
	transform, _ := p.Stage("transform")
	parse := stages.Wrap(transform, func(_ context.Context, text string) (int, error) {
		return strconv.Atoi(text)
	})
	n, err := parse(context.Background(), "42")
	fmt.Println(n, err)
	// Output:
	// orders/transform: success
	// 42 <nil>
}

func ExampleWrapErr() {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(printer{}))
	load, _ := p.Stage("load")
	insert := stages.WrapErr(load, func(_ context.Context, rows []string) error {
		fmt.Println("inserted", rows)
		return nil
	})
	fmt.Println(insert(context.Background(), []string{"a", "b"}))
	// Output:
	// inserted [a b]
	// orders/load: success
	// <nil>
}

func ExampleReject() {
	errNoPrice := errors.New("no price")
	p, _ := stages.NewPipeline("orders", stages.WithObserver(totals{}))
	validate, _ := p.Stage("validate")
	err := validate.Run(context.Background(), func(context.Context) error {
		return stages.Reject(errNoPrice, "no_price")
	})
	fmt.Println(err, errors.Is(err, errNoPrice))
	// Output:
	// 0 rows in, 0 out, 1 rejected, 0 bytes in, 0 out, 0 retry
	// no price true
}

func ExampleRejectReason() {
	err := fmt.Errorf("order 42: %w", stages.Reject(errors.New("no price"), "no_price"))
	if reason, ok := stages.RejectReason(err); ok {
		fmt.Println("forwarded to the rejected orders:", reason)
	}
	// Output: forwarded to the rejected orders: no_price
}

func ExampleMust() {
	// As package-level variables.
	var (
		orders = stages.Must(stages.NewPipeline("orders", stages.WithObserver(printer{})))
		load   = stages.Must(orders.Stage("load"))
	)
	_ = load.Run(context.Background(), func(context.Context) error { return nil })
	// Output: orders/load: success
}

func ExampleFromContext() {
	// A function that counts works inside of a stage and outside.
	store := func(ctx context.Context, rows []string) {
		stages.FromContext(ctx).Wrote(len(rows))
	}
	store(context.Background(), []string{"a"})
	fmt.Println("no run, no harm")
	// Output: no run, no harm
}

func ExampleRun() {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(totals{}))
	load, _ := p.Stage("load")
	_ = load.Run(context.Background(), func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		run.Read(100)
		run.BytesIn(4096)
		run.Rejected(1, "no_price")
		run.Retried()
		run.Wrote(99)
		run.BytesOut(2048)
		run.Watermark(time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC))
		return nil
	})
	// Output: 100 rows in, 99 out, 1 rejected, 4096 bytes in, 2048 out, 1 retry
}

// The stage is outside and the attempts are inside: two attempts fail, and no run
// does.
func ExampleRun_Retried() {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(totals{}))
	load, _ := p.Stage("load")
	attempts := 0
	store := func(context.Context, []string) error {
		if attempts++; attempts < 3 {
			return errors.New("not now")
		}
		return nil
	}
	storeWithRetries := stages.WrapErr(load, func(ctx context.Context, rows []string) error {
		err := store(ctx, rows)
		for range 3 {
			if err == nil {
				break
			}
			stages.FromContext(ctx).Retried()
			err = store(ctx, rows)
		}
		if err == nil {
			stages.FromContext(ctx).Wrote(len(rows))
		}
		return err
	})
	fmt.Println(storeWithRetries(context.Background(), []string{"a", "b"}))
	// Output:
	// 0 rows in, 2 out, 0 rejected, 0 bytes in, 0 out, 2 retry
	// <nil>
}

// totals is an observer that prints what a run counted.
type totals struct{}

func (totals) Stage(observe.StageID) observe.RunObserver { return totals{} }
func (totals) Started(context.Context)                   {}
func (totals) Ended(_ context.Context, r observe.RunEnd) {
	fmt.Printf("%d rows in, %d out, %d rejected, %d bytes in, %d out, %d retry\n", r.Read, r.Wrote, r.Rejected, r.BytesIn, r.BytesOut, r.Retries)
}

func ExampleWithSource() {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(printer{}), stages.WithSource("orders.raw"))
	extract, _ := p.Stage("extract")
	backfill, _ := p.Stage("extract", stages.WithSource("orders.archive"))
	work := func(context.Context) error { return nil }
	_ = extract.Run(context.Background(), work)
	_ = backfill.Run(context.Background(), work)
	// Output:
	// orders/extract orders.raw: success
	// orders/extract orders.archive: success
}

// onStage runs fn on a stage with opts and prints what its span says.
func onStage(fn func(context.Context) error, opts ...stages.Option) {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	p, _ := stages.NewPipeline("orders", stages.WithTracerProvider(provider))
	load, _ := p.Stage("load", opts...)
	err := load.Run(context.Background(), fn)
	for _, span := range spans.GetSpans() {
		fmt.Printf("span %s: %s %q\n", span.Name, span.Status.Code, span.Status.Description)
	}
	fmt.Println("error:", err)
}

func ExampleWithTracerProvider() {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	p, _ := stages.NewPipeline("orders", stages.WithTracerProvider(provider))
	load, _ := p.Stage("load")
	_ = load.Run(context.Background(), func(context.Context) error { return nil })
	fmt.Println(spans.GetSpans()[0].Name)
	// Output: load
}

func ExampleWithoutSpans() {
	onStage(func(context.Context) error { return nil }, stages.WithoutSpans())
	// Output: error: <nil>
}

func ExampleWithObserver() {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(printer{}))
	load, _ := p.Stage("load")
	_ = load.Run(context.Background(), func(context.Context) error { return nil })
	// Output: orders/load: success
}

func ExampleWithClassifier() {
	endIsSuccess := func(ctx context.Context, err error) observe.Outcome {
		if errors.Is(err, io.EOF) {
			return observe.OutcomeSuccess
		}
		return observe.Classify(ctx, err)
	}
	onStage(func(context.Context) error { return io.EOF }, stages.WithClassifier(endIsSuccess))
	// Output:
	// span load: Unset ""
	// error: EOF
}

func ExampleWithErrorType() {
	errQuota := errors.New("quota exceeded")
	onStage(func(context.Context) error { return fmt.Errorf("write: %w", errQuota) }, stages.WithErrorType(errQuota, "quota"))
	// Output:
	// span load: Error "quota"
	// error: write: quota exceeded
}

func ExampleWithErrorTypeLimit() {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(printer{}), stages.WithErrorTypeLimit(1))
	load, _ := p.Stage("load")
	for _, err := range []error{io.EOF, io.ErrUnexpectedEOF, io.EOF} {
		_ = load.Run(context.Background(), func(context.Context) error { return err })
	}
	// Output:
	// orders/load: failure eof
	// orders/load: failure _OTHER
	// orders/load: failure eof
}

func ExampleWithErrorDescription() {
	onStage(func(context.Context) error { return sql.ErrNoRows })
	// To see the text of errors:
	onStage(func(context.Context) error { return sql.ErrNoRows }, stages.WithErrorDescription(nil))
	// Output:
	// span load: Error "*errors.errorString"
	// error: sql: no rows in result set
	// span load: Error "sql: no rows in result set"
	// error: sql: no rows in result set
}

func ExampleWithErrorDescription_redacted() {
	withoutNumbers := func(err error) string {
		return strings.Map(func(r rune) rune {
			if '0' <= r && r <= '9' {
				return '#'
			}
			return r
		}, err.Error())
	}
	onStage(func(context.Context) error { return errors.New("card 4711 declined") }, stages.WithErrorDescription(withoutNumbers))
	// Output:
	// span load: Error "card #### declined"
	// error: card 4711 declined
}

func ExampleWithPanicAsError() {
	onStage(func(context.Context) error { panic("out of cheese") }, stages.WithPanicAsError())
	// Output:
	// span load: Error "panic"
	// error: panic: out of cheese
}

func ExamplePanicError() {
	p, _ := stages.NewPipeline("orders", stages.WithPanicAsError())
	load, _ := p.Stage("load")
	err := load.Run(context.Background(), func(context.Context) error { panic(io.ErrClosedPipe) })
	var panicked *stages.PanicError
	fmt.Println(errors.As(err, &panicked), errors.Is(err, io.ErrClosedPipe), panicked.ErrorType())
	// Output: true true panic
}

func ExampleWithParameter() {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	p, _ := stages.NewPipeline("orders", stages.WithTracerProvider(provider))
	_ = p.Run(context.Background(), func(context.Context) error { return nil }, stages.WithParameter("day", "2026-10-01"))
	for _, a := range spans.GetSpans()[0].Attributes {
		fmt.Println(a.Key, a.Value.String())
	}
	// Output:
	// etl.pipeline orders
	// etl.parameter.day 2026-10-01
	// etl.outcome success
}

func ExampleWithFlush() {
	provider := sdktrace.NewTracerProvider()
	p, _ := stages.NewPipeline("orders", stages.WithTracerProvider(provider))
	err := p.Run(context.Background(), func(context.Context) error { return nil },
		stages.WithFlush(provider.ForceFlush),
		stages.WithFlush(provider.Shutdown),
	)
	fmt.Println(err)
	// Output: <nil>
}

func ExampleWithFlushTimeout() {
	p, _ := stages.NewPipeline("orders")
	slow := func(ctx context.Context) error {
		<-ctx.Done()
		fmt.Println("gave up:", ctx.Err())
		return nil
	}
	_ = p.Run(context.Background(), func(context.Context) error { return nil },
		stages.WithFlush(slow), stages.WithFlushTimeout(time.Millisecond))
	// Output: gave up: context deadline exceeded
}
