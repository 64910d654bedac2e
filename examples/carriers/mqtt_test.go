// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"io"
	"log/slog"
	"net"
	"testing"

	"github.com/eclipse/paho.golang/paho"
	"github.com/google/go-cmp/cmp"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
)

func carryMQTT(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	msg := &paho.Publish{Topic: "quakes", QoS: 1}
	InjectMQTT(ctx, msg)
	return ExtractMQTT(t.Context(), publishMQTT(t, msg))
}

// publishMQTT sends msg over a broker and returns it as it is received.
func publishMQTT(t *testing.T, msg *paho.Publish) *paho.Publish {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	broker := mqtt.New(&mqtt.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err = broker.AddHook(new(auth.AllowHook), nil); err != nil {
		t.Fatal(err)
	}
	if err = broker.AddListener(listeners.NewNet("local", listener)); err != nil {
		t.Fatal(err)
	}
	if err = broker.Serve(); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	// The broker disconnects the client: its Close waits for ever if a client leaves
	// at the same time.
	t.Cleanup(func() { _ = broker.Close(); _ = conn.Close() })
	received := make(chan *paho.Publish, 1)
	client := paho.NewClient(paho.ClientConfig{Conn: conn, OnPublishReceived: []func(paho.PublishReceived) (bool, error){
		func(p paho.PublishReceived) (bool, error) { received <- p.Packet; return true, nil },
	}})
	if _, err := client.Connect(t.Context(), &paho.Connect{ClientID: "test", CleanStart: true, KeepAlive: 30}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Subscribe(t.Context(), &paho.Subscribe{
		Subscriptions: []paho.SubscribeOptions{{Topic: msg.Topic, QoS: 1}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Publish(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	return <-received
}

func TestMQTTKeepsTheOrderAndTheRepetitionsOfProperties(t *testing.T) {
	t.Parallel()
	own := paho.UserProperties{{Key: "b", Value: "1"}, {Key: "tracestate", Value: "old=1"}, {Key: "a", Value: "2"}, {Key: "b", Value: "3"}}
	msg := &paho.Publish{Topic: "quakes", QoS: 1, Properties: &paho.PublishProperties{ContentType: "text/plain", User: own}}
	shared := msg.Properties
	InjectMQTT(inAnySpan(t), msg)
	received := publishMQTT(t, msg).Properties

	want := paho.UserProperties{{Key: "b", Value: "1"}, {Key: "a", Value: "2"}, {Key: "b", Value: "3"}}
	if diff := cmp.Diff(want, received.User[:3]); diff != "" {
		t.Errorf("the properties of the user (-want +got):\n%s", diff)
	}
	if got := received.User.GetAll("tracestate"); len(got) != 1 || got[0] != "vendor=7" {
		t.Errorf("the tracestate is %q", got)
	}
	if received.ContentType != "text/plain" {
		t.Errorf("the content type is %q", received.ContentType)
	}
	if len(shared.User) != len(own) {
		t.Errorf("the properties of another message have changed: %v", shared.User)
	}
}
