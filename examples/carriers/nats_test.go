// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// connectNATS returns a connection to a server that runs inside of the test.
func connectNATS(t *testing.T) *nats.Conn {
	t.Helper()
	s, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	conn, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func carryNATS(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	msg := nats.NewMsg("quakes")
	InjectNATS(ctx, msg)
	return ExtractNATS(t.Context(), publishNATS(t, msg).Header)
}

// publishNATS sends msg and returns it as it is received.
func publishNATS(t *testing.T, msg *nats.Msg) *nats.Msg {
	t.Helper()
	conn := connectNATS(t)
	subscription, err := conn.SubscribeSync(msg.Subject)
	if err != nil {
		t.Fatal(err)
	}
	if err = conn.PublishMsg(msg); err != nil {
		t.Fatal(err)
	}
	received, err := subscription.NextMsg(10 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return received
}

func carryJetStream(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	js, err := jetstream.New(connectNATS(t))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "quakes", Subjects: []string{"quakes"}})
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	msg := &nats.Msg{Subject: "quakes"}
	InjectNATS(ctx, msg)
	if _, err = js.PublishMsg(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	received, err := consumer.Next()
	if err != nil {
		t.Fatal(err)
	}
	return ExtractNATS(t.Context(), received.Headers())
}

// A header keeps its case, and a context is written in lower case.
func TestNATSKeepsHeaders(t *testing.T) {
	t.Parallel()
	msg := nats.NewMsg("quakes")
	msg.Header = nats.Header{"User": {"1", "2"}, "user": {"3"}, "tracestate": {"old=1"}}
	shared := msg.Header
	InjectNATS(inAnySpan(t), msg)
	if len(shared) != 3 {
		t.Errorf("the headers of another message have changed: %v", shared)
	}
	received := publishNATS(t, msg).Header
	if got := received.Get("traceparent"); got == "" {
		t.Errorf("there is no traceparent in %v", received)
	}
	delete(received, "traceparent")
	delete(received, "waybill")
	delete(received, "baggage")
	want := nats.Header{"User": {"1", "2"}, "user": {"3"}, "tracestate": {"vendor=7"}}
	if diff := cmp.Diff(want, received); diff != "" {
		t.Errorf("the headers (-want +got):\n%s", diff)
	}
}
