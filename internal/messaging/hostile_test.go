// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	otelattribute "go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/internal/messaging"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// fault is the call that fails, such as "Span.End", and how.
type fault struct {
	call string
	how  string // "panic" or "nil".
	hits int
}

// isNil fails if call is the one: it panics, or reports true for it to return
// nil.
func (f *fault) isNil(call string) bool {
	if f.call != call {
		return false
	}
	f.hits++
	if f.how == "panic" {
		panic(call)
	}
	return true
}

// The doubles below work, but for the call that fails.
type (
	badTracers struct {
		tracenoop.TracerProvider

		*fault
		next trace.TracerProvider
	}
	badTracer struct {
		tracenoop.Tracer

		*fault
		next trace.Tracer
	}
	badSpan struct {
		trace.Span

		*fault
	}
	badMeters struct {
		metricnoop.MeterProvider

		*fault
	}
	badMeter struct {
		metricnoop.Meter

		*fault
	}
	badHistogram struct {
		metricnoop.Float64Histogram

		*fault
	}
	badCounter struct {
		metricnoop.Int64Counter

		*fault
	}
	badObserver struct {
		*events
		*fault
	}
)

func (p badTracers) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	if p.isNil("TracerProvider.Tracer") {
		return nil
	}
	return badTracer{fault: p.fault, next: p.next.Tracer(name, opts...)}
}

func (t badTracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	started, span := t.next.Start(ctx, name, opts...)
	bad := badSpan{span, t.fault}
	if t.isNil("Tracer.Start") {
		return nil, nil
	}
	return trace.ContextWithSpan(started, bad), bad
}

func (s badSpan) SpanContext() trace.SpanContext {
	s.isNil("Span.SpanContext")
	return s.Span.SpanContext()
}

func (s badSpan) IsRecording() bool {
	s.isNil("Span.IsRecording")
	return s.Span.IsRecording()
}

func (s badSpan) SetAttributes(kv ...otelattribute.KeyValue) {
	s.isNil("Span.SetAttributes")
	s.Span.SetAttributes(kv...)
}

func (s badSpan) SetStatus(code codes.Code, description string) {
	s.isNil("Span.SetStatus")
	s.Span.SetStatus(code, description)
}

func (s badSpan) End(opts ...trace.SpanEndOption) {
	s.isNil("Span.End")
	s.Span.End(opts...)
}

func (p badMeters) Meter(string, ...metric.MeterOption) metric.Meter {
	if p.isNil("MeterProvider.Meter") {
		return nil
	}
	return badMeter{fault: p.fault}
}

func (m badMeter) Float64Histogram(string, ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	if m.isNil("Meter.Float64Histogram") {
		return nil, io.EOF
	}
	return badHistogram{fault: m.fault}, nil
}

func (m badMeter) Int64Counter(string, ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	if m.isNil("Meter.Int64Counter") {
		return nil, io.EOF
	}
	return badCounter{fault: m.fault}, nil
}

func (h badHistogram) Enabled(context.Context) bool {
	h.isNil("Histogram.Enabled")
	return true
}

func (h badHistogram) Record(context.Context, float64, ...metric.RecordOption) {
	h.isNil("Histogram.Record")
}

func (c badCounter) Enabled(context.Context) bool {
	c.isNil("Counter.Enabled")
	return true
}

func (c badCounter) Add(context.Context, int64, ...metric.AddOption) { c.isNil("Counter.Add") }

func (o badObserver) Sent(ctx context.Context, e observe.Send) {
	o.isNil("Observer.Sent")
	o.events.Sent(ctx, e)
}

func (o badObserver) Fetched(ctx context.Context, e observe.Fetch) {
	o.isNil("Observer.Fetched")
	o.events.Fetched(ctx, e)
}

func (o badObserver) Arrived(ctx context.Context, e observe.Arrival) {
	o.isNil("Observer.Arrived")
	o.events.Arrived(ctx, e)
}

func (o badObserver) Processed(ctx context.Context, e observe.Process) {
	o.isNil("Observer.Processed")
	o.events.Processed(ctx, e)
}

func (o badObserver) Committed(ctx context.Context, e observe.Commit) {
	o.isNil("Observer.Committed")
	o.events.Committed(ctx, e)
}

func (o badObserver) Failed(ctx context.Context, e observe.Failure) {
	o.isNil("Observer.Failed")
	o.events.Failed(ctx, e)
}

func (o badObserver) Dropped(e observe.Drop) {
	o.isNil("Observer.Dropped")
	o.events.Dropped(e)
}

func (o badObserver) Redelivered(e observe.Partition) {
	o.isNil("Observer.Redelivered")
	o.events.Redelivered(e)
}

func (o badObserver) Skipped(e observe.Gap) {
	o.isNil("Observer.Skipped")
	o.events.Skipped(e)
}

func (o badObserver) Revoked(e observe.Partition) {
	o.isNil("Observer.Revoked")
	o.events.Revoked(e)
}

func (o badObserver) Queued(observe.Queue)  { o.isNil("Observer.Queued") }
func (o badObserver) Blocked(observe.Block) { o.isNil("Observer.Blocked") }

// everything does all that a Recorder does for a client, with failures and with
// contexts, and returns what the client sees of it.
func everything(ctx context.Context, r *messaging.Recorder) (seen []string) {
	see := func(format string, args ...any) { seen = append(seen, fmt.Sprintf(format, args...)) }
	waybill := propagation.Waybill{Origin: time.Now(), Sent: time.Now(), Hops: 1}.String()
	remotes := []propagation.Remote{read("traceparent", traceparentA), read("waybill", waybill), read("traceparent", "junk")}

	for _, failure := range []error{nil, io.EOF} {
		for n := 1; n <= 2; n++ {
			send(ctx, r, n, false, failure)
			send(ctx, r, n, true, failure)
			see("sent %d, %v", n, failure)
		}
		for _, op := range []messaging.Operation{messaging.Process, messaging.Commit} {
			w := r.Begin(ctx, op, &messaging.Batch{Destination: "orders", Partition: 2, Messages: 3}, remotes...)
			if w.IsRecording() {
				w.SetAttributes(messaging.MessageCount(3))
			}
			see("%v: %v", op, w.Run(func(ctx context.Context) error {
				see("handler, canceled: %t", ctx.Err() != nil)
				return failure
			}))
		}
	}
	func() {
		defer func() { see("panic: %v", recover()) }()
		w := r.Begin(ctx, messaging.Process, &messaging.Batch{Destination: "orders", Partition: 2, Messages: 1}, remotes[0])
		_ = w.Run(func(context.Context) error { panic("boom") })
	}()

	p := r.NewPartitions(0, 0)
	for i, offset := range []int64{1, 2, 2, 9, 10, 11} {
		m := messaging.Message{Destination: "orders", Partition: 2, Offset: offset, Watermark: 20}
		receiving := p.Receive(ctx, "orders")
		receiving.Delivered(&m, &remotes[i%len(remotes)], messaging.MessageCount(1))
	}
	idle, failed := p.Receive(ctx, "orders"), p.Receive(ctx, "orders")
	idle.Idle()
	failed.Failed(io.EOF)
	p.Committed(ctx, 1, func(int) messaging.Message {
		return messaging.Message{Destination: "orders", Partition: 2, Offset: 2, Watermark: 20}
	})
	see("redelivered: %t, %t", p.Redelivered("orders", 2, 2), p.Redelivered("orders", 2, 1))
	p.Forget("orders", 2)
	p.Close()

	r.Requested(ctx, "produce", "broker:9092", time.Second, io.EOF)
	watching, stop := context.WithCancel(ctx)
	see("watch: %v", r.Watch(watching, time.Second, func(ctx context.Context, w *messaging.Watch) {
		w.Committed(ctx, "orders", 2, 3, 17)
		w.Failed(ctx, "refunds", io.EOF)
		stop()
	}))
	_, ok := messaging.Invoke(r, func(int) string { return "" }, 1)
	see("invoke: %t", ok)
	return seen
}

// send sends n messages, which all end with err.
func send(ctx context.Context, r *messaging.Recorder, n int, isAsync bool, err error) { //nolint:revive // a fact about the client.
	var s messaging.Sending
	s.Begin(ctx, r, n)
	for i := range n {
		s.Address(i, "orders")
	}
	if n == 1 {
		s.Single(&messaging.Origin{Context: ctx})
	} else {
		for i := range n {
			s.Create(i, &messaging.Origin{Context: ctx})
		}
		s.Start()
	}
	s.Accepted(isAsync)
	a := messaging.Answer{Err: err, Partition: 2}
	for i := range n {
		if m := s.Sent(i); m.IsRecording() {
			a.Add(m, 10, messaging.PartitionID(2))
		} else {
			a.Add(m, 10)
		}
	}
	a.Report()
	if !isAsync {
		s.Returned(err, false)
		s.Release()
	}
}

// hostile returns a Recorder whose every double fails as f says.
func hostile(t *testing.T, f *fault, e *events) *messaging.Recorder {
	t.Helper()
	return messaging.New(messaging.Config{
		Scope: "test", System: "kafka", Group: "workers", WithPollSpan: true,
		TracerProvider: badTracers{fault: f, next: flowtest.New(t).Service("worker")},
		MeterProvider:  badMeters{fault: f},
		Observer:       badObserver{e, f},
		Describe: func(err error) string {
			f.isNil("Describe")
			return err.Error()
		},
		Template: func(destination string) string {
			f.isNil("Template")
			return destination
		},
	})
}

// Whatever code fails that is not ours, the client sees the same, and the
// observer is told what is lost and all the rest.
func TestRecorder_ContainsWhatFails(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, f *fault) (seen, told []string) {
		t.Helper()
		e := &events{}
		seen = everything(t.Context(), hostile(t, f, e))
		return seen, e.inOrder()
	}
	wantSeen, wantTold := run(t, &fault{})
	if len(wantTold) < 30 {
		t.Fatalf("without a fault the observer was told %q", wantTold)
	}
	drops := map[string]string{
		"TracerProvider": observe.DropTracer, "Tracer": observe.DropTracer, "Span": observe.DropTracer,
		"MeterProvider": observe.DropMeter, "Meter": observe.DropMeter, "Histogram": observe.DropMeter, "Counter": observe.DropMeter,
		"Observer": observe.DropPanic, "Describe": observe.DropFormatter, "Template": observe.DropFormatter,
	}
	for _, call := range []string{
		"TracerProvider.Tracer", "Tracer.Start", "Span.SpanContext", "Span.IsRecording", "Span.SetAttributes", "Span.SetStatus", "Span.End",
		"MeterProvider.Meter", "Meter.Float64Histogram", "Meter.Int64Counter", "Histogram.Enabled", "Histogram.Record", "Counter.Enabled", "Counter.Add",
		"Observer.Sent", "Observer.Fetched", "Observer.Arrived", "Observer.Processed", "Observer.Committed", "Observer.Failed", "Observer.Dropped",
		"Observer.Redelivered", "Observer.Skipped", "Observer.Revoked", "Observer.Queued", "Observer.Blocked",
		"Describe", "Template",
	} {
		for _, how := range []string{"panic", "nil"} {
			t.Run(call+" "+how, func(t *testing.T) {
				t.Parallel()
				f := &fault{call: call, how: how}
				seen, told := run(t, f)
				if f.hits == 0 {
					t.Fatal("it was never called")
				}
				if diff := cmp.Diff(wantSeen, seen); diff != "" {
					t.Errorf("the client sees something else: %s", diff)
				}
				what, method, _ := strings.Cut(call, ".")
				drop := "dropped " + drops[what] + " "
				hasDrop := slices.Contains(told, drop)
				if how == "panic" && method != "Dropped" && !hasDrop {
					t.Errorf("the observer was not told %q: %q", drop, told)
				}
				drops := 0
				for _, e := range told {
					if e == drop {
						drops++
					}
				}
				if isOften := !strings.HasSuffix(what, "Provider") && method != "Dropped"; isOften && how == "panic" && drops != f.hits {
					t.Errorf("%d of %d losses were reported", drops, f.hits)
				}
				own := func(e string) bool {
					return e == drop || how == "panic" && strings.HasPrefix(e, strings.ToLower(method)+" ")
				}
				if what != "Observer" {
					own = func(e string) bool { return e == drop }
				}
				if diff := cmp.Diff(slices.DeleteFunc(slices.Clone(wantTold), own), slices.DeleteFunc(told, own)); diff != "" {
					t.Errorf("the observer was told something else: %s", diff)
				}
			})
		}
	}
}

// An interface may hold a nil pointer.
func TestRecorder_TypedNil(t *testing.T) {
	t.Parallel()
	var (
		tracers  *badTracers
		meters   *badMeters
		observer *badObserver
	)
	want := everything(t.Context(), messaging.New(messaging.Config{Scope: "test", System: "kafka"}))
	got := everything(t.Context(), messaging.New(messaging.Config{
		Scope: "test", System: "kafka", TracerProvider: tracers, MeterProvider: meters, Observer: observer, Start: []propagation.StartOption{nil},
	}))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A handler that fails in foreign code fails as its own, not as a lost one.
func TestWork_PanicOfAnErrorsMethods(t *testing.T) {
	t.Parallel()
	e := &events{}
	r := hostile(t, &fault{}, e)
	w := r.Begin(t.Context(), messaging.Process, &messaging.Batch{Destination: "orders", Partition: -1, Messages: 1})
	bad := &badError{}
	if err := w.Run(func(context.Context) error { return bad }); err != error(bad) {
		t.Errorf("Run returns %T", err)
	}
	if got := e.inOrder(); !slices.ContainsFunc(got, func(e string) bool { return strings.HasPrefix(e, "processed orders messages=1 failure") }) {
		t.Errorf("the observer was told %q", got)
	}
}

// badError is an error whose methods panic.
type badError struct{}

func (*badError) Error() string   { panic(errors.New("Error")) }
func (*badError) Unwrap() error   { panic(errors.New("Unwrap")) }
func (*badError) Is(error) bool   { panic(errors.New("Is")) }
func (*badError) As(any) bool     { panic(errors.New("As")) }
func (*badError) Timeout() bool   { panic(errors.New("Timeout")) }
func (*badError) Temporary() bool { panic(errors.New("Temporary")) }
