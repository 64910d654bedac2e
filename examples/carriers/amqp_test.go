// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"
)

func carryAMQP(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	var msg amqp.Publishing
	InjectAMQP(ctx, &msg)
	return ExtractAMQP(t.Context(), amqp.Delivery{Headers: msg.Headers})
}

func TestAMQPKeepsWhatElseIsInTheTable(t *testing.T) {
	t.Parallel()
	var deaths any = []any{amqp.Table{"queue": "orders", "count": int64(2)}}
	received := amqp.Delivery{Headers: amqp.Table{"x-death": deaths, "tracestate": "old=1"}}

	msg := amqp.Publishing{Headers: received.Headers}
	InjectAMQP(inAnySpan(t), &msg)
	if err := msg.Headers.Validate(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(deaths, msg.Headers["x-death"]); diff != "" {
		t.Errorf("x-death (-want +got):\n%s", diff)
	}
	if got := msg.Headers["tracestate"]; got != "vendor=7" {
		t.Errorf("the tracestate is %v", got)
	}
	if len(received.Headers) != 2 {
		t.Errorf("the delivery has changed: %v", received.Headers)
	}
}

func TestAMQPReadsBytes(t *testing.T) {
	t.Parallel()
	ctx := inAnySpan(t)
	var msg amqp.Publishing
	InjectAMQP(ctx, &msg)
	traceparent, ok := msg.Headers["traceparent"].(string)
	if !ok {
		t.Fatalf("the traceparent is %#v", msg.Headers["traceparent"])
	}
	received := ExtractAMQP(t.Context(), amqp.Delivery{Headers: amqp.Table{"traceparent": []byte(traceparent)}})
	if traceID(received) != traceID(ctx) {
		t.Error("the trace is not that of the producer")
	}
}
