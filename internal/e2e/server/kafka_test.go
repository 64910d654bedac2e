// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/internal/e2e/server"
)

func TestFakeKafkaKeepsItsTopicsOverARestart(t *testing.T) {
	t.Parallel()
	testKafka(t, server.FakeKafka)
}

func TestKafkaIsTheBrokerThatTheEnvironmentNames(t *testing.T) {
	own := server.FakeKafka(t)
	t.Setenv("KAFKA_BROKERS", own.Addr()+",elsewhere:9092")
	k := server.Kafka(t, "orders")
	if k.Addr() != own.Addr() {
		t.Errorf("the address is %s, want the first that the environment names, %s", k.Addr(), own.Addr())
	}
	write(t, k, "orders", "a")
}

func TestATestDoesNotStopTheBrokerThatTheEnvironmentNames(t *testing.T) {
	own := server.FakeKafka(t)
	t.Setenv("KAFKA_BROKERS", own.Addr())
	for name, call := range map[string]func(*server.KafkaServer){
		"Stop":  func(k *server.KafkaServer) { k.Stop() },
		"Start": func(k *server.KafkaServer) { k.Start() },
	} {
		said := fatal(t, func(tb testing.TB) { call(server.Kafka(tb)) })
		if !strings.Contains(said, "the environment names the server") {
			t.Errorf("%s says %q", name, said)
		}
	}
	write(t, server.Kafka(t, "orders"), "orders", "it is still there")
}

// testKafka proves what every KafkaServer promises.
func testKafka(t *testing.T, start func(t testing.TB, topics ...string) *server.KafkaServer) {
	t.Helper()
	var k *server.KafkaServer
	t.Run("serves", func(t *testing.T) {
		k = start(t, "orders", "refunds")
		k.CreateTopics(1, "one", "orders")
		requirePartitions(t, k, map[string]int{"orders": 3, "refunds": 3, "one": 1})

		write(t, k, "one", "a", "b")
		if got := readCommitted(t, k, "one", 1); got != "a" {
			t.Fatalf("the group read %q, want a", got)
		}
		k.Stop()
		k.Stop()
		requireRefused(t, k.Addr())
		k.Start()
		k.Start()
		requirePartitions(t, k, map[string]int{"orders": 3, "one": 1})
		write(t, k, "one", "c")
		if got := readCommitted(t, k, "one", 2); got != "b c" {
			t.Errorf("after the restart the group read %q, want what it had not committed: b c", got)
		}
	})
	requireRefused(t, k.Addr())
}

func write(t *testing.T, k *server.KafkaServer, topic string, values ...string) {
	t.Helper()
	w := &kafka.Writer{Addr: kafka.TCP(k.Addr()), Topic: topic, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, Transport: newTransport(t)}
	msgs := make([]kafka.Message, len(values))
	for i, value := range values {
		msgs[i].Value = []byte(value)
	}
	if err := w.WriteMessages(within(t), msgs...); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// readCommitted reads n messages in the one group of these tests and commits
// them.
func readCommitted(t *testing.T, k *server.KafkaServer, topic string, n int) string {
	t.Helper()
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{k.Addr()}, Topic: topic, GroupID: "clerks",
		StartOffset: kafka.FirstOffset, MaxWait: 50 * time.Millisecond,
	})
	values := make([]string, n)
	for i := range values {
		msg, err := r.ReadMessage(within(t))
		if err != nil {
			t.Fatal(err)
		}
		values[i] = string(msg.Value)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(values, " ")
}

func requirePartitions(t *testing.T, k *server.KafkaServer, want map[string]int) {
	t.Helper()
	client := &kafka.Client{Addr: kafka.TCP(k.Addr()), Transport: newTransport(t)}
	metadata, err := client.Metadata(within(t), &kafka.MetadataRequest{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, topic := range metadata.Topics {
		got[topic.Name] = len(topic.Partitions)
	}
	for topic, n := range want {
		if got[topic] != n {
			t.Errorf("%s has %d partitions, want %d", topic, got[topic], n)
		}
	}
}

func requireRefused(t *testing.T, addr string) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(within(t), "tcp", addr)
	if err == nil {
		_ = conn.Close()
		t.Fatalf("something still listens on %s", addr)
	}
}

func newTransport(t *testing.T) *kafka.Transport {
	t.Helper()
	transport := &kafka.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) //nolint:usetesting // cleanups use it too.
	t.Cleanup(cancel)
	return ctx
}
