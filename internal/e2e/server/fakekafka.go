// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// FakeKafka starts a Kafka broker in this process with the given topics, of
// three partitions each.
func FakeKafka(t testing.TB, topics ...string) *KafkaServer {
	t.Helper()
	addrs, err := freeAddrs(1)
	if err != nil {
		t.Fatal(err)
	}
	k := &KafkaServer{lifecycle: begin(t, &fakeBroker{addr: addrs[0], dir: t.TempDir()}), addr: addrs[0]}
	k.CreateTopics(partitions, topics...)
	return k
}

// fakeBroker is a broker in this process. Its data outlives it in dir.
type fakeBroker struct {
	addr    string
	dir     string
	cluster *kfake.Cluster
}

func (b *fakeBroker) start(context.Context) error {
	_, port, err := net.SplitHostPort(b.addr)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	b.cluster, err = kfake.NewCluster(kfake.Ports(number), kfake.DataDir(b.dir))
	return err
}

func (b *fakeBroker) stop() error {
	b.cluster.Close()
	return nil
}
