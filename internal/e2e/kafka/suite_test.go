// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/internal/e2e/server"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// starter starts a broker with topics of three partitions.
type starter func(t testing.TB, topics ...string) *server.KafkaServer

// testBroker is the suite for one broker.
func testBroker(t *testing.T, start starter) {
	t.Helper()
	for name, test := range map[string]struct {
		run    func(*site)
		topics []string
	}{
		"a group that rebalances":         {(*site).group, []string{"orders", "plain"}},
		"a rebalance before the commit":   {(*site).redelivery, []string{"orders"}},
		"a consumer that is killed":       {(*site).killed, []string{"orders", "plain"}},
		"batches":                         {(*site).batches, []string{"orders", "plain"}},
		"asynchronous writes":             {(*site).async, []string{"orders", "plain"}},
		"retries and dead letters":        {(*site).deadLetters, []string{"orders", "retry", "dead"}},
		"a broker that restarts":          {(*site).restart, []string{"orders", "plain"}},
		"a topic that does not exist":     {(*site).unknownTopic, nil},
		"a message that is too large":     {(*site).tooLarge, []string{"orders"}},
		"the lag of a group that stopped": {(*site).lag, []string{"orders"}},
		"the series of Prometheus":        {(*site).series, []string{"orders"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.run(newSite(t, start(t, test.topics...)))
		})
	}
}

// site is one program: what it talks to and what sees it.
type site struct {
	t     *testing.T
	k     *server.KafkaServer
	flow  *flowtest.Flow
	seen  *tally
	read  *sdkmetric.ManualReader
	opts  []kafkacarrier.ClientOption
	trace trace.Tracer
}

func newSite(t *testing.T, k *server.KafkaServer) *site {
	t.Helper()
	s := &site{t: t, k: k, flow: flowtest.New(t), seen: &tally{counts: make(map[string]int)}, read: sdkmetric.NewManualReader()}
	service := s.flow.Service("site")
	s.trace = service.Tracer("test")
	s.opts = []kafkacarrier.ClientOption{
		kafkacarrier.WithPropagation(propagation.WithPropagator(propagation.Default())), kafkacarrier.WithTracerProvider(service), kafkacarrier.WithObserver(s.seen),
		kafkacarrier.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(s.read))),
	}
	return s
}

// within is a context that ends before the test does.
func (s *site) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	s.t.Cleanup(cancel)
	return ctx
}

func (s *site) plainWriter(topic string) *kafka.Writer {
	transport := &kafka.Transport{MetadataTTL: 200 * time.Millisecond}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &kafka.Writer{
		Addr: kafka.TCP(s.k.Addr()), Topic: topic, RequiredAcks: kafka.RequireAll, BatchTimeout: 5 * time.Millisecond,
		Transport: transport, WriteBackoffMin: 20 * time.Millisecond, WriteBackoffMax: 200 * time.Millisecond,
	}
}

func (s *site) wrap(w *kafka.Writer) *kafkacarrier.Writer {
	s.t.Helper()
	var opts []kafkacarrier.WriterOption
	for _, o := range s.opts {
		opts = append(opts, o)
	}
	return kafkacarrier.NewWriter(w, opts...)
}

func (s *site) plainConfig(topic, group string) kafka.ReaderConfig {
	return kafka.ReaderConfig{
		Brokers: []string{s.k.Addr()}, Topic: topic, GroupID: group, StartOffset: kafka.FirstOffset, MaxWait: 50 * time.Millisecond,
		HeartbeatInterval: 100 * time.Millisecond, SessionTimeout: 6 * time.Second, RebalanceTimeout: 6 * time.Second,
		JoinGroupBackoff: 100 * time.Millisecond, ReadBackoffMin: 10 * time.Millisecond, ReadBackoffMax: 100 * time.Millisecond,
	}
}

func (s *site) plainReader(topic, group string) *kafka.Reader {
	return kafka.NewReader(s.plainConfig(topic, group))
}

func (s *site) wrappedReader(topic, group string) *kafkacarrier.Reader {
	s.t.Helper()
	return s.wrapReader(s.plainReader(topic, group))
}

func (s *site) wrapReader(plain *kafka.Reader) *kafkacarrier.Reader {
	s.t.Helper()
	var opts []kafkacarrier.ReaderOption
	for _, o := range s.opts {
		opts = append(opts, o)
	}
	return kafkacarrier.NewReader(plain, opts...)
}

func (s *site) close(closers ...interface{ Close() error }) {
	s.t.Helper()
	var wg sync.WaitGroup
	for _, c := range closers {
		wg.Go(func() {
			if err := c.Close(); err != nil {
				s.t.Error(err)
			}
		})
	}
	wg.Wait()
}

// metric returns the sum of an OpenTelemetry counter, or the count of a
// histogram, over the series whose attributes hold what.
func (s *site) metric(name, what string) int {
	s.t.Helper()
	var all metricdata.ResourceMetrics
	if err := s.read.Collect(context.Background(), &all); err != nil {
		s.t.Fatal(err)
	}
	sum := 0
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					if strings.Contains(fmt.Sprint(p.Attributes.ToSlice()), what) {
						sum += int(p.Value)
					}
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					if strings.Contains(fmt.Sprint(p.Attributes.ToSlice()), what) {
						sum += int(p.Count)
					}
				}
			}
		}
	}
	return sum
}

func (s *site) require(what string, got, want int) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("%s: %d, want %d", what, got, want)
	}
}

// ends returns how many records each partition of topic holds.
func (s *site) ends(topic string) map[int]int64 {
	s.t.Helper()
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(s.k.Addr()), Transport: transport}
	res, err := client.ListOffsets(s.within(20*time.Second), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{
		topic: {kafka.LastOffsetOf(0), kafka.LastOffsetOf(1), kafka.LastOffsetOf(2)},
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	ends := make(map[int]int64)
	for _, p := range res.Topics[topic] {
		ends[p.Partition] = p.LastOffset
	}
	return ends
}

// stored returns how many records topic holds.
func (s *site) stored(topic string) int {
	s.t.Helper()
	n := 0
	for _, end := range s.ends(topic) {
		n += int(end)
	}
	return n
}

// contents returns the values that topic holds, by partition and in order.
func (s *site) contents(topic string) map[int][]string {
	s.t.Helper()
	contents := make(map[int][]string)
	for partition, end := range s.ends(topic) {
		config := s.plainConfig(topic, "")
		config.Partition, config.StartOffset = partition, 0
		r := kafka.NewReader(config)
		for range end {
			msg, err := r.ReadMessage(s.within(20 * time.Second))
			if err != nil {
				s.t.Fatal(err)
			}
			contents[partition] = append(contents[partition], string(msg.Value))
		}
		s.close(r)
	}
	return contents
}

// tally is an observer that counts.
type tally struct {
	observe.NoMessaging

	mu     sync.Mutex
	counts map[string]int
}

var _ observe.PartitionObserver = (*tally)(nil)

func (t *tally) add(what string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what] += n
}

func (t *tally) of(what string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[what]
}

func (t *tally) Sent(_ context.Context, e observe.Send) { t.add("sent "+e.Destination, e.Messages) }

func (t *tally) Fetched(_ context.Context, e observe.Fetch) {
	t.add("fetched "+e.Topic, 1)
	if e.Lag < 0 || e.Queued < 0 || e.Queued > time.Minute {
		t.add("strange", 1)
	}
}

func (t *tally) Arrived(_ context.Context, e observe.Arrival) {
	t.add("arrived "+e.Destination, 1)
	if e.Hop < 0 || e.EndToEnd < e.Hop || e.EndToEnd > time.Minute {
		t.add("strange", 1)
	}
}

func (t *tally) Committed(_ context.Context, e observe.Commit) { t.add("committed "+e.Topic, 1) }
func (t *tally) Redelivered(p observe.Partition)               { t.add("redelivered "+p.Topic, 1) }
func (t *tally) Skipped(g observe.Gap)                         { t.add("skipped "+g.Topic, int(g.Offsets)) }
func (t *tally) Revoked(observe.Partition)                     { t.add("revoked", 1) }
func (t *tally) Dropped(d observe.Drop)                        { t.add("dropped "+d.Reason, 1) }

func (t *tally) Failed(_ context.Context, e observe.Failure) {
	t.add("failed "+e.Operation+" "+e.Destination+" "+e.ErrorType, 1)
}

// ledger keeps what a pipeline delivered.
type ledger struct {
	written int // Messages,
	calls   int // in so many calls.

	mu         sync.Mutex
	deliveries int
	values     map[string]int
	members    map[int]int
	told       chan struct{} // Told of each delivery.
}

func newLedger() *ledger {
	return &ledger{values: make(map[string]int), members: make(map[int]int), told: make(chan struct{}, 1)}
}

func (l *ledger) add(member int, value []byte) {
	l.mu.Lock()
	l.deliveries++
	l.values[string(value)]++
	l.members[member]++
	l.mu.Unlock()
	select {
	case l.told <- struct{}{}:
	default:
	}
}

// times returns how often value was delivered.
func (l *ledger) times(value []byte) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.values[string(value)]
}

// taking returns how many members have taken part.
func (l *ledger) taking() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.members)
}

func (l *ledger) distinct() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.values)
}

// await waits until n different values were delivered.
func (l *ledger) await(ctx context.Context, t *testing.T, n int) {
	t.Helper()
	for l.distinct() < n {
		select {
		case <-l.told:
		case <-ctx.Done():
			t.Fatalf("%d of %d values were delivered", l.distinct(), n)
		}
	}
}

// consume hands messages to handle and commits them until ctx ends. What it has
// begun to handle it finishes.
func (s *site) consume(ctx context.Context, r kafkacarrier.MessageReader, handle handler) {
	for {
		msg, err := r.FetchMessage(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			continue // The reader goes on by itself when the broker is back.
		}
		if err := handle(context.WithoutCancel(ctx), msg); err != nil {
			s.t.Errorf("handle: %v", err)
		}
		_ = r.CommitMessages(ctx, msg) // It fails during a rebalance, and the message comes again.
	}
}

// handler is what handles a message.
type handler func(ctx context.Context, msg kafka.Message) error

func numbers(from, to int) []kafka.Message {
	var msgs []kafka.Message
	for i := from; i < to; i++ {
		msgs = append(msgs, kafka.Message{Key: []byte(strconv.Itoa(i)), Value: []byte(strconv.Itoa(i))})
	}
	return msgs
}

// pipeline writes 300 messages to topic, or more if the group takes its time,
// and reads them in a group of two, which a third joins in the middle. It
// returns what was written and what was delivered.
func (s *site) pipeline(topic string, w kafkacarrier.MessageWriter, newReader func() kafkacarrier.MessageReader,
	process func(ctx context.Context, r kafkacarrier.MessageReader, msg kafka.Message, fn func(context.Context) error) error,
) *ledger {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	l := newLedger()
	var wg sync.WaitGroup
	var readers []kafkacarrier.MessageReader
	join := func(member int) {
		r := newReader()
		readers = append(readers, r)
		wg.Go(func() {
			s.consume(ctx, r, func(ctx context.Context, msg kafka.Message) error {
				return process(ctx, r, msg, func(context.Context) error { l.add(member, msg.Value); return nil })
			})
		})
	}
	write := func(n int) {
		from := l.written
		l.written, l.calls = from+n, l.calls+1
		ingest, root := s.trace.Start(ctx, "ingest "+topic)
		defer root.End()
		if err := w.WriteMessages(ingest, numbers(from, l.written)...); err != nil {
			s.t.Error(err)
		}
	}
	join(1)
	join(2)
	write(150)
	l.await(ctx, s.t, 100)
	join(3)
	for l.written < 300 || l.taking() < 3 { // A member takes part when the group has let it in.
		write(10)
		l.await(ctx, s.t, l.written)
	}
	cancel()
	wg.Wait()
	for _, r := range readers {
		s.close(r)
	}
	return l
}

// processed and handed are how the two pipelines handle a message.
func processed(ctx context.Context, r kafkacarrier.MessageReader, msg kafka.Message, fn func(context.Context) error) error {
	return r.(*kafkacarrier.Reader).Process(ctx, msg, fn)
}

func handed(ctx context.Context, _ kafkacarrier.MessageReader, _ kafka.Message, fn func(context.Context) error) error {
	return fn(ctx)
}

func (s *site) group() {
	w, plain := s.wrap(s.plainWriter("orders")), s.plainWriter("plain")
	wrapped := s.pipeline("orders", w, func() kafkacarrier.MessageReader { return s.wrappedReader("orders", "workers") }, processed)
	unwrapped := s.pipeline("plain", plain, func() kafkacarrier.MessageReader { return s.plainReader("plain", "others") }, handed)
	s.close(w, plain)

	for topic, l := range map[string]*ledger{"orders": wrapped, "plain": unwrapped} {
		s.require("stored in "+topic, s.stored(topic), l.written)
		s.require("delivered of "+topic, l.distinct(), l.written)
		s.t.Logf("delivered again of %s: %d of %d", topic, l.deliveries-l.written, l.written)
	}
	s.require("sent, as observed", s.seen.of("sent orders"), wrapped.written)
	s.require("sent, as measured", s.metric("messaging.client.sent.messages", "orders"), wrapped.written)
	fetched := s.metric("messaging.client.consumed.messages", "orders")
	if fetched < wrapped.deliveries || fetched > wrapped.deliveries+3 { // One may be in each member's hands at the end.
		s.t.Errorf("%d were fetched, and %d handled", fetched, wrapped.deliveries)
	}
	s.require("fetched, as observed", s.seen.of("fetched orders"), fetched)
	s.require("with a waybill", s.seen.of("arrived orders"), fetched)
	s.require("processed", s.metric("messaging.process.duration", "orders"), wrapped.deliveries)
	s.require("skipped", s.seen.of("skipped orders"), 0)
	s.require("strange", s.seen.of("strange"), 0)

	fl := s.flow.Wait(10 * time.Second)
	spans := make(map[string]int)
	for _, span := range fl.Spans() {
		spans[span.Name]++
	}
	s.require("create spans", spans["create orders"], wrapped.written)
	s.require("process spans", spans["process orders"], wrapped.deliveries)
	fl.RequirePath("site ingest orders", "site create orders", "site process orders")
	fl.RequirePath("site ingest orders", "site create orders", "site commit orders") // Outside of the handler.
	s.requireFlows(fl, wrapped.calls+unwrapped.calls)                                // A flow for each ingest; those of the plain pipeline end there.
}

// requireFlows checks that every span but those of so many flows has a parent.
func (s *site) requireFlows(fl *flowtest.Recording, flows int) {
	s.t.Helper()
	known := make(map[trace.SpanID]bool)
	for _, span := range fl.Spans() {
		known[span.SpanContext.SpanID()] = true
	}
	roots := 0
	for _, span := range fl.Spans() {
		switch {
		case !span.Parent.IsValid():
			roots++
		case !known[span.Parent.SpanID()]:
			s.t.Errorf("the parent of %s was lost", span.Name)
		}
	}
	if roots != flows {
		s.t.Errorf("there are %d flows, want %d", roots, flows)
	}
}

func (s *site) batches() {
	w, plain := s.wrap(s.plainWriter("orders")), s.plainWriter("plain")
	ctx, root := s.trace.Start(s.within(time.Minute), "ingest")
	if err := errors.Join(w.WriteMessages(ctx, numbers(0, 200)...), plain.WriteMessages(ctx, numbers(0, 200)...)); err != nil {
		s.t.Fatal(err)
	}
	root.End()
	s.close(w, plain)
	if diff := cmp.Diff(s.contents("plain"), s.contents("orders")); diff != "" {
		s.t.Errorf("the order differs from that of the plain writer: %s", diff)
	}

	r := s.wrappedReader("orders", "workers")
	values := make(map[string]bool)
	for range 10 {
		var batch []kafka.Message
		for range 20 {
			msg, err := r.FetchMessage(ctx)
			if err != nil {
				s.t.Fatal(err)
			}
			batch = append(batch, msg)
			values[string(msg.Value)] = true
		}
		ctx := s.within(time.Minute)
		if err := r.ProcessBatch(ctx, batch, func(ctx context.Context) error { return r.CommitMessages(ctx, batch...) }); err != nil {
			s.t.Fatal(err)
		}
	}
	s.close(r)
	s.require("delivered", len(values), 200)
	fl := s.flow.Wait(10 * time.Second)
	fl.RequireConnected()
	fl.RequirePath("site ingest", "site create orders", "site process orders", "site commit orders")
	links := 0
	for _, span := range fl.Spans() {
		if span.Name == "process orders" {
			links += len(span.Links)
		}
	}
	s.require("links to the messages", links, 200)
	s.require("consumed", s.metric("messaging.client.consumed.messages", "orders"), 200)
	s.require("processed", s.metric("messaging.process.duration", "orders"), 10)
	s.require("failed commits", s.seen.of("failed commit orders _OTHER"), 0)
}

func (s *site) async() {
	var mu sync.Mutex
	completed := make(map[string]int)
	asynchronous := func(topic string) *kafka.Writer {
		w := s.plainWriter(topic)
		w.Async = true
		w.Completion = func(msgs []kafka.Message, err error) {
			mu.Lock()
			defer mu.Unlock()
			for _, m := range msgs {
				if n, ok := m.WriterData.(int); err != nil || !ok || string(m.Value) != strconv.Itoa(n) || m.Topic != topic {
					s.t.Errorf("the Completion saw %+v, %v", m, err)
				}
				completed[topic]++
			}
		}
		return w
	}
	w, plain := s.wrap(asynchronous("orders")), asynchronous("plain")
	ctx, root := s.trace.Start(s.within(time.Minute), "ingest")
	for _, to := range []kafkacarrier.MessageWriter{w, plain} {
		var wg sync.WaitGroup
		for caller := range 10 {
			wg.Go(func() {
				msgs := numbers(caller*50, caller*50+50)
				for i := range msgs {
					msgs[i].WriterData = caller*50 + i
				}
				for len(msgs) > 0 {
					if err := to.WriteMessages(ctx, msgs[:5]...); err != nil {
						s.t.Error(err)
					}
					msgs = msgs[5:]
				}
			})
		}
		wg.Wait()
	}
	root.End()
	s.close(w, plain)
	if diff := cmp.Diff(map[string]int{"orders": 500, "plain": 500}, completed); diff != "" {
		s.t.Error(diff)
	}
	s.require("stored", s.stored("orders"), s.stored("plain"))
	s.require("sent", s.metric("messaging.client.sent.messages", "orders"), 500)
	s.require("sent late", s.metric("messaging.client.sent.messages", "waybill.late"), 0)
	s.require("calls", s.metric("messaging.client.operation.duration", "send"), 100)
	fl := s.flow.Wait(0) // Close has waited already.
	fl.RequireConnected()
	offsets := 0
	for _, span := range fl.Spans() {
		for _, a := range span.Attributes {
			if span.Name == "create orders" && a.Key == "messaging.kafka.offset" {
				offsets++
			}
		}
	}
	s.require("create spans with an offset", offsets, 500)
}

func (s *site) deadLetters() {
	w := s.wrap(s.plainWriter(""))
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	dead := newLedger()
	var mu sync.Mutex
	sources := make(map[string]kafkacarrier.Source)
	handle := func(r *kafkacarrier.Reader) func(context.Context, kafka.Message) error {
		return func(ctx context.Context, msg kafka.Message) error {
			return r.Process(ctx, msg, func(ctx context.Context) error {
				source, _ := kafkacarrier.SourceOf(msg)
				if msg.Topic == "dead" {
					mu.Lock()
					sources[string(msg.Value)] = source
					mu.Unlock()
					dead.add(0, msg.Value)
					return nil
				}
				to := "retry"
				if source.Attempt == 2 {
					to = "dead"
				}
				return w.WriteMessages(ctx, kafkacarrier.Forward(ctx, msg, to, kafkacarrier.WithPropagation(propagation.WithPropagator(propagation.Default()))))
			})
		}
	}
	rootCtx, root := s.trace.Start(ctx, "ingest")
	msgs := numbers(0, 20)
	for i := range msgs {
		msgs[i].Topic = "orders"
		msgs[i].Headers = []kafka.Header{{Key: "app", Value: []byte("1")}}
	}
	if err := w.WriteMessages(rootCtx, msgs...); err != nil {
		s.t.Fatal(err)
	}
	root.End()
	var wg sync.WaitGroup
	var readers []interface{ Close() error }
	for _, topic := range []string{"orders", "retry", "dead"} {
		r := s.wrappedReader(topic, "workers-"+topic)
		readers = append(readers, r)
		wg.Go(func() { s.consume(ctx, r, handle(r)) })
	}
	dead.await(ctx, s.t, 20)
	cancel()
	wg.Wait()
	s.close(append(readers, w)...)
	for value, source := range sources {
		if source.Topic != "orders" || source.Attempt != 3 {
			s.t.Errorf("%s came from %+v", value, source)
		}
	}
	fl := s.flow.Wait(10 * time.Second)
	fl.RequireConnected()
	fl.RequirePath("site ingest", "site create orders", "site process orders", "site send retry", "site process retry", "site send retry", "site process retry", "site send dead", "site process dead")
	s.require("sent to retry", s.seen.of("sent retry"), 40)
	s.require("sent to dead", s.seen.of("sent dead"), 20)
	s.require("stored in dead", s.stored("dead"), 20)
	s.require("double contexts", s.seen.of("dropped duplicate_context"), 0)
}

func (s *site) restart() {
	ctx, cancel := context.WithTimeout(s.t.Context(), 100*time.Second)
	defer cancel()
	const n = 60
	type side struct {
		w     kafkacarrier.MessageWriter
		r     kafkacarrier.MessageReader
		l     *ledger
		ok    int
		tries int
	}
	w, r := s.wrap(s.plainWriter("orders")), s.wrappedReader("orders", "workers")
	sides := map[string]*side{
		"orders": {w: w, r: r, l: newLedger()},
		"plain":  {w: s.plainWriter("plain"), r: s.plainReader("plain", "others"), l: newLedger()},
	}
	restarted := make(chan struct{})
	var consumers, producers sync.WaitGroup
	for topic, side := range sides {
		consumers.Go(func() {
			s.consume(ctx, side.r, func(ctx context.Context, msg kafka.Message) error {
				side.l.add(0, msg.Value)
				if topic == "orders" {
					return r.Process(ctx, msg, func(context.Context) error { return nil })
				}
				return nil
			})
		})
		producers.Go(func() {
			for i := range n {
				if i == n/2 {
					<-restarted
				}
				for ctx.Err() == nil {
					side.tries++
					err := side.w.WriteMessages(ctx, numbers(i, i+1)...)
					if err == nil {
						side.ok++
						break
					}
				}
			}
		})
	}
	for _, side := range sides {
		side.l.await(ctx, s.t, n/4)
	}
	s.k.Stop()
	close(restarted) // They write to a broker that is not there.
	s.k.Start()
	producers.Wait()
	for _, side := range sides {
		side.l.await(ctx, s.t, n)
	}
	cancel()
	consumers.Wait()
	for _, side := range sides {
		s.close(side.w, side.r)
	}
	wrapped := sides["orders"]
	s.require("accepted", wrapped.ok, sides["plain"].ok)
	s.require("delivered", wrapped.l.distinct(), sides["plain"].l.distinct())
	s.require("sent", s.seen.of("sent orders"), wrapped.ok)
	s.require("calls", s.metric("messaging.client.operation.duration", "send"), wrapped.tries)
	s.require("processed", s.metric("messaging.process.duration", "orders"), wrapped.l.deliveries)
	s.t.Logf("stored %d and %d for %d messages, in %d and %d tries", s.stored("orders"), s.stored("plain"), n, wrapped.tries, sides["plain"].tries)
	s.flow.Wait(10 * time.Second) // No span is left open.
}

func (s *site) unknownTopic() {
	w, plain := s.wrap(s.plainWriter("nowhere")), s.plainWriter("nowhere")
	ctx := s.within(time.Minute)
	got, want := w.WriteMessages(ctx, numbers(0, 2)...), plain.WriteMessages(ctx, numbers(0, 2)...)
	if !errors.Is(got, kafka.UnknownTopicOrPartition) || fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("the wrapped writer gives %v, the plain one %v", got, want)
	}
	s.close(w, plain)
	s.require("failed", s.seen.of("failed send nowhere UNKNOWN_TOPIC_OR_PARTITION"), 1)
	s.require("sent", s.metric("messaging.client.sent.messages", ""), 0)
	s.require("spans", len(s.flow.Wait(time.Second).Spans()), 3)
}

func (s *site) tooLarge() {
	large := kafka.Message{Value: make([]byte, 3<<20)}
	ctx := s.within(time.Minute)
	for name, limit := range map[string]int64{"the client's limit": 0, "the broker's limit": 16 << 20} {
		newWriter := func() *kafka.Writer {
			w := s.plainWriter("orders")
			w.BatchBytes, w.MaxAttempts = limit, 1
			return w
		}
		w, plain := s.wrap(newWriter()), newWriter()
		got, want := w.WriteMessages(ctx, large), plain.WriteMessages(ctx, large)
		if fmt.Sprintf("%T %.200v", got, got) != fmt.Sprintf("%T %.200v", want, want) || got == nil {
			s.t.Errorf("%s: the wrapped writer gives %T %.200v, the plain one %T %.200v", name, got, got, want, want)
		}
		s.close(w, plain)
	}
	s.require("failed", s.seen.of("failed send orders MESSAGE_TOO_LARGE"), 2)
	s.require("stored", s.stored("orders"), 0)
}
