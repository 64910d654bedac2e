// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
)

// redelivery lets a second member join while the first has everything and has
// committed nothing: what each gets that it had before is a redelivery.
func (s *site) redelivery() {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	const n = 90
	w := s.wrap(s.plainWriter("orders"))
	ingest, root := s.trace.Start(ctx, "ingest")
	if err := w.WriteMessages(ingest, numbers(0, n)...); err != nil {
		s.t.Fatal(err)
	}
	root.End()

	var mu sync.Mutex
	again := 0
	fetched, everTwice := newLedger(), newLedger()
	var members sync.WaitGroup
	var readers []interface{ Close() error }
	join := func(member int) {
		r := s.wrappedReader("orders", "workers")
		readers = append(readers, r)
		members.Go(func() {
			own := make(map[string]bool)
			for {
				msg, err := r.FetchMessage(ctx)
				if err != nil {
					return
				}
				mu.Lock()
				if own[string(msg.Value)] {
					again++
				}
				mu.Unlock()
				own[string(msg.Value)] = true
				if err := r.Process(ctx, msg, func(context.Context) error { return nil }); err != nil {
					s.t.Error(err)
				}
				fetched.add(member, msg.Value)
				if fetched.times(msg.Value) > 1 {
					everTwice.add(member, msg.Value)
				}
			}
		})
	}
	join(1)
	fetched.await(ctx, s.t, n)
	join(2)
	everTwice.await(ctx, s.t, n)
	cancel()
	members.Wait()
	s.close(append(readers, w)...)

	if len(fetched.members) != 2 || again == 0 {
		s.t.Errorf("%d members took part, and %d messages came again", len(fetched.members), again)
	}
	s.require("redelivered, as observed", s.seen.of("redelivered orders"), again)
	s.require("skipped", s.seen.of("skipped orders"), 0)
	s.require("consumed", s.metric("messaging.client.consumed.messages", "orders"), fetched.deliveries)
	fl := s.flow.Wait(10 * time.Second)
	fl.RequireConnected()
	marked := 0
	for _, span := range fl.Spans() {
		for _, a := range span.Attributes {
			if a.Key == "waybill.redelivered" && a.Value.AsBool() {
				marked++
			}
		}
	}
	if marked < again { // One that was fetched before and handled after it came again is marked, too.
		s.t.Errorf("%d spans are marked as redelivered, want at least %d", marked, again)
	}
}

// killed lets a member of a group die in the middle of its work. Another one
// goes on where it had committed, as with plain kafka-go.
func (s *site) killed() {
	const n, handled, committed = 60, 20, 10
	w, plain := s.wrap(s.plainWriter("orders")), s.plainWriter("plain")
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	ingest, root := s.trace.Start(ctx, "ingest")
	if err := errors.Join(w.WriteMessages(ingest, numbers(0, n)...), plain.WriteMessages(ctx, numbers(0, n)...)); err != nil {
		s.t.Fatal(err)
	}
	root.End()
	s.close(w, plain)

	relay := func(topic string, wrap func(*kafka.Reader) kafkacarrier.MessageReader, handle func(kafkacarrier.MessageReader) handler) map[string]int {
		var line severable
		config := s.plainConfig(topic, "workers-"+topic)
		config.Dialer = &kafka.Dialer{DialFunc: line.dial}
		victim := wrap(kafka.NewReader(config))
		times := make(map[string]int)
		for i := range handled {
			msg, err := victim.FetchMessage(ctx)
			if err == nil {
				times[string(msg.Value)]++
				err = handle(victim)(ctx, msg)
			}
			if err == nil && i < committed {
				err = victim.CommitMessages(ctx, msg)
			}
			if err != nil {
				s.t.Error(err)
				return times
			}
		}
		line.cut()
		heir := wrap(s.plainReader(topic, "workers-"+topic))
		for range n - committed {
			msg, err := heir.FetchMessage(ctx)
			if err == nil {
				times[string(msg.Value)]++
				err = errors.Join(handle(heir)(ctx, msg), heir.CommitMessages(ctx, msg))
			}
			if err != nil {
				s.t.Error(err)
				return times
			}
		}
		s.close(heir)
		_ = victim.Close() // It cannot say goodbye.
		return times
	}
	var with, without map[string]int
	var both sync.WaitGroup
	both.Go(func() {
		with = relay("orders", func(r *kafka.Reader) kafkacarrier.MessageReader { return s.wrapReader(r) }, func(r kafkacarrier.MessageReader) handler {
			return func(ctx context.Context, msg kafka.Message) error {
				return r.(*kafkacarrier.Reader).Process(ctx, msg, func(context.Context) error { return nil })
			}
		})
	})
	both.Go(func() {
		without = relay("plain", func(r *kafka.Reader) kafkacarrier.MessageReader { return r }, func(kafkacarrier.MessageReader) handler {
			return func(context.Context, kafka.Message) error { return nil }
		})
	})
	both.Wait()
	for name, times := range map[string]map[string]int{"wrapped": with, "plain": without} {
		twice := 0
		for _, n := range times {
			if n > 1 {
				twice++
			}
		}
		if len(times) != n || twice != handled-committed {
			s.t.Errorf("the %s readers delivered %d messages, %d of them twice; want %d and %d", name, len(times), twice, n, handled-committed)
		}
	}
	const deliveries = handled + n - committed
	s.require("consumed", s.metric("messaging.client.consumed.messages", "orders"), deliveries)
	s.require("processed", s.metric("messaging.process.duration", "orders"), deliveries)
	s.require("committed", s.seen.of("committed orders"), n)
	s.flow.Wait(10 * time.Second).RequireConnected()
}

// severable is the network of a member, until it is cut.
type severable struct {
	mu    sync.Mutex
	conns []net.Conn
	gone  bool
}

func (s *severable) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		_ = conn.Close()
		return nil, fmt.Errorf("dial %s: %w", addr, net.ErrClosed)
	}
	s.conns = append(s.conns, conn)
	return conn, nil
}

func (s *severable) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	for _, conn := range s.conns {
		_ = conn.Close()
	}
}
