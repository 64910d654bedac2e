// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/codes"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/propagation"
)

// Whatever may be nil is harmless.
func TestNilIsHarmless(t *testing.T) {
	t.Parallel()
	var none context.Context
	msg := consumed(1, header("traceparent", traceparentA))
	kafkacarrier.Inject(none, nil, w3c())
	kafkacarrier.Inject(none, &msg, w3c(), nil)
	kafkacarrier.InjectAll(none, nil, w3c())
	kafkacarrier.Forward(none, msg, "retry", withW3C())
	if got := traceID(kafkacarrier.Extract(none, msg, w3c())); got != traceA {
		t.Errorf("Extract into a nil ctx gives trace %q", got)
	}
	if got := kafkacarrier.Extract(none, kafka.Message{}, w3c()); traceID(got) != "" {
		t.Errorf("Extract of nothing into a nil ctx gives %v", got)
	}
	ran := 0
	handle := func(ctx context.Context) error {
		ran++
		if ctx == nil {
			t.Error("the handler has a nil ctx")
		}
		return nil
	}
	r := newRig(t, &broker{}, nil)
	c := consume(t, inGroup(msg, msg))
	_, fetchErr := c.FetchMessage(none)
	_, readErr := c.ReadMessage(none)
	_, lagErr := c.ReadLag(none)
	_, end := c.Start(none, msg)
	end(nil)
	if err := errors.Join(
		r.writer.WriteMessages(none, numbered(2)...), r.writer.WriteMessages(none), fetchErr, readErr, lagErr,
		c.Process(none, msg, handle), c.ProcessBatch(none, []kafka.Message{msg}, handle), c.ProcessBatch(none, nil, handle),
		c.CommitMessages(none, msg), c.CommitMessages(none), c.SetOffsetAt(none, time.Time{}),
		kafkacarrier.Process(none, msg, handle), kafkacarrier.ProcessBatch(none, nil, handle),
	); err != nil || ran != 5 {
		t.Errorf("%d handlers ran: %v", ran, err)
	}
	for _, err := range []error{
		c.Process(t.Context(), msg, nil), c.ProcessBatch(t.Context(), nil, nil),
		kafkacarrier.Process(t.Context(), msg, nil), kafkacarrier.ProcessBatch(t.Context(), []kafka.Message{msg}, nil),
	} {
		if err == nil {
			t.Error("a nil handler is no error")
		}
	}
}

// What a closed client says is what its wrapper says.
func TestClosedClientsGiveTheErrorsOfKafkaGo(t *testing.T) {
	t.Parallel()
	newReader := func() *kafka.Reader {
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{"127.0.0.1:1"}, Topic: "orders", MaxAttempts: 1})
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		return r
	}
	plain := newReader()
	wrapped := kafkacarrier.NewReader(newReader())
	results := func(r kafkacarrier.MessageReader) (all []string) {
		_, fetch := r.FetchMessage(t.Context())
		_, read := r.ReadMessage(t.Context())
		for _, err := range []error{fetch, read, r.CommitMessages(t.Context(), consumed(1)), r.SetOffset(1), r.Close()} {
			all = append(all, fmt.Sprintf("%T %v %t", err, err, errors.Is(err, io.EOF)))
		}
		return all
	}
	if diff := cmp.Diff(results(plain), results(wrapped)); diff != "" {
		t.Error(diff)
	}
}

// panickingPropagator has fields and fails with everything else.
type panickingPropagator struct{}

func (panickingPropagator) Fields() []string { return []string{"broken"} }
func (panickingPropagator) Inject(context.Context, propagation.TextMapCarrier) {
	panic("inject")
}

func (panickingPropagator) Extract(context.Context, propagation.TextMapCarrier) context.Context {
	panic("extract")
}

func TestPanicsOfPropagatorsAreContained(t *testing.T) {
	t.Parallel()
	o := propagation.WithPropagator(panickingPropagator{})
	before := header("traceparent", traceparentA)
	msg := consumed(1, before)
	ctx := bareContext(t, traceparentB)
	kafkacarrier.Inject(ctx, &msg, o)
	kafkacarrier.InjectAll(ctx, []kafka.Message{msg}, o)
	if got := kafkacarrier.Extract(ctx, msg, o); got != ctx || !cmp.Equal(msg.Headers, []kafka.Header{before}) {
		t.Errorf("Extract gives %v, and the headers are %v", got, msg.Headers)
	}
	if got := kafkacarrier.Forward(ctx, msg, "retry", kafkacarrier.WithPropagation(o)); len(got.Headers) != 5 {
		t.Errorf("the forwarded headers are %q", keys(got.Headers))
	}
	r := newRig(t, &broker{}, nil, kafkacarrier.WithPropagation(o))
	c := consume(t, inGroup(msg), kafkacarrier.WithPropagation(o))
	if err := errors.Join(r.writer.WriteMessages(ctx, msg2(msg)...), c.Process(ctx, c.fetchAll(t, 1)[0], doNothing), c.CommitMessages(ctx, msg)); err != nil {
		t.Error(err)
	}
	if got := len(r.broker.written()); got != 2 {
		t.Errorf("%d messages were written", got)
	}
}

// msg2 returns msg twice, as it is to be written.
func msg2(msg kafka.Message) []kafka.Message {
	msg = kafka.Message{Value: msg.Value, Headers: msg.Headers}
	return []kafka.Message{msg, msg}
}

// The observer is told, and whatever ends the handler goes on.
func TestHandlerMayEndInEveryWay(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx    context.Context //nolint:containedctx // a row of a table.
		fn     func(context.Context) error
		value  any
		kind   string
		events []string
	}{
		"panic":           {t.Context(), func(context.Context) error { panic("boom") }, "boom", "panic", []string{"failed process orders panic"}},
		"nil panic":       {t.Context(), func(ctx context.Context) error { panic(doNothing(ctx)) }, new(runtime.PanicNilError), "panic", []string{"failed process orders panic"}},
		"Goexit":          {t.Context(), func(context.Context) error { runtime.Goexit(); return nil }, nil, "canceled", nil},
		"panicking error": {cancelled, func(context.Context) error { return panicking{} }, nil, "github.com/waybill-go/waybill/carriers/kafkacarrier_test.panicking", []string{"failed process orders github.com/waybill-go/waybill/carriers/kafkacarrier_test.panicking"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := consume(t, inGroup())
			done := make(chan any)
			go func() {
				var value any
				defer func() { done <- value }()
				_, value = recovered(func() error { return c.Process(tt.ctx, consumed(1), tt.fn) })
			}()
			if got := <-done; fmt.Sprintf("%T", got) != fmt.Sprintf("%T", tt.value) {
				t.Errorf("the panic is %v, want %v", got, tt.value)
			}
			if span := only(t, c.flow); (span.Status.Code == codes.Error) != (tt.events != nil) || attributeOf(span, "error.type") != tt.kind {
				t.Errorf("the span has %v, %v", span.Status, span.Attributes)
			}
			if diff := cmp.Diff(tt.events, c.events.take()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStartedWorkEndsOnceWhoeverEndsIt(t *testing.T) {
	t.Parallel()
	c := consume(t, inGroup())
	_, end := c.Start(t.Context(), consumed(1))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { end(nil) })
	}
	all.Wait()
	only(t, c.flow)
	for series, n := range c.meter.series(t) {
		if n != 1 {
			t.Errorf("%s is %d", series, n)
		}
	}
}

// The topics of a hostile producer do not fill the memory.
func TestTopicsAreTooManyForSeriesOfTheirOwn(t *testing.T) {
	t.Parallel()
	const limit, topics = 1000, 1200
	c := consume(t, inGroup())
	for i := range topics {
		msg := consumed(1)
		msg.Topic = fmt.Sprint("topic-", i)
		if err := errors.Join(c.Process(t.Context(), msg, doNothing), c.CommitMessages(t.Context(), msg)); err != nil {
			t.Fatal(err)
		}
	}
	counted, other := 0, int64(0)
	for series, n := range c.meter.series(t) {
		if strings.Contains(series, "destination.name=_OTHER") {
			other += n
		} else {
			counted++
		}
	}
	if counted > limit || int64(counted)+other != 2*topics {
		t.Errorf("there are %d series, and %d messages of other topics", counted, other)
	}
	if got := len(recorded(t, c.flow)); got != 2*topics {
		t.Errorf("%d spans were recorded, want %d", got, 2*topics)
	}
}

// What WithMaxBytes leaves out is counted.
func TestWriter_CountsWhatDoesNotFitInMaxBytes(t *testing.T) {
	t.Parallel()
	const (
		traceparent = 11 + 55
		waybill     = 7 + 37
		tracestate  = 10 + 8
		baggage     = 7 + 10
	)
	all := []string{"traceparent", "waybill", "tracestate", "baggage"}
	for budget, want := range map[int][]string{
		0: all,
		traceparent + waybill + tracestate + baggage:     all,
		traceparent + waybill + tracestate + baggage - 1: all[:3],
		traceparent + waybill + tracestate - 1:           all[:2],
		traceparent + waybill - 1:                        all[:1],
		traceparent - 1:                                  nil,
	} {
		r := newRig(t, &broker{}, nil, kafkacarrier.WithPropagation(propagation.WithBaggage("user"), propagation.WithMaxBytes(budget)))
		if err := r.writer.WriteMessages(remoteContext(t, traceparentA), value("1")); err != nil {
			t.Fatal(err)
		}
		if got := keys(r.broker.written()[0].Headers); !cmp.Equal(got, append([]string{}, want...)) {
			t.Errorf("%d bytes: headers are %q, want %q", budget, got, want)
		}
		if dropped := strings.Contains(strings.Join(r.events.take(), "\n"), "dropped too_large"); dropped != (len(want) < 4) {
			t.Errorf("%d bytes: a drop was counted: %t", budget, dropped)
		}
	}
}

func TestWriter_KnowsTheClientID(t *testing.T) {
	t.Parallel()
	for name, transport := range map[string]kafka.RoundTripper{
		"plain":   &kafka.Transport{ClientID: "api-1"},
		"wrapped": kafkacarrier.NewTransport(&kafka.Transport{ClientID: "api-1"}),
		"nil":     (*kafka.Transport)(nil),
		"our nil": (*kafkacarrier.Transport)(nil),
	} {
		f := flowtest.New(t)
		plain := &kafka.Writer{Transport: transport}
		w := kafkacarrier.NewWriter(plain, withW3C(), kafkacarrier.WithTracerProvider(f.Service("api")))
		if w.WriteMessages(t.Context(), value("1")) == nil {
			t.Error("a Writer without an address has written")
		}
		want := "api-1"
		if strings.Contains(name, "nil") {
			want = ""
		}
		if got := attributeOf(only(t, f), "messaging.client.id"); got != want {
			t.Errorf("%s: the client is %q, want %q", name, got, want)
		}
	}
}

// Headers of other names are a propagator's business.
func TestPropagatorMayRenameHeaders(t *testing.T) {
	t.Parallel()
	o := propagation.WithPropagator(renamed{})
	var msg kafka.Message
	kafkacarrier.Inject(bareContext(t, traceparentA), &msg, o)
	if diff := cmp.Diff([]kafka.Header{header("x-trace", traceparentA)}, msg.Headers); diff != "" {
		t.Error(diff)
	}
	kafkacarrier.Inject(bareContext(t, traceparentB), &msg, o)
	if got := traceID(kafkacarrier.Extract(t.Context(), msg, o)); got != traceB || len(msg.Headers) != 1 {
		t.Errorf("Extract gives trace %q of %v", got, msg.Headers)
	}
}

// renamed is Trace Context under another name.
type renamed struct{}

func (renamed) Fields() []string { return []string{"x-trace"} }

func (renamed) Inject(ctx context.Context, c propagation.TextMapCarrier) {
	m := mapCarrier{}
	propagation.TraceContext{}.Inject(ctx, m)
	c.Set("x-trace", m["traceparent"])
}

func (renamed) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	return propagation.TraceContext{}.Extract(ctx, mapCarrier{"traceparent": c.Get("x-trace")})
}
