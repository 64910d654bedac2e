// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricembedded "go.opentelemetry.io/otel/metric/embedded"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// produce returns the document that a service wrote in a span of its own.
func produce(t testing.TB, provider trace.TracerProvider, span string) D {
	t.Helper()
	ctx, s := provider.Tracer("shop").Start(t.Context(), span, trace.WithSpanKind(trace.SpanKindProducer))
	defer s.End()
	return mongocarrier.InjectD(ctx, order(), full())
}

func nothing(context.Context) error { return nil }

// consumer returns a Consumer of orders in the service "worker" of f.
func consumer(f *flowtest.Flow, opts ...mongocarrier.ConsumerOption) *mongocarrier.Consumer {
	return mongocarrier.NewConsumer("orders", append([]mongocarrier.ConsumerOption{mongocarrier.WithTracerProvider(f.Service("worker"))}, opts...)...)
}

func TestConsumer_ContinuesTheFlow(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	remote := mongocarrier.ReadD(produce(t, f.Service("shop"), "insert orders"), full())
	err := consumer(f).Process(t.Context(), remote, func(ctx context.Context) error {
		if w := propagation.WaybillFromContext(ctx); w.Hops != 1 {
			t.Errorf("the waybill is %+v, want 1 hop", w)
		}
		_, s := f.Service("worker").Tracer("worker").Start(ctx, "ship")
		s.End()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	r := f.Wait(time.Second)
	r.RequireOneTrace()
	r.RequirePath("shop insert orders", "worker process orders", "worker ship")
	r.Span("process orders").Kind(trace.SpanKindConsumer).Remote().ChildOf("insert orders").LinkedTo("insert orders").
		Status(codes.Unset).NoAttr("error.type").NoAttr("messaging.batch.message_count")
}

func TestConsumer_AmbientSpanStaysTheParent(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	remote := mongocarrier.ReadD(produce(t, f.Service("shop"), "insert orders"), full())
	ctx, poll := f.Service("worker").Tracer("worker").Start(t.Context(), "poll")
	nameless := mongocarrier.NewConsumer("", mongocarrier.WithTracerProvider(f.Service("worker")))
	if err := nameless.Process(ctx, remote, nothing); err != nil {
		t.Error(err)
	}
	poll.End()
	f.Wait(time.Second).Span("process").ChildOf("poll").LinkedTo("insert orders").NoAttr("messaging.destination.name")
}

// The names, kinds and attributes of all spans.
func TestConsumer_Telemetry(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	var remotes []propagation.Remote
	for range 3 {
		remotes = append(remotes, mongocarrier.ReadD(produce(t, f.Service("shop"), "insert orders"), full()))
	}
	c := consumer(f)
	failed := errors.New("no stock")
	_ = c.Process(t.Context(), remotes[0], nothing)
	_ = c.Process(t.Context(), remotes[1], func(context.Context) error { return failed }, mongocarrier.WithAttempt(2))
	_ = c.Process(t.Context(), remotes[2], nothing, mongocarrier.WithContextSource(mongocarrier.ContextSourceCreation))
	_ = c.ProcessBatch(t.Context(), append(remotes, propagation.Remote{}), nothing)
	f.Wait(time.Second).Golden("testdata/process.flow",
		flowtest.WithAttributes("messaging.", "waybill."), flowtest.WithoutAttributes("waybill.document.age_seconds"))
}

// The names, units and attributes of all metrics, and their exemplars.
func TestConsumer_Metrics(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	c := consumer(flowtest.New(t), mongocarrier.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
	_ = c.ProcessBatch(t.Context(), make([]propagation.Remote, 3), func(context.Context) error { return io.EOF }, mongocarrier.WithAttempt(7))
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range collected.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			p := data.DataPoints[0]
			got = append(got, fmt.Sprintf("%s{%s} count %d, %d exemplars: %s", m.Name, m.Unit, p.Count, len(p.Exemplars), p.Attributes.Encoded(attribute.DefaultEncoder())))
		case metricdata.Sum[int64]:
			p := data.DataPoints[0]
			got = append(got, fmt.Sprintf("%s{%s} %d, %d exemplars: %s", m.Name, m.Unit, p.Value, len(p.Exemplars), p.Attributes.Encoded(attribute.DefaultEncoder())))
		}
	}
	slices.Sort(got)
	const common = "messaging.destination.name=orders,messaging.operation.name=process,messaging.operation.type=process,messaging.system=mongodb"
	want := []string{
		"messaging.client.consumed.messages{{message}} 3, 1 exemplars: " + common,
		"messaging.process.duration{s} count 1, 1 exemplars: error.type=eof," + common,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	if scope := collected.ScopeMetrics[0].Scope.Name; scope != "github.com/waybill-go/waybill/carriers/mongocarrier" {
		t.Errorf("the scope is %s", scope)
	}
}

func TestConsumer_TextOfUsersIsCleaned(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	c := mongocarrier.NewConsumer("Caf\xe9"+strings.Repeat("x", 5<<20),
		mongocarrier.WithTracerProvider(f.Service("worker")),
		mongocarrier.WithErrorDescription(func(error) string { return "\xff" + strings.Repeat("y", 5<<20) }))
	_ = c.Process(t.Context(), propagation.Remote{}, func(context.Context) error { return errors.New("x") })
	stub := f.Wait(time.Second).Spans()[0]
	texts := []string{stub.Name, stub.Status.Description}
	for _, a := range stub.Attributes {
		texts = append(texts, a.Value.String())
	}
	for _, text := range texts {
		if len(text) > 2048 || strings.ToValidUTF8(text, "?") != text {
			t.Errorf("a text of %d bytes was recorded: %.40q", len(text), text)
		}
	}
}

func TestConsumer_BatchLinksEachContextOnce(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	var remotes []propagation.Remote
	for i := range 300 {
		if i%3 == 0 {
			remotes = append(remotes, mongocarrier.ReadD(order(), full())) // One without a context.
			continue
		}
		tp := fmt.Sprintf("00-%032x-%016x-01", i/2+1, i/2+1)
		remotes = append(remotes, mongocarrier.ReadD(mongocarrier.InjectD(spanCtx(t, tp), order(), full()), full()))
	}
	if err := consumer(f).ProcessBatch(t.Context(), remotes, nothing); err != nil {
		t.Error(err)
	}
	stub := f.Wait(time.Second).Span("process orders").Attr("messaging.batch.message_count", 300).Stub()
	seen := map[trace.SpanID]bool{}
	for _, l := range stub.Links {
		seen[l.SpanContext.SpanID()] = true
	}
	if len(stub.Links) != 128 || len(seen) != 128 || stub.Parent.IsValid() {
		t.Errorf("%d links to %d spans, parent %v; want 128 links and no parent", len(stub.Links), len(seen), stub.Parent)
	}
}

func TestConsumer_EmptyPollMakesNoSpan(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	failed := errors.New("no work")
	called := false
	err := consumer(f).ProcessBatch(t.Context(), nil, func(ctx context.Context) error {
		called = ctx == t.Context()
		return failed
	})
	if err != failed || !called {
		t.Errorf("returned %v, called with the same ctx: %v", err, called)
	}
	if spans := f.Wait(time.Second).Spans(); len(spans) != 0 {
		t.Errorf("%d spans, want none", len(spans))
	}
}

func TestConsumer_ParentOrLink(t *testing.T) {
	t.Parallel()
	start := mongocarrier.WithStartOptions
	type options = []mongocarrier.ProcessOption
	for name, c := range map[string]struct {
		opts    options
		age     time.Duration
		newRoot bool
	}{
		"first attempt":           {opts: options{mongocarrier.WithAttempt(1)}},
		"second attempt":          {opts: options{mongocarrier.WithAttempt(2)}, newRoot: true},
		"no attempt":              {opts: options{mongocarrier.WithAttempt(0)}},
		"young enough":            {opts: options{start(propagation.WithMaxAge(time.Hour))}, age: time.Minute},
		"too old":                 {opts: options{start(propagation.WithMaxAge(time.Hour))}, age: 2 * time.Hour, newRoot: true},
		"untrusted":               {opts: options{start(propagation.WithUntrusted())}, newRoot: true},
		"asked for a link":        {opts: options{start(propagation.AsLink())}, newRoot: true},
		"written by the change":   {opts: options{mongocarrier.WithContextSource(mongocarrier.ContextSourceWritten)}},
		"of the creation":         {opts: options{mongocarrier.WithContextSource(mongocarrier.ContextSourceCreation)}, newRoot: true},
		"of the pre-image":        {opts: options{mongocarrier.WithContextSource(mongocarrier.ContextSourcePreImage)}, newRoot: true},
		"creation, as the parent": {opts: options{mongocarrier.WithContextSource(mongocarrier.ContextSourceCreation), start(propagation.AsParent())}},
		"nil options":             {opts: options{nil, start(nil)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := flowtest.New(t)
				ctx := withBaggage(t, stateCtx(t, traceparentA, "v=1"), "user=alice")
				withUser := full(propagation.WithBaggage("user"))
				remote := mongocarrier.ReadD(mongocarrier.InjectD(ctx, order(), withUser), withUser)
				time.Sleep(c.age)
				if err := consumer(f).Process(t.Context(), remote, nothing, c.opts...); err != nil {
					t.Error(err)
				}
				stub := f.Wait(time.Second).Span("process orders").Attr("waybill.document.age_seconds", c.age.Seconds()).Stub()
				if stub.Parent.IsValid() == c.newRoot {
					t.Errorf("the parent is %v, want a new root: %v", stub.Parent, c.newRoot)
				}
				if len(stub.Links) != 1 || stub.Links[0].SpanContext.TraceID() != remote.SpanContext().TraceID() {
					t.Errorf("the links are %v, want one to the sender", stub.Links)
				}
				if name == "untrusted" && stub.Links[0].SpanContext.TraceState().Len() != 0 {
					t.Error("the tracestate of an untrusted context was kept")
				}
			})
		})
	}
}

// What one call says wins over what the Consumer says.
func TestConsumer_OptionsOfACall(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	remote := mongocarrier.ReadD(produce(t, f.Service("shop"), "insert orders"), full())
	c := consumer(f, mongocarrier.WithStartOptions(propagation.AsLink()), mongocarrier.WithAttempt(2))
	for _, opts := range [][]mongocarrier.ProcessOption{nil, {mongocarrier.WithAttempt(1), mongocarrier.WithStartOptions()}} {
		if err := c.Process(t.Context(), remote, nothing, opts...); err != nil {
			t.Error(err)
		}
	}
	var roots, attempts []string
	for _, span := range f.Wait(time.Second).Spans() {
		if span.Name != "process orders" {
			continue
		}
		roots = append(roots, strconv.FormatBool(!span.Parent.IsValid()))
		for _, a := range span.Attributes {
			if a.Key == "waybill.document.attempt" {
				attempts = append(attempts, a.Value.String())
			}
		}
	}
	if diff := cmp.Diff([][]string{{"true", "false"}, {"2", "1"}}, [][]string{roots, attempts}); diff != "" {
		t.Errorf("new roots and attempts (-want +got):\n%s", diff)
	}
}

func TestConsumer_UntrustedDropsBaggage(t *testing.T) {
	t.Parallel()
	withUser := full(propagation.WithBaggage("user"))
	ctx := withBaggage(t, spanCtx(t, traceparentA), "user=alice")
	remote := mongocarrier.ReadD(mongocarrier.InjectD(ctx, order(), withUser), withUser)
	for _, c := range []struct {
		opt  propagation.StartOption
		want string
	}{{nil, "user=alice"}, {propagation.WithUntrusted(), ""}} {
		err := consumer(flowtest.New(t)).Process(t.Context(), remote, func(ctx context.Context) error {
			sent := trace.ContextWithSpanContext(ctx, spanContext(t, traceparentB, ""))
			if got := mongocarrier.Capture(sent, fullContext, propagation.WithBaggage("user")).Baggage; got != c.want {
				t.Errorf("the baggage is %q, want %q", got, c.want)
			}
			return nil
		}, mongocarrier.WithStartOptions(c.opt))
		if err != nil {
			t.Error(err)
		}
	}
}

// The times of an untrusted waybill may be made up.
func TestConsumer_UntrustedTimesAreNotMeasured(t *testing.T) {
	t.Parallel()
	o := &observer{}
	c := consumer(flowtest.New(t), mongocarrier.WithObserver(o), mongocarrier.WithStartOptions(propagation.WithUntrusted()))
	remote := mongocarrier.ReadD(mongocarrier.InjectD(sentAgo(spanCtx(t, traceparentA), time.Hour), order(), full()), full())
	if err := c.Process(t.Context(), remote, nothing); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{`processed orders 1 success ""`}, o.calls); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
}

// requestID is a propagator of a user's own.
type requestID struct{}

type requestKey struct{}

func (requestID) Inject(ctx context.Context, c propagation.TextMapCarrier) {
	if id, ok := ctx.Value(requestKey{}).(string); ok {
		c.Set("x-request-id", id)
	}
}

func (requestID) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	if id := c.Get("x-request-id"); id != "" {
		return context.WithValue(ctx, requestKey{}, id)
	}
	return ctx
}

func (requestID) Fields() []string { return []string{"x-request-id"} }

// Values of other propagators reach the function, and the next document.
func TestConsumer_KeepsWhatThePropagatorExtracted(t *testing.T) {
	t.Parallel()
	both := using(propagation.Compose(propagation.TraceContext{}, requestID{}))
	eachShape(t, func(t *testing.T, s shape) {
		sent := context.WithValue(spanCtx(t, traceparentA), requestKey{}, "r-1")
		doc := s.inject(t, sent, s.make(t, order()), both)
		var next any
		err := consumer(flowtest.New(t)).Process(t.Context(), s.read(doc, both), func(ctx context.Context) error {
			next = s.inject(t, ctx, s.make(t, order()), both)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if got := s.extract(t.Context(), next, both).Value(requestKey{}); got != "r-1" {
			t.Errorf("the next document has the request %v, want r-1", got)
		}
	})
}

// A relay writes its own context to the next carrier, and leaves that of the
// writer in the document.
func TestConsumer_RelayKeepsTheCreationContext(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	doc := produce(t, f.Service("shop"), "insert outbox")
	remote := mongocarrier.ReadD(doc, full())
	var next D
	relay := mongocarrier.NewConsumer("outbox", mongocarrier.WithTracerProvider(f.Service("relay")))
	err := relay.Process(t.Context(), remote, func(ctx context.Context) error {
		next = mongocarrier.InjectD(ctx, D{{"_id", "copy"}}, full())
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	stub := f.Wait(time.Second).Span("relay process outbox").ChildOf("insert outbox").LinkedTo("insert outbox").Stub()
	forwarded := mongocarrier.ReadD(next, full())
	if got := forwarded.SpanContext().SpanID(); got != stub.SpanContext.SpanID() {
		t.Errorf("the next carrier holds span %s, want the relay's %s", got, stub.SpanContext.SpanID())
	}
	if got := mongocarrier.ReadD(doc, full()).SpanContext(); !got.Equal(remote.SpanContext()) {
		t.Errorf("the document holds %v, want %v", got, remote.SpanContext())
	}
	if w := forwarded.Waybill(); w.Hops != 2 || !w.Origin.Equal(remote.Waybill().Origin) {
		t.Errorf("the waybill is %+v, want 2 hops from %v", w, remote.Waybill().Origin)
	}
}

// serverError is an error as a driver has them.
type serverError struct{ code int }

func (e serverError) Error() string { return fmt.Sprint("code ", e.code) }

type rudeError struct{}

func (rudeError) Error() string   { panic("rude") }
func (rudeError) Is(error) bool   { panic("rude") }
func (rudeError) Unwrap() []error { panic("rude") }

// circularError unwraps to itself.
type circularError struct{}

func (*circularError) Error() string   { return "circular" }
func (e *circularError) Unwrap() error { return e }

// errorTree returns an error whose tree has 2^depth leaves.
func errorTree(depth int) error {
	err := errors.New("leaf")
	for range depth {
		err = errors.Join(err, err)
	}
	return err
}

func TestConsumer_Outcomes(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, stop := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer stop()
	for name, c := range map[string]struct {
		ctx                context.Context //nolint:containedctx // the case is a ctx.
		err                error
		outcome, errorType string
		status             codes.Code
	}{
		"success":           {t.Context(), nil, "success", "", codes.Unset},
		"success, canceled": {canceled, nil, "success", "", codes.Unset},
		"failure":           {t.Context(), errors.New("x"), "failure", "*errors.errorString", codes.Error},
		"wrapped":           {t.Context(), fmt.Errorf("ship: %w", fmt.Errorf("insert: %w", serverError{121})), "failure", "github.com/waybill-go/waybill/carriers/mongocarrier_test.serverError", codes.Error},
		"a path":            {t.Context(), &os.PathError{Op: "open", Path: "/secret", Err: os.ErrNotExist}, "failure", "not_exist", codes.Error},
		"joined":            {t.Context(), errors.Join(errors.New("a"), errors.New("b")), "failure", "*errors.errorString", codes.Error},
		"canceled":          {canceled, fmt.Errorf("find: %w", context.Canceled), "cancelled", "canceled", codes.Unset},
		"canceled inside":   {t.Context(), context.Canceled, "failure", "canceled", codes.Error},
		"timeout":           {late, context.DeadlineExceeded, "timeout", "timeout", codes.Error},
		"timeout inside":    {t.Context(), context.DeadlineExceeded, "failure", "timeout", codes.Error},
		"timeout, canceled": {canceled, context.DeadlineExceeded, "failure", "timeout", codes.Error},
		"rude":              {canceled, rudeError{}, "failure", "github.com/waybill-go/waybill/carriers/mongocarrier_test.rudeError", codes.Error},
		"circular":          {canceled, &circularError{}, "failure", "*mongocarrier_test.circularError", codes.Error},
		"a tree":            {canceled, errorTree(40), "failure", "*errors.errorString", codes.Error},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := flowtest.New(t)
			o := &observer{}
			err := consumer(f, mongocarrier.WithObserver(o)).Process(c.ctx, propagation.Remote{}, func(context.Context) error { return c.err })
			if err != c.err {
				t.Errorf("returned %v", err)
			}
			span := f.Wait(time.Second).Span("process orders").Status(c.status)
			if c.errorType == "" {
				span.NoAttr("error.type")
			} else {
				span.ErrorType(c.errorType)
			}
			if got := o.processed(); got != fmt.Sprintf("processed orders 1 %s %q", c.outcome, c.errorType) {
				t.Errorf("observed %s, want %s %q", got, c.outcome, c.errorType)
			}
		})
	}
}

func TestConsumer_PanicContinuesWithItsValue(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	o := &observer{}
	c := consumer(f, mongocarrier.WithObserver(o))
	func() {
		defer func() {
			if v := recover(); v != "the value" {
				t.Errorf("recovered %v", v)
			}
		}()
		_ = c.Process(t.Context(), propagation.Remote{}, func(context.Context) error { panic("the value") })
	}()
	f.Wait(time.Second).Span("process orders").Status(codes.Error).ErrorType("panic")
	if got := o.processed(); got != `processed orders 1 panic "panic"` {
		t.Errorf("observed %s", got)
	}
}

func TestConsumer_Goexit(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	c := consumer(f)
	var all sync.WaitGroup
	all.Go(func() {
		_ = c.Process(t.Context(), propagation.Remote{}, func(context.Context) error { runtime.Goexit(); return nil })
	})
	all.Wait()
	f.Wait(time.Second).Span("process orders").Status(codes.Unset).ErrorType("canceled")
}

func TestConsumer_NilArguments(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	var none context.Context
	var nobody *mongocarrier.Consumer
	c := consumer(f, nil, mongocarrier.WithObserver(nil))
	if err := c.Process(t.Context(), propagation.Remote{}, nil); err == nil || !strings.HasPrefix(err.Error(), "mongocarrier: ") {
		t.Errorf("Process of a nil function returns %v", err)
	}
	for _, remotes := range [][]propagation.Remote{nil, {{}}} {
		if err := c.ProcessBatch(t.Context(), remotes, nil); err == nil {
			t.Error("ProcessBatch of a nil function returns no error")
		}
	}
	if spans := f.Wait(time.Second).Spans(); len(spans) != 0 {
		t.Errorf("%d spans, want none", len(spans))
	}
	hasContext := func(ctx context.Context) error {
		if ctx == nil {
			t.Error("the ctx is nil")
		}
		return nil
	}
	if err := errors.Join(
		c.ProcessBatch(none, nil, hasContext),
		c.ProcessBatch(none, []propagation.Remote{{}}, hasContext),
		c.Process(none, propagation.Remote{}, hasContext),
		c.Process(none, propagation.Remote{}, hasContext, mongocarrier.WithContextSource(mongocarrier.ContextSourceCreation)),
		nobody.Process(t.Context(), propagation.Remote{}, hasContext),
		nobody.ProcessBatch(t.Context(), []propagation.Remote{{}}, hasContext),
	); err != nil {
		t.Error(err)
	}
}

// observer writes down what it is notified of.
type observer struct {
	mu    sync.Mutex
	calls []string
	panic bool
}

var _ observe.MessagingObserver = (*observer)(nil)

func (o *observer) note(format string, args ...any) {
	if o.panic {
		panic("observer")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, fmt.Sprintf(format, args...))
}

// processed returns the only call of Processed.
func (o *observer) processed() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	only := slices.DeleteFunc(slices.Clone(o.calls), func(call string) bool { return !strings.HasPrefix(call, "processed") })
	return strings.Join(only, ", ")
}

func (o *observer) Arrived(ctx context.Context, a observe.Arrival) {
	if a.System != observe.SystemMongoDB || !trace.SpanContextFromContext(ctx).IsValid() {
		a.Destination += fmt.Sprintf("(of %s, without a span)", a.System)
	}
	o.note("arrived %s %v %v", a.Destination, a.Hop, a.EndToEnd)
}

func (o *observer) Processed(ctx context.Context, p observe.Process) {
	if p.System != observe.SystemMongoDB || !trace.SpanContextFromContext(ctx).IsValid() {
		p.Destination += fmt.Sprintf("(of %s, without a span)", p.System)
	}
	o.note("processed %s %d %s %q", p.Destination, p.Messages, p.Outcome, p.ErrorType)
}

func (o *observer) Failed(_ context.Context, f observe.Failure) {
	o.note("failed %s %s %s", f.Operation, f.Destination, f.ErrorType)
}

func (o *observer) Sent(context.Context, observe.Send)        { o.note("sent") }
func (o *observer) Fetched(context.Context, observe.Fetch)    { o.note("fetched") }
func (o *observer) Committed(context.Context, observe.Commit) { o.note("committed") }
func (o *observer) Dropped(d observe.Drop)                    { o.note("dropped %s", d.Reason) }

func TestConsumer_ObserverSeesTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := flowtest.New(t)
		o := &observer{}
		c := consumer(f, mongocarrier.WithObserver(o))
		remote := mongocarrier.ReadD(mongocarrier.InjectD(sentAgo(spanCtx(t, traceparentA), time.Minute), order(), full()), full())
		future := mongocarrier.ReadD(mongocarrier.InjectD(sentAgo(spanCtx(t, traceparentA), -time.Hour), order(), full()), full())
		ancient := mongocarrier.ReadD(D{{"_otel", D{{"waybill", propagation.Waybill{Origin: time.Unix(1, 0), Sent: time.Now(), Hops: 1}.String()}}}}, full())
		bad := mongocarrier.ReadD(D{{"_otel", D{{"traceparent", "garbage"}}}}, full())
		time.Sleep(3 * time.Second)
		if err := c.Process(t.Context(), remote, nothing); err != nil {
			t.Error(err)
		}
		if err := c.ProcessBatch(t.Context(), []propagation.Remote{remote, {}, bad, future, ancient}, nothing); err != nil {
			t.Error(err)
		}
		f.Wait(time.Second)
		want := []string{
			"arrived orders 3s 1m3s",
			`processed orders 1 success ""`,
			"arrived orders 3s 1m3s",
			"dropped malformed_context",
			"dropped clock_skew",
			"arrived orders 3s 0s",
			"dropped stale_waybill",
			`processed orders 5 success ""`,
		}
		if diff := cmp.Diff(want, o.calls); diff != "" {
			t.Errorf("observed (-want +got):\n%s", diff)
		}
	})
}

// hostileProcessor is a processor that panics where the field says.
type hostileProcessor struct{ start bool }

func (p hostileProcessor) OnStart(context.Context, sdktrace.ReadWriteSpan) {
	if p.start {
		panic("start")
	}
}
func (hostileProcessor) OnEnd(sdktrace.ReadOnlySpan)      { panic("end") }
func (hostileProcessor) Shutdown(context.Context) error   { return nil }
func (hostileProcessor) ForceFlush(context.Context) error { return nil }

// noTracer is a provider that panics.
type noTracer struct{ embedded.TracerProvider }

func (noTracer) Tracer(string, ...trace.TracerOption) trace.Tracer { panic("no tracer") }

// noMeter is a provider that panics.
type noMeter struct {
	metricembedded.MeterProvider
}

func (noMeter) Meter(string, ...metric.MeterOption) metric.Meter { panic("no meter") }

// Foreign code that panics changes neither the result nor what others record.
func TestConsumer_HostileTelemetry(t *testing.T) {
	t.Parallel()
	failed := errors.New("no stock")
	processed := `processed orders 1 failure "*errors.errorString"`
	for name, c := range map[string]struct {
		opts []mongocarrier.ConsumerOption
		want string
	}{
		"processor at start": {[]mongocarrier.ConsumerOption{mongocarrier.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(hostileProcessor{start: true})))}, processed},
		"processor at end":   {[]mongocarrier.ConsumerOption{mongocarrier.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(hostileProcessor{})))}, processed},
		"provider":           {[]mongocarrier.ConsumerOption{mongocarrier.WithTracerProvider(noTracer{})}, processed},
		"nil provider":       {[]mongocarrier.ConsumerOption{mongocarrier.WithTracerProvider((*sdktrace.TracerProvider)(nil))}, processed},
		"nil meter provider": {[]mongocarrier.ConsumerOption{mongocarrier.WithMeterProvider((*sdkmetric.MeterProvider)(nil))}, processed},
		"no meter":           {[]mongocarrier.ConsumerOption{mongocarrier.WithMeterProvider(noMeter{})}, processed},
		"nil observer":       {[]mongocarrier.ConsumerOption{mongocarrier.WithObserver((*observer)(nil))}, ""},
		"observer":           {[]mongocarrier.ConsumerOption{mongocarrier.WithObserver(&observer{panic: true})}, ""},
		"error description":  {[]mongocarrier.ConsumerOption{mongocarrier.WithErrorDescription(func(error) string { panic("describe") })}, processed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := &observer{}
			opts := append([]mongocarrier.ConsumerOption{mongocarrier.WithObserver(o), mongocarrier.WithTracerProvider(flowtest.New(t).Service("worker"))}, c.opts...)
			bad := mongocarrier.ReadD(D{{"_otel", D{{"traceparent", "garbage"}}}}, full())
			if err := mongocarrier.NewConsumer("orders", opts...).Process(t.Context(), bad, func(context.Context) error { return failed }); err != failed {
				t.Errorf("returned %v, want %v", err, failed)
			}
			if got := strings.ReplaceAll(o.processed(), "(of mongodb, without a span)", ""); got != c.want {
				t.Errorf("observed %q, want %q", got, c.want)
			}
		})
	}
}

func TestConsumer_ErrorDescription(t *testing.T) {
	t.Parallel()
	failure := errors.New("user alice has no stock")
	for name, c := range map[string]struct {
		opts []mongocarrier.ConsumerOption
		want string
	}{
		"default":    {nil, "*errors.errorString"},
		"nil":        {[]mongocarrier.ConsumerOption{mongocarrier.WithErrorDescription(nil)}, "user alice has no stock"},
		"a redactor": {[]mongocarrier.ConsumerOption{mongocarrier.WithErrorDescription(func(error) string { return "redacted" })}, "redacted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := flowtest.New(t)
			_ = consumer(f, c.opts...).Process(t.Context(), propagation.Remote{}, func(context.Context) error { return failure })
			stub := f.Wait(time.Second).Span("process orders").Stub()
			if stub.Status.Description != c.want {
				t.Errorf("the description is %q, want %q", stub.Status.Description, c.want)
			}
			if name != "nil" && strings.Contains(fmt.Sprintf("%+v", stub), "alice") {
				t.Errorf("the text of the error is in %+v", stub)
			}
		})
	}
}

// One Consumer is used by many goroutines.
func TestConsumer_Goroutines(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 8, 32, 128} {
		f := flowtest.New(t)
		o := &observer{}
		c := consumer(f, mongocarrier.WithObserver(o))
		doc := produce(t, f.Service("shop"), "insert orders")
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				remote := mongocarrier.ReadD(doc, full())
				opts := []mongocarrier.ProcessOption{mongocarrier.WithAttempt(i)}
				if i%2 == 0 {
					_ = c.Process(t.Context(), remote, nothing, opts...)
				} else {
					_ = c.ProcessBatch(t.Context(), []propagation.Remote{remote, {}}, nothing, opts...)
				}
			})
		}
		all.Wait()
		spans := 0
		for _, span := range f.Wait(time.Second).Spans() {
			if span.Name == "process orders" {
				spans++
			}
		}
		if got := strings.Count(o.processed(), "processed orders"); spans != n || got != n {
			t.Errorf("%d goroutines: %d spans and %d observations", n, spans, got)
		}
	}
}
