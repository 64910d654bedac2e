// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/job"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// scopeName is the instrumentation scope of the job's span.
const scopeName = "github.com/waybill-go/waybill/cmd/waybill/exec"

// The attributes of the job's span beside those of the semantic conventions. Those
// that begin with etl are the ones of package stages.
const (
	outcomeKey      = attribute.Key("etl.outcome")
	rowsReadKey     = attribute.Key("etl.rows.read")
	rowsWrittenKey  = attribute.Key("etl.rows.written")
	rowsRejectedKey = attribute.Key("etl.rows.rejected")

	signalKey    = attribute.Key("waybill.job.signal") // As in package job.
	userKey      = attribute.Key("waybill.exec.user_seconds")
	systemKey    = attribute.Key("waybill.exec.system_seconds")
	maxRSSKey    = attribute.Key("waybill.exec.max_rss_bytes")
	malformedKey = attribute.Key("waybill.exec.malformed_reports")
	stderrKey    = attribute.Key("waybill.exec.stderr_last_line")
	reasonPrefix = "waybill.exec.rejected." // And the reason.
)

// jobSpan is the span of the job. A nil *jobSpan records nothing.
type jobSpan struct {
	span     trace.Span
	recorded *recorder
}

// startJob starts the span of the job and returns a ctx that carries it.
func startJob(ctx context.Context, cfg *Config, remote propagation.Remote) (context.Context, *jobSpan) {
	recorded := &recorder{}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorded), sdktrace.WithResource(jobResource(ctx, cfg)))
	attributes := []attribute.KeyValue{semconv.ProcessExecutableName(baseName(cfg.Command[0]))}
	if cfg.Args {
		attributes = append(attributes, semconv.ProcessCommandArgs(redact(cfg.Command)...))
	}
	options := append(job.StartOptions(remote),
		propagation.WithMaxAge(cfg.MaxAge), propagation.WithSpanOptions(trace.WithAttributes(attributes...)))
	ctx, span := propagation.Start(ctx, provider.Tracer(scopeName, trace.WithSchemaURL(semconv.SchemaURL)), cfg.Name,
		[]propagation.Remote{remote}, options...)
	return ctx, &jobSpan{span: span, recorded: recorded}
}

// end ends the span. The ending has been classified.
func (j *jobSpan) end(result *result) {
	if j == nil {
		return
	}
	e := result.ending
	attributes := []attribute.KeyValue{outcomeKey.String(result.outcome.String()), semconv.ProcessExitCode(e.code)}
	if result.pid > 0 {
		attributes = append(attributes, semconv.ProcessPID(result.pid),
			userKey.Float64(e.user.Seconds()), systemKey.Float64(e.system.Seconds()))
	}
	if errorType := result.outcome.ErrorType(e.err); errorType != "" {
		attributes = append(attributes, semconv.ErrorTypeKey.String(errorType))
	}
	if e.signal != "" {
		attributes = append(attributes, signalKey.String(e.signal))
	}
	if result.lastLine != "" {
		attributes = append(attributes, stderrKey.String(result.lastLine))
	}
	attributes = appendCount(attributes, maxRSSKey, e.maxRSS)
	attributes = append(attributes, result.rows.attributes()...)
	j.span.SetAttributes(attributes...)
	if result.outcome.IsError() {
		j.span.SetStatus(codes.Error, e.err.Error())
	}
	j.span.End(trace.WithTimestamp(result.at))
}

// attributes returns the counts over 0.
func (r *rows) attributes() []attribute.KeyValue {
	attributes := appendCount(nil, rowsReadKey, r.read)
	attributes = appendCount(attributes, rowsWrittenKey, r.wrote)
	attributes = appendCount(attributes, rowsRejectedKey, r.rejected)
	attributes = appendCount(attributes, malformedKey, r.malformed)
	for reason, n := range r.reasons {
		if reason != "" {
			attributes = appendCount(attributes, attribute.Key(reasonPrefix+reason), n)
		}
	}
	return attributes
}

func appendCount(attributes []attribute.KeyValue, key attribute.Key, n int64) []attribute.KeyValue {
	if n == 0 {
		return attributes
	}
	return append(attributes, key.Int64(n))
}

// jobResource describes the job: what the variables of OpenTelemetry say, else
// Kubernetes, else its name.
func jobResource(ctx context.Context, cfg *Config) *resource.Resource {
	attributes := []attribute.KeyValue{semconv.ServiceName(cfg.Name)}
	if info, ok := envcarrier.KubernetesJob(); ok {
		attributes = append(attributes, info.Attributes()...)
	}
	// Of a malformed OTEL_RESOURCE_ATTRIBUTES, the rest is used.
	described, _ := resource.New(ctx, resource.WithSchemaURL(semconv.SchemaURL), resource.WithAttributes(attributes...),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	return described
}

// recorder keeps the span, so that no exporter is needed before the command has ended.
type recorder struct{ spans []sdktrace.ReadOnlySpan }

// OnStart implements [sdktrace.SpanProcessor].
func (r *recorder) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements [sdktrace.SpanProcessor].
func (r *recorder) OnEnd(s sdktrace.ReadOnlySpan) {
	if s.SpanContext().IsSampled() {
		r.spans = append(r.spans, s)
	}
}

// Shutdown implements [sdktrace.SpanProcessor].
func (r *recorder) Shutdown(context.Context) error { return nil }

// ForceFlush implements [sdktrace.SpanProcessor].
func (r *recorder) ForceFlush(context.Context) error { return nil }

// result is what is recorded of a job that has ended.
type result struct {
	*ending

	pid      int // 0 if the command did not start.
	outcome  observe.Outcome
	rows     *rows
	lastLine string
	at       time.Time
}

// classify returns how work with the ending ended. A signal that asked the command to
// end, and was passed on, is a cancellation.
func classify(ctx context.Context, e *ending) observe.Outcome {
	if e.passedOn {
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		return observe.Classify(canceled, context.Cause(canceled))
	}
	return observe.Classify(ctx, e.err)
}
