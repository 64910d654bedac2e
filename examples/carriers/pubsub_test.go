// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"go.opentelemetry.io/otel/baggage"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func carryPubSub(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	msg := &pubsub.Message{Data: []byte("42")}
	if !InjectPubSub(ctx, msg) {
		t.Error("there is no room")
	}
	return ExtractPubSub(t.Context(), publishPubSub(t, msg))
}

// publishPubSub sends msg over a server and returns it as it is received.
func publishPubSub(t *testing.T, msg *pubsub.Message) *pubsub.Message {
	t.Helper()
	const project, topic, subscription = "local", "projects/local/topics/quakes", "projects/local/subscriptions/quakes"
	server := pstest.NewServer()
	t.Cleanup(func() { _ = server.Close() })
	client, err := pubsub.NewClient(t.Context(), project, option.WithEndpoint(server.Addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if _, err := client.TopicAdminClient.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.SubscriptionAdminClient.CreateSubscription(t.Context(),
		&pubsubpb.Subscription{Name: subscription, Topic: topic}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Publisher(topic).Publish(t.Context(), msg).Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var received *pubsub.Message
	if err := client.Subscriber(subscription).Receive(ctx, func(_ context.Context, msg *pubsub.Message) {
		msg.Ack()
		received = msg
		stop()
	}); err != nil {
		t.Fatal(err)
	}
	return received
}

func TestPubSubReadsWhatTheClientItselfWrites(t *testing.T) {
	t.Parallel()
	ctx := inAnySpan(t)
	var msg pubsub.Message
	InjectPubSub(ctx, &msg)
	theirs := pubsub.Message{Attributes: map[string]string{"googclient_traceparent": msg.Attributes["traceparent"]}}
	if traceID(ExtractPubSub(t.Context(), &theirs)) != traceID(ctx) {
		t.Error("the trace is not that of the client")
	}
	InjectPubSub(inAnySpan(t), &msg)
	msg.Attributes["googclient_traceparent"] = theirs.Attributes["googclient_traceparent"]
	if traceID(ExtractPubSub(t.Context(), &msg)) == traceID(ctx) {
		t.Error("the trace of the client comes before ours")
	}
}

func TestPubSubWritesNoValueThatIsTooLong(t *testing.T) {
	t.Parallel()
	long, err := baggage.Parse("tenant=" + strings.Repeat("x", maxPubSubValueBytes))
	if err != nil {
		t.Fatal(err)
	}
	ctx := baggage.ContextWithBaggage(inAnySpan(t), long)
	var msg pubsub.Message
	if !InjectPubSub(ctx, &msg) {
		t.Error("there is no room")
	}
	if _, ok := msg.Attributes["baggage"]; ok {
		t.Error("the baggage is there")
	}
	if traceID(ExtractPubSub(t.Context(), &msg)) != traceID(ctx) {
		t.Error("the trace is not that of the producer")
	}
}
