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
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// source is a fake kafka.Reader that hands out messages in order.
type source struct {
	config kafka.ReaderConfig
	commit error

	mu       sync.Mutex
	messages []kafka.Message
	fetch    error // What comes after the messages.
	stats    int   // How often Stats was called.
	commits  []kafka.Message
}

var _ kafkacarrier.MessageReader = (*source)(nil)

func (s *source) FetchMessage(ctx context.Context) (kafka.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.messages) == 0 {
		if s.fetch == nil {
			<-ctx.Done()
			return kafka.Message{}, ctx.Err()
		}
		return kafka.Message{}, s.fetch
	}
	msg := s.messages[0]
	s.messages = s.messages[1:]
	return msg, nil
}

func (s *source) ReadMessage(ctx context.Context) (kafka.Message, error) {
	msg, err := s.FetchMessage(ctx)
	if err != nil {
		return kafka.Message{}, fmt.Errorf("fetching message: %w", err)
	}
	if s.config.GroupID != "" {
		if err := s.CommitMessages(ctx, msg); err != nil {
			return kafka.Message{}, fmt.Errorf("committing message: %w", err)
		}
	}
	return msg, nil
}

func (s *source) CommitMessages(_ context.Context, msgs ...kafka.Message) error {
	if s.config.GroupID == "" {
		return errNoGroup
	}
	s.commits = append(s.commits, msgs...)
	return s.commit
}

var errNoGroup = errors.New("unavailable when GroupID is not set")

func (s *source) SetOffset(int64) error                        { return nil }
func (s *source) SetOffsetAt(context.Context, time.Time) error { return nil }
func (s *source) Offset() int64                                { return 11 }
func (s *source) Lag() int64                                   { return 12 }
func (s *source) ReadLag(context.Context) (int64, error)       { return 13, nil }
func (s *source) Config() kafka.ReaderConfig                   { return s.config }
func (s *source) Stats() kafka.ReaderStats                     { s.stats++; return kafka.ReaderStats{Topic: "orders"} }
func (s *source) Close() error                                 { return nil }

// endless is a source of one message, again and again.
type endless struct {
	source
	msg kafka.Message
}

func (e *endless) FetchMessage(context.Context) (kafka.Message, error) {
	e.msg.Offset++
	return e.msg, nil
}

// consumer is a Reader of a source with everything that sees what it does.
type consumer struct {
	*kafkacarrier.Reader
	flow   *flowtest.Flow
	meter  *meter
	events *events
}

func consume(t *testing.T, s *source, opts ...kafkacarrier.ReaderOption) *consumer {
	t.Helper()
	c := &consumer{flow: flowtest.New(t), meter: newMeter(), events: &events{}}
	opts = append([]kafkacarrier.ReaderOption{
		withW3C(), kafkacarrier.WithTracerProvider(c.flow.Service("worker")), kafkacarrier.WithMeterProvider(c.meter), kafkacarrier.WithObserver(c.events),
	}, opts...)
	c.Reader = kafkacarrier.NewReaderOf(s, opts...)
	return c
}

func inGroup(messages ...kafka.Message) *source {
	return &source{config: kafka.ReaderConfig{GroupID: "workers", Topic: "orders", Dialer: &kafka.Dialer{ClientID: "worker-1"}}, messages: messages}
}

// fetchAll fetches what the source has.
func (c *consumer) fetchAll(t *testing.T, n int) []kafka.Message {
	t.Helper()
	var all []kafka.Message
	for range n {
		msg, err := c.FetchMessage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, msg)
	}
	return all
}

func TestReader_HandsEverythingOn(t *testing.T) {
	t.Parallel()
	s := inGroup(consumed(1, header("traceparent", traceparentA)), consumed(2), consumed(3))
	want := append([]kafka.Message(nil), s.messages...)
	c := consume(t, s)
	got := c.fetchAll(t, 2)
	third, err := c.ReadMessage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, append(got, third)); diff != "" {
		t.Error(diff)
	}
	lag, err := c.ReadLag(t.Context())
	if c.Offset() != 11 || c.Lag() != 12 || lag != 13 || err != nil || c.Config().GroupID != "workers" {
		t.Error("a method does not hand on what the reader says")
	}
	if s.stats != 0 || c.Stats().Topic != "orders" || s.stats != 1 {
		t.Errorf("Stats was called %d times", s.stats)
	}
	if err := errors.Join(c.SetOffset(1), c.SetOffsetAt(t.Context(), time.Now()), c.Close()); err != nil {
		t.Error(err)
	}
}

func TestReader_FetchIsMeasuredOnce(t *testing.T) {
	t.Parallel()
	timely := consumed(4, header("traceparent", traceparentA))
	timely.HighWaterMark, timely.Time = 10, time.Now().Add(-time.Second)
	early := consumed(5)
	early.HighWaterMark, early.Time = 2, time.Now().Add(time.Hour) // The clock of the sender is ahead, and the watermark is old.
	c := consume(t, inGroup(timely, early))
	for _, msg := range c.fetchAll(t, 2) {
		if err := c.Process(t.Context(), msg, doNothing); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{
		"dropped clock_skew",
		"fetched workers orders/2 bytes=2 lag=0 queued",
		"fetched workers orders/2 bytes=2 lag=5 queued",
	}, c.events.take()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int64{
		"messaging.client.consumed.messages{consumer.group.name=workers destination.name=orders operation.name=poll}":  2,
		"messaging.client.operation.duration{consumer.group.name=workers destination.name=orders operation.name=poll}": 2,
		"messaging.process.duration{consumer.group.name=workers destination.name=orders operation.name=process}":       2,
	}, c.meter.series(t)); diff != "" {
		t.Error(diff)
	}
}

func TestReader_MessageWithoutATimeWasNotQueued(t *testing.T) {
	t.Parallel()
	c := consume(t, inGroup(consumed(1)))
	c.fetchAll(t, 1)
	if diff := cmp.Diff([]string{"fetched workers orders/2 bytes=2 lag=0 timeless"}, c.events.take()); diff != "" {
		t.Error(diff)
	}
}

func TestReader_CommitOfSeveralTopicsTellsTheLagOfEachPartition(t *testing.T) {
	t.Parallel()
	msgs := []kafka.Message{consumed(4), consumed(6), consumed(5), consumed(1), consumed(2)}
	for i := range msgs {
		msgs[i].HighWaterMark = 10
	}
	msgs[3].Topic, msgs[4].Partition = "refunds", 7
	s := inGroup(msgs...)
	s.config.Topic, s.config.GroupTopics = "", []string{"orders", "refunds"}
	c := consume(t, s)
	c.fetchAll(t, len(msgs))
	c.events.take()
	if err := c.CommitMessages(t.Context(), msgs...); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		"committed workers orders/2 lag=3", "committed workers orders/7 lag=7", "committed workers refunds/2 lag=8",
	}, c.events.take()); diff != "" {
		t.Error(diff)
	}
}

func TestReader_ThatDoesNotExtractStartsTracesOfItsOwn(t *testing.T) {
	t.Parallel()
	c := consume(t, inGroup(), kafkacarrier.WithoutExtract())
	if err := c.Process(t.Context(), consumed(1, header("traceparent", traceparentA)), doNothing); err != nil {
		t.Fatal(err)
	}
	if span := only(t, c.flow); span.Parent.IsValid() || len(span.Links) != 0 {
		t.Errorf("the span has parent %v and links %v", span.Parent, span.Links)
	}
	c = consume(t, inGroup(consumed(1, header("traceparent", traceparentA), header("traceparent", traceparentB))), kafkacarrier.WithoutExtract())
	c.fetchAll(t, 1)
	if got := c.events.take(); len(got) != 1 {
		t.Errorf("the observer was told %q", got)
	}
}

// What is made of several messages is as old as the oldest.
func TestReader_BatchIsAsOldAsItsOldestMessage(t *testing.T) {
	t.Parallel()
	var msgs []kafka.Message
	for i, traceparent := range []string{traceparentA, traceparentB} {
		w := propagation.Waybill{Origin: remoteTime.Add(-time.Duration(i) * time.Hour), Sent: remoteTime, Hops: 1}
		msgs = append(msgs, consumed(int64(i), header("traceparent", traceparent), header("waybill", w.String())))
	}
	c := consume(t, inGroup())
	if err := c.ProcessBatch(t.Context(), msgs, func(ctx context.Context) error {
		var made kafka.Message
		kafkacarrier.Inject(ctx, &made, w3c())
		read := propagation.ReadTextMap(kafkacarrier.New(&made), propagation.WithPropagator(propagation.Default()))
		if got, want := read.Waybill().Origin, remoteTime.Add(-time.Hour); !got.Equal(want) {
			t.Errorf("what was made set out at %v, want %v", got, want)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestReader_ProcessOfAPlainReaderCountsTheDelivery(t *testing.T) {
	t.Parallel()
	m, e, f := newMeter(), &events{}, flowtest.New(t)
	c := kafkacarrier.NewConsumer(
		withW3C(), kafkacarrier.WithTracerProvider(f.Service("worker")), kafkacarrier.WithMeterProvider(m), kafkacarrier.WithObserver(e), kafkacarrier.WithGroup("workers"),
	)
	msgs := []kafka.Message{consumed(1), consumed(2)}
	ctx, end := c.Start(t.Context(), consumed(3))
	end(nil)
	end(io.EOF) // Only the first counts.
	if !trace.SpanContextFromContext(ctx).IsValid() {
		t.Error("Start gave no span")
	}
	if err := errors.Join(c.Process(t.Context(), msgs[0], doNothing), c.ProcessBatch(t.Context(), msgs, doNothing)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int64{
		"messaging.client.consumed.messages{consumer.group.name=workers destination.name=orders operation.name=process}": 4,
		"messaging.process.duration{consumer.group.name=workers destination.name=orders operation.name=process}":         3,
	}, m.series(t)); diff != "" {
		t.Error(diff)
	}
}

func TestReader_PollSpanHasTheTrueStartAndALink(t *testing.T) {
	t.Parallel()
	c := consume(t, inGroup(consumed(1, header("traceparent", traceparentA)), consumed(2, header("traceparent", traceparentA))), kafkacarrier.WithPollSpans())
	before := time.Now()
	c.fetchAll(t, 1)
	if _, err := c.FetchMessage(bareContext(t, traceparentB)); err != nil {
		t.Fatal(err)
	}
	polls := named(recorded(t, c.flow), "poll orders")
	if len(polls) != 2 {
		t.Fatalf("there are %d poll spans", len(polls))
	}
	for i, parent := range []string{"", traceB} {
		p := polls[i]
		if p.SpanKind.String() != "client" || len(p.Links) != 1 || p.Links[0].SpanContext.TraceID().String() != traceA || p.StartTime.Before(before) {
			t.Errorf("poll %d is %v with links %v", i, p.SpanKind, p.Links)
		}
		if got := p.Parent.IsValid(); got != (parent != "") || got && p.Parent.TraceID().String() != parent {
			t.Errorf("the parent of poll %d is %v", i, p.Parent)
		}
	}
}

func TestReader_WaitingInVainIsNotAnError(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancelExpired := context.WithTimeout(t.Context(), 0)
	defer cancelExpired()
	for name, ctx := range map[string]context.Context{"cancelled": cancelled, "expired": expired, "closed": t.Context()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := inGroup()
			if name == "closed" {
				s.fetch = io.EOF
			}
			c := consume(t, s, kafkacarrier.WithPollSpans())
			_, fetchErr := c.FetchMessage(ctx)
			_, readErr := c.ReadMessage(ctx)
			if fetchErr == nil || readErr == nil || !errors.Is(readErr, fetchErr) {
				t.Errorf("FetchMessage gives %v, ReadMessage %v", fetchErr, readErr)
			}
			if spans, series, events := recorded(t, c.flow), c.meter.series(t), c.events.take(); len(spans)+len(series)+len(events) != 0 {
				t.Errorf("there is %v, %v, %v", spans, series, events)
			}
		})
	}
}

func TestReader_FailedFetchIsAnError(t *testing.T) {
	t.Parallel()
	s := inGroup()
	s.fetch = kafka.GroupAuthorizationFailed
	c := consume(t, s, kafkacarrier.WithPollSpans())
	if _, err := c.FetchMessage(t.Context()); !errors.Is(err, kafka.GroupAuthorizationFailed) {
		t.Errorf("FetchMessage gives %v", err)
	}
	span := recorded(t, c.flow)[0]
	if span.Name != "poll orders" || span.Status.Code != codes.Error || attributeOf(span, "error.type") != "GROUP_AUTHORIZATION_FAILED" {
		t.Errorf("the span is %q with %v, %v", span.Name, span.Status, span.Attributes)
	}
	if diff := cmp.Diff([]string{"failed poll orders GROUP_AUTHORIZATION_FAILED"}, c.events.take()); diff != "" {
		t.Error(diff)
	}
}

func TestReader_ReadWhoseCommitFailedIsAFailedCommit(t *testing.T) {
	t.Parallel()
	s := inGroup(consumed(1))
	s.commit = kafka.IllegalGeneration
	c := consume(t, s)
	msg, err := c.ReadMessage(t.Context())
	if diff := cmp.Diff(kafka.Message{}, msg); diff != "" || err == nil || err.Error() != "committing message: "+kafka.IllegalGeneration.Error() {
		t.Errorf("ReadMessage gives %v and a message: %s", err, diff)
	}
	span := recorded(t, c.flow)[0]
	if span.Name != "commit orders" || span.Status.Code != codes.Error || attributeOf(span, "error.type") != "ILLEGAL_GENERATION" {
		t.Errorf("the span is %q with %v", span.Name, span.Status)
	}
	if diff := cmp.Diff([]string{"failed commit orders ILLEGAL_GENERATION"}, c.events.take()); diff != "" {
		t.Error(diff)
	}
	for series := range c.meter.series(t) {
		if strings.Contains(series, "consumed") {
			t.Errorf("%s was counted", series)
		}
	}
}

func TestReader_ParentPolicy(t *testing.T) {
	t.Parallel()
	unsampled := strings.TrimSuffix(traceparentA, "01") + "00"
	tests := map[string]struct {
		traceparent string
		opts        []propagation.StartOption
		ambient     bool
		trace       string // "" for a new one.
		links       int
	}{
		"alone":                {traceparentA, nil, false, traceA, 1},
		"under a span":         {traceparentA, nil, true, traceB, 1},
		"as parent":            {traceparentA, []propagation.StartOption{propagation.AsParent()}, true, traceA, 2},
		"as link":              {traceparentA, []propagation.StartOption{propagation.AsLink()}, false, "", 1},
		"untrusted":            {traceparentA, []propagation.StartOption{propagation.WithUntrusted()}, false, "", 1},
		"unsampled":            {unsampled, []propagation.StartOption{propagation.AsLink()}, false, "", 1},
		"invalid":              {"junk", nil, false, "", 0},
		"invalid under a span": {"junk", nil, true, traceB, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := consume(t, inGroup(), kafkacarrier.WithStartOptions(tt.opts...))
			ctx := t.Context()
			if tt.ambient {
				ctx = bareContext(t, traceparentB)
			}
			if err := c.Process(ctx, consumed(1, header("traceparent", tt.traceparent)), doNothing); err != nil {
				t.Fatal(err)
			}
			span := only(t, c.flow)
			got := span.SpanContext.TraceID().String()
			if tt.trace == "" && (got == traceA || got == traceB) || tt.trace != "" && got != tt.trace || len(span.Links) != tt.links {
				t.Errorf("the span is in trace %s with %d links", got, len(span.Links))
			}
		})
	}
}

func TestReader_WorkersGetTheirOwnSpans(t *testing.T) {
	t.Parallel()
	const n = 50
	var messages []kafka.Message
	for i := range n {
		messages = append(messages, consumed(int64(i), header("traceparent", fmt.Sprintf("00-%032x-%016x-01", i+1, i+1))))
	}
	c := consume(t, inGroup(messages...))
	var wg sync.WaitGroup
	for _, msg := range c.fetchAll(t, n) {
		wg.Go(func() {
			_ = c.Process(t.Context(), msg, func(ctx context.Context) error {
				if got, want := traceID(ctx), fmt.Sprintf("%032x", msg.Offset+1); got != want {
					t.Errorf("message %d is handled in trace %s", msg.Offset, got)
				}
				return nil
			})
		})
	}
	wg.Wait()
	if got := len(recorded(t, c.flow)); got != n {
		t.Errorf("%d spans, want %d", got, n)
	}
}

func TestReader_BatchIsOneSpanWithALinkForEachContext(t *testing.T) {
	t.Parallel()
	c := consume(t, inGroup())
	other := consumed(9, header("traceparent", traceparentB))
	other.Partition = 3
	msgs := []kafka.Message{consumed(7, header("traceparent", traceparentA)), consumed(8, header("traceparent", traceparentA)), other, consumed(10)}
	if err := c.ProcessBatch(t.Context(), msgs, doNothing); err != nil {
		t.Fatal(err)
	}
	span := only(t, c.flow)
	if span.Name != "process orders" || span.SpanKind != trace.SpanKindConsumer || len(span.Links) != 2 {
		t.Fatalf("the span is %q of kind %v with %d links", span.Name, span.SpanKind, len(span.Links))
	}
	for key, want := range map[string]string{
		"messaging.batch.message_count": "4", "waybill.link_count": "2", "messaging.destination.partition.id": "", "messaging.destination.name": "orders",
		"messaging.consumer.group.name": "workers", "messaging.client.id": "worker-1",
	} {
		if got := attributeOf(span, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if got := fmt.Sprint(span.Links[1].Attributes); !strings.Contains(got, "3") || !strings.Contains(got, "9") || len(span.Links[1].Attributes) != 2 {
		t.Errorf("the second link has %v", span.Links[1].Attributes)
	}
}

func TestReader_LinksAreLimitedAndTheCountIsExact(t *testing.T) {
	t.Parallel()
	c := consume(t, inGroup())
	var msgs []kafka.Message
	for i := range 300 {
		msgs = append(msgs, consumed(int64(i), header("traceparent", fmt.Sprintf("00-%032x-%016x-01", i+1, i+1))))
	}
	if err := c.ProcessBatch(t.Context(), msgs, doNothing); err != nil {
		t.Fatal(err)
	}
	span := only(t, c.flow)
	if len(span.Links) != 128 || span.DroppedLinks != 0 || attributeOf(span, "waybill.link_count") != "300" || attributeOf(span, "messaging.batch.message_count") != "300" {
		t.Errorf("there are %d links, %d dropped, and %v", len(span.Links), span.DroppedLinks, span.Attributes)
	}
}

func TestReader_BatchOfSeveralTopicsNamesThemOnTheLinks(t *testing.T) {
	t.Parallel()
	c := consume(t, inGroup())
	a, b := consumed(1, header("traceparent", traceparentA)), consumed(1, header("traceparent", traceparentB))
	b.Topic = "refunds"
	if err := c.ProcessBatch(t.Context(), []kafka.Message{a, b}, doNothing); err != nil {
		t.Fatal(err)
	}
	span := only(t, c.flow)
	if span.Name != "process" || attributeOf(span, "messaging.destination.name") != "" {
		t.Errorf("the span is %q with %v", span.Name, span.Attributes)
	}
	for i, topic := range []string{"orders", "refunds"} {
		if got := span.Links[i].Attributes[0]; got.Value.AsString() != topic {
			t.Errorf("link %d has %v", i, span.Links[i].Attributes)
		}
	}
}

func TestReader_EmptyBatchHasNoSpan(t *testing.T) {
	t.Parallel()
	c := consume(t, inGroup())
	called := false
	err := c.ProcessBatch(t.Context(), nil, func(context.Context) error { called = true; return io.EOF })
	if !called || !errors.Is(err, io.EOF) || len(recorded(t, c.flow)) != 0 {
		t.Errorf("ProcessBatch gives %v, called: %t", err, called)
	}
	if c.Process(t.Context(), consumed(1), nil) == nil || c.ProcessBatch(t.Context(), nil, nil) == nil {
		t.Error("a nil handler is no error")
	}
}

func TestReader_CommitSpan(t *testing.T) {
	t.Parallel()
	a, b := consumed(4, header("traceparent", traceparentA)), consumed(5, header("traceparent", traceparentB))
	a.HighWaterMark, b.HighWaterMark = 9, 9
	tests := map[string]struct {
		msgs    []kafka.Message
		ambient bool
		queued  bool
		links   int
		attrs   map[string]string
		events  []string
	}{
		"one": {
			[]kafka.Message{a},
			false, false, 1,
			map[string]string{"messaging.kafka.offset": "4", "messaging.destination.partition.id": "2", "waybill.queued": ""},
			[]string{"committed workers orders/2 lag=4"},
		},
		"one in a span": {[]kafka.Message{a}, true, false, 1, nil, []string{"committed workers orders/2 lag=4"}},
		"many": {
			[]kafka.Message{b, a},
			false, false, 2,
			map[string]string{"messaging.batch.message_count": "2", "messaging.kafka.offset": ""},
			[]string{"committed workers orders/2 lag=3"},
		},
		"many in a span": {[]kafka.Message{b, a}, true, false, 0, nil, []string{"committed workers orders/2 lag=3"}},
		"queued":         {[]kafka.Message{a}, false, true, 1, map[string]string{"waybill.queued": "true"}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := inGroup()
			if tt.queued {
				s.config.CommitInterval = time.Second
			}
			c := consume(t, s)
			ctx := t.Context()
			if tt.ambient {
				ctx = bareContext(t, traceparentB)
			}
			if err := c.CommitMessages(ctx, tt.msgs...); err != nil || len(s.commits) != len(tt.msgs) {
				t.Fatalf("CommitMessages gives %v, and %d arrived", err, len(s.commits))
			}
			span := only(t, c.flow)
			if span.Name != "commit orders" || span.SpanKind != trace.SpanKindClient || len(span.Links) != tt.links {
				t.Errorf("the span is %q of kind %v with %d links", span.Name, span.SpanKind, len(span.Links))
			}
			if tt.ambient && span.Parent.TraceID().String() != traceB {
				t.Errorf("the parent is %v", span.Parent)
			}
			for key, want := range tt.attrs {
				if got := attributeOf(span, key); got != want {
					t.Errorf("%s is %q, want %q", key, got, want)
				}
			}
			if diff := cmp.Diff(tt.events, c.events.take()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReader_CommitThatIsNoneIsHandedOn(t *testing.T) {
	t.Parallel()
	c := consume(t, inGroup())
	if err := c.CommitMessages(t.Context()); err != nil {
		t.Error(err)
	}
	plain := consume(t, &source{config: kafka.ReaderConfig{Topic: "orders"}})
	if err := plain.CommitMessages(t.Context(), consumed(1)); !errors.Is(err, errNoGroup) {
		t.Errorf("CommitMessages gives %v", err)
	}
	if err := plain.Process(t.Context(), consumed(1), doNothing); err != nil {
		t.Error(err)
	}
	if got := attributeOf(only(t, plain.flow), "messaging.consumer.group.name"); got != "" {
		t.Errorf("the group is %q", got)
	}
	without := consume(t, inGroup(), kafkacarrier.WithoutCommitSpans())
	if err := without.CommitMessages(t.Context(), consumed(1)); err != nil || len(recorded(t, without.flow)) != 0 {
		t.Errorf("CommitMessages gives %v and spans", err)
	}
	if got := len(recorded(t, c.flow)); got != 0 {
		t.Errorf("%d spans of no messages", got)
	}
}

func TestReader_Tombstone(t *testing.T) {
	t.Parallel()
	for want, msg := range map[string]kafka.Message{
		"true": {Topic: "orders", Key: []byte("k")}, "": {Topic: "orders", Key: []byte("k"), Value: []byte{}}, " ": {Topic: "orders"},
	} {
		c := consume(t, inGroup())
		if err := c.Process(t.Context(), msg, doNothing); err != nil {
			t.Fatal(err)
		}
		if got := attributeOf(only(t, c.flow), "messaging.kafka.message.tombstone"); got != strings.TrimSpace(want) {
			t.Errorf("tombstone is %q for %v", got, msg)
		}
	}
}

func TestReader_ContentIsRecordedOnlyWhenAskedFor(t *testing.T) {
	t.Parallel()
	msg := consumed(1, header("Tenant", "acme"), header("secret", "s"), header("tenant", "\xff"+strings.Repeat("é", 100)))
	msg.Key = []byte("user\xff" + strings.Repeat("é", 100))
	tests := map[string]struct {
		opts        []kafkacarrier.ReaderOption
		key, tenant string
	}{
		"by default": {},
		"key":        {opts: []kafkacarrier.ReaderOption{kafkacarrier.WithMessageKey(nil)}, key: "user\uFFFD" + strings.Repeat("é", 59) + "…"},
		"hash":       {opts: []kafkacarrier.ReaderOption{kafkacarrier.WithMessageKey(func(k []byte) string { return strconv.Itoa(len(k)) })}, key: "205"},
		"panic":      {opts: []kafkacarrier.ReaderOption{kafkacarrier.WithMessageKey(func([]byte) string { panic("key") })}},
		"header":     {opts: []kafkacarrier.ReaderOption{kafkacarrier.WithHeaders("TENANT", "absent")}, tenant: "acme"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := consume(t, inGroup(), tt.opts...)
			if err := c.Process(t.Context(), msg, doNothing); err != nil {
				t.Fatal(err)
			}
			span := only(t, c.flow)
			if got := attributeOf(span, "messaging.kafka.message.key"); got != tt.key {
				t.Errorf("the key is %q, want %q", got, tt.key)
			}
			if got := attributeOf(span, "messaging.header.tenant"); tt.tenant != "" && !strings.Contains(got, tt.tenant) || tt.tenant == "" && got != "" {
				t.Errorf("the header is %q, want %q", got, tt.tenant)
			}
			if got := fmt.Sprint(span.Attributes); strings.Contains(got, "secret") || attributeOf(span, "messaging.header.absent") != "" {
				t.Errorf("the attributes are %s", got)
			}
		})
	}
}

func TestReader_RedeliveriesGapsAndLostPartitions(t *testing.T) {
	t.Parallel()
	c := consume(t, inGroup(consumed(1), consumed(2), consumed(5), consumed(2), consumed(5)))
	msgs := c.fetchAll(t, 5)
	if err := c.Process(t.Context(), msgs[3], doNothing); err != nil {
		t.Fatal(err)
	}
	if got := attributeOf(only(t, c.flow), "waybill.redelivered"); got != "true" {
		t.Errorf("the span says redelivered=%q", got)
	}
	c.Forget("orders", 2)
	c.Forget("orders", 2)
	var got []string
	for _, e := range c.events.take() {
		if !strings.HasPrefix(e, "fetched") {
			got = append(got, e)
		}
	}
	if diff := cmp.Diff([]string{"redelivered workers orders/2", "redelivered workers orders/2", "revoked workers orders/2", "skipped workers orders/2 offsets=2"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestReader_SilentPartitionsAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		other := func(offset int64) kafka.Message {
			msg := consumed(offset)
			msg.Partition = 7
			return msg
		}
		e := &events{}
		s := inGroup(consumed(1), other(1), other(2), other(3))
		r := kafkacarrier.NewReaderOf(s, withW3C(), kafkacarrier.WithObserver(e), kafkacarrier.WithPartitionExpiry(time.Minute))
		fetch := func() {
			if _, err := r.FetchMessage(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		fetch()
		fetch()
		time.Sleep(40 * time.Second)
		fetch()
		time.Sleep(40 * time.Second)
		fetch()
		if got := strings.Join(e.take(), "\n"); strings.Count(got, "revoked") != 1 || !strings.Contains(got, "revoked workers orders/2") {
			t.Errorf("the observer was told\n%s", got)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"revoked workers orders/7"}, e.take()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestReader_HopAndEndToEndLatency(t *testing.T) {
	t.Parallel()
	now := time.Now()
	w := propagation.Waybill{Origin: now.Add(-time.Hour), Sent: now.Add(-time.Minute), Hops: 2}
	c := consume(t, inGroup(consumed(1, header("waybill", w.String()), header("traceparent", traceparentA))))
	c.fetchAll(t, 1)
	if got := c.events.take(); len(got) != 2 || got[0] != "arrived orders hop=1m0s end-to-end=1h0m0s" {
		t.Errorf("the observer was told %q", got)
	}
}

func TestReader_WhatIsWrongWithAContextIsCounted(t *testing.T) {
	t.Parallel()
	for want, headers := range map[string][]kafka.Header{
		"dropped malformed_context": {header("traceparent", "junk")},
		"dropped duplicate_context": {header("traceparent", traceparentA), header("Traceparent", traceparentB)},
		"":                          {header("traceparent", traceparentA), header("traceparent", traceparentA)},
	} {
		c := consume(t, inGroup(consumed(1, headers...)))
		c.fetchAll(t, 1)
		if got := strings.Join(c.events.take(), "\n"); strings.Contains(got, "dropped") != (want != "") || !strings.Contains(got, want) {
			t.Errorf("%v: the observer was told\n%s", headers, got)
		}
	}
}

func TestReader_TopicTemplate(t *testing.T) {
	t.Parallel()
	c := consume(t, inGroup(consumed(1)), kafkacarrier.WithTopicTemplate(func(topic string) string {
		if topic != "orders" {
			panic(topic)
		}
		return "ord*"
	}))
	if err := c.Process(t.Context(), c.fetchAll(t, 1)[0], doNothing); err != nil {
		t.Fatal(err)
	}
	span := only(t, c.flow)
	if span.Name != "process ord*" || attributeOf(span, "messaging.destination.name") != "orders" || attributeOf(span, "messaging.destination.template") != "ord*" {
		t.Errorf("the span is %q with %v", span.Name, span.Attributes)
	}
	for series := range c.meter.series(t) {
		if !strings.Contains(series, "destination.template=ord*") {
			t.Errorf("there is %s", series)
		}
	}
	odd := consumed(2)
	odd.Topic = "odd"
	if err := c.Process(t.Context(), odd, doNothing); err != nil || len(named(recorded(t, c.flow), "process odd")) != 1 {
		t.Errorf("a template that panics: %v", err)
	}
}

// Whatever comes last, the observer ends up with no partition.
func TestReader_ClosedReaderLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	tests := map[string]func(c *consumer, msg kafka.Message) error{
		"fetched ahead": func(c *consumer, _ kafka.Message) error {
			closed := c.Close()
			_, err := c.FetchMessage(t.Context())
			return errors.Join(closed, err)
		},
		"read ahead": func(c *consumer, _ kafka.Message) error {
			closed := c.Close()
			_, err := c.ReadMessage(t.Context())
			return errors.Join(closed, err)
		},
		"committed late": func(c *consumer, msg kafka.Message) error {
			return errors.Join(c.Close(), c.CommitMessages(t.Context(), msg))
		},
		"committed when forgotten": func(c *consumer, msg kafka.Message) error {
			c.Forget(msg.Topic, msg.Partition)
			return errors.Join(c.CommitMessages(t.Context(), msg), c.Close())
		},
		"sent back": func(c *consumer, _ kafka.Message) error {
			return errors.Join(c.SetOffset(0), c.SetOffsetAt(t.Context(), time.Now()), c.Close())
		},
	}
	for name, finish := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := consume(t, inGroup(consumed(1), consumed(2)))
			if err := finish(c, c.fetchAll(t, 1)[0]); err != nil {
				t.Fatal(err)
			}
			if last := c.events.all[len(c.events.all)-1]; last != "revoked workers orders/2" {
				t.Errorf("the observer was told %q", c.events.all)
			}
		})
	}
}

// A rebalance may be noticed while a message is on its way.
func TestReader_PartitionForgottenDuringAFetchIsRevoked(t *testing.T) {
	t.Parallel()
	o := &forgetful{}
	r := kafkacarrier.NewReaderOf(inGroup(consumed(1)), withW3C(), kafkacarrier.WithObserver(o))
	o.forget = func() { r.Forget("orders", 2) }
	_, fetchErr := r.FetchMessage(t.Context())
	if err := errors.Join(fetchErr, r.Close()); err != nil {
		t.Fatal(err)
	}
	if last := o.all[len(o.all)-1]; last != "revoked workers orders/2" {
		t.Errorf("the observer was told %q", o.all)
	}
}

// forgetful forgets the partition of a message just before it is told of it.
type forgetful struct {
	events
	forget func()
}

func (f *forgetful) Fetched(ctx context.Context, e observe.Fetch) {
	f.forget()
	f.events.Fetched(ctx, e)
}

// What is fetched again after SetOffset was asked for.
func TestReader_SetOffsetIsNoRedelivery(t *testing.T) {
	t.Parallel()
	c := consume(t, inGroup(consumed(1), consumed(2), consumed(1), consumed(2)))
	c.fetchAll(t, 2)
	if err := c.SetOffset(1); err != nil {
		t.Fatal(err)
	}
	c.fetchAll(t, 2)
	if got := strings.Join(c.events.take(), "\n"); strings.Contains(got, "redelivered") || strings.Contains(got, "skipped") {
		t.Errorf("the observer was told\n%s", got)
	}
}

// A stranger is no parent of a commit either; the span of
// the work is, whatever the option says.
func TestReader_CommitHeedsHowMessagesRelate(t *testing.T) {
	t.Parallel()
	msg := consumed(1, header("traceparent", traceparentA))
	for name, o := range map[string]propagation.StartOption{"untrusted": propagation.WithUntrusted(), "link": propagation.AsLink()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := consume(t, inGroup(), kafkacarrier.WithStartOptions(o))
			if err := errors.Join(c.CommitMessages(t.Context(), msg), c.CommitMessages(bareContext(t, traceparentB), msg)); err != nil {
				t.Fatal(err)
			}
			spans := recorded(t, c.flow)
			if spans[0].Parent.IsValid() || len(spans[0].Links) != 1 {
				t.Errorf("alone the parent is %v, with links %v", spans[0].Parent, spans[0].Links)
			}
			if got := spans[1].Parent.TraceID().String(); got != traceB || len(spans[1].Links) != 1 {
				t.Errorf("in the work the parent is of %s, with links %v", got, spans[1].Links)
			}
		})
	}
}
