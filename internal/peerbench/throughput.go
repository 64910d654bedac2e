// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	ddkafka "github.com/DataDog/dd-trace-go/contrib/segmentio/kafka-go/v2"
	konsumer "github.com/Trendyol/otel-kafka-konsumer"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/internal/e2e/server"
	"github.com/waybill-go/waybill/propagation"
)

// workload is a way to use a broker.
type workload struct {
	name     string
	variants []variant
}

// variant is a workload with one library. The first of a workload is the client
// alone.
type variant struct {
	name      string
	recording recording
	start     func(recording) (ctx context.Context, done func())
	// run moves messages for about d and returns how many.
	run func(ctx context.Context, t testing.TB, k *server.KafkaServer, d time.Duration) (n int, elapsed time.Duration)
}

// rate is what a variant reached in one round.
type rate struct {
	perSecond float64
	relative  float64 // To the client alone in the same round.
	cpu       float64 // Microseconds of this process for a message.
}

// rates runs the variants of w in turns, in a new order each round, and returns
// the medians.
func rates(t testing.TB, k *server.KafkaServer, w workload, rounds int, d time.Duration) map[cell]rate {
	t.Helper()
	measured := map[cell][]rate{}
	for round := range rounds {
		fmt.Fprintf(os.Stderr, "%s: round %d of %d\n", w.name, round+1, rounds)
		var alone float64
		now := map[cell]rate{}
		for _, i := range rand.Perm(len(w.variants)) {
			v := w.variants[i]
			r := v.measure(t, k, d)
			if i == 0 {
				alone = r.perSecond
			}
			now[cell{v.name, string(v.recording)}] = r
		}
		for at, r := range now {
			r.relative = r.perSecond / alone
			measured[at] = append(measured[at], r)
		}
	}
	medians := map[cell]rate{}
	for at, all := range measured {
		medians[at] = rate{
			perSecond: median(all, func(r rate) float64 { return r.perSecond }),
			relative:  median(all, func(r rate) float64 { return r.relative }),
			cpu:       median(all, func(r rate) float64 { return r.cpu }),
		}
	}
	return medians
}

func (v variant) measure(t testing.TB, k *server.KafkaServer, d time.Duration) rate {
	t.Helper()
	ctx, done := v.start(v.recording)
	defer done()
	before := processTime()
	n, elapsed := v.run(ctx, t, k, d)
	used := processTime() - before
	return rate{perSecond: float64(n) / elapsed.Seconds(), cpu: float64(used.Microseconds()) / float64(n)}
}

// processTime returns the time that this process has had on a processor, which
// says more than the clock on a machine that others use too.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// writeFunc writes messages, as WriteMessages of a kafka.Writer does.
type writeFunc func(ctx context.Context, msgs ...kafka.Message) error

// library makes the writeFunc of a kafka.Writer.
type library func(w *kafka.Writer) writeFunc

func plainWrite(w *kafka.Writer) writeFunc { return w.WriteMessages }

func waybillWrite(w *kafka.Writer) writeFunc {
	return kafkacarrier.NewWriter(w, kafkacarrier.WithPropagation(propagation.WithPropagator(traceContext))).WriteMessages
}

func waybillWriteShared(w *kafka.Writer) writeFunc {
	return kafkacarrier.NewWriter(w, kafkacarrier.WithPropagation(propagation.WithPropagator(traceContext)), kafkacarrier.WithoutCreateSpans()).WriteMessages
}

// konsumerWrite writes single messages: with several the library traces none.
func konsumerWrite(w *kafka.Writer) writeFunc {
	wrapped, err := konsumer.NewWriter(w, konsumer.WithPropagator(traceContext))
	if err != nil {
		panic(err)
	}
	return func(ctx context.Context, msgs ...kafka.Message) error { return wrapped.WriteMessage(ctx, msgs[0]) }
}

func datadogWrite(w *kafka.Writer) writeFunc { return ddkafka.WrapWriter(w).WriteMessages }

// writeSingles is 64 goroutines that each write one message a call.
func writeSingles() workload {
	run := func(l library) writeRun { return writeRun{library: l, goroutines: 64, size: 1, batch: 64} }
	w := workload{name: "64 goroutines, each writes one message a call"}
	w.add("kafka-go alone", startOpenTelemetry, run(plainWrite), noProvider)
	w.add("waybill", startOpenTelemetry, run(waybillWrite), noProvider, unsampled, sampled)
	w.add("otel-kafka-konsumer", startOpenTelemetry, run(konsumerWrite), unsampled, sampled)
	w.add("dd-trace-go", startDatadogRequest, run(datadogWrite), unsampled, sampled)
	return w
}

// writeBatches is one goroutine that writes 100 messages a call.
func writeBatches() workload {
	run := func(l library) writeRun { return writeRun{library: l, goroutines: 1, size: 100, batch: 100} }
	w := workload{name: "one goroutine, which writes 100 messages a call"}
	w.add("kafka-go alone", startOpenTelemetry, run(plainWrite), noProvider)
	w.add("waybill", startOpenTelemetry, run(waybillWrite), noProvider, unsampled, sampled)
	w.add("waybill, WithoutCreateSpans", startOpenTelemetry, run(waybillWriteShared), unsampled, sampled)
	w.add("dd-trace-go", startDatadogRequest, run(datadogWrite), unsampled, sampled)
	return w
}

func (w *workload) add(name string, start func(recording) (context.Context, func()), r runner, rs ...recording) {
	for _, rec := range rs {
		w.variants = append(w.variants, variant{name: name, recording: rec, start: start, run: r.run})
	}
}

type runner interface {
	run(ctx context.Context, t testing.TB, k *server.KafkaServer, d time.Duration) (int, time.Duration)
}

// writeRun writes to a topic of its own, which is deleted at the end.
type writeRun struct {
	library    library
	goroutines int
	size       int // Messages a call.
	batch      int // Messages that kafka-go sends at once.
}

func (r writeRun) run(ctx context.Context, t testing.TB, k *server.KafkaServer, d time.Duration) (int, time.Duration) {
	t.Helper()
	name := newTopic(t, k)
	defer deleteTopic(t, k, name)
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	w := &kafka.Writer{
		Addr: kafka.TCP(k.Addr()), Topic: name, Transport: transport, RequiredAcks: kafka.RequireOne,
		BatchSize: r.batch, BatchTimeout: 5 * time.Millisecond,
	}
	defer w.Close() //nolint:errcheck // every message has been answered for.
	write := r.library(w)
	payload := message()
	call := func() {
		msgs := make([]kafka.Message, r.size)
		for i := range msgs {
			msgs[i] = payload
		}
		if err := write(ctx, msgs...); err != nil {
			panic(err)
		}
	}
	call() // connects.
	started := time.Now()
	var n atomic.Int64
	var all sync.WaitGroup
	for range r.goroutines {
		all.Go(func() {
			for time.Since(started) < d {
				call()
				n.Add(int64(r.size))
			}
		})
	}
	all.Wait()
	return int(n.Load()), time.Since(started)
}

// fetchFunc fetches a message and handles it.
type fetchFunc func(ctx context.Context) error

// readRun reads a topic that is full already, from its start.
type readRun struct {
	topic string
	n     int
	fetch func(r *kafka.Reader) fetchFunc
}

func (r readRun) run(ctx context.Context, t testing.TB, k *server.KafkaServer, _ time.Duration) (int, time.Duration) {
	t.Helper()
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{k.Addr()}, Topic: r.topic, MaxWait: 100 * time.Millisecond})
	defer reader.Close() //nolint:errcheck // nothing is left to lose.
	fetch := r.fetch(reader)
	must := func() {
		if err := fetch(ctx); err != nil {
			panic(err)
		}
	}
	must() // connects.
	started := time.Now()
	for range r.n - 1 {
		must()
	}
	return r.n, time.Since(started)
}

func plainFetch(r *kafka.Reader) fetchFunc {
	return func(ctx context.Context) error {
		_, err := r.FetchMessage(ctx)
		return err
	}
}

func waybillReader(r *kafka.Reader) *kafkacarrier.Reader {
	return kafkacarrier.NewReader(r, kafkacarrier.WithPropagation(propagation.WithPropagator(traceContext)))
}

func waybillFetch(r *kafka.Reader) fetchFunc {
	wrapped := waybillReader(r)
	return func(ctx context.Context) error {
		_, err := wrapped.FetchMessage(ctx)
		return err
	}
}

func waybillProcess(r *kafka.Reader) fetchFunc {
	wrapped := waybillReader(r)
	return func(ctx context.Context) error {
		msg, err := wrapped.FetchMessage(ctx)
		if err != nil {
			return err
		}
		return wrapped.Process(ctx, msg, func(context.Context) error { return nil })
	}
}

func konsumerFetch(r *kafka.Reader) fetchFunc {
	wrapped, err := konsumer.NewReader(r, konsumer.WithPropagator(traceContext))
	if err != nil {
		panic(err)
	}
	return func(ctx context.Context) error {
		var msg kafka.Message
		return wrapped.FetchMessage(ctx, &msg)
	}
}

func datadogFetch(r *kafka.Reader) fetchFunc {
	wrapped := ddkafka.WrapReader(r)
	return func(ctx context.Context) error {
		_, err := wrapped.FetchMessage(ctx)
		return err
	}
}

// read is one goroutine that fetches the n messages of a topic.
func read(topic string, n int) workload {
	run := func(fetch func(*kafka.Reader) fetchFunc) readRun { return readRun{topic: topic, n: n, fetch: fetch} }
	w := workload{name: "one goroutine, which reads a partition"}
	w.add("kafka-go alone", startReading, run(plainFetch), noProvider)
	w.add("waybill, FetchMessage", startReading, run(waybillFetch), noProvider, unsampled, sampled)
	w.add("waybill, FetchMessage and Process", startReading, run(waybillProcess), noProvider, unsampled, sampled)
	w.add("otel-kafka-konsumer, FetchMessage", startReading, run(konsumerFetch), unsampled, sampled)
	w.add("dd-trace-go, FetchMessage", startDatadogReading, run(datadogFetch), unsampled, sampled)
	return w
}

// A loop that reads has no span of its own.
func startReading(r recording) (context.Context, func()) {
	_, done := startOpenTelemetry(r)
	return context.Background(), done
}

func startDatadogReading(r recording) (context.Context, func()) {
	return context.Background(), startDatadog(r)
}

// fill makes a topic of n messages of 1 kB that carry a context.
func fill(t testing.TB, k *server.KafkaServer, n int) (topic string) {
	t.Helper()
	topic = newTopic(t, k)
	w := &kafka.Writer{Addr: kafka.TCP(k.Addr()), Topic: topic, RequiredAcks: kafka.RequireOne, BatchSize: 500}
	msgs := make([]kafka.Message, 500)
	for i := range msgs {
		msgs[i] = message()
		kafkacarrier.Inject(requestContext(), &msgs[i], propagation.WithPropagator(traceContext))
	}
	for range n / len(msgs) {
		if err := w.WriteMessages(context.Background(), msgs...); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return topic
}

var topics atomic.Int64

// newTopic makes a topic of one partition, so that every variant sends batches
// of one size.
func newTopic(t testing.TB, k *server.KafkaServer) string {
	t.Helper()
	name := fmt.Sprintf("peerbench-%d-%d", os.Getpid(), topics.Add(1))
	k.CreateTopics(1, name)
	return name
}

func deleteTopic(t testing.TB, k *server.KafkaServer, name string) {
	t.Helper()
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(k.Addr()), Transport: transport}
	if _, err := client.DeleteTopics(context.Background(), &kafka.DeleteTopicsRequest{Topics: []string{name}}); err != nil {
		t.Fatal(err)
	}
}
