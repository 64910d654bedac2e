// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/internal/kubejob"
	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/internal/semconv"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// The attributes of the span of a job beside those of a run of a pipeline.
const (
	attemptKey = attribute.Key("etl.attempt")        // Of the Kubernetes Job, from 1.
	extractKey = attribute.Key("waybill.extract")    // ok, absent or malformed.
	signalKey  = attribute.Key("waybill.job.signal") // Such as SIGTERM, which told the job to end.
)

// Run runs fn as a run of p that continues the context that this process was started
// with, see [Read], and returns the error of fn. The context is the parent of the span
// if it is younger than [DefaultMaxAge] or its age is not known; else the span is a new
// root with a link. If there is none, the span is a root, or a child of the span in ctx.
//
// The exit code that [Main] would end with is on the span, as process.exit.code. When
// the run has ended, in whatever way, the providers that are global in OpenTelemetry and
// the tracer provider of p are flushed at the same time, and then the functions of
// [stages.WithFlush] are called. A provider that hangs is left behind when its part of
// the time of [stages.WithFlushTimeout] is over.
//
// What [stages.Pipeline.Run] promises for errors, panics and nil values applies to
// Run, too. Telemetry never changes what fn does, nor how it ends.
func Run(ctx context.Context, p *stages.Pipeline, fn func(context.Context) error, opts ...Option) error {
	_, err := run(ctx, p, fn, newConfig(opts))
	return err
}

// run is [Run]; it also returns the exit code.
func run(ctx context.Context, p *stages.Pipeline, fn func(context.Context) error, cfg config) (code int, err error) {
	if fn == nil {
		return codeFailure, stages.ErrNilFunc
	}
	remote, place := cfg.read()
	complain(place, remote.Err())
	code = codePanic // Unless fn returns.
	var provider trace.TracerProvider
	flush := func(ctx context.Context) error { return flushProviders(ctx, provider) }
	err = p.Run(ctx, func(ctx context.Context) (err error) {
		provider = providerOf(ctx)
		defer func() { describe(ctx, code) }()
		err = fn(ctx)
		code = exitCode(ctx, err)
		return err
	}, cfg.runOptions(remote, flush)...)
	return code, err
}

// runOptions returns the options of a run that remote started.
func (c config) runOptions(remote propagation.Remote, flush func(context.Context) error) []stages.RunOption {
	start := slices.Concat(c.startOptions(remote), c.start)
	return slices.Concat([]stages.RunOption{
		stages.WithRemotes([]propagation.Remote{remote}, start...),
		stages.WithFlush(flush), // Before those of the user, which may shut the providers down.
	}, c.run)
}

// providerOf returns the provider of the span in ctx.
func providerOf(ctx context.Context) (provider trace.TracerProvider) {
	defer safe.Contain()
	return trace.SpanFromContext(ctx).TracerProvider()
}

// StartOptions returns the options of [propagation.Start] for the span of a job that
// remote has started: the age from which remote is linked, [DefaultMaxAge]; the attributes
// waybill.extract and, in a Kubernetes Job, etl.attempt; and, in a run of a CronJob, a link
// to who created that. Give it the options of [Read], so that it reads the same
// environment. [Run] uses them; they are for programs that start the span themselves.
func StartOptions(remote propagation.Remote, opts ...ReadOption) []propagation.StartOption {
	return newConfig(opts).startOptions(remote)
}

func (c config) startOptions(remote propagation.Remote) []propagation.StartOption {
	attributes := []attribute.KeyValue{extractKey.String(extracted(remote))}
	environ := envcarrier.Carrier(c.environ)
	if info, ok := kubejob.Read(environ.Get); ok && info.Attempt > 0 {
		attributes = append(attributes, attemptKey.Int(info.Attempt))
	}
	span := []trace.SpanStartOption{trace.WithAttributes(attributes...)}
	if creator := envcarrier.ReadCreatorFrom(c.environ); creator.SpanContext().IsValid() {
		span = append(span, trace.WithLinks(creator.Link()))
	}
	return []propagation.StartOption{propagation.WithMaxAge(DefaultMaxAge), propagation.WithSpanOptions(span...)}
}

// extracted says how the search for the context ended.
func extracted(remote propagation.Remote) string {
	switch {
	case remote.Err() == nil:
		return "ok"
	case errors.Is(remote.Err(), propagation.ErrAbsent):
		return "absent"
	default:
		return "malformed"
	}
}

// complain reports a context that was given, in place, and cannot be used.
func complain(place string, err error) {
	if err == nil || errors.Is(err, propagation.ErrAbsent) {
		return
	}
	defer safe.Contain()
	otel.Handle(fmt.Errorf("job: the context that the process was started with, in %s, is not used: %w", place, err))
}

// describe writes to the span in ctx how the job ended.
func describe(ctx context.Context, code int) {
	defer safe.Contain()
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(semconv.ProcessExitCode(code))
	if told, ok := signalOf(ctx); ok {
		span.SetAttributes(signalKey.String(told.name()))
	}
}
