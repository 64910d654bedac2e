// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/observe"
)

// A program that prints what became of the messages it handles, with an
// observer of its own.
func Example() {
	var observer observe.MessagingObserver = printer{}
	ctx := context.Background()

	err := fmt.Errorf("order 7: %w", io.ErrUnexpectedEOF)
	outcome := observe.Classify(ctx, err)
	observer.Processed(ctx, observe.Process{
		System:      observe.SystemKafka,
		Destination: "orders",
		Messages:    1,
		Outcome:     outcome,
		ErrorType:   outcome.ErrorType(err),
	})
	// Output: kafka orders: failure (unexpected_eof)
}

// printer prints what was processed and ignores all other events.
type printer struct{ observe.NoMessaging }

func (printer) Processed(_ context.Context, e observe.Process) {
	fmt.Printf("%s %s: %v (%s)\n", e.System, e.Destination, e.Outcome, e.ErrorType)
}

func ExampleClassify() {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("another worker failed"))

	fmt.Println(observe.Classify(ctx, nil))
	fmt.Println(observe.Classify(ctx, fmt.Errorf("read: %w", context.Cause(ctx))))
	fmt.Println(observe.Classify(ctx, errors.Join(io.EOF, ctx.Err())))
	// Output:
	// success
	// cancelled
	// failure
}

func ExampleErrorType() {
	fmt.Println(observe.ErrorType(context.DeadlineExceeded))
	fmt.Println(observe.ErrorType(fmt.Errorf("read: %w", io.EOF)))
	fmt.Println(observe.ErrorType(errors.New("user 4711 has no account")))
	// Output:
	// timeout
	// eof
	// *errors.errorString
}

func ExampleKafkaErrorName() {
	fmt.Println(observe.KafkaErrorName(10))
	// Output: MESSAGE_TOO_LARGE
}

func ExampleIsBareCause() {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(io.ErrUnexpectedEOF)
	fmt.Println(observe.IsBareCause(ctx, io.ErrUnexpectedEOF))
	fmt.Println(observe.IsBareCause(ctx, ctx.Err()))
	// Output:
	// true
	// false
}

func ExampleOutcome_ErrorType() {
	fmt.Println(observe.OutcomeFailure.ErrorType(io.EOF))
	fmt.Println(observe.OutcomeCanceled.ErrorType(context.Canceled))
	// Output:
	// eof
	// canceled
}

func ExampleMessageFromContext() {
	msg := kafka.Message{Topic: "orders", Partition: 3, Offset: 815}
	_ = kafkacarrier.Process(context.Background(), msg, func(ctx context.Context) error {
		m, ok := observe.MessageFromContext(ctx)
		fmt.Println(m.System, m.Destination, m.Partition, m.Offset, ok)
		return nil
	})
	// Output: kafka orders 3 815 true
}
