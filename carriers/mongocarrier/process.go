// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/semconv"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// The attributes of messaging spans, which those of a collection that is used
// as a queue are. https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
const (
	keySystem        = attribute.Key("messaging.system")
	keyOperationName = attribute.Key("messaging.operation.name")
	keyOperationType = attribute.Key("messaging.operation.type")
	keyDestination   = attribute.Key("messaging.destination.name")
	keyBatchCount    = attribute.Key("messaging.batch.message_count")
)

// The attributes that the conventions have no name for.
const (
	keyAge     = attribute.Key("messaging.mongodb.document.age_seconds") // Since the oldest of the documents was sent.
	keyAttempt = attribute.Key("messaging.mongodb.document.attempt")     // What WithAttempt says.
	keyOrigin  = attribute.Key("messaging.mongodb.document.origin")      // What WithOrigin says.
)

var errNilHandler = errors.New("the function that handles the document is nil")

// Process calls fn in the span "process C" of the collection C, which continues
// the context that a document held, and returns what fn returned. Use it once a
// poller has claimed the document, or a stream has delivered it.
//
// By default a span in ctx stays the parent and the sender is linked; with none
// the sender is the parent, and linked too; [WithStartOptions], [WithAttempt]
// and [WithOrigin] change that. The ctx of fn has the deadline and the values
// of ctx, and the waybill of the document, so what fn injects goes on with it.
//
// An error of fn makes the span an error with its type in error.type, unless it
// only says that ctx was cancelled. A panic does too, and goes on up with its
// own value. A nil fn is an error.
func Process(ctx context.Context, remote propagation.Remote, fn func(context.Context) error, opts ...Option) error {
	cfg := newConfig(opts)
	return cfg.process(ctx, []propagation.Remote{remote}, fn)
}

// ProcessBatch calls fn in one span for all of remotes, with a link to each,
// and returns what fn returned. Equal contexts are linked once, and at most
// 128, chosen evenly; the attribute waybill.link_count is the true number and
// messaging.batch.message_count that of the documents.
//
// Without documents fn is called with ctx and no span. The ends are those of
// [Process].
func ProcessBatch(ctx context.Context, remotes []propagation.Remote, fn func(context.Context) error, opts ...Option) error {
	cfg := newConfig(opts)
	if len(remotes) == 0 && fn != nil {
		return fn(propagation.Remote{}.Context(ctx))
	}
	cfg.isBatch = true
	return cfg.process(ctx, remotes, fn)
}

// WithAttempt says that this is the nth time a document is handled, from 1 on.
// The span of a later one is a new root with a link: the trace of the sender
// does not grow with each failure.
func WithAttempt(n int) Option {
	return optionFunc(func(cfg config) config { cfg.attempt = n; return cfg })
}

// WithOrigin says where in a change event the context was found, as
// [ReadChangeEvent] returned it. The span that handles a context which the
// change itself did not write is a new root with a link, unless ctx has a span.
func WithOrigin(o Origin) Option {
	return optionFunc(func(cfg config) config { cfg.origin = o; return cfg })
}

func (cfg *config) process(ctx context.Context, remotes []propagation.Remote, fn func(context.Context) error) (err error) {
	if fn == nil {
		return errNilHandler
	}
	parent := ctx
	ctx, span := propagation.Start(ctx, cfg.tracer.Get(), cfg.spanName(), remotes, cfg.startOptions(ctx, remotes)...)
	cfg.observer.arrived(ctx, cfg.collection, remotes)
	outcome := observe.OutcomePanic
	defer func() {
		errorType := setOutcome(span, outcome, err)
		cfg.observer.processed(ctx, cfg.collection, len(remotes), outcome.String(), errorType)
		end(span)
	}()
	err = fn(ctx)
	outcome = observe.Classify(parent, err)
	return err
}

// startOptions returns how the span starts.
func (cfg *config) startOptions(ctx context.Context, remotes []propagation.Remote) []propagation.StartOption {
	opts := append(make([]propagation.StartOption, 0, len(cfg.start)+2), propagation.WithSpanOptions(
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(cfg.attributes(remotes)...),
	))
	stale := cfg.origin == Creation || cfg.origin == PreImage
	if cfg.attempt > 1 || stale && !trace.SpanContextFromContext(ctx).IsValid() {
		opts = append(opts, propagation.AsLink())
	}
	return append(opts, cfg.start...)
}

func (cfg *config) spanName() string {
	if cfg.collection == "" {
		return "process"
	}
	return "process " + cfg.collection
}

func (cfg *config) attributes(remotes []propagation.Remote) []attribute.KeyValue {
	attributes := append(make([]attribute.KeyValue, 0, 8),
		keySystem.String("mongodb"), keyOperationName.String("process"), keyOperationType.String("process"))
	if cfg.collection != "" {
		attributes = append(attributes, keyDestination.String(cfg.collection))
	}
	if cfg.isBatch {
		attributes = append(attributes, keyBatchCount.Int(len(remotes)))
	}
	if age, ok := oldest(remotes); ok {
		attributes = append(attributes, keyAge.Float64(age.Seconds()))
	}
	if cfg.attempt > 0 {
		attributes = append(attributes, keyAttempt.Int(cfg.attempt))
	}
	if cfg.origin != None {
		attributes = append(attributes, keyOrigin.String(cfg.origin.String()))
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

// setOutcome notes on span how it ended, and returns the error.type. That ctx
// was canceled is not an error of the one who was told to stop.
func setOutcome(span trace.Span, outcome observe.Outcome, err error) (errorType string) {
	defer contain()
	if errorType = outcome.ErrorType(err); errorType != "" {
		span.SetAttributes(semconv.ErrorTypeKey.String(errorType))
	}
	if outcome.IsError() {
		span.SetStatus(codes.Error, errorType)
	}
	return errorType
}

// end ends span, whatever its processors do.
func end(span trace.Span) {
	defer contain()
	span.End()
}
