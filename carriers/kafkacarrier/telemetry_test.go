// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// exemplars returns the spans that the histograms of m have as exemplars, by the
// name of the operation.
func (m *meter) exemplars(t *testing.T) map[string]map[trace.SpanID]bool {
	t.Helper()
	found := make(map[string]map[trace.SpanID]bool)
	for _, metric := range m.metrics(t) {
		data, ok := metric.Data.(metricdata.Histogram[float64])
		if !ok {
			continue
		}
		for _, p := range data.DataPoints {
			name, _ := p.Attributes.Value("messaging.operation.name")
			for _, e := range p.Exemplars {
				if found[name.AsString()] == nil {
					found[name.AsString()] = make(map[trace.SpanID]bool)
				}
				found[name.AsString()][trace.SpanID(e.SpanID)] = true
			}
		}
	}
	return found
}

// arrivals is an observer that keeps the spans in whose context data arrives.
type arrivals struct {
	observe.NoMessaging

	mu    sync.Mutex
	spans []trace.SpanContext
}

func (a *arrivals) Arrived(ctx context.Context, _ observe.Arrival) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.spans = append(a.spans, trace.SpanContextFromContext(ctx))
}

// What is measured has the span that is measured as its exemplar.
func TestMetrics_HaveTheirSpanAsExemplar(t *testing.T) {
	t.Parallel()
	w := propagation.Waybill{Origin: time.Now(), Sent: time.Now(), Hops: 1}
	msg := consumed(1, header("traceparent", traceparentA), header("waybill", w.String()))
	sender, _ := trace.SpanIDFromHex(traceparentA[36:52])
	for name, tt := range map[string]struct {
		do      func(t *testing.T, r *rig, c *consumer, a *arrivals)
		op      string // Whose spans are the exemplars.
		arrives string // The operation in whose span the message arrives.
	}{
		"send one": {func(t *testing.T, r *rig, _ *consumer, _ *arrivals) { t.Helper(); write(t, r, 1) }, "send", ""},
		"send two": {func(t *testing.T, r *rig, _ *consumer, _ *arrivals) { t.Helper(); write(t, r, 2) }, "send", ""},
		"poll":     {func(t *testing.T, _ *rig, c *consumer, _ *arrivals) { t.Helper(); c.fetchAll(t, 1) }, "poll", "poll"},
		"commit": {func(t *testing.T, _ *rig, c *consumer, _ *arrivals) {
			t.Helper()
			if err := c.CommitMessages(t.Context(), msg); err != nil {
				t.Error(err)
			}
		}, "commit", ""},
		"process": {func(t *testing.T, _ *rig, c *consumer, a *arrivals) {
			t.Helper()
			plain := kafkacarrier.NewConsumer(withW3C(), kafkacarrier.WithTracerProvider(c.flow.Service("plain")),
				kafkacarrier.WithMeterProvider(c.meter), kafkacarrier.WithObserver(a))
			if err := errors.Join(plain.Process(t.Context(), msg, doNothing), plain.ProcessBatch(t.Context(), []kafka.Message{msg, msg}, doNothing)); err != nil {
				t.Error(err)
			}
		}, "process", "process"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &arrivals{}
			r := newRig(t, &broker{}, nil)
			c := consume(t, inGroup(msg), kafkacarrier.WithObserver(a), kafkacarrier.WithPollSpans())
			tt.do(t, r, c, a)
			spans := make(map[trace.SpanID]string)
			for _, span := range append(r.spans(t), recorded(t, c.flow)...) {
				spans[span.SpanContext.SpanID()], _, _ = strings.Cut(span.Name, " ")
			}
			found := 0
			for _, m := range []*meter{r.meter, c.meter} {
				for op, ids := range m.exemplars(t) {
					for id := range ids {
						if found++; spans[id] != op {
							t.Errorf("an exemplar of %s is a span %q", op, spans[id])
						}
					}
				}
			}
			if found == 0 {
				t.Error("there are no exemplars")
			}
			for _, sc := range a.spans {
				if got := spans[sc.SpanID()]; got != tt.arrives || !sc.IsSampled() {
					t.Errorf("it arrives in a span %q, want %q", got, tt.arrives)
				}
			}
			if (len(a.spans) == 0) != (tt.arrives == "") {
				t.Errorf("%d messages have arrived", len(a.spans))
			}
		})
	}
	t.Run("a fetch without a span", func(t *testing.T) {
		t.Parallel()
		a := &arrivals{}
		c := consume(t, inGroup(msg, msg), kafkacarrier.WithObserver(a))
		c.fetchAll(t, 1)
		if _, err := c.FetchMessage(bareContext(t, traceparentB)); err != nil {
			t.Fatal(err)
		}
		if len(a.spans) != 2 || a.spans[0].SpanID() != sender || a.spans[1].TraceID().String() != traceB {
			t.Errorf("the messages arrive in %v, want the sender's, and that of the caller", a.spans)
		}
	})
}

func write(t *testing.T, r *rig, n int) {
	t.Helper()
	if err := r.writer.WriteMessages(t.Context(), numbered(n)...); err != nil {
		t.Error(err)
	}
}

// asked is a sampler that keeps what it is asked, and samples by topic.
type asked struct {
	topics []string // To sample; nil for all.

	mu    sync.Mutex
	spans []string
}

func (a *asked) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	a.mu.Lock()
	defer a.mu.Unlock()
	line, sample := p.Name, a.topics == nil
	for _, kv := range p.Attributes {
		switch kv.Key {
		case "messaging.destination.partition.id", "server.address", "server.port":
			line += fmt.Sprintf(" %s=%v", kv.Key, kv.Value.AsInterface())
		case "messaging.destination.name":
			sample = sample || slices.Contains(a.topics, kv.Value.AsString())
		}
	}
	a.spans = append(a.spans, line)
	decision := sdktrace.Drop
	if sample {
		decision = sdktrace.RecordAndSample
	}
	return sdktrace.SamplingResult{Decision: decision}
}

func (*asked) Description() string { return "asked" }

// A sampler sees what is known at the start of a span.
func TestSampler_SeesPartitionAndServer(t *testing.T) {
	t.Parallel()
	sampler := &asked{}
	provider := kafkacarrier.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler)))
	s := inGroup(consumed(1))
	s.config.Brokers = []string{"kafka.example:9093"}
	r := kafkacarrier.NewReaderOf(s, withW3C(), provider, kafkacarrier.WithPollSpans())
	msg, err := r.FetchMessage(t.Context())
	if err = errors.Join(err, r.Process(t.Context(), msg, doNothing), r.ProcessBatch(t.Context(), []kafka.Message{msg, msg}, doNothing), r.CommitMessages(t.Context(), msg)); err != nil {
		t.Fatal(err)
	}
	w := newRig(t, &broker{}, nil, provider)
	write(t, w, 1)
	const read = " messaging.destination.partition.id=2 server.address=kafka.example server.port=9093"
	want := []string{"poll orders" + read, "process orders" + read, "process orders" + read, "commit orders" + read, "send orders server.address=broker server.port=9092"}
	if diff := cmp.Diff(want, sampler.spans); diff != "" {
		t.Error(diff)
	}
}

// One address is the server; of several nobody knows which it is.
func TestServer_OneAddress(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		brokers []string
		want    string
	}{
		"one":          {[]string{"kafka:9092"}, "kafka 9092"},
		"an IP":        {[]string{"[2001:db8::1]:9093"}, "2001:db8::1 9093"},
		"several":      {[]string{"a:9092", "b:9092"}, " "},
		"none":         {nil, " "},
		"without port": {[]string{"kafka"}, "kafka 9092"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := inGroup()
			s.config.Brokers = tt.brokers
			c := consume(t, s)
			r := newRig(t, &broker{}, func(w *kafka.Writer) {
				w.Addr = nil
				if tt.brokers != nil {
					w.Addr = kafka.TCP(tt.brokers...)
				}
			})
			_ = r.writer.WriteMessages(t.Context(), value("1")) // It may well fail.
			if err := c.Process(t.Context(), consumed(1), doNothing); err != nil {
				t.Fatal(err)
			}
			for _, span := range append(r.spans(t), recorded(t, c.flow)...) {
				if got := attributeOf(span, "server.address") + " " + attributeOf(span, "server.port"); got != tt.want {
					t.Errorf("%s has server %q, want %q", span.Name, got, tt.want)
				}
			}
		})
	}
}

// A sampler decides for each topic, whichever message comes first.
func TestSampler_IsAskedForEachTopic(t *testing.T) {
	t.Parallel()
	root := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}}))
	for _, topics := range [][]string{
		{"payments", "noise"}, {"noise", "payments"}, {"noise", "noise", "payments", "noise", "payments", "payments"}, {"noise", "noise"},
	} {
		sampler := &asked{topics: []string{"payments"}}
		provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler))
		b := &broker{}
		r := newRig(t, b, func(w *kafka.Writer) { w.Topic = "" }, kafkacarrier.WithTracerProvider(provider))
		var msgs []kafka.Message
		for _, topic := range topics {
			msgs = append(msgs, kafka.Message{Topic: topic})
		}
		if err := r.writer.WriteMessages(root, msgs...); err != nil {
			t.Fatal(err)
		}
		ids := make(map[trace.SpanID]bool)
		for _, m := range b.written() {
			sc := kafkacarrier.Read(m, w3c()).SpanContext()
			if sc.IsSampled() != (m.Topic == "payments") {
				t.Errorf("%q: a message for %s is sampled: %t", topics, m.Topic, sc.IsSampled())
			}
			if m.Topic == "payments" && ids[sc.SpanID()] {
				t.Errorf("%q: two messages share a sampled span", topics)
			}
			ids[sc.SpanID()] = true
		}
	}
}

// Answers from the cache of kafka-go are not requests.
func TestTransport_CountsRequestsOnly(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		next  kafka.RoundTripper
		wants int64
	}{
		"a RoundTripper of another kind": {&broker{}, 3},
		"a kafka.Transport":              {&kafka.Transport{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMeter()
			transport := kafkacarrier.NewTransport(tt.next, kafkacarrier.WithMeterProvider(m))
			defer transport.CloseIdleConnections()
			canceled, cancel := context.WithCancel(t.Context())
			cancel()
			client := &kafka.Client{Addr: kafka.TCP("127.0.0.1:1"), Transport: transport}
			for range 3 {
				_, _ = client.Metadata(canceled, &kafka.MetadataRequest{Topics: []string{"orders"}})
			}
			got := int64(0)
			for series, n := range m.series(t) {
				if strings.Contains(series, "operation.name=metadata") {
					got += n
				}
			}
			if got != tt.wants {
				t.Errorf("%d requests were measured, want %d", got, tt.wants)
			}
			for series := range m.series(t) {
				if strings.HasPrefix(series, "messaging.client.operation.duration") {
					t.Errorf("%s is counted beside send", series)
				}
			}
		})
	}
}

// What has no topic is never that of other topics.
func TestMetrics_WithoutATopicAreNotOfOthers(t *testing.T) {
	t.Parallel()
	c := consume(t, inGroup())
	for i := range 1100 {
		msg := consumed(1)
		msg.Topic = fmt.Sprint("topic-", i)
		if err := c.Process(t.Context(), msg, doNothing); err != nil {
			t.Fatal(err)
		}
	}
	other := consumed(2)
	other.Topic = "refunds"
	if err := c.ProcessBatch(t.Context(), []kafka.Message{consumed(1), other}, doNothing); err != nil {
		t.Fatal(err)
	}
	series := c.meter.series(t)
	if got := series["messaging.process.duration{consumer.group.name=workers operation.name=process}"]; got != 1 {
		t.Errorf("%d batches of several topics were counted, want 1", got)
	}
	if got := series["messaging.process.duration{consumer.group.name=workers destination.name=_OTHER operation.name=process}"]; got < 100 {
		t.Errorf("%d messages of other topics were counted, want 100", got)
	}
}

// Every code of a broker has the name of the protocol.
func TestWriter_BrokerErrors(t *testing.T) {
	t.Parallel()
	for code, want := range map[kafka.Error]string{
		10: "MESSAGE_TOO_LARGE", 14: "COORDINATOR_LOAD_IN_PROGRESS", 6: "NOT_LEADER_OR_FOLLOWER", -1: "UNKNOWN_SERVER_ERROR", 2: "CORRUPT_MESSAGE",
		17: "INVALID_TOPIC_EXCEPTION", 97: "PRINCIPAL_DESERIALIZATION_FAILURE", 123: "INVALID_SHARE_SESSION_EPOCH", 9999: "_OTHER",
	} {
		r := newRig(t, &broker{answer: func(string, int) (int16, error) { return int16(code), nil }}, func(w *kafka.Writer) { w.MaxAttempts = 1 })
		if err := r.writer.WriteMessages(t.Context(), numbered(2)...); err == nil {
			t.Errorf("code %d is no error", code)
		}
		for _, span := range r.spans(t) {
			if got := attributeOf(span, "error.type"); got != want {
				t.Errorf("code %d: %s has error.type %q, want %q", code, span.Name, got, want)
			}
		}
		if got := r.events.take(); !cmp.Equal(got, []string{"failed send orders " + want}) {
			t.Errorf("code %d: the observer was told %q", code, got)
		}
		if got := fmt.Sprint(r.meter.series(t)); strings.Count(got, "error.type="+want) != 2 {
			t.Errorf("code %d: the series are %s", code, got)
		}
	}
}

// selfish is an error that wraps itself, and wide one that wraps very many.
type selfish struct{}

func (*selfish) Error() string   { return "selfish" }
func (e *selfish) Unwrap() error { return e }

type wide struct{ depth int }

func (wide) Error() string { return "wide" }

func (e wide) Unwrap() []error {
	if e.depth == 0 {
		return nil
	}
	return []error{wide{e.depth - 1}, wide{e.depth - 1}}
}

// An error that has no end does not hold up the work.
func TestProcess_EndlessErrors(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"wraps itself": &selfish{}, "wraps 2²⁶": wide{26}} {
		f := flowtest.New(t)
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		c := kafkacarrier.NewConsumer(withW3C(), kafkacarrier.WithTracerProvider(f.Service("worker")), kafkacarrier.WithObserver(&events{}))
		r := kafkacarrier.NewReaderOf(&failing{source: *inGroup(), err: err}, withW3C())
		w := newRig(t, &broker{metadata: func(context.Context, string) (int16, error) { return 0, err }}, nil)
		started := time.Now()
		_ = c.Process(canceled, consumed(1), func(context.Context) error { return err })
		_, fetchErr := r.FetchMessage(canceled)
		_, readErr := r.ReadMessage(canceled)
		if fetchErr == nil || readErr == nil || r.CommitMessages(canceled, consumed(1)) == nil || w.writer.WriteMessages(canceled, value("1")) == nil {
			t.Errorf("%s: an error was lost", name)
		}
		if took := time.Since(started); took > 5*time.Second {
			t.Errorf("%s: it took %v", name, took)
		}
		only(t, f)
	}
}

// failing is a reader that fails.
type failing struct {
	source

	err error
}

func (f *failing) FetchMessage(context.Context) (kafka.Message, error) { return kafka.Message{}, f.err }

func (f *failing) ReadMessage(context.Context) (kafka.Message, error) { return kafka.Message{}, f.err }

func (f *failing) CommitMessages(context.Context, ...kafka.Message) error {
	return f.err
}

// Text of any bytes and length reaches no span.
func TestText_IsValidAndBounded(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"Caf\xe9.csv", strings.Repeat("x", 5<<20)} {
		c := consume(t, inGroup(),
			kafkacarrier.WithTopicTemplate(func(topic string) string { return topic + bad }), kafkacarrier.WithMessageKey(func([]byte) string { return bad }),
			kafkacarrier.WithHeaders("app", bad), kafkacarrier.WithErrorDescription(func(error) string { return bad }))
		msg := consumed(1, header("app", bad), header(bad, "1"))
		msg.Topic = bad
		consumer := kafkacarrier.NewConsumer(withW3C(), kafkacarrier.WithTracerProvider(c.flow.Service("plain")), kafkacarrier.WithGroup(bad))
		_ = c.Process(t.Context(), msg, func(context.Context) error { return errors.New(bad) })
		_ = consumer.Process(t.Context(), msg, doNothing)
		for _, span := range recorded(t, c.flow) {
			texts := []string{span.Name, span.Status.Description}
			for _, a := range span.Attributes {
				texts = append(append(texts, string(a.Key), a.Value.String()), a.Value.AsStringSlice()...)
			}
			for _, text := range texts {
				if len(text) > 2048 || strings.ToValidUTF8(text, "") != text {
					t.Errorf("%.30q... of %d bytes reaches %.30q", text, len(text), span.Name)
				}
			}
		}
	}
}
