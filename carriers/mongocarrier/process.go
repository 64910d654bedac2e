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
	"github.com/waybill-go/waybill/propagation"
)

var errNilHandler = errors.New("the function that handles the document is nil")

// Process runs fn in a span that handles one document, with the context that
// the document held, and returns what fn returns. Use it once a poller has
// claimed the document, or a stream has delivered it.
//
// The span is called "process", with the name that [WithCollection] gives, and
// is related to remote as [propagation.Start] says: the child of a span in ctx
// with a link to remote, or the child of remote. An error of fn is its status
// and its error.type, but for one that says that ctx was cancelled, which is no
// failure; a panic is noted and goes on with its own value. A nil fn is an
// error.
func Process(ctx context.Context, remote propagation.Remote, fn func(context.Context) error, opts ...Option) error {
	cfg := newConfig(opts)
	if fn == nil {
		return errNilHandler
	}
	return process(ctx, []propagation.Remote{remote}, fn, &cfg)
}

// ProcessBatch is [Process] for documents that are handled together: one span
// with a link for each context, at most 128, and the number of documents as
// messaging.batch.message_count. Without a document there is no span: fn runs
// with ctx.
func ProcessBatch(ctx context.Context, remotes []propagation.Remote, fn func(context.Context) error, opts ...Option) error {
	cfg := newConfig(opts)
	switch {
	case fn == nil:
		return errNilHandler
	case len(remotes) == 0:
		return fn(propagation.Remote{}.Context(ctx))
	}
	cfg.batch = len(remotes)
	return process(ctx, remotes, fn, &cfg)
}

func process(ctx context.Context, remotes []propagation.Remote, fn func(context.Context) error, cfg *config) error {
	start := append(cfg.start[:len(cfg.start):len(cfg.start)], propagation.WithSpanOptions(
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(cfg.attributes(remotes)...),
	))
	ctx, span := propagation.Start(ctx, cfg.tracer.Get(), cfg.spanName(), remotes, start...)
	returned := false
	defer func() {
		if !returned {
			fail(span, "panic")
		}
		span.End()
	}()
	err := fn(ctx)
	returned = true
	switch {
	case err == nil:
	case isCancellation(ctx, err):
		span.SetAttributes(semconv.ErrorTypeKey.String(errorType(err)))
	default:
		fail(span, errorType(err))
	}
	return err
}

// isCancellation reports whether err says no more than that ctx was cancelled,
// which is not an error of the one who was told to stop.
func isCancellation(ctx context.Context, err error) bool {
	return errors.Is(err, context.Canceled) && ctx.Err() != nil
}

// fail marks span as failed. https://opentelemetry.io/docs/specs/semconv/general/recording-errors/
func fail(span trace.Span, errorType string) {
	span.SetStatus(codes.Error, errorType)
	span.SetAttributes(semconv.ErrorTypeKey.String(errorType))
}

func (cfg *config) spanName() string {
	if cfg.collection == "" {
		return "process"
	}
	return "process " + cfg.collection
}

// attributes describes the span as one of messaging, which a collection that is
// a queue is. https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
func (cfg *config) attributes(remotes []propagation.Remote) []attribute.KeyValue {
	attributes := append(make([]attribute.KeyValue, 0, 6),
		attribute.String("messaging.system", "mongodb"),
		attribute.String("messaging.operation.name", "process"),
		attribute.String("messaging.operation.type", "process"),
	)
	if cfg.collection != "" {
		attributes = append(attributes, attribute.String("messaging.destination.name", cfg.collection))
	}
	if cfg.batch > 0 {
		attributes = append(attributes, attribute.Int("messaging.batch.message_count", cfg.batch))
	}
	if age, ok := oldest(remotes); ok {
		attributes = append(attributes, attribute.Float64("waybill.age", age.Seconds()))
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
