// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/messaging"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// Consumer records the work on the documents of a collection that is used as a
// queue: by a poller, a relay, or a reader of a change stream. A nil Consumer is
// treated as the one of [Process].
//
// Consumer is safe for concurrent use.
type Consumer struct {
	recorder   *messaging.Recorder
	collection string
	cfg        processConfig
}

// ConsumerOption configures a [Consumer]. If an option is given more than once,
// the last one wins. Nil options are ignored.
type ConsumerOption interface {
	applyConsumer(consumerConfig) consumerConfig
}

// ProcessOption describes the documents of one call of [Consumer.Process] or
// [Consumer.ProcessBatch]. Given to [NewConsumer], it is the default of all calls.
type ProcessOption interface {
	ConsumerOption
	applyProcess(processConfig) processConfig
}

type consumerConfig struct {
	messaging messaging.Config
	process   processConfig
}

type processConfig struct {
	start   []propagation.StartOption
	attempt int
	source  ContextSource
}

type consumerOption func(consumerConfig) consumerConfig

func (f consumerOption) applyConsumer(cfg consumerConfig) consumerConfig { return f(cfg) }

type processOption func(processConfig) processConfig

func (f processOption) applyProcess(cfg processConfig) processConfig { return f(cfg) }

func (f processOption) applyConsumer(cfg consumerConfig) consumerConfig {
	cfg.process = f(cfg.process)
	return cfg
}

// WithTracerProvider records spans with provider. If provider is nil, the global
// provider at the time of the call is used.
func WithTracerProvider(provider trace.TracerProvider) ConsumerOption {
	return consumerOption(func(cfg consumerConfig) consumerConfig { cfg.messaging.TracerProvider = provider; return cfg })
}

// WithMeterProvider records OpenTelemetry metrics with provider. If provider is
// nil, the global provider at the time of the call is used.
func WithMeterProvider(provider metric.MeterProvider) ConsumerOption {
	return consumerOption(func(cfg consumerConfig) consumerConfig { cfg.messaging.MeterProvider = provider; return cfg })
}

// WithObserver sets an observer that is notified of events, such as the one of
// package metrics. The default is none.
func WithObserver(observer observe.MessagingObserver) ConsumerOption {
	return consumerOption(func(cfg consumerConfig) consumerConfig { cfg.messaging.Observer = observer; return cfg })
}

// WithErrorDescription describes failed spans with the text that f returns for
// the error. If f is nil, it is err.Error(). By default spans have the error.type
// alone, because the text of an error may hold data of users.
func WithErrorDescription(f func(error) string) ConsumerOption {
	if f == nil {
		f = error.Error
	}
	return consumerOption(func(cfg consumerConfig) consumerConfig { cfg.messaging.Describe = f; return cfg })
}

// WithStartOptions sets how spans are related to the contexts of the documents:
// see [propagation.AsParent], [propagation.AsLink], [propagation.WithMaxAge] and
// [propagation.WithUntrusted].
func WithStartOptions(opts ...propagation.StartOption) ProcessOption {
	opts = slices.Clone(opts)
	return processOption(func(cfg processConfig) processConfig { cfg.start = opts; return cfg })
}

// WithAttempt sets how often a document has been handled, including this time.
// From the second attempt on, the span is a new root with a link, so that the
// trace of the sender does not grow with each failure.
func WithAttempt(n int) ProcessOption {
	return processOption(func(cfg processConfig) processConfig { cfg.attempt = n; return cfg })
}

// WithContextSource sets where in a change event the context was found, as
// [ReadChangeEvent] reports it. If the change itself did not write it, the
// span is a new root with a link, unless ctx has a span.
func WithContextSource(source ContextSource) ProcessOption {
	return processOption(func(cfg processConfig) processConfig { cfg.source = source; return cfg })
}

// NewConsumer returns a Consumer of the documents of collection, which names the
// spans and metrics. The name may be empty.
func NewConsumer(collection string, opts ...ConsumerOption) *Consumer {
	cfg := consumerConfig{messaging: messaging.Config{Scope: "carriers/mongocarrier", System: observe.SystemMongoDB}}
	for _, o := range opts {
		if o != nil {
			cfg = o.applyConsumer(cfg)
		}
	}
	return &Consumer{recorder: messaging.New(cfg.messaging), collection: collection, cfg: cfg.process}
}

// nameless is the Consumer of those who did not make one.
var nameless = NewConsumer("")

// Process calls fn in the span "process", which continues the context of a
// document. It is [Consumer.Process] of a Consumer without a collection and
// options.
func Process(ctx context.Context, remote propagation.Remote, fn func(context.Context) error) error {
	return nameless.Process(ctx, remote, fn)
}

// ProcessBatch calls fn in one span for all of remotes. It is
// [Consumer.ProcessBatch] of a Consumer without a collection and options.
func ProcessBatch(ctx context.Context, remotes []propagation.Remote, fn func(context.Context) error) error {
	return nameless.ProcessBatch(ctx, remotes, fn)
}

// errNilHandler is returned when the function that handles documents is nil.
var errNilHandler = errors.New("mongocarrier: the function that handles the document is nil")

// Process calls fn in the span "process C" of the collection C, which continues
// the context of a document, and returns the result of fn. Call it when a poller
// has claimed the document, or a stream has delivered it.
//
// By default a span in ctx stays the parent and the sender is linked; if ctx has
// no span, the sender is the parent and is linked too. [WithStartOptions],
// [WithAttempt] and [WithContextSource] change that. The context that fn is called
// with has the deadline and the values of ctx, and the waybill of the document,
// so that what fn injects is of the same flow. It names the collection to
// [observe.MessageFromContext], which a log handler of package stages reads.
//
// If fn returns an error, the span's status is Error and error.type is set,
// unless ctx was canceled. A panic is recorded too, and continues with its own
// value. A nil fn is an error.
func (c *Consumer) Process(ctx context.Context, remote propagation.Remote, fn func(context.Context) error, opts ...ProcessOption) error {
	if fn == nil {
		return errNilHandler
	}
	b := messaging.Batch{Messages: 1}
	return c.process(ctx, &b, []propagation.Remote{remote}, fn, opts)
}

// ProcessBatch calls fn in one span for all of remotes, with a link to each, and
// returns the result of fn. Equal contexts are linked once, and at most 128,
// chosen evenly; the attribute waybill.link_count is their true number, and
// messaging.batch.message_count the number of documents.
//
// If remotes is empty, fn is called with ctx and without a span. The rest is as
// for [Consumer.Process].
func (c *Consumer) ProcessBatch(ctx context.Context, remotes []propagation.Remote, fn func(context.Context) error, opts ...ProcessOption) error {
	if fn == nil {
		return errNilHandler
	}
	if len(remotes) == 0 {
		return fn(propagation.Remote{}.Context(ctx))
	}
	b := messaging.Batch{Messages: len(remotes), Attributes: []attribute.KeyValue{messaging.MessageCount(len(remotes))}}
	return c.process(ctx, &b, remotes, fn, opts)
}

func (c *Consumer) process(ctx context.Context, b *messaging.Batch, remotes []propagation.Remote, fn func(context.Context) error, opts []ProcessOption) error {
	if c == nil {
		c = nameless
	}
	cfg := c.cfg
	for _, o := range opts {
		if o != nil {
			cfg = o.applyProcess(cfg)
		}
	}
	b.Destination, b.Partition, b.Offset = c.collection, -1, -1
	b.Attributes = append(b.Attributes, cfg.attributes(remotes)...)
	b.Start = cfg.startOptions(ctx)
	w := c.recorder.Begin(ctx, messaging.Process, b, remotes...)
	c.recorder.Consumed(w.Context(), messaging.Process, c.collection, -1, b.Messages)
	if !propagation.IsUntrusted(w.Context()) { // Their times may be made up.
		for i := range remotes {
			c.recorder.Arrived(w.Context(), c.collection, &remotes[i])
		}
	}
	return w.Run(fn)
}

// startOptions returns how the span starts.
func (cfg *processConfig) startOptions(ctx context.Context) []propagation.StartOption {
	isStale := cfg.source == ContextSourceCreation || cfg.source == ContextSourcePreImage
	if cfg.attempt > 1 || isStale && (ctx == nil || !trace.SpanContextFromContext(ctx).IsValid()) {
		return append([]propagation.StartOption{propagation.AsLink()}, cfg.start...)
	}
	return cfg.start
}

// The attributes of the spans of documents beside those of the semantic
// conventions.
const (
	keyAge     = attribute.Key("waybill.document.age_seconds")    // Since the oldest of the documents was sent.
	keyAttempt = attribute.Key("waybill.document.attempt")        // See WithAttempt.
	keySource  = attribute.Key("waybill.document.context_source") // See WithContextSource.
)

// attributes returns what is recorded of documents.
func (cfg *processConfig) attributes(remotes []propagation.Remote) []attribute.KeyValue {
	var attributes []attribute.KeyValue
	if age, ok := oldest(remotes); ok {
		attributes = append(attributes, keyAge.Float64(age.Seconds()))
	}
	if cfg.attempt > 0 {
		attributes = append(attributes, keyAttempt.Int(cfg.attempt))
	}
	if cfg.source != ContextSourceNone {
		attributes = append(attributes, keySource.String(cfg.source.String()))
	}
	return attributes
}

// oldest returns how long ago the first of the documents was sent.
func oldest(remotes []propagation.Remote) (age time.Duration, known bool) {
	for _, r := range remotes {
		if sent := r.Waybill().Sent; !sent.IsZero() {
			age, known = max(age, time.Since(sent)), true
		}
	}
	return age, known
}
