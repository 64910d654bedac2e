// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"

	"github.com/waybill-go/waybill/internal/clock"
	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// BatchOption configures [Batch]. If an option is given more than once, the last one
// wins. Nil options are ignored.
type BatchOption interface {
	apply(batchConfig) batchConfig
}

type batchConfig struct {
	rows  int
	start []propagation.StartOption
}

type batchOptionFunc func(batchConfig) batchConfig

func (f batchOptionFunc) apply(c batchConfig) batchConfig { return f(c) }

// WithRows sets the number of rows of the batch. The default is the number of remotes,
// also if n is negative, which is counted as dropped telemetry.
func WithRows(n int) BatchOption {
	return batchOptionFunc(func(c batchConfig) batchConfig {
		c.rows = n
		return c
	})
}

// WithStartOptions sets how the span relates to the remotes, as
// [propagation.Start] does it. [propagation.WithMaxLinks] raises or lowers the number
// of links.
func WithStartOptions(opts ...propagation.StartOption) BatchOption {
	opts = slices.Clone(opts)
	return batchOptionFunc(func(c batchConfig) batchConfig {
		c.start = opts
		return c
	})
}

// maxBatchLinks is how many links the span of a batch has. It is half of what a span
// keeps, to leave room for those that the function adds, and each one costs memory.
const maxBatchLinks = 64

// Batch runs fn as one run of the stage that handles many rows together, and returns
// the error of fn. The remotes are the contexts that the rows came with: those that a
// carrier held, or [Item.Remote]. A row that came without one has the zero Remote, or
// none and is counted by [WithRows].
//
// The span is linked to the remotes as [propagation.Start] does it: each context once,
// at most 64, chosen evenly. By default a batch of several rows is a child of the span
// in ctx or a new root. A batch of one row, like one message, continues the trace of
// the row if ctx has no span. The context of fn has the oldest times of the waybills,
// and of one row also the baggage; so it is with a nil stage.
//
// The number of rows is on the span, as etl.batch.rows, and is observed if the
// observer is an [observe.BatchObserver]: 0 as well. What fn reads and writes it
// counts with its [Run]. If the run succeeds, the end-to-end latency of each row is
// observed whose remote has a waybill, so that percentiles are of rows, however they
// are batched. There is no span for each row; fn can start those that it needs.
//
// Panics, a nil ctx, a nil fn and a nil stage are as for [Stage.Run].
func Batch(ctx context.Context, s *Stage, remotes []propagation.Remote, fn func(context.Context) error, opts ...BatchOption) (err error) {
	if fn == nil {
		return ErrNilFunc
	}
	ctx = safe.Context(ctx)
	c := batchConfig{rows: len(remotes)}
	for _, opt := range opts {
		if opt != nil {
			c = opt.apply(c)
		}
	}
	if s.isZero() {
		return fn(startWithout(ctx, remotes, c.start))
	}
	run := s.beginBatch(ctx, remotes, c)
	defer run.end(&err)
	err = fn(run)
	run.returned = true
	return err
}

// startWithout returns the context of a run of remotes without a stage.
func startWithout(ctx context.Context, remotes []propagation.Remote, opts []propagation.StartOption) (started context.Context) {
	if len(remotes) == 0 {
		return ctx
	}
	defer safe.Contain() // The context of the user.
	started = ctx
	started, _ = propagation.Start(ctx, runTracer{}, "", remotes, opts...)
	return started
}

// beginBatch is begin for a batch.
func (s *Stage) beginBatch(ctx context.Context, remotes []propagation.Remote, cfg batchConfig) *call {
	if cfg.rows < 0 {
		cfg.rows = len(remotes)
		s.dropped(observe.DropNegative)
	}
	c := newCall(ctx, s)
	c.startBatch(remotes, cfg)
	c.start()
	s.batched(c, observe.Batch{Rows: cfg.rows})
	c.started = clock.Now()
	return c
}

// startBatch is startSpan for a batch. Without spans it passes on the contexts of the
// rows all the same.
func (c *call) startBatch(remotes []propagation.Remote, cfg batchConfig) {
	defer c.run.stage.contain(observe.DropTracer) // The context of the user.
	c.startFrom(remotes, slices.Concat([]propagation.StartOption{propagation.WithMaxLinks(maxBatchLinks)}, cfg.start, []propagation.StartOption{
		propagation.WithSpanOptions(c.run.stage.startOptions...),
		propagation.WithSpanOptions(trace.WithAttributes(batchRowsKey.Int(cfg.rows))),
	}))
	if propagation.IsUntrusted(c.Context) {
		remotes = nil // Their times are not believed either.
	}
	c.Context = &batchContext{Context: c.Context, remotes: remotes}
}

// startFrom is startSpan for a run of remotes.
func (c *call) startFrom(remotes []propagation.Remote, opts []propagation.StartOption) {
	defer c.run.stage.contain(observe.DropTracer)
	c.Context, _ = propagation.Start(c.Context, runTracer{call: c}, c.run.stage.spanName, remotes, opts...)
}

// runTracer is the tracer that [propagation.Start] starts the span of a run with. A
// run without a span keeps the one around it, and so does no run.
type runTracer struct {
	embedded.Tracer

	call *call
}

// Start implements [trace.Tracer].
func (t runTracer) Start(ctx context.Context, _ string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	if t.call != nil {
		if isItemLinked(ctx, opts) {
			ctx = context.WithValue(ctx, itemKey{}, nil)
		}
		t.call.Context = ctx
		if !t.call.run.stage.withoutSpans {
			t.call.startSpan(opts)
		}
		ctx = t.call.Context
	}
	return ctx, trace.SpanFromContext(ctx)
}

// isItemLinked reports whether opts have the link to the span that put the item that ctx
// belongs to.
func isItemLinked(ctx context.Context, opts []trace.SpanStartOption) bool {
	item, ok := itemLink(ctx)
	if !ok {
		return false
	}
	cfg := trace.NewSpanStartConfig(opts...)
	return slices.ContainsFunc(cfg.Links(), func(link trace.Link) bool {
		return link.SpanContext.SpanID() == item.SpanContext.SpanID() && link.SpanContext.TraceID() == item.SpanContext.TraceID()
	})
}

// batchContext is the context of a batch.
type batchContext struct {
	context.Context //nolint:containedctx // It is a context.

	remotes []propagation.Remote
}

// observeLatencies reports the end-to-end latency of each of the remotes that has a
// waybill. It reports whether there is one.
func (c *call) observeLatencies(remotes []propagation.Remote) (found bool) {
	for i := range remotes {
		found = c.observeOrigin(remotes[i].Waybill().Origin) || found
	}
	return found
}
