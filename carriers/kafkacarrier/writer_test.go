// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/propagation"
)

// rig is a Writer with everything that sees what it does.
type rig struct {
	flow    *flowtest.Flow
	meter   *meter
	events  *events
	broker  *broker
	writer  *kafkacarrier.Writer
	service *flowtest.Service
}

// newRig wraps a writer to b, which configure may change first.
func newRig(t *testing.T, b *broker, configure func(*kafka.Writer), opts ...kafkacarrier.WriterOption) *rig {
	t.Helper()
	r := &rig{flow: flowtest.New(t), meter: newMeter(), events: &events{}, broker: b}
	r.service = r.flow.Service("api")
	plain := writerTo(b)
	if configure != nil {
		configure(plain)
	}
	opts = append([]kafkacarrier.WriterOption{
		withW3C(), kafkacarrier.WithTracerProvider(r.service), kafkacarrier.WithMeterProvider(r.meter), kafkacarrier.WithObserver(r.events),
	}, opts...)
	r.writer = kafkacarrier.NewWriter(plain, opts...)
	t.Cleanup(func() { closeWriter(t, r.writer) })
	return r
}

func (r *rig) spans(t *testing.T) tracetest.SpanStubs {
	t.Helper()
	return recorded(t, r.flow)
}

// carried returns the span context on each written message.
func (r *rig) carried() []trace.SpanContext {
	var all []trace.SpanContext
	for _, m := range r.broker.written() {
		all = append(all, propagation.ReadTextMap(kafkacarrier.New(&m), propagation.WithPropagator(propagation.Default())).SpanContext())
	}
	return all
}

func TestWriter_SingleMessageIsSentByOneProducerSpan(t *testing.T) {
	t.Parallel()
	r := newRig(t, &broker{}, nil)
	ctx, root := r.service.Tracer("test").Start(t.Context(), "POST /orders")
	if err := r.writer.WriteMessages(ctx, value("1")); err != nil {
		t.Fatal(err)
	}
	root.End()
	send := named(r.spans(t), "send orders")
	if len(send) != 1 || send[0].SpanKind != trace.SpanKindProducer || send[0].Parent.SpanID() != root.SpanContext().SpanID() {
		t.Fatalf("the send spans are %v", send)
	}
	if got := r.carried(); len(got) != 1 || got[0].SpanID() != send[0].SpanContext.SpanID() {
		t.Errorf("the message carries %v, want %v", got, send[0].SpanContext)
	}
	if attributeOf(send[0], "messaging.destination.partition.id") != "0" || attributeOf(send[0], "messaging.kafka.offset") != "0" {
		t.Errorf("the attributes are %v", send[0].Attributes)
	}
}

func TestWriter_BatchGivesEachMessageASpanOfItsOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t, &broker{partitions: 2}, nil)
	if err := r.writer.WriteMessages(t.Context(), numbered(4)...); err != nil {
		t.Fatal(err)
	}
	spans := r.spans(t)
	created, send := named(spans, "create orders"), named(spans, "send orders")
	if len(created) != 4 || len(send) != 1 {
		t.Fatalf("there are %d create and %d send spans", len(created), len(send))
	}
	if send[0].SpanKind != trace.SpanKindClient || len(send[0].Links) != 4 || attributeOf(send[0], "messaging.batch.message_count") != "4" {
		t.Errorf("the send span is %v with %d links, %v", send[0].SpanKind, len(send[0].Links), send[0].Attributes)
	}
	onWire := make(map[trace.SpanID]kafka.Message)
	for i, m := range r.broker.written() {
		onWire[r.carried()[i].SpanID()] = m
	}
	for _, s := range created {
		m, ok := onWire[s.SpanContext.SpanID()]
		if !ok || s.SpanKind != trace.SpanKindProducer || s.Status.Code != codes.Unset {
			t.Errorf("no message carries %v, of kind %v and status %v", s.SpanContext.SpanID(), s.SpanKind, s.Status)
		}
		if attributeOf(s, "messaging.destination.partition.id") != strconv.Itoa(m.Partition) || attributeOf(s, "messaging.kafka.offset") != strconv.FormatInt(m.Offset, 10) {
			t.Errorf("the message is at %d/%d, the attributes are %v", m.Partition, m.Offset, s.Attributes)
		}
	}
	if diff := cmp.Diff(map[string]int64{
		"messaging.client.operation.duration{destination.name=orders operation.name=send}": 1,
		"messaging.client.sent.messages{destination.name=orders operation.name=send}":      4,
	}, r.meter.series(t)); diff != "" {
		t.Error(diff)
	}
}

func TestWriter_MessagesCanShareTheContextOfTheCall(t *testing.T) {
	t.Parallel()
	r := newRig(t, &broker{}, nil, kafkacarrier.WithoutCreateSpans())
	if err := r.writer.WriteMessages(t.Context(), numbered(3)...); err != nil {
		t.Fatal(err)
	}
	spans := r.spans(t)
	if len(spans) != 1 || spans[0].SpanKind != trace.SpanKindProducer {
		t.Fatalf("the spans are %v", spans)
	}
	for _, sc := range r.carried() {
		if sc.SpanID() != spans[0].SpanContext.SpanID() {
			t.Errorf("a message carries %v, want %v", sc, spans[0].SpanContext)
		}
	}
}

func TestWriter_DestinationIsNamedOnlyIfItIsCommon(t *testing.T) {
	t.Parallel()
	r := newRig(t, &broker{}, func(w *kafka.Writer) { w.Topic = "" })
	if err := r.writer.WriteMessages(t.Context(), kafka.Message{Topic: "a"}, kafka.Message{Topic: "b"}); err != nil {
		t.Fatal(err)
	}
	spans := r.spans(t)
	if len(named(spans, "create a")) != 1 || len(named(spans, "create b")) != 1 || len(named(spans, "send")) != 1 {
		t.Errorf("the spans are %v", spans)
	}
	if got := attributeOf(named(spans, "send")[0], "messaging.destination.name"); got != "" {
		t.Errorf("the send span has destination %q", got)
	}
}

func TestWriter_EachMessageMayComeFromAContextOfItsOwn(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]kafkacarrier.WriterOption{"create spans": nil, "without": {kafkacarrier.WithoutCreateSpans()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen sync.Map
			r := newRig(t, &broker{}, func(w *kafka.Writer) {
				w.Completion = func(msgs []kafka.Message, _ error) {
					for _, m := range msgs {
						seen.Store(m.WriterData, true)
					}
				}
			}, append(opts, kafkacarrier.WithMessageContext(func(m kafka.Message) context.Context {
				ctx, _ := m.WriterData.(context.Context)
				return ctx
			}))...)
			ctxs := []context.Context{bareContext(t, traceparentA), bareContext(t, traceparentB)}
			msgs := numbered(3)
			msgs[0].WriterData, msgs[1].WriterData = ctxs[0], ctxs[1]
			if err := r.writer.WriteMessages(t.Context(), msgs...); err != nil {
				t.Fatal(err)
			}
			got := r.carried()
			if got[0].TraceID().String() != traceA || got[1].TraceID().String() != traceB || got[2].TraceID().String() == traceA {
				t.Errorf("the messages are in traces %v, %v, %v", got[0].TraceID(), got[1].TraceID(), got[2].TraceID())
			}
			for _, m := range msgs {
				if _, ok := seen.Load(m.WriterData); !ok {
					t.Errorf("the user's Completion never saw WriterData %v", m.WriterData)
				}
			}
			r.spans(t)
		})
	}
}

func TestWriter_MessagesOfTheCallerAreNotChanged(t *testing.T) {
	t.Parallel()
	var completed []kafka.Message
	r := newRig(t, &broker{}, func(w *kafka.Writer) {
		w.Completion = func(msgs []kafka.Message, _ error) { completed = append(completed, msgs...) }
	}, kafkacarrier.WithTimestamps())
	shared := append(make([]kafka.Header, 0, 8), header("app", "1"), header("traceparent", traceparentA))
	msgs := []kafka.Message{{Value: []byte("1"), Headers: shared, WriterData: 1}, {Value: []byte("2"), Headers: shared, WriterData: 2}}
	before := []kafka.Message{msgs[0], msgs[1]}
	if err := r.writer.WriteMessages(t.Context(), msgs...); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, msgs); diff != "" {
		t.Error(diff)
	}
	if len(completed) != 2 || completed[0].WriterData != 1 || completed[1].WriterData != 2 || completed[1].Offset != 1 {
		t.Errorf("the user's Completion saw %v", completed)
	}
	for _, m := range r.broker.written() {
		if m.Time.IsZero() || time.Since(m.Time) > time.Minute {
			t.Errorf("the time is %v", m.Time)
		}
	}
}

func TestWriter_PanicOfTheUsersCompletionGoesUpAfterTheSpansEnded(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	plain := writerTo(&broker{})
	plain.Completion = func([]kafka.Message, error) { panic("completion") }
	w := kafkacarrier.NewWriter(plain, withW3C(), kafkacarrier.WithTracerProvider(f.Service("api")))
	defer closeWriter(t, w)
	// kafka-go calls Completion on a goroutine of its own, where a panic ends the
	// program. So the test stands between.
	var caught any
	wrapped := plain.Completion
	plain.Completion = func(msgs []kafka.Message, err error) {
		_, caught = recovered(func() error { wrapped(msgs, err); return nil })
		if span := only(t, f); attributeOf(span, "messaging.kafka.offset") != "0" {
			t.Errorf("the span that ended has %v", span.Attributes)
		}
	}
	if err := w.WriteMessages(t.Context(), value("1")); err != nil || caught != "completion" {
		t.Errorf("WriteMessages gives %v, and the panic is %v", err, caught)
	}
}

// The messages cannot be told apart by their headers, and each waits
// for the balancer to say where it goes.
func TestWriter_OutcomeFindsItsMessageWithoutHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t, &broker{partitions: 3}, nil, kafkacarrier.WithoutInject(), kafkacarrier.WithMessageContext(func(m kafka.Message) context.Context {
		ctx, _ := m.WriterData.(context.Context)
		return ctx
	}))
	msgs := make([]kafka.Message, 9)
	for i := range msgs {
		traceparent := fmt.Sprintf("00-%032x-%016x-01", i+1, i+1)
		msgs[i] = kafka.Message{Value: []byte(traceparent[3:35]), WriterData: bareContext(t, traceparent)}
	}
	if err := r.writer.WriteMessages(t.Context(), msgs...); err != nil {
		t.Fatal(err)
	}
	at := make(map[string]string)
	for _, s := range named(r.spans(t), "create orders") {
		at[s.SpanContext.TraceID().String()] = attributeOf(s, "messaging.destination.partition.id") + "/" + attributeOf(s, "messaging.kafka.offset")
	}
	for _, m := range r.broker.written() {
		if got, want := at[string(m.Value)], fmt.Sprintf("%d/%d", m.Partition, m.Offset); got != want || len(m.Headers) != 0 {
			t.Errorf("the span of %s is at %q, want %q; the headers are %v", m.Value, got, want, m.Headers)
		}
	}
}

func TestWriter_WrappingTwiceRecordsOnce(t *testing.T) {
	t.Parallel()
	for _, outer := range []bool{false, true} {
		t.Run(fmt.Sprintf("outer %t", outer), func(t *testing.T) {
			t.Parallel()
			f, b, m := flowtest.New(t), &broker{}, newMeter()
			var completed int
			plain := writerTo(b)
			plain.Completion = func(msgs []kafka.Message, _ error) { completed += len(msgs) }
			opts := []kafkacarrier.WriterOption{withW3C(), kafkacarrier.WithTracerProvider(f.Service("api")), kafkacarrier.WithMeterProvider(m)}
			w := kafkacarrier.NewWriter(plain, opts...)
			second := kafkacarrier.NewWriter(plain, opts...)
			if outer {
				w = second
			}
			defer closeWriter(t, w)
			if err := w.WriteMessages(t.Context(), value("1")); err != nil {
				t.Fatal(err)
			}
			if err := plain.WriteMessages(t.Context(), value("2")); err != nil { // Past the wrapper.
				t.Fatal(err)
			}
			if got := len(recorded(t, f)); got != 1 || completed != 2 {
				t.Errorf("%d spans, and the user's Completion saw %d messages; want 1 and 2", got, completed)
			}
			if got := m.series(t)["messaging.client.sent.messages{destination.name=orders operation.name=send}"]; got != 1 {
				t.Errorf("%d messages were counted, want 1", got)
			}
		})
	}
}

func TestWriter_OutcomeOfEachMessageIsItsOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t, &broker{answer: func(topic string, _ int) (int16, error) {
		if topic == "bad" {
			return int16(kafka.TopicAuthorizationFailed), nil
		}
		return 0, nil
	}}, func(w *kafka.Writer) { w.Topic = "" })
	err := r.writer.WriteMessages(t.Context(), kafka.Message{Topic: "good"}, kafka.Message{Topic: "bad"})
	var perMessage kafka.WriteErrors
	if !errors.As(err, &perMessage) || perMessage[0] != nil || !errors.Is(perMessage[1], kafka.TopicAuthorizationFailed) {
		t.Fatalf("WriteMessages gives %v", err)
	}
	spans := r.spans(t)
	good, bad, send := named(spans, "create good")[0], named(spans, "create bad")[0], named(spans, "send")[0]
	if good.Status.Code != codes.Unset || attributeOf(good, "messaging.kafka.offset") != "0" {
		t.Errorf("the good one has %v, %v", good.Status, good.Attributes)
	}
	for _, s := range []tracetest.SpanStub{bad, send} {
		if s.Status.Code != codes.Error || attributeOf(s, "error.type") != "TOPIC_AUTHORIZATION_FAILED" || attributeOf(s, "messaging.kafka.offset") != "" {
			t.Errorf("%s has %v, %v", s.Name, s.Status, s.Attributes)
		}
		if s.Status.Description != "TOPIC_AUTHORIZATION_FAILED" || len(s.Events) != 0 {
			t.Errorf("%s says %q with events %v", s.Name, s.Status.Description, s.Events)
		}
	}
	if diff := cmp.Diff([]string{"failed send bad TOPIC_AUTHORIZATION_FAILED", "sent good/0 messages=1 bytes=0"}, r.events.take()); diff != "" {
		t.Error(diff)
	}
}

func TestWriter_WithoutAcknowledgementsNothingIsKnownOfThePartition(t *testing.T) {
	t.Parallel()
	r := newRig(t, &broker{}, func(w *kafka.Writer) { w.RequiredAcks = kafka.RequireNone })
	if err := r.writer.WriteMessages(t.Context(), value("1")); err != nil {
		t.Fatal(err)
	}
	span := r.spans(t)[0]
	if span.Name != "send orders" || attributeOf(span, "messaging.kafka.offset")+attributeOf(span, "messaging.destination.partition.id") != "" {
		t.Errorf("the span is %q with %v", span.Name, span.Attributes)
	}
	if diff := cmp.Diff([]string{"sent orders/-1 messages=1 bytes=1"}, r.events.take()); diff != "" {
		t.Error(diff)
	}
}

func TestWriter_AsynchronousMessagesEndWhenTheBrokerAnswers(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"single": 1, "batch": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &broker{hold: make(chan struct{}), answer: func(string, int) (int16, error) { return int16(kafka.MessageSizeTooLarge), nil }}
			r := newRig(t, b, func(w *kafka.Writer) { w.Async = true })
			if err := r.writer.WriteMessages(t.Context(), numbered(n)...); err != nil {
				t.Fatal(err)
			}
			if got := r.meter.series(t); len(got) != 0 {
				t.Errorf("before the answer there is %v", got)
			}
			close(b.hold)
			for _, s := range r.spans(t) {
				if s.Status.Code != codes.Error || attributeOf(s, "error.type") != "MESSAGE_TOO_LARGE" {
					t.Errorf("%s has %v, %v", s.Name, s.Status, s.Attributes)
				}
			}
			closeWriter(t, r.writer)
			if diff := cmp.Diff(map[string]int64{
				"messaging.client.operation.duration{destination.name=orders operation.name=send error.type=MESSAGE_TOO_LARGE}": 1,
				"messaging.client.sent.messages{destination.name=orders operation.name=send error.type=MESSAGE_TOO_LARGE}":      int64(n),
			}, normal(r.meter.series(t))); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"failed send orders MESSAGE_TOO_LARGE"}, r.events.take()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// normal puts error.type last, wherever the attributes are sorted to.
func normal(series map[string]int64) map[string]int64 {
	moved := make(map[string]int64, len(series))
	for name, n := range series {
		if from := strings.Index(name, "error.type="); from >= 0 {
			to := from + strings.IndexAny(name[from:], " }")
			value := name[from:to]
			name = strings.Replace(strings.Replace(name, value, "", 1), "{ ", "{", 1)
			name = strings.TrimSuffix(strings.TrimSuffix(name, "}"), " ") + " " + value + "}"
		}
		moved[name] = n
	}
	return moved
}

func TestWriter_LateDeliveryIsCountedOnce(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"single": 1, "batch": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &broker{hold: make(chan struct{}), arrived: make(chan struct{}, 9)}
			r := newRig(t, b, nil)
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-b.arrived; cancel() }()
			if err := r.writer.WriteMessages(ctx, numbered(n)...); !errors.Is(err, context.Canceled) {
				t.Fatalf("WriteMessages gives %v", err)
			}
			for _, s := range r.spans(t) { // All have ended, though the broker has not answered.
				if attributeOf(s, "error.type") != "canceled" || attributeOf(s, "messaging.kafka.offset") != "" {
					t.Errorf("%s has %v", s.Name, s.Attributes)
				}
			}
			close(b.hold)
			closeWriter(t, r.writer)
			if diff := cmp.Diff(map[string]int64{
				"messaging.client.operation.duration{destination.name=orders operation.name=send error.type=canceled}": 1,
				"messaging.client.sent.messages{destination.name=orders operation.name=send waybill.late=true}":        int64(n),
			}, normal(r.meter.series(t))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWriter_DeadlineIsAnError(t *testing.T) {
	t.Parallel()
	b := &broker{hold: make(chan struct{})}
	r := newRig(t, b, nil)
	defer close(b.hold)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := r.writer.WriteMessages(ctx, value("1")); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("WriteMessages gives %v", err)
	}
	span := r.spans(t)[0]
	if span.Status.Code != codes.Error || attributeOf(span, "error.type") != "timeout" {
		t.Errorf("the span has %v, %v", span.Status, span.Attributes)
	}
}

func TestWriter_CallThatFailsAsAWholeSendsNothing(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		configure func(*kafka.Writer)
		broker    *broker
		msgs      []kafka.Message
		errorType string
	}{
		"no address":    {func(w *kafka.Writer) { w.Addr = nil }, &broker{}, numbered(2), "*errors.errorString"},
		"two topics":    {nil, &broker{}, []kafka.Message{{Topic: "other"}}, "*errors.errorString"},
		"no topic":      {func(w *kafka.Writer) { w.Topic = "" }, &broker{}, numbered(1), "*errors.errorString"},
		"unknown topic": {nil, &broker{metadata: func(context.Context, string) (int16, error) { return int16(kafka.UnknownTopicOrPartition), nil }}, numbered(2), "UNKNOWN_TOPIC_OR_PARTITION"},
		"closed":        {func(w *kafka.Writer) { _ = w.Close() }, &broker{}, numbered(2), "closed"},
		"too large":     {func(w *kafka.Writer) { w.BatchBytes = 30 }, &broker{}, []kafka.Message{value("1"), value(strings.Repeat("x", 99))}, "MESSAGE_TOO_LARGE"},
		"unreachable":   {nil, &broker{metadata: func(context.Context, string) (int16, error) { return 0, io.ErrUnexpectedEOF }}, numbered(2), "unexpected_eof"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tt.broker, tt.configure)
			plain := writerTo(tt.broker)
			if tt.configure != nil {
				tt.configure(plain)
			}
			err, want := r.writer.WriteMessages(t.Context(), tt.msgs...), plain.WriteMessages(t.Context(), tt.msgs...)
			if diff := cmp.Diff(want, err, cmp.Comparer(func(a, b error) bool { return fmt.Sprintf("%T %v", a, a) == fmt.Sprintf("%T %v", b, b) })); diff != "" || err == nil {
				t.Errorf("WriteMessages gives %v, kafka-go %v", err, want)
			}
			for _, s := range r.spans(t) {
				if s.Status.Code != codes.Error || attributeOf(s, "error.type") != tt.errorType {
					t.Errorf("%s has %v, %v", s.Name, s.Status, s.Attributes)
				}
			}
			for series := range r.meter.series(t) {
				if strings.HasPrefix(series, "messaging.client.sent") {
					t.Errorf("%s was counted", series)
				}
			}
			if got := failures(r.events.take()); len(got) != 1 || !strings.HasPrefix(got[0], "failed send ") || !strings.HasSuffix(got[0], tt.errorType) {
				t.Errorf("the observer was told %q", got)
			}
		})
	}
}

func failures(events []string) []string {
	return slices.DeleteFunc(events, func(e string) bool { return !strings.HasPrefix(e, "failed") })
}

func TestWriter_TooLargeErrorHoldsTheCallersMessages(t *testing.T) {
	t.Parallel()
	r := newRig(t, &broker{}, func(w *kafka.Writer) { w.BatchBytes = 200 })
	msgs := []kafka.Message{value("1"), {Value: []byte(strings.Repeat("x", 300)), WriterData: "large", Headers: []kafka.Header{header("app", "1")}}, value("3")}
	msgs[0].WriterData, msgs[2].WriterData = "first", "last"
	err := r.writer.WriteMessages(t.Context(), msgs...)
	var tooLarge kafka.MessageTooLargeError
	if !errors.As(err, &tooLarge) || !errors.Is(err, kafka.MessageSizeTooLarge) {
		t.Fatalf("WriteMessages gives %v", err)
	}
	if diff := cmp.Diff(msgs[1], tooLarge.Message); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]kafka.Message{msgs[0], msgs[2]}, tooLarge.Remaining); diff != "" {
		t.Error(diff)
	}
	if err := r.writer.WriteMessages(t.Context(), tooLarge.Remaining...); err != nil {
		t.Errorf("writing what remains gives %v", err)
	}
}

func TestWriter_NoMessagesAreNoEvent(t *testing.T) {
	t.Parallel()
	r := newRig(t, &broker{}, nil)
	if err := r.writer.WriteMessages(t.Context()); err != nil {
		t.Error(err)
	}
	closeWriter(t, r.writer)
	if err := r.writer.WriteMessages(t.Context()); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("after Close it gives %v", err)
	}
	if spans, series := r.spans(t), r.meter.series(t); len(spans) != 0 || len(series) != 0 {
		t.Errorf("there are spans %v and series %v", spans, series)
	}
}

func TestWriter_ContextNeverMakesAMessageTooLarge(t *testing.T) {
	t.Parallel()
	const (
		traceparent = 1 + 11 + 1 + 55 // Lengths, key and value on the wire.
		waybill     = 1 + 7 + 1 + 37
		tracestate  = 1 + 10 + 1 + 8
		baggage     = 1 + 7 + 1 + 10 // user=alice.
	)
	bare := kafka.Message{Value: []byte("value"), Headers: []kafka.Header{header("app", "1")}}
	size := int64(4 + 1 + 1 + 8 + 4 + 4 + 5 + 1 + 1 + 3 + 1 + 1)
	for _, tt := range []struct {
		limit int64
		want  []string
	}{
		{size, []string{"app"}},
		{size + traceparent - 1, []string{"app"}},
		{size + traceparent, []string{"app", "traceparent"}},
		{size + traceparent + waybill - 1, []string{"app", "traceparent"}},
		{size + traceparent + waybill, []string{"app", "traceparent", "waybill"}},
		{size + traceparent + waybill + tracestate - 1, []string{"app", "traceparent", "waybill"}},
		{size + traceparent + waybill + tracestate, []string{"app", "traceparent", "waybill", "tracestate"}},
		{size + traceparent + waybill + tracestate + baggage - 1, []string{"app", "traceparent", "waybill", "tracestate"}},
		{size + traceparent + waybill + tracestate + baggage, []string{"app", "traceparent", "waybill", "tracestate", "baggage"}},
	} {
		t.Run(strconv.FormatInt(tt.limit-size, 10), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, &broker{}, func(w *kafka.Writer) { w.BatchBytes = tt.limit }, kafkacarrier.WithPropagation(propagation.WithBaggage("user")))
			if err := r.writer.WriteMessages(remoteContext(t, traceparentA), bare); err != nil {
				t.Fatal(err)
			}
			if got := keys(r.broker.written()[0].Headers); !cmp.Equal(got, tt.want) {
				t.Errorf("headers are %q, want %q", got, tt.want)
			}
			dropped := strings.Contains(strings.Join(r.events.take(), "\n"), "dropped too_large")
			if dropped != (len(tt.want) < 5) {
				t.Errorf("a drop was counted: %t", dropped)
			}
		})
	}
	// The sum must be that of kafka-go: one byte less and it refuses the message.
	plain := writerTo(&broker{})
	defer closeWriter(t, plain)
	plain.BatchBytes = size
	if err := plain.WriteMessages(t.Context(), bare); err != nil {
		t.Errorf("kafka-go refuses %d bytes: %v", size, err)
	}
	plain.BatchBytes = size - 1
	if err := plain.WriteMessages(t.Context(), bare); err == nil {
		t.Errorf("kafka-go takes less than %d bytes", size)
	}
}

func TestWriter_MessageThatCarriesAContextContinuesIt(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		opts    []kafkacarrier.WriterOption
		ambient bool
		parent  string // The trace of the send span.
		wire    string // The traceparent on the wire, if it is not that of the span.
		kind    trace.SpanKind
	}{
		"alone":             {nil, false, traceA, "", trace.SpanKindProducer},
		"under a span":      {nil, true, traceB, "", trace.SpanKindProducer},
		"kept alone":        {[]kafkacarrier.WriterOption{kafkacarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting))}, false, traceA, traceparentA, trace.SpanKindClient},
		"kept under a span": {[]kafkacarrier.WriterOption{kafkacarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting))}, true, traceB, traceparentA, trace.SpanKindClient},
		"without inject":    {[]kafkacarrier.WriterOption{kafkacarrier.WithoutInject()}, true, traceB, traceparentA, trace.SpanKindProducer},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, &broker{}, nil, tt.opts...)
			ctx := t.Context()
			if tt.ambient {
				ctx = bareContext(t, traceparentB)
			}
			if err := r.writer.WriteMessages(ctx, withHeaders(header("traceparent", traceparentA))); err != nil {
				t.Fatal(err)
			}
			span := r.spans(t)[0]
			if span.SpanContext.TraceID().String() != tt.parent || span.SpanKind != tt.kind {
				t.Errorf("the span is in trace %v and of kind %v", span.SpanContext.TraceID(), span.SpanKind)
			}
			if len(span.Links) != 1 || span.Links[0].SpanContext.TraceID().String() != traceA {
				t.Errorf("the links are %v", span.Links)
			}
			want := tt.wire
			if want == "" {
				want = fmt.Sprintf("00-%s-%s-01", span.SpanContext.TraceID(), span.SpanContext.SpanID())
			}
			if got := values(r.broker.written()[0].Headers, "traceparent"); !cmp.Equal(got, []string{want}) {
				t.Errorf("traceparent is %q, want %q", got, want)
			}
		})
	}
}

type panicking struct{}

func (panicking) Error() string { panic("Error") }
func (panicking) Is(error) bool { panic("Is") }

func TestWriter_ErrorTextIsRecordedOnlyWhenAskedFor(t *testing.T) {
	t.Parallel()
	secret := errors.New("card 4111")
	for want, opts := range map[string][]kafkacarrier.ConsumerOption{
		"*errors.errorString":  nil,
		"card 4111":            {kafkacarrier.WithErrorDescription(nil)},
		"card ****":            {kafkacarrier.WithErrorDescription(func(err error) string { return strings.ReplaceAll(err.Error(), "4111", "****") })},
		"*errors.errorString ": {kafkacarrier.WithErrorDescription(func(error) string { panic("description") })},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			f := flowtest.New(t)
			c := kafkacarrier.NewConsumer(append(opts, withW3C(), kafkacarrier.WithTracerProvider(f.Service("worker")))...)
			_ = c.Process(t.Context(), consumed(1), func(context.Context) error { return secret })
			if got := only(t, f).Status.Description; got != strings.TrimSpace(want) {
				t.Errorf("the description is %q", got)
			}
		})
	}
}

func TestWriter_ConcurrentCalls(t *testing.T) {
	t.Parallel()
	r := newRig(t, &broker{partitions: 3}, nil)
	const callers, calls = 64, 5
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range calls {
				if err := r.writer.WriteMessages(t.Context(), numbered(3)...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	spans := r.spans(t)
	if got, want := len(spans), callers*calls*4; got != want {
		t.Errorf("%d spans, want %d", got, want)
	}
	if got, want := r.meter.series(t)["messaging.client.sent.messages{destination.name=orders operation.name=send}"], int64(callers*calls*3); got != want {
		t.Errorf("%d messages were counted, want %d", got, want)
	}
	carried := make(map[trace.SpanID]bool)
	for _, sc := range r.carried() {
		carried[sc.SpanID()] = true
	}
	if len(carried) != callers*calls*3 {
		t.Errorf("%d contexts were carried, want %d", len(carried), callers*calls*3)
	}
}

func TestWriter_CloseLeavesNoSpanOpen(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	completed := 0
	r := newRig(t, &broker{}, func(w *kafka.Writer) {
		w.Async, w.BatchTimeout = true, time.Hour
		w.Completion = func(msgs []kafka.Message, _ error) {
			mu.Lock()
			defer mu.Unlock()
			completed += len(msgs)
		}
	})
	for range 7 {
		if err := r.writer.WriteMessages(t.Context(), numbered(3)...); err != nil {
			t.Fatal(err)
		}
	}
	closeWriter(t, r.writer)
	if got := len(r.flow.Wait(0).Spans()); got != 7*4 || completed != 21 {
		t.Errorf("%d spans have ended, and Completion saw %d messages", got, completed)
	}
}

// A Writer keeps nothing of a message that has been delivered, closed
// or not.
func TestWriter_DeliveredMessagesAreNotKept(t *testing.T) {
	t.Parallel()
	delivered := make(chan struct{})
	r := newRig(t, &broker{}, func(w *kafka.Writer) {
		w.Async = true
		w.Completion = func([]kafka.Message, error) { close(delivered) }
	})
	data := new([1 << 10]byte)
	kept := weak.Make(data)
	if err := r.writer.WriteMessages(t.Context(), kafka.Message{WriterData: data}); err != nil {
		t.Fatal(err)
	}
	<-delivered
	for deadline := time.Now().Add(10 * time.Second); kept.Value() != nil; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatal("the WriterData of a delivered message is still there")
		}
	}
}

func TestNewWriter_Nil(t *testing.T) {
	t.Parallel()
	w := kafkacarrier.NewWriter(nil, withW3C())
	for _, msgs := range [][]kafka.Message{nil, numbered(1), numbered(2)} {
		if err := w.WriteMessages(t.Context(), msgs...); !errors.Is(err, kafkacarrier.ErrNil) {
			t.Errorf("WriteMessages of %d messages returns %v, want ErrNil", len(msgs), err)
		}
	}
	if err := w.Close(); err != nil || w.Stats() != (kafka.WriterStats{}) {
		t.Errorf("Close returns %v, and Stats %v", err, w.Stats())
	}
}

func TestWriter_SendSpanLinksAreSpreadOverTheBatch(t *testing.T) {
	t.Parallel()
	r := newRig(t, &broker{}, func(w *kafka.Writer) { w.BatchSize = 1000 })
	if err := r.writer.WriteMessages(t.Context(), numbered(300)...); err != nil {
		t.Fatal(err)
	}
	send := named(r.spans(t), "send orders")[0]
	carried := r.carried()
	if len(send.Links) != 128 || attributeOf(send, "messaging.batch.message_count") != "300" {
		t.Fatalf("there are %d links for %s messages", len(send.Links), attributeOf(send, "messaging.batch.message_count"))
	}
	for i, link := range send.Links {
		if want := carried[i*300/128].SpanID(); link.SpanContext.SpanID() != want {
			t.Fatalf("link %d is to %v, want %v", i, link.SpanContext.SpanID(), want)
		}
	}
}

func TestWriter_BalancerSeesTheMessagesOfTheCaller(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"single": 1, "batch": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen []any
			r := newRig(t, &broker{partitions: 3}, func(w *kafka.Writer) {
				w.Balancer = kafka.BalancerFunc(func(m kafka.Message, partitions ...int) int {
					seen = append(seen, m.WriterData)
					return partitions[len(partitions)-1]
				})
			})
			msgs, want := numbered(n), []any{}
			for i := range msgs {
				msgs[i].WriterData = i
				want = append(want, i)
			}
			if err := r.writer.WriteMessages(t.Context(), msgs...); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, seen); diff != "" {
				t.Error(diff)
			}
			if got := r.broker.written()[0].Partition; got != 2 {
				t.Errorf("it is written to partition %d", got)
			}
		})
	}
}

func TestWriter_PanicOfTheUsersBalancerGoesUpAfterTheSpansEnded(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{1: 1, 2: 3} {
		r := newRig(t, &broker{}, func(w *kafka.Writer) {
			w.Balancer = kafka.BalancerFunc(func(kafka.Message, ...int) int { panic("balancer") })
		})
		if _, caught := recovered(func() error { return r.writer.WriteMessages(t.Context(), numbered(n)...) }); caught != "balancer" {
			t.Errorf("the panic is %v", caught)
		}
		spans := r.spans(t)
		if len(spans) != want {
			t.Errorf("%d spans have ended, want %d", len(spans), want)
		}
		for _, s := range spans {
			if got := attributeOf(s, "error.type"); got != "panic" || s.Status.Code != codes.Error {
				t.Errorf("%s ends with %v and error.type %q", s.Name, s.Status, got)
			}
		}
	}
}

func TestWriter_TooLargeErrorIsThatOfKafkaGo(t *testing.T) {
	t.Parallel()
	small := func(w *kafka.Writer) { w.BatchBytes = 100 }
	r, plain := newRig(t, &broker{}, small), writerTo(&broker{})
	small(plain)
	defer closeWriter(t, plain)
	large := kafka.Message{Value: make([]byte, 200), WriterData: "large"}
	for _, msgs := range [][]kafka.Message{{large}, {value("1"), large}, {large, value("2")}} {
		want, got := plain.WriteMessages(t.Context(), msgs...), r.writer.WriteMessages(t.Context(), msgs...)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestWriter_ContentOfWrittenMessagesIsRecordedOnlyWhenAskedFor(t *testing.T) {
	t.Parallel()
	msg := kafka.Message{Key: []byte("k"), Headers: []kafka.Header{header("tenant", "acme")}}
	asked := []kafkacarrier.WriterOption{kafkacarrier.WithMessageKey(nil), kafkacarrier.WithHeaders("tenant")}
	for name, tt := range map[string]struct {
		opts        []kafkacarrier.WriterOption
		msgs        []kafka.Message
		span        string
		key, tenant string
	}{
		"not asked": {msgs: []kafka.Message{msg}, span: "send orders"},
		"single":    {opts: asked, msgs: []kafka.Message{msg}, span: "send orders", key: "k", tenant: `["acme"]`},
		"batch":     {opts: asked, msgs: []kafka.Message{msg, msg}, span: "create orders", key: "k", tenant: `["acme"]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, &broker{}, nil, tt.opts...)
			if err := r.writer.WriteMessages(t.Context(), tt.msgs...); err != nil {
				t.Fatal(err)
			}
			spans := named(r.spans(t), tt.span)
			if len(spans) != len(tt.msgs) {
				t.Fatalf("there are %d spans %s", len(spans), tt.span)
			}
			for _, s := range spans {
				got := []string{attributeOf(s, "messaging.kafka.message.key"), attributeOf(s, "messaging.header.tenant"), attributeOf(s, "messaging.kafka.message.tombstone")}
				if diff := cmp.Diff([]string{tt.key, tt.tenant, "true"}, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}
