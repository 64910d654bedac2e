// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

func carryRedisMap(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	args := &redis.XAddArgs{Stream: "quakes", Values: map[string]any{"magnitude": 6.4}}
	InjectRedis(ctx, args)
	return ExtractRedis(t.Context(), addRedis(t, args))
}

func carryRedisList(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	args := &redis.XAddArgs{Stream: "quakes", Values: []any{"magnitude", 6.4}}
	InjectRedis(ctx, args)
	return ExtractRedis(t.Context(), addRedis(t, args))
}

// addRedis adds an entry to a stream and returns it as a group receives it.
func addRedis(t *testing.T, args *redis.XAddArgs) redis.XMessage {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	if err := client.XGroupCreateMkStream(t.Context(), args.Stream, "group", "0").Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.XAdd(t.Context(), args).Err(); err != nil {
		t.Fatal(err)
	}
	streams, err := client.XReadGroup(t.Context(),
		&redis.XReadGroupArgs{Group: "group", Consumer: "test", Streams: []string{args.Stream, ">"}}).Result()
	if err != nil {
		t.Fatal(err)
	}
	return streams[0].Messages[0]
}

func TestRedisKeepsFields(t *testing.T) {
	t.Parallel()
	received := redis.XMessage{Values: map[string]any{"magnitude": "6.4", "tracestate": "old=1"}}
	args := &redis.XAddArgs{Stream: "strong", Values: received.Values}
	InjectRedis(inAnySpan(t), args)
	entry := addRedis(t, args).Values
	for _, key := range []string{"traceparent", "waybill", "baggage"} {
		if entry[key] == nil {
			t.Errorf("there is no %s", key)
		}
		delete(entry, key)
	}
	if diff := cmp.Diff(map[string]any{"magnitude": "6.4", "tracestate": "vendor=7"}, entry); diff != "" {
		t.Errorf("the entry (-want +got):\n%s", diff)
	}
	if len(received.Values) != 2 {
		t.Errorf("the entry that was received has changed: %v", received.Values)
	}
}

func TestRedisKeepsTheOrderOfAList(t *testing.T) {
	t.Parallel()
	list := append(make([]any, 0, 64), "b", 1, "a", 2)
	args := &redis.XAddArgs{Stream: "quakes", Values: list}
	InjectRedis(inAnySpan(t), args)
	values, ok := args.Values.([]any)
	if !ok || len(values) != 12 {
		t.Fatalf("the list is %v", args.Values)
	}
	if diff := cmp.Diff([]any{"b", 1, "a", 2}, values[:4]); diff != "" {
		t.Errorf("the fields of the user (-want +got):\n%s", diff)
	}
	if next := list[:5][4]; next != nil {
		t.Errorf("it wrote %v to memory that others may share", next)
	}
}
