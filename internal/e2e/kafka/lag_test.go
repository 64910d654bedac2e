// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafka_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/observe"
)

// lag stops a group after a third of the messages, and asks how far behind it is.
func (s *site) lag() {
	w := s.wrap(s.plainWriter("orders"))
	ctx := s.within(time.Minute)
	if err := w.WriteMessages(ctx, numbers(0, 90)...); err != nil {
		s.t.Fatal(err)
	}
	r := s.wrappedReader("orders", "workers")
	read := make(map[int]int64)
	for range 30 {
		msg, err := r.ReadMessage(ctx)
		if err != nil {
			s.t.Fatal(err)
		}
		read[msg.Partition] = msg.Offset + 1
	}
	s.close(r, w)
	s.require("committed", s.seen.of("committed orders"), 30)
	s.require("revoked", s.seen.of("revoked"), len(read))

	var want []kafkacarrier.Lag
	behind := 0
	for partition, end := range s.ends("orders") {
		if committed, ok := read[partition]; ok {
			l := kafkacarrier.Lag{Topic: "orders", Partition: partition, Committed: committed, End: end}
			want, behind = append(want, l), behind+int(l.Messages())
		}
	}
	slices.SortFunc(want, func(a, b kafkacarrier.Lag) int { return cmp.Compare(a.Partition, b.Partition) })
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(s.k.Addr()), Transport: transport}
	for _, topics := range [][]string{nil, {"orders"}} {
		lags, err := kafkacarrier.ReadLag(ctx, client, "workers", topics...)
		if diff := gocmp.Diff(want, lags); diff != "" || err != nil {
			s.t.Errorf("the lag of %v is %v: %s", topics, err, diff)
		}
	}

	watching, stop := context.WithCancel(ctx)
	defer stop()
	watcher := &stopping{tally: &tally{counts: make(map[string]int)}, after: len(want), stop: stop}
	err := kafkacarrier.WatchLag(watching, client, "workers", []string{"orders"}, kafkacarrier.WithObserver(watcher), kafkacarrier.WithInterval(10*time.Second))
	if !errors.Is(err, context.Canceled) || ctx.Err() != nil {
		s.t.Errorf("WatchLag gives %v", err)
	}
	s.require("partitions that were watched", watcher.of("committed orders"), len(want))
	s.require("messages that the group is behind", watcher.of("behind orders"), behind)
	s.require("partitions that were watched until the end", watcher.of("revoked"), len(want))
}

// stopping is a tally that stops a watcher once it has told of some partitions.
type stopping struct {
	*tally
	after int
	stop  context.CancelFunc
}

func (s *stopping) Committed(ctx context.Context, e observe.Commit) {
	s.tally.Committed(ctx, e)
	s.add("behind "+e.Topic, int(e.Lag))
	if s.of("committed "+e.Topic) == s.after {
		s.stop()
	}
}
