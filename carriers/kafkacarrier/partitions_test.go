// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/flowtest"
)

// told returns what an observer was told in order, without what does not begin
// with one of the given words.
func told(e *events, words ...string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var found []string
	for _, line := range e.all {
		for _, word := range words {
			if strings.HasPrefix(line, word+" ") {
				found = append(found, line)
			}
		}
	}
	return found
}

// lagOf returns the lag that an observer was told last, by deliveries or commits.
func lagOf(e *events, word string, partition int) string {
	lag := ""
	for _, line := range told(e, word) {
		if strings.Contains(line, fmt.Sprintf("orders/%d ", partition)) {
			lag, _, _ = strings.Cut(line[strings.Index(line, "lag=")+4:], " ")
		}
	}
	return lag
}

// of returns messages of a partition whose newest offset is n-1.
func of(partition, n int) []kafka.Message {
	msgs := make([]kafka.Message, n)
	for i := range msgs {
		msgs[i] = kafka.Message{Topic: "orders", Partition: partition, Offset: int64(i), HighWaterMark: int64(n), Value: []byte("v")}
	}
	return msgs
}

// Whichever goroutine handles the newest message first, the lag is what is left.
func TestLag_IsThatOfTheHighestOffset(t *testing.T) {
	t.Parallel()
	msgs := of(2, 10)
	for name, handle := range map[string]func(t *testing.T, msg kafka.Message, e *events){
		"Reader": func(t *testing.T, _ kafka.Message, e *events) {
			t.Helper()
			c := kafkacarrier.NewReaderOf(inGroup(msgs[9], msgs[3]), withW3C(), kafkacarrier.WithObserver(e))
			for range 2 {
				msg, err := c.FetchMessage(t.Context())
				if err = errors.Join(err, c.CommitMessages(t.Context(), msg)); err != nil {
					t.Fatal(err)
				}
			}
		},
		"Consumer": func(t *testing.T, _ kafka.Message, e *events) {
			t.Helper()
			c := kafkacarrier.NewConsumer(withW3C(), kafkacarrier.WithObserver(e))
			for _, i := range []int{9, 3} {
				if err := c.Process(t.Context(), msgs[i], doNothing); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &events{}
			handle(t, msgs[9], e)
			for _, word := range []string{"fetched", "committed"} {
				if got := lagOf(e, word, 2); got != "0" && (word == "fetched" || name == "Reader") {
					t.Errorf("the last lag %s is %q, want 0", word, got)
				}
			}
		})
	}
}

// A Reader that many goroutines fetch from is told of each message once, in any
// order: nothing is redelivered, nothing is missing, and in the end nothing is
// left.
func TestReader_ManyGoroutines(t *testing.T) {
	t.Parallel()
	const perPartition = 10_000
	var all []kafka.Message
	partitions := [][]kafka.Message{of(0, perPartition), of(1, perPartition), of(2, perPartition)}
	for i := range perPartition {
		for _, p := range partitions {
			all = append(all, p[i])
		}
	}
	for _, workers := range []int{2, 4, 8, 32, 128} {
		t.Run(strconv.Itoa(workers), func(t *testing.T) {
			t.Parallel()
			s := inGroup(all...)
			s.fetch = io.EOF
			e := &events{}
			r := kafkacarrier.NewReaderOf(&lockedCommits{source: s}, withW3C(), kafkacarrier.WithObserver(e), kafkacarrier.WithoutCommitSpans())
			var work sync.WaitGroup
			for range workers {
				work.Go(func() {
					for {
						msg, err := r.FetchMessage(t.Context())
						if err != nil {
							return
						}
						if err := errors.Join(r.Process(t.Context(), msg, doNothing), r.CommitMessages(t.Context(), msg)); err != nil {
							t.Error(err)
						}
					}
				})
			}
			work.Wait()
			if odd := told(e, "redelivered", "skipped", "revoked"); len(odd) > 0 {
				t.Errorf("the observer was told %d odd events, the first is %q", len(odd), odd[0])
			}
			for p := range partitions {
				if fetched, committed := lagOf(e, "fetched", p), lagOf(e, "committed", p); fetched != "0" || committed != "0" {
					t.Errorf("partition %d ends with a lag of %s, and %s committed", p, fetched, committed)
				}
			}
		})
	}
}

// lockedCommits is a source whose commits may be concurrent.
type lockedCommits struct {
	*source

	commits sync.Mutex
}

func (l *lockedCommits) CommitMessages(ctx context.Context, msgs ...kafka.Message) error {
	l.commits.Lock()
	defer l.commits.Unlock()
	return l.source.CommitMessages(ctx, msgs...)
}

// Bursts of a plain kafka.Reader, handled by several goroutines.
func TestConsumer_BurstsLeaveNoLag(t *testing.T) {
	t.Parallel()
	const burst, workers = 1000, 8
	e := &events{}
	c := kafkacarrier.NewConsumer(withW3C(), kafkacarrier.WithObserver(e))
	for n := burst; n <= 3*burst; n += burst {
		msgs := make(chan kafka.Message)
		var work sync.WaitGroup
		for range workers {
			work.Go(func() {
				for msg := range msgs {
					if err := c.Process(t.Context(), msg, doNothing); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for _, msg := range of(0, n)[n-burst:] {
			msgs <- msg
		}
		close(msgs)
		work.Wait()
		if got := lagOf(e, "fetched", 0); got != "0" {
			t.Errorf("after %d messages the lag is %s, want 0", n, got)
		}
	}
}

// What the group goes on with is what counts, not a single message of long ago.
func TestReader_Rewind(t *testing.T) {
	t.Parallel()
	msgs := of(0, 1000)
	for name, tt := range map[string]struct {
		offsets             []kafka.Message
		redelivered, missed int
	}{
		"one old message":         {append(append(append([]kafka.Message(nil), msgs[:500]...), msgs[3]), msgs[500:]...), 1, 0},
		"back to an older commit": {append(append([]kafka.Message(nil), msgs[:500]...), msgs[400:]...), 100, 0},
		"a gap of 200":            {append(append([]kafka.Message(nil), msgs[:100]...), msgs[300:]...), 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := consume(t, inGroup(tt.offsets...))
			c.fetchAll(t, len(tt.offsets))
			skipped := told(c.events, "skipped")
			if got := len(told(c.events, "redelivered")); got != tt.redelivered || len(skipped) != tt.missed {
				t.Errorf("%d were redelivered, and %q, want %d and %d gaps", got, skipped, tt.redelivered, tt.missed)
			}
			if tt.missed > 0 && skipped[0] != "skipped workers orders/0 offsets=200" {
				t.Errorf("the gap is %q", skipped[0])
			}
		})
	}
}

// What the other member of a group has read meanwhile is no gap.
func TestReader_PartitionGoesAndComesBack(t *testing.T) {
	t.Parallel()
	msgs := of(0, 1000)
	for name, tt := range map[string]struct {
		group  string
		forget bool
		away   time.Duration
		want   []string
	}{
		"after a rebalance":     {"workers", false, 5 * time.Second, nil},
		"after Forget":          {"workers", true, 0, nil},
		"at once":               {"workers", false, 0, []string{"skipped workers orders/0 offsets=200"}},
		"with no other members": {"", false, 5 * time.Second, []string{"skipped  orders/0 offsets=200"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, e := inGroup(append(append([]kafka.Message(nil), msgs[:100]...), msgs[300:]...)...), &events{}
				s.config.GroupID = tt.group
				r := kafkacarrier.NewReaderOf(s, withW3C(), kafkacarrier.WithObserver(e))
				for i := range 800 {
					if i == 100 {
						time.Sleep(tt.away)
						if tt.forget {
							r.Forget("orders", 0)
						}
					}
					if _, err := r.FetchMessage(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if diff := cmp.Diff(tt.want, told(e, "skipped", "redelivered")); diff != "" {
					t.Error(diff)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// The lag of a partition that is lost goes without waiting for a message; that of
// a Reader that is stuck stays.
func TestReader_LagOfALostPartition(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		polls bool
		want  []string
	}{
		"polls in vain": {true, []string{"revoked workers orders/2"}},
		"is stuck":      {false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				msg, e := consumed(4), &events{}
				msg.HighWaterMark = 20
				r := kafkacarrier.NewReaderOf(&waiting{source: inGroup(msg)}, withW3C(), kafkacarrier.WithObserver(e), kafkacarrier.WithPartitionExpiry(time.Minute))
				if _, err := r.FetchMessage(t.Context()); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() {
					defer close(done)
					if tt.polls {
						_, _ = r.FetchMessage(ctx) // Until it is canceled.
						return
					}
					_ = r.Process(ctx, msg, func(ctx context.Context) error { <-ctx.Done(); return nil })
				}()
				time.Sleep(time.Hour)
				if diff := cmp.Diff(tt.want, told(e, "revoked")); diff != "" {
					t.Error(diff)
				}
				cancel()
				<-done
				if err := r.Close(); err != nil { // No timer is left, or the test would not end.
					t.Error(err)
				}
			})
		})
	}
}

// waiting is a source that is not locked while it waits.
type waiting struct{ *source }

func (w *waiting) FetchMessage(ctx context.Context) (kafka.Message, error) {
	if w.mu.Lock(); len(w.messages) > 0 {
		defer w.mu.Unlock()
		msg := w.messages[0]
		w.messages = w.messages[1:]
		return msg, nil
	}
	w.mu.Unlock()
	<-ctx.Done()
	return kafka.Message{}, ctx.Err()
}

// A topic that brings no waybills is reported once a minute, by whoever reads it.
func TestNoWaybill_IsReported(t *testing.T) {
	t.Parallel()
	bare := consumed(1, header("traceparent", traceparentA))
	for name, start := range map[string]func(e *events) func(ctx context.Context) error{
		"Reader": func(e *events) func(context.Context) error {
			r := kafkacarrier.NewReaderOf(&endless{source: *inGroup(), msg: bare}, withW3C(), kafkacarrier.WithObserver(e))
			return func(ctx context.Context) error { _, err := r.FetchMessage(ctx); return err }
		},
		"Consumer": func(e *events) func(context.Context) error {
			c := kafkacarrier.NewConsumer(withW3C(), kafkacarrier.WithObserver(e))
			return func(ctx context.Context) error { return c.Process(ctx, bare, doNothing) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := &events{}
				handle := start(e)
				for range 5 * 60 {
					if err := handle(t.Context()); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
				}
				drops := 0
				for _, line := range told(e, "dropped") {
					if line == "dropped no_waybill" {
						drops++
					}
				}
				if drops != 4 {
					t.Errorf("5 minutes without a waybill were reported %d times, want 4", drops)
				}
			})
		})
	}
}

// One instance of everything serves any number of goroutines.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	const each = 20
	for _, workers := range []int{2, 16, 128} {
		t.Run(strconv.Itoa(workers), func(t *testing.T) {
			t.Parallel()
			f, b, m := flowtest.New(t), &broker{partitions: 3}, newMeter()
			tracers, meters := kafkacarrier.WithTracerProvider(f.Service("all")), kafkacarrier.WithMeterProvider(m)
			plain := writerTo(b)
			plain.Transport = kafkacarrier.NewTransport(b, meters)
			e := &events{}
			w := kafkacarrier.NewWriter(plain, withW3C(), tracers, meters, kafkacarrier.WithObserver(e))
			c := kafkacarrier.NewConsumer(withW3C(), tracers, meters, kafkacarrier.WithObserver(e), kafkacarrier.WithGroup("workers"))
			var work sync.WaitGroup
			for range workers {
				work.Go(func() {
					for i := range each {
						if err := w.WriteMessages(t.Context(), numbered(1+i%3)...); err != nil {
							t.Error(err)
						}
					}
				})
			}
			work.Wait()
			closeWriter(t, w)
			written := b.written()
			var left sync.WaitGroup
			for i := range workers {
				left.Go(func() {
					for j := i; j < len(written); j += workers {
						handled := written[j]
						if err := c.Process(t.Context(), handled, func(ctx context.Context) error {
							forwarded := kafkacarrier.Forward(ctx, handled, "retry", withW3C())
							if !kafkacarrier.Read(forwarded, w3c()).SpanContext().IsValid() {
								t.Error("a forwarded message has no context")
							}
							return nil
						}); err != nil {
							t.Error(err)
						}
					}
				})
			}
			left.Wait()
			want := 0
			for i := range each {
				want += 1 + i%3
			}
			if want *= workers; len(written) != want {
				t.Fatalf("%d messages were written, want %d", len(written), want)
			}
			ids := make(map[string]bool)
			for _, msg := range written {
				ids[kafkacarrier.Read(msg, w3c()).SpanContext().SpanID().String()] = true
			}
			if len(ids) != want {
				t.Errorf("%d messages have %d spans", want, len(ids))
			}
			sent, processed := int64(0), int64(0)
			for series, n := range m.series(t) {
				switch {
				case strings.HasPrefix(series, "messaging.client.sent.messages"):
					sent += n
				case strings.HasPrefix(series, "messaging.process.duration"):
					processed += n
				}
			}
			if sent != int64(want) || processed != int64(want) {
				t.Errorf("%d were counted as sent and %d as processed, want %d", sent, processed, want)
			}
		})
	}
}
