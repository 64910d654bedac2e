// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/internal/messaging"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// sender is a Recorder with everything that sees what it records.
type sender struct {
	*messaging.Recorder

	flow *flowtest.Flow
	seen *events
}

func newSender(t *testing.T) *sender {
	t.Helper()
	f, e := flowtest.New(t), &events{}
	return &sender{messaging.New(messaging.Config{
		Scope: "test", System: "kafka", Group: "workers", TracerProvider: f.Service("api"), Observer: e,
	}), f, e}
}

// begin begins a call that sends a message to each of topics.
func (s *sender) begin(ctx context.Context, topics ...string) *messaging.Sending {
	c := new(messaging.Sending)
	c.Begin(ctx, s.Recorder, len(topics))
	for i, topic := range topics {
		c.Address(i, topic)
	}
	return c
}

// answer gives messages of c their outcome.
func answer(c *messaging.Sending, err error, messages ...int) {
	a := messaging.Answer{Err: err, Partition: 2}
	for _, i := range messages {
		a.Add(c.Sent(i), 10)
	}
	a.Report()
}

func TestSending_EveryEnd(t *testing.T) {
	t.Parallel()
	expired, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	for name, tt := range map[string]struct {
		ctx    context.Context //nolint:containedctx // a row of a table.
		async  bool
		end    func(c *messaging.Sending)
		status codes.Code
		events []string
	}{
		"answered": {t.Context(), false, func(c *messaging.Sending) {
			answer(c, nil, 0)
			c.Returned(nil, false)
		}, codes.Unset, []string{"sent orders/2 messages=1 bytes=10"}},
		"refused": {t.Context(), false, func(c *messaging.Sending) {
			answer(c, io.EOF, 0)
			c.Returned(io.EOF, false)
		}, codes.Error, []string{"failed send orders eof"}},
		"failed before it was sent": {
			t.Context(), false,
			func(c *messaging.Sending) { c.Returned(io.EOF, true) },
			codes.Error,
			[]string{"failed send orders eof"},
		},
		"given up, and answered late": {expired, false, func(c *messaging.Sending) {
			c.Returned(context.DeadlineExceeded, true)
			answer(c, nil, 0)
		}, codes.Error, []string{"failed send orders timeout", "sent orders/2 messages=1 bytes=10"}},
		"asynchronous": {t.Context(), true, func(c *messaging.Sending) {
			c.Returned(nil, false)
			answer(c, nil, 0)
		}, codes.Unset, []string{"sent orders/2 messages=1 bytes=10"}},
		"asynchronous, refused": {t.Context(), true, func(c *messaging.Sending) {
			c.Returned(nil, false)
			answer(c, io.EOF, 0)
		}, codes.Error, []string{"failed send orders eof"}},
		"panicked": {t.Context(), false, (*messaging.Sending).Panicked, codes.Error, []string{"failed send orders panic"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSender(t)
			c := s.begin(tt.ctx, "orders")
			c.Single(&messaging.Origin{Context: tt.ctx})
			c.Accepted(tt.async)
			tt.end(c)
			if span := only(t, s.flow); span.Name != "send orders" || span.Status.Code != tt.status {
				t.Errorf("the span is %q with %v, want %v", span.Name, span.Status, tt.status)
			}
			if diff := cmp.Diff(tt.events, s.seen.take()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Messages of an asynchronous call may be answered on many goroutines, and the
// last answer ends the call, with the first error.
func TestSending_AnswersOfManyGoroutines(t *testing.T) {
	t.Parallel()
	const n = 128
	s := newSender(t)
	c := s.begin(t.Context(), slices.Repeat([]string{"orders"}, n)...)
	for i := range n {
		c.Create(i, &messaging.Origin{Context: t.Context()})
	}
	c.Start()
	c.Accepted(true)
	c.Returned(nil, false)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			var err error
			if i == n/2 {
				err = io.EOF
			}
			answer(c, err, i)
		})
	}
	all.Wait()
	failed := 0
	for _, span := range s.flow.Wait(time.Second).Spans() {
		if span.Status.Code == codes.Error {
			failed++
		}
	}
	if failed != 2 {
		t.Errorf("%d spans failed, want that of one message and that of the call", failed)
	}
}

// A handler that forwards very many messages keeps no more than some of them.
func TestForwarded_IsBounded(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	sc := trace.SpanContextFromContext(propagation.ExtractTextMap(t.Context(), mapCarrier{"traceparent": traceparentA}, propagation.WithPropagator(propagation.Default())))
	messaging.NoteForwarded(t.Context(), 1, sc)
	if messaging.IsHandling(t.Context()) || messaging.CreationOf(t.Context(), 1).IsValid() {
		t.Error("what no handler forwards is kept")
	}
	w := s.Begin(t.Context(), messaging.Process, &messaging.Batch{Destination: "orders", Partition: -1, Messages: 1})
	if err := w.Run(func(ctx context.Context) error {
		kept := 0
		for i := range 10_000 {
			messaging.NoteForwarded(ctx, i, sc)
		}
		for i := range 10_000 {
			if messaging.CreationOf(ctx, i).Equal(sc) {
				kept++
			}
		}
		if kept != 4096 {
			t.Errorf("%d are kept, want 4096", kept)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

type mapCarrier map[string]string

func (c mapCarrier) Get(key string) string { return c[key] }
func (c mapCarrier) Set(key, value string) { c[key] = value }
func (c mapCarrier) Keys() []string        { return nil }

// A watcher ends with its context, whatever look does, and leaves nothing.
func TestWatch_LookMayEndInEveryWay(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	ctx, cancel := context.WithCancel(t.Context())
	looks := 0
	err := s.Watch(ctx, time.Millisecond, func(ctx context.Context, w *messaging.Watch) {
		switch looks++; looks {
		case 1:
			w.Committed(ctx, "orders", 0, 5, 10)
			w.Committed(ctx, "refunds", 0, 5, 10)
		case 2:
			w.Failed(ctx, "refunds", io.EOF)
		default:
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Watch returns %v", err)
	}
	if diff := cmp.Diff([]string{
		"committed orders/0 offset=5 lag=10", "committed refunds/0 offset=5 lag=10",
		"failed lag refunds eof", "revoked orders/0", "revoked refunds/0",
	}, s.seen.take()); diff != "" {
		t.Error(diff)
	}
}

// The context in which a message arrives is used again, and by one at a time.
func TestRecorder_ArrivedOnManyGoroutines(t *testing.T) {
	t.Parallel()
	waybill := propagation.Waybill{Origin: time.Now(), Sent: time.Now(), Hops: 1}.String()
	checking := &senders{events: &events{}, t: t}
	r := messaging.New(messaging.Config{System: "kafka", Observer: checking})
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			traceparent := []string{traceparentA, traceparentB}[i%2]
			remote := propagation.ReadTextMap(mapCarrier{"traceparent": traceparent, "waybill": waybill}, propagation.WithPropagator(propagation.Default()))
			for range 1000 {
				r.Arrived(context.WithValue(t.Context(), wanted{}, remote.SpanContext()), "orders", &remote)
			}
		})
	}
	all.Wait()
}

type wanted struct{}

// senders is an observer that compares the span that a message arrives in with
// the wanted one.
type senders struct {
	*events

	t *testing.T
}

func (s *senders) Arrived(ctx context.Context, _ observe.Arrival) {
	want, _ := ctx.Value(wanted{}).(trace.SpanContext)
	if got := trace.SpanContextFromContext(ctx); !got.Equal(want) {
		s.t.Errorf("a message of %v arrives in %v", want.TraceID(), got.TraceID())
	}
}
