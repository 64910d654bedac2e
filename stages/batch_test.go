// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// batchProbe is an observer that remembers the sizes of batches, and in which span.
type batchProbe struct {
	*probe

	mu    sync.Mutex
	sizes []int
	spans []trace.SpanContext
}

func (p *batchProbe) Stage(observe.StageID) observe.RunObserver { return p }

func (p *batchProbe) Batched(ctx context.Context, b observe.Batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sizes = append(p.sizes, b.Rows)
	p.spans = append(p.spans, trace.SpanContextFromContext(ctx))
}

// remoteOf returns what a carrier held: span n of a trace of its own, and a waybill
// unless origin is zero.
func remoteOf(n int, origin time.Time) propagation.Remote {
	carrier := map[string]string{"traceparent": fmt.Sprintf("00-%032x-%016x-01", n, n)}
	if !origin.IsZero() {
		carrier["waybill"] = propagation.Waybill{Origin: origin, Sent: origin, Hops: 1}.String()
	}
	return propagation.ReadTextMap(mapCarrier(carrier), propagation.WithPropagator(propagation.Default()))
}

// mapCarrier is a carrier of text.
type mapCarrier map[string]string

func (c mapCarrier) Get(key string) string { return c[key] }
func (c mapCarrier) Set(key, value string) { c[key] = value }
func (c mapCarrier) Keys() (keys []string) {
	for key := range c {
		keys = append(keys, key)
	}
	return keys
}

func remotesOf(n int) []propagation.Remote {
	remotes := make([]propagation.Remote, n)
	for i := range remotes {
		remotes[i] = remoteOf(i+1, time.Time{})
	}
	return remotes
}

func TestBatch_Span(t *testing.T) {
	t.Parallel()
	twice := append(remotesOf(2), append(remotesOf(2), propagation.Remote{})...)
	for _, tt := range []struct {
		name           string
		remotes        []propagation.Remote
		opts           []stages.BatchOption
		rows           int
		links, dropped int
		isChild        bool // Of the first remote.
	}{
		{name: "no remotes", rows: 0},
		{name: "one continues its trace", remotes: remotesOf(1), rows: 1, links: 1, isChild: true},
		{name: "several are linked", remotes: remotesOf(3), rows: 3, links: 3},
		{name: "each context once, and only those that are valid", remotes: twice, rows: 5, links: 2},
		{name: "as many links as the limit", remotes: remotesOf(64), rows: 64, links: 64},
		{name: "more than the limit", remotes: remotesOf(1000), rows: 1000, links: 64, dropped: 936},
		{name: "another limit", remotes: remotesOf(1000), rows: 1000, links: 8, dropped: 992, opts: []stages.BatchOption{
			stages.WithStartOptions(propagation.WithMaxLinks(8)),
		}},
		{name: "rows without contexts", rows: 500, opts: []stages.BatchOption{nil, stages.WithRows(1), stages.WithRows(500)}},
		{name: "one is linked as told", remotes: remotesOf(1), rows: 1, links: 1, opts: []stages.BatchOption{
			stages.WithStartOptions(propagation.AsLink()),
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &batchProbe{probe: newProbe()}
			r := newRig(t, stages.WithObserver(p))
			err := stages.Batch(t.Context(), r.Stage, tt.remotes, func(ctx context.Context) error {
				stages.FromContext(ctx).Wrote(1)
				return errBoom
			}, tt.opts...)
			if err != errBoom {
				t.Errorf("Batch = %v, want %v", err, errBoom)
			}
			span := r.span(t)
			if len(span.Links) != tt.links || span.DroppedLinks != 0 {
				t.Errorf("%d links, %d dropped by the SDK, want %d, 0", len(span.Links), span.DroppedLinks, tt.links)
			}
			if got := span.Parent.IsValid(); got != tt.isChild {
				t.Errorf("has a parent: %t, want %t", got, tt.isChild)
			}
			want := map[string]string{"etl.batch.rows": strconv.Itoa(tt.rows), "waybill.links_dropped": strconv.Itoa(tt.dropped)}
			if tt.dropped == 0 {
				want["waybill.links_dropped"] = ""
			}
			for key, value := range want {
				if got := attributeOf(span, attribute.Key(key)); got != value {
					t.Errorf("%s = %q, want %q", key, got, value)
				}
			}
			if diff := cmp.Diff([]int{tt.rows}, p.sizes); diff != "" {
				t.Errorf("sizes (-want +got)\n%s", diff)
			}
			if !p.spans[0].Equal(span.SpanContext) {
				t.Errorf("the size was observed in span %v, want that of the run", p.spans[0].SpanID())
			}
			if got := p.last(t); got.Outcome != observe.OutcomeFailure || got.Wrote != 1 {
				t.Errorf("end = %+v, want a failure with one row", got)
			}
		})
	}
}

func TestBatch_SpanInContextStaysTheParent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, parent := r.spansProvider(t).Tracer("test").Start(t.Context(), "worker")
	for n := 1; n <= 2; n++ {
		_ = stages.Batch(ctx, r.Stage, remotesOf(n), func(context.Context) error { return nil })
		span := r.span(t)
		if span.Parent.SpanID() != parent.SpanContext().SpanID() || len(span.Links) != n {
			t.Errorf("%d rows: parent = %v, %d links, want the worker, %d", n, span.Parent.SpanID(), len(span.Links), n)
		}
		r.spans.Reset()
	}
	parent.End()
}

// Percentiles of the latency are of rows, however they are batched.
func TestBatch_Latency(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		ages  []time.Duration // Of the rows; 0 for one without a waybill.
		own   time.Duration   // Of the context around.
		opts  []stages.BatchOption
		err   error
		want  []time.Duration
		drops map[string]int
	}{
		{name: "one", ages: []time.Duration{time.Hour}, want: []time.Duration{time.Hour}},
		{name: "each row", ages: []time.Duration{time.Hour, time.Minute, 0, time.Minute}, want: []time.Duration{time.Hour, time.Minute, time.Minute}},
		{name: "rows come before the context around", ages: []time.Duration{time.Hour, time.Minute}, own: time.Second, want: []time.Duration{time.Hour, time.Minute}},
		{name: "no row has a waybill", ages: []time.Duration{0, 0}, own: time.Second, want: []time.Duration{time.Second}},
		{name: "no rows", own: time.Second, want: []time.Duration{time.Second}},
		{name: "only success counts", ages: []time.Duration{time.Hour}, err: errBoom},
		{name: "clock that is ahead", ages: []time.Duration{-time.Minute, time.Hour}, want: []time.Duration{0, time.Hour}, drops: map[string]int{"clock_skew": 1}},
		{name: "untrusted", ages: []time.Duration{time.Hour}, opts: []stages.BatchOption{stages.WithStartOptions(propagation.WithUntrusted())}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				ctx := t.Context()
				if tt.own != 0 {
					ctx = propagation.ContextWithWaybill(ctx, propagation.Waybill{Origin: time.Now().Add(-tt.own)})
				}
				var remotes []propagation.Remote
				for i, age := range tt.ages {
					origin := time.Now().Add(-age)
					if age == 0 {
						origin = time.Time{}
					}
					remotes = append(remotes, remoteOf(i+1, origin))
				}
				_ = stages.Batch(ctx, r.Stage, remotes, func(context.Context) error { return tt.err }, tt.opts...)
				if diff := cmp.Diff(tt.want, r.probe.latencies); diff != "" {
					t.Errorf("latencies (-want +got)\n%s", diff)
				}
				if tt.drops == nil {
					tt.drops = map[string]int{}
				}
				if diff := cmp.Diff(tt.drops, r.probe.drops); diff != "" {
					t.Errorf("drops (-want +got)\n%s", diff)
				}
			})
		})
	}
}

// What fn sends on has the oldest times of what it was made of, with and without
// telemetry.
func TestBatch_ContextHasTheOldestWaybill(t *testing.T) {
	t.Parallel()
	oldest := time.Unix(1_700_000_000, 0)
	remotes := []propagation.Remote{remoteOf(1, oldest.Add(time.Hour)), remoteOf(2, oldest), {}}
	for name, s := range map[string]*stages.Stage{
		"spans": newRig(t).Stage, "no spans": newRig(t, stages.WithoutSpans()).Stage, "nil stage": nil, "zero stage": {},
		"hostile tracer": newRig(t, stages.WithTracerProvider(hostileProvider{})).Stage,
	} {
		called := false
		if err := stages.Batch(t.Context(), s, remotes, func(ctx context.Context) error {
			called = true
			if got := propagation.WaybillFromContext(ctx).Origin; !got.Equal(oldest) {
				t.Errorf("%s: origin = %v, want %v", name, got, oldest)
			}
			return errBoom
		}); err != errBoom || !called {
			t.Errorf("%s: Batch = %v, called = %t, want %v, true", name, err, called, errBoom)
		}
	}
}

// Without a span of its own, a batch of one row is in the trace of the row.
func TestBatch_WithoutSpansKeepsTheTrace(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*stages.Stage{"no spans": newRig(t, stages.WithoutSpans()).Stage, "nil stage": nil} {
		remote := remoteOf(7, time.Time{})
		_ = stages.Batch(t.Context(), s, []propagation.Remote{remote}, func(ctx context.Context) error {
			if got := trace.SpanContextFromContext(ctx); !got.Equal(remote.SpanContext()) {
				t.Errorf("%s: span = %v, want %v", name, got, remote.SpanContext())
			}
			return nil
		})
	}
}

func TestBatch_BadInput(t *testing.T) {
	t.Parallel()
	p := &batchProbe{probe: newProbe()}
	r := newRig(t, stages.WithObserver(p))
	if err := stages.Batch(t.Context(), r.Stage, nil, nil); err != stages.ErrNilFunc {
		t.Errorf("nil function: %v, want ErrNilFunc", err)
	}
	if err := stages.Batch(nil, r.Stage, remotesOf(2), func(ctx context.Context) error { return ctx.Err() }, stages.WithRows(-1)); err != nil { //nolint:staticcheck // The test.
		t.Errorf("nil context: %v, want nil", err)
	}
	if diff := cmp.Diff([]int{2}, p.sizes); diff != "" || p.dropped("negative") != 1 {
		t.Errorf("negative rows: dropped %v, sizes (-want +got)\n%s", p.drops, diff)
	}
	if value := recovered(func() {
		_ = stages.Batch(t.Context(), r.Stage, nil, func(context.Context) error { panic(errBoom) })
	}); value != errBoom || p.last(t).Outcome != observe.OutcomePanic {
		t.Errorf("recovered %v, want %v", value, errBoom)
	}
}

func TestBatch_HostileObserverAndContext(t *testing.T) {
	t.Parallel()
	r := newRig(t, stages.WithObserver(observerFunc(func() observe.RunObserver { return hostileDrops{} })))
	for name, ctx := range map[string]context.Context{
		"observer": t.Context(),
		"Value":    hostileContext{Context: t.Context(), value: true},
		"Err":      hostileContext{Context: t.Context(), err: true},
	} {
		for _, s := range []*stages.Stage{r.Stage, nil} {
			if err := stages.Batch(ctx, s, remotesOf(2), func(context.Context) error { return errBoom }); err != errBoom {
				t.Errorf("%s: Batch = %v, want %v", name, err, errBoom)
			}
		}
	}
}

// A batch of items from a queue is linked to all the runs that put them.
func TestBatch_OfQueue(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	q := mustQueue(t, r.Stage, 3)
	transform := mustStage(t, mustPipeline(t, stages.WithTracerProvider(r.spansProvider(t))), "transform")
	for i := range 3 {
		_ = transform.Run(t.Context(), func(ctx context.Context) error { return q.Put(ctx, i) })
	}
	q.Close()
	var remotes []propagation.Remote
	for {
		item, err := q.Take(t.Context())
		if err != nil {
			break
		}
		remotes = append(remotes, item.Remote())
	}
	r.spans.Reset()
	_ = stages.Batch(t.Context(), r.Stage, remotes, func(context.Context) error { return nil })
	if got := r.span(t); len(got.Links) != 3 || got.Parent.IsValid() {
		t.Errorf("links = %v, parent = %v, want 3, none", got.Links, got.Parent)
	}
}

// In the context of an item, the batch is linked to the span that put it once.
func TestBatch_InTheContextOfAnItem(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		rows  int // Of those that are put, the first ones.
		links int
	}{
		{name: "another item", rows: 0, links: 1},
		{name: "the item", rows: 1, links: 1},
		{name: "several items", rows: 3, links: 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			q := mustQueue(t, r.Stage, 3)
			var items []stages.Item[int]
			for i := range 3 {
				_ = r.Run(t.Context(), func(ctx context.Context) error { return q.Put(ctx, i) })
				item, _ := q.Take(t.Context())
				items = append(items, item)
			}
			var remotes []propagation.Remote
			for _, item := range items[:tt.rows] {
				remotes = append(remotes, item.Remote())
			}
			r.spans.Reset()
			_ = stages.Batch(items[0].Context(t.Context()), r.Stage, remotes, func(context.Context) error { return nil })
			if got := r.span(t).Links; len(got) != tt.links {
				t.Errorf("%d links, want %d: %v", len(got), tt.links, got)
			}
		})
	}
}

func TestBatch_ConcurrentUse(t *testing.T) {
	t.Parallel()
	p := &batchProbe{probe: newProbe()}
	r := newRig(t, stages.WithObserver(p))
	remotes := remotesOf(10)
	var all sync.WaitGroup
	for range 128 {
		all.Go(func() {
			_ = stages.Batch(t.Context(), r.Stage, remotes, func(context.Context) error { return nil }, stages.WithRows(3))
		})
	}
	all.Wait()
	if len(p.sizes) != 128 || p.inFlight.Load() != 0 {
		t.Errorf("%d batches, %d in flight, want 128, 0", len(p.sizes), p.inFlight.Load())
	}
}

// The span of a batch shows how the contexts of its rows were read, if a journal asks.
func TestBatch_Journal(t *testing.T) {
	t.Parallel()
	var j propagation.Journal
	asked := propagation.ContextWithJournal(t.Context(), &j)
	for name, tt := range map[string]struct {
		ctx  context.Context //nolint:containedctx // of a case.
		want string
	}{"asked": {asked, "malformed traceparent: shorter than 55 bytes"}, "not asked": {t.Context(), ""}} {
		recorder := tracetest.NewSpanRecorder()
		p, err := stages.NewPipeline("orders", stages.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))))
		if err != nil {
			t.Fatal(err)
		}
		load, err := p.Stage("load")
		if err != nil {
			t.Fatal(err)
		}
		malformed := propagation.ReadTextMap(mapCarrier{"traceparent": "00-"}, propagation.WithPropagator(propagation.Default()))
		remotes := []propagation.Remote{remoteOf(1, time.Time{}), malformed}
		if err := stages.Batch(tt.ctx, load, remotes, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, kv := range recorder.Ended()[0].Attributes() {
			if kv.Key == "waybill.extract" {
				got = kv.Value.String()
			}
		}
		if got != tt.want {
			t.Errorf("%s: got waybill.extract %q, want %q", name, got, tt.want)
		}
	}
}
