// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
)

func carryAsynq(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	redis := asynq.RedisClientOpt{Addr: miniredis.RunT(t).Addr()}
	server := asynq.NewServer(redis, asynq.Config{Concurrency: 1, LogLevel: asynq.FatalLevel})
	received := make(chan context.Context, 1)
	if err := server.Start(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		received <- ExtractAsynq(ctx, task)
		return nil
	})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)

	client := asynq.NewClient(redis)
	t.Cleanup(func() { _ = client.Close() })
	if _, err := client.EnqueueContext(ctx, NewAsynqTask(ctx, "clean", []byte("42"), nil)); err != nil {
		t.Fatal(err)
	}
	return <-received
}

func TestAsynqKeepsHeaders(t *testing.T) {
	t.Parallel()
	headers := map[string]string{"user": "1", "tracestate": "old=1"}
	task := NewAsynqTask(inAnySpan(t), "clean", []byte("42"), headers)
	got := task.Headers()
	delete(got, "traceparent")
	delete(got, "waybill")
	if diff := cmp.Diff(map[string]string{"user": "1", "tracestate": "vendor=7"}, got); diff != "" {
		t.Errorf("the headers (-want +got):\n%s", diff)
	}
	if len(headers) != 2 || headers["tracestate"] != "old=1" {
		t.Errorf("the map of the caller has changed: %v", headers)
	}
}
