// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/offsetfetch"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
)

func TestTransport_MeasuresEachRequest(t *testing.T) {
	t.Parallel()
	m := newMeter()
	b := &broker{answer: func(_ string, attempt int) (int16, error) {
		if attempt == 1 {
			return 0, io.ErrUnexpectedEOF
		}
		return 0, nil
	}}
	w := writerTo(b)
	w.Transport = kafkacarrier.NewTransport(b, kafkacarrier.WithMeterProvider(m))
	defer closeWriter(t, w)
	if err := w.WriteMessages(t.Context(), value("1")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int64{
		"waybill.client.request.duration{operation.name=metadata server.address=broker server.port=9092}":                          1,
		"waybill.client.request.duration{operation.name=produce server.address=broker server.port=9092}":                           1,
		"waybill.client.request.duration{operation.name=produce server.address=broker server.port=9092 error.type=unexpected_eof}": 1,
	}, normal(m.series(t))); diff != "" {
		t.Error(diff)
	}
	kafkacarrier.NewTransport(b).CloseIdleConnections() // It has none.
	kafkacarrier.NewTransport(nil).CloseIdleConnections()
}

// groups is a kafka.RoundTripper that knows the offsets of a group.
type groups struct {
	mu        sync.Mutex
	committed map[int]int64 // By partition of orders; -1 is never.
	fail      error
	asked     int
}

func (g *groups) RoundTrip(_ context.Context, _ net.Addr, req kafka.Request) (kafka.Response, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fail != nil {
		return nil, g.fail
	}
	switch req := req.(type) {
	case *metadata.Request:
		topic := metadata.ResponseTopic{Name: "orders"}
		for p := range g.committed {
			topic.Partitions = append(topic.Partitions, metadata.ResponsePartition{PartitionIndex: int32(p)})
		}
		return &metadata.Response{Topics: []metadata.ResponseTopic{topic}}, nil
	case *offsetfetch.Request:
		g.asked++
		topic := offsetfetch.ResponseTopic{Name: "orders"}
		for p, offset := range g.committed {
			topic.Partitions = append(topic.Partitions, offsetfetch.ResponsePartition{PartitionIndex: int32(p), CommittedOffset: offset})
		}
		return &offsetfetch.Response{Topics: []offsetfetch.ResponseTopic{topic}}, nil
	case *listoffsets.Request:
		topic := listoffsets.ResponseTopic{Topic: "orders"}
		for _, p := range req.Topics[0].Partitions {
			topic.Partitions = append(topic.Partitions, listoffsets.ResponsePartition{Partition: p.Partition, Timestamp: kafka.LastOffset, Offset: 100})
		}
		return &listoffsets.Response{Topics: []listoffsets.ResponseTopic{topic}}, nil
	default:
		return nil, errors.New("unknown request")
	}
}

// change lets f change what the group is while it is watched.
func (g *groups) change(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
}

func (g *groups) client() *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP("broker:9092"), Transport: g}
}

func TestReadLag_OfAStoppedGroup(t *testing.T) {
	t.Parallel()
	g := &groups{committed: map[int]int64{0: 90, 1: -1, 2: 100, 3: 105}}
	want := []kafkacarrier.Lag{{"orders", 0, 90, 100}, {"orders", 2, 100, 100}, {"orders", 3, 105, 100}}
	for _, topics := range [][]string{nil, {"orders"}} {
		lags, err := kafkacarrier.ReadLag(t.Context(), g.client(), "workers", topics...)
		if diff := cmp.Diff(want, lags); diff != "" || err != nil {
			t.Errorf("ReadLag gives %v, %s", err, diff)
		}
	}
	if want[0].Messages() != 10 || want[2].Messages() != 0 {
		t.Error("Messages is wrong")
	}
	if _, err := kafkacarrier.ReadLag(t.Context(), nil, "workers"); !errors.Is(err, kafkacarrier.ErrNil) {
		t.Errorf("a nil client gives %v", err)
	}
	g.fail = io.ErrUnexpectedEOF
	if _, err := kafkacarrier.ReadLag(t.Context(), g.client(), "workers"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("ReadLag gives %v", err)
	}
}

func TestWatchLag_ReportsEachPartition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, e := &groups{committed: map[int]int64{0: 90, 2: 100}}, &events{}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- kafkacarrier.WatchLag(ctx, g.client(), "workers", []string{"orders"}, kafkacarrier.WithObserver(e), kafkacarrier.WithInterval(time.Minute))
		}()
		check := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(want, e.take()); diff != "" {
				t.Error(diff)
			}
		}
		check("committed workers orders/0 lag=10", "committed workers orders/2 lag=0")
		g.change(func() { delete(g.committed, 2) })
		time.Sleep(67 * time.Second)
		check("committed workers orders/0 lag=10", "revoked workers orders/2")
		g.change(func() { g.fail = io.EOF })
		time.Sleep(67 * time.Second)
		check("failed lag  eof")
		if g.asked != 2 {
			t.Errorf("asked %d times", g.asked)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("WatchLag gives %v", err)
		}
		check("revoked workers orders/0")
	})
	if err := kafkacarrier.WatchLag(t.Context(), nil, "workers", nil); !errors.Is(err, kafkacarrier.ErrNil) {
		t.Errorf("a nil client gives %v", err)
	}
	if err := kafkacarrier.WatchLag(t.Context(), new(groups).client(), "workers", nil); err == nil {
		t.Error("no observer is no error")
	}
}
