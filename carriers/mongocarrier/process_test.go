// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/flowtest"
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

func TestProcessContinuesTheFlow(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	doc := produce(t, f.Service("shop"), "insert orders")
	remote := mongocarrier.ReadD(doc, full())
	err := mongocarrier.Process(t.Context(), remote, func(ctx context.Context) error {
		if w := propagation.WaybillFromContext(ctx); w.Hops != 1 {
			t.Errorf("the waybill is %+v", w)
		}
		_, s := f.Service("worker").Tracer("worker").Start(ctx, "ship")
		s.End()
		return nil
	}, mongocarrier.WithTracerProvider(f.Service("worker")), mongocarrier.WithCollection("orders"))
	if err != nil {
		t.Error(err)
	}
	r := f.Wait(time.Second)
	r.RequireOneTrace()
	r.RequirePath("shop insert orders", "worker process orders", "worker ship")
	r.Span("process orders").Kind(trace.SpanKindConsumer).Remote().ChildOf("insert orders").LinkedTo("insert orders").
		Status(codes.Unset).NoAttr("error.type").NoAttr("messaging.batch.message_count")
}

// An ambient span stays the parent.
func TestProcessInASpan(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	remote := mongocarrier.ReadD(produce(t, f.Service("shop"), "insert orders"), full())
	ctx, poll := f.Service("worker").Tracer("worker").Start(t.Context(), "poll")
	if err := mongocarrier.Process(ctx, remote, nothing, mongocarrier.WithTracerProvider(f.Service("worker"))); err != nil {
		t.Error(err)
	}
	poll.End()
	f.Wait(time.Second).Span("process").ChildOf("poll").LinkedTo("insert orders").NoAttr("messaging.destination.name")
}

// Golden telemetry: the names, kinds and attributes of all spans.
func TestTelemetryIsPinned(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	var remotes []propagation.Remote
	for range 3 {
		remotes = append(remotes, mongocarrier.ReadD(produce(t, f.Service("shop"), "insert orders"), full()))
	}
	opts := []mongocarrier.Option{mongocarrier.WithTracerProvider(f.Service("worker")), mongocarrier.WithCollection("orders")}
	failed := errors.New("no stock")
	_ = mongocarrier.Process(t.Context(), remotes[0], nothing, opts...)
	_ = mongocarrier.Process(t.Context(), remotes[1], func(context.Context) error { return failed }, append(opts, mongocarrier.WithAttempt(2))...)
	_ = mongocarrier.Process(t.Context(), remotes[2], nothing, append(opts, mongocarrier.WithOrigin(mongocarrier.Creation))...)
	_ = mongocarrier.ProcessBatch(t.Context(), append(remotes, propagation.Remote{}), nothing, opts...)
	f.Wait(time.Second).Golden("testdata/process.flow",
		flowtest.WithAttributes("messaging."), flowtest.WithoutAttributes("messaging.mongodb.document.age_seconds"))
}

// Rule 31.
func TestProcessBatchLinksEachContextOnce(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	var remotes []propagation.Remote
	for i := range 300 {
		if i%3 == 0 {
			remotes = append(remotes, mongocarrier.ReadD(order(), full())) // one without a context.
			continue
		}
		tp := fmt.Sprintf("00-%032x-%016x-01", i/2+1, i/2+1)
		remotes = append(remotes, mongocarrier.ReadD(mongocarrier.InjectD(spanCtx(t, tp), order(), full()), full()))
	}
	if err := mongocarrier.ProcessBatch(t.Context(), remotes, nothing, mongocarrier.WithTracerProvider(f.Service("worker"))); err != nil {
		t.Error(err)
	}
	stub := f.Wait(time.Second).Span("process").Attr("messaging.batch.message_count", 300).Stub()
	seen := map[trace.SpanID]bool{}
	for _, l := range stub.Links {
		seen[l.SpanContext.SpanID()] = true
	}
	if len(stub.Links) != 128 || len(seen) != 128 || stub.Parent.IsValid() {
		t.Errorf("%d links to %d spans, parent %v", len(stub.Links), len(seen), stub.Parent)
	}
}

// Rules 31 and 32: nothing to do is no span.
func TestEmptyPollMakesNoSpan(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	failed := errors.New("no work")
	called := false
	err := mongocarrier.ProcessBatch(t.Context(), nil, func(ctx context.Context) error {
		called = ctx == t.Context()
		return failed
	}, mongocarrier.WithTracerProvider(f.Service("worker")))
	if err != failed || !called {
		t.Errorf("%v, %v", called, err)
	}
	if spans := f.Wait(time.Second).Spans(); len(spans) != 0 {
		t.Errorf("%d spans", len(spans))
	}
}

// Rules 32, 35 and 44.
func TestParentOrLink(t *testing.T) {
	t.Parallel()
	start := mongocarrier.WithStartOptions
	for name, c := range map[string]struct {
		opts    []mongocarrier.Option
		age     time.Duration
		newRoot bool
	}{
		"first attempt":           {opts: []mongocarrier.Option{mongocarrier.WithAttempt(1)}},
		"second attempt":          {opts: []mongocarrier.Option{mongocarrier.WithAttempt(2)}, newRoot: true},
		"no attempt":              {opts: []mongocarrier.Option{mongocarrier.WithAttempt(0)}},
		"young enough":            {opts: []mongocarrier.Option{start(propagation.WithMaxAge(time.Hour))}, age: time.Minute},
		"too old":                 {opts: []mongocarrier.Option{start(propagation.WithMaxAge(time.Hour))}, age: 2 * time.Hour, newRoot: true},
		"untrusted":               {opts: []mongocarrier.Option{start(propagation.WithUntrusted())}, newRoot: true},
		"asked for a link":        {opts: []mongocarrier.Option{start(propagation.AsLink())}, newRoot: true},
		"written by the change":   {opts: []mongocarrier.Option{mongocarrier.WithOrigin(mongocarrier.Written)}},
		"of the creation":         {opts: []mongocarrier.Option{mongocarrier.WithOrigin(mongocarrier.Creation)}, newRoot: true},
		"of the pre-image":        {opts: []mongocarrier.Option{mongocarrier.WithOrigin(mongocarrier.PreImage)}, newRoot: true},
		"creation, as the parent": {opts: []mongocarrier.Option{mongocarrier.WithOrigin(mongocarrier.Creation), start(propagation.AsParent())}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := flowtest.New(t)
				ctx := withBaggage(t, stateCtx(t, traceparentA, "v=1"), "user=alice")
				withUser := mongocarrier.WithBaggage("user")
				remote := mongocarrier.ReadD(mongocarrier.InjectD(ctx, order(), full(), withUser), full(), withUser)
				time.Sleep(c.age)
				opts := append(slices.Clip(c.opts), mongocarrier.WithTracerProvider(f.Service("worker")))
				if err := mongocarrier.Process(t.Context(), remote, nothing, opts...); err != nil {
					t.Error(err)
				}
				stub := f.Wait(time.Second).Span("process").Attr("messaging.mongodb.document.age_seconds", c.age.Seconds()).Stub()
				if stub.Parent.IsValid() == c.newRoot {
					t.Errorf("the parent is %v", stub.Parent)
				}
				if len(stub.Links) != 1 || stub.Links[0].SpanContext.TraceID() != remote.SpanContext().TraceID() {
					t.Errorf("the links are %v", stub.Links)
				}
				if name == "untrusted" && stub.Links[0].SpanContext.TraceState().Len() != 0 {
					t.Error("the tracestate of a stranger was kept")
				}
			})
		})
	}
}

// Rule 44: what a stranger wrote to a document reaches nobody.
func TestUntrustedDropsBaggage(t *testing.T) {
	t.Parallel()
	withUser := mongocarrier.WithBaggage("user")
	ctx := withBaggage(t, spanCtx(t, traceparentA), "user=alice")
	remote := mongocarrier.ReadD(mongocarrier.InjectD(ctx, order(), full(), withUser), full(), withUser)
	for _, c := range []struct {
		opt  propagation.StartOption
		want string
	}{{nil, "user=alice"}, {propagation.WithUntrusted(), ""}} {
		_ = mongocarrier.Process(t.Context(), remote, func(ctx context.Context) error {
			if got := mongocarrier.Capture(trace.ContextWithSpanContext(ctx, spanContext(t, traceparentB, "")), full(), withUser).Baggage; got != c.want { //nolint:contextcheck // reading takes none.
				t.Errorf("the baggage is %q, want %q", got, c.want)
			}
			return nil
		}, mongocarrier.WithTracerProvider(flowtest.New(t).Service("worker")), mongocarrier.WithStartOptions(c.opt))
	}
}

// Rules 24 and 33: a relay writes its own context to the next carrier, and
// leaves that of the one who wrote in the document.
func TestRelayKeepsTheCreationContext(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	shop, relay := f.Service("shop"), f.Service("relay")
	doc := produce(t, shop, "insert outbox")
	remote := mongocarrier.ReadD(doc, full())
	var next D
	err := mongocarrier.Process(t.Context(), remote, func(ctx context.Context) error {
		next = mongocarrier.InjectD(ctx, D{{"_id", "copy"}}, full())
		return nil
	}, mongocarrier.WithTracerProvider(relay), mongocarrier.WithCollection("outbox"))
	if err != nil {
		t.Error(err)
	}
	stub := f.Wait(time.Second).Span("relay process outbox").ChildOf("insert outbox").LinkedTo("insert outbox").Stub()
	forwarded := mongocarrier.ReadD(next, full())
	if got := forwarded.SpanContext().SpanID(); got != stub.SpanContext.SpanID() {
		t.Errorf("the next carrier holds span %s, not the relay's", got)
	}
	if got := mongocarrier.ReadD(doc, full()).SpanContext(); !got.Equal(remote.SpanContext()) {
		t.Errorf("the document holds %v now", got)
	}
	if w := forwarded.Waybill(); w.Hops != 2 || !w.Origin.Equal(remote.Waybill().Origin) {
		t.Errorf("the waybill is %+v", w)
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

// Naming an error takes little time, whatever it wraps.
func TestProcess_ErrorsThatDoNotEnd(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{"circular": &circularError{}, "tree": errorTree(40)} {
		for _, ctx := range []context.Context{t.Context(), canceled} {
			if got := mongocarrier.Process(ctx, propagation.Remote{}, func(context.Context) error { return err }); got != err {
				t.Errorf("%s: got %v", name, got)
			}
		}
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, stop := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer stop()
	for name, c := range map[string]struct {
		ctx                context.Context //nolint:containedctx // the case is a ctx.
		err                error
		outcome, errorType string
		status             codes.Code
	}{
		"success":            {t.Context(), nil, "success", "", codes.Unset},
		"success, cancelled": {cancelled, nil, "success", "", codes.Unset},
		"failure":            {t.Context(), errors.New("x"), "failure", "*errors.errorString", codes.Error},
		"wrapped":            {t.Context(), fmt.Errorf("ship: %w", fmt.Errorf("insert: %w", serverError{121})), "failure", "github.com/waybill-go/waybill/carriers/mongocarrier_test.serverError", codes.Error},
		"a path":             {t.Context(), &os.PathError{Op: "open", Path: "/secret", Err: os.ErrNotExist}, "failure", "not_exist", codes.Error},
		"joined":             {t.Context(), errors.Join(errors.New("a"), errors.New("b")), "failure", "*errors.errorString", codes.Error},
		"cancelled":          {cancelled, fmt.Errorf("find: %w", context.Canceled), "cancelled", "canceled", codes.Unset},
		"cancelled inside":   {t.Context(), context.Canceled, "failure", "canceled", codes.Error},
		"timeout":            {late, context.DeadlineExceeded, "timeout", "timeout", codes.Error},
		"timeout inside":     {t.Context(), context.DeadlineExceeded, "failure", "timeout", codes.Error},
		"timeout, cancelled": {cancelled, context.DeadlineExceeded, "failure", "timeout", codes.Error},
		"rude":               {cancelled, rudeError{}, "failure", "github.com/waybill-go/waybill/carriers/mongocarrier_test.rudeError", codes.Error},
	} {
		t.Run(name, func(t *testing.T) {
			f := flowtest.New(t)
			observer := &observer{}
			err := mongocarrier.Process(c.ctx, propagation.Remote{}, func(context.Context) error { return c.err },
				mongocarrier.WithTracerProvider(f.Service("worker")), mongocarrier.WithObserver(observer), mongocarrier.WithCollection("orders"))
			if err != c.err {
				t.Errorf("returned %v", err)
			}
			span := f.Wait(time.Second).Span("process orders").Status(c.status)
			if c.errorType == "" {
				span.NoAttr("error.type")
			} else {
				span.ErrorType(c.errorType)
			}
			want := []string{fmt.Sprintf("processed orders 1 %s %q", c.outcome, c.errorType)}
			if diff := cmp.Diff(want, observer.calls); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPanicGoesOnWithItsValue(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	observer := &observer{}
	func() {
		defer func() {
			if v := recover(); v != "the value" {
				t.Errorf("recovered %v", v)
			}
		}()
		_ = mongocarrier.Process(t.Context(), propagation.Remote{}, func(context.Context) error { panic("the value") },
			mongocarrier.WithTracerProvider(f.Service("worker")), mongocarrier.WithObserver(observer))
	}()
	f.Wait(time.Second).Span("process").Status(codes.Error).ErrorType("panic")
	if diff := cmp.Diff([]string{`processed  1 panic "panic"`}, observer.calls); diff != "" {
		t.Error(diff)
	}
}

func TestNilHandlerIsAnError(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	opt := mongocarrier.WithTracerProvider(f.Service("worker"))
	if err := mongocarrier.Process(t.Context(), propagation.Remote{}, nil, opt); err == nil {
		t.Error("no error")
	}
	for _, remotes := range [][]propagation.Remote{nil, {{}}} {
		if err := mongocarrier.ProcessBatch(t.Context(), remotes, nil, opt); err == nil {
			t.Error("no error of a batch")
		}
	}
	if spans := f.Wait(time.Second).Spans(); len(spans) != 0 {
		t.Errorf("%d spans", len(spans))
	}
	var none context.Context
	err := mongocarrier.ProcessBatch(none, nil, func(ctx context.Context) error {
		if ctx == nil {
			t.Error("the ctx is nil")
		}
		return nil
	}, opt)
	if err != nil {
		t.Error(err)
	}
	if err := mongocarrier.Process(none, propagation.Remote{}, nothing, opt); err != nil {
		t.Error(err)
	}
}

// observer writes down what it is called with.
type observer struct {
	mu    sync.Mutex
	calls []string
	panic bool
}

func (o *observer) note(format string, args ...any) {
	if o.panic {
		panic("observer")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, fmt.Sprintf(format, args...))
}

func (o *observer) MongoTravelled(ctx context.Context, collection string, hop, endToEnd time.Duration) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		collection += "(no span)"
	}
	o.note("travelled %s %v %v", collection, hop, endToEnd)
}

func (o *observer) MongoProcessed(_ context.Context, collection string, documents int, outcome, errorType string) {
	o.note("processed %s %d %s %q", collection, documents, outcome, errorType)
}

func (o *observer) MongoDropped(reason string) { o.note("dropped %s", reason) }

func TestObserverSeesTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := flowtest.New(t)
		observer := &observer{}
		opts := []mongocarrier.Option{mongocarrier.WithTracerProvider(f.Service("worker")), mongocarrier.WithObserver(observer), mongocarrier.WithCollection("orders")}
		remote := mongocarrier.ReadD(mongocarrier.InjectD(sentAgo(spanCtx(t, traceparentA), time.Minute), order(), full()), full())
		future := mongocarrier.ReadD(mongocarrier.InjectD(sentAgo(spanCtx(t, traceparentA), -time.Hour), order(), full()), full())
		bad := mongocarrier.ReadD(D{{"_otel", D{{"traceparent", "garbage"}}}}, full())
		time.Sleep(3 * time.Second)
		if err := mongocarrier.Process(t.Context(), remote, nothing, opts...); err != nil {
			t.Error(err)
		}
		if err := mongocarrier.ProcessBatch(t.Context(), []propagation.Remote{remote, {}, bad, future}, nothing, opts...); err != nil {
			t.Error(err)
		}
		f.Wait(time.Second)
		want := []string{
			"travelled orders 3s 1m3s",
			`processed orders 1 success ""`,
			"travelled orders 3s 1m3s",
			"dropped malformed_context",
			"dropped clock_skew",
			"travelled orders 3s 0s",
			`processed orders 4 success ""`,
		}
		if diff := cmp.Diff(want, observer.calls); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPanickingObserverChangesNothing(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	remote := mongocarrier.ReadD(mongocarrier.InjectD(spanCtx(t, traceparentA), order(), full()), full())
	failed := errors.New("no stock")
	bad := mongocarrier.ReadD(D{{"_otel", D{{"traceparent", "garbage"}}}}, full())
	err := mongocarrier.ProcessBatch(t.Context(), []propagation.Remote{remote, bad}, func(context.Context) error { return failed },
		mongocarrier.WithTracerProvider(f.Service("worker")), mongocarrier.WithObserver(&observer{panic: true}))
	if err != failed {
		t.Errorf("returned %v", err)
	}
	f.Wait(time.Second).Span("process").Times(1).Status(codes.Error)
}

// panicking is a processor that panics where the field says.
type panicking struct{ start bool }

func (p panicking) OnStart(context.Context, sdktrace.ReadWriteSpan) {
	if p.start {
		panic("start")
	}
}
func (panicking) OnEnd(sdktrace.ReadOnlySpan)      { panic("end") }
func (panicking) Shutdown(context.Context) error   { return nil }
func (panicking) ForceFlush(context.Context) error { return nil }

// noTracer is a provider that panics.
type noTracer struct{ embedded.TracerProvider }

func (noTracer) Tracer(string, ...trace.TracerOption) trace.Tracer { panic("no tracer") }

func TestPanickingTracingChangesNothing(t *testing.T) {
	t.Parallel()
	failed := errors.New("no stock")
	for p, provider := range map[string]trace.TracerProvider{
		"at start":     sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(panicking{start: true})),
		"at the end":   sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(panicking{start: false})),
		"the provider": noTracer{},
	} {
		observer := &observer{}
		err := mongocarrier.Process(t.Context(), propagation.Remote{}, func(context.Context) error { return failed },
			mongocarrier.WithTracerProvider(provider), mongocarrier.WithObserver(observer))
		if err != failed {
			t.Errorf("%s: returned %v", p, err)
		}
		if diff := cmp.Diff([]string{`processed  1 failure "*errors.errorString"`}, observer.calls); diff != "" {
			t.Errorf("%s: %s", p, diff)
		}
	}
}

func TestSpanNamesNoSecret(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	err := errors.New("user alice has no stock")
	_ = mongocarrier.Process(t.Context(), propagation.Remote{}, func(context.Context) error { return err }, mongocarrier.WithTracerProvider(f.Service("worker")))
	if stub := f.Wait(time.Second).Span("process").Stub(); strings.Contains(fmt.Sprintf("%+v", stub), "alice") {
		t.Errorf("the text of the error is in %+v", stub)
	}
}
