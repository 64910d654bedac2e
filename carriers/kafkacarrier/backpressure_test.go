// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/observe"
)

// gauges is an observer that knows how many messages are in the queue.
type gauges struct {
	events

	mu      sync.Mutex
	queued  map[string]int
	blocked map[string]time.Duration
}

func newGauges() *gauges {
	return &gauges{queued: map[string]int{}, blocked: map[string]time.Duration{}}
}

func (g *gauges) Queued(q observe.Queue) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.queued[q.Destination] += q.Change
}

func (g *gauges) Blocked(b observe.Block) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.blocked[b.Operation+" "+b.Destination] += b.Duration
}

func (g *gauges) now() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.queued)
}

func TestWriter_QueueOfAWriter(t *testing.T) {
	t.Parallel()
	for name, async := range map[string]bool{"synchronous": false, "asynchronous": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &broker{hold: make(chan struct{}), arrived: make(chan struct{}, 16)}
			g := newGauges()
			plain := writerTo(b)
			plain.Topic, plain.Async = "", async
			w := kafkacarrier.NewWriter(plain, kafkacarrier.WithObserver(g))
			written := make(chan error, 1)
			go func() {
				written <- w.WriteMessages(t.Context(), kafka.Message{Topic: "orders"}, kafka.Message{Topic: "orders"}, kafka.Message{Topic: "refunds"})
			}()
			<-b.arrived
			if diff := cmp.Diff(map[string]int{"orders": 2, "refunds": 1}, g.now()); diff != "" {
				t.Errorf("while the broker does not answer: %s", diff)
			}
			close(b.hold)
			if err := <-written; err != nil {
				t.Fatal(err)
			}
			closeWriter(t, w)
			if diff := cmp.Diff(map[string]int{"orders": 0, "refunds": 0}, g.now()); diff != "" {
				t.Errorf("in the end: %s", diff)
			}
			// A call that kafka-go refuses as a whole leaves nothing in the queue.
			if err := w.WriteMessages(t.Context(), kafka.Message{Topic: "orders"}); err == nil {
				t.Error("a closed Writer took a message")
			}
			if diff := cmp.Diff(map[string]int{"orders": 0, "refunds": 0}, g.now()); diff != "" {
				t.Errorf("after a call that failed: %s", diff)
			}
		})
	}
}

func TestWriter_CallThatTheCallerGaveUpIsNotInTheQueue(t *testing.T) {
	t.Parallel()
	b := &broker{hold: make(chan struct{}), arrived: make(chan struct{}, 16)}
	g := newGauges()
	w := kafkacarrier.NewWriter(writerTo(b), kafkacarrier.WithObserver(g))
	ctx, cancel := context.WithCancel(t.Context())
	written := make(chan error, 1)
	go func() { written <- w.WriteMessages(ctx, numbered(2)...) }()
	<-b.arrived
	cancel()
	if err := <-written; err == nil {
		t.Error("the call succeeded")
	}
	close(b.hold)
	closeWriter(t, w)
	if diff := cmp.Diff(map[string]int{"orders": 0}, g.now()); diff != "" {
		t.Error(diff)
	}
}

func TestReader_TimeBlockedInKafka(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGauges()
		r := kafkacarrier.NewReaderOf(&slow{}, kafkacarrier.WithObserver(g))
		_, _ = r.FetchMessage(t.Context())
		_, _ = r.ReadMessage(t.Context())
		if diff := cmp.Diff(map[string]time.Duration{"poll orders": 2 * time.Second}, g.blocked); diff != "" {
			t.Error(diff)
		}
	})
}

// slow is a reader that has a message each second.
type slow struct{ kafkacarrier.MessageReader }

func (*slow) Config() kafka.ReaderConfig { return kafka.ReaderConfig{Topic: "orders"} }

func (*slow) FetchMessage(context.Context) (kafka.Message, error) {
	time.Sleep(time.Second)
	return kafka.Message{Topic: "orders"}, nil
}

func (s *slow) ReadMessage(ctx context.Context) (kafka.Message, error) { return s.FetchMessage(ctx) }
