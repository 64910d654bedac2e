// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"context"
	"errors"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	batchv1client "k8s.io/client-go/kubernetes/typed/batch/v1"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// The instrumentation scope of the spans, and the semantic conventions that they
// follow.
const (
	scopeName = "github.com/waybill-go/waybill/carriers/k8scarrier"
	version   = "0.1.0"
	schemaURL = "https://opentelemetry.io/schemas/1.43.0"
)

// The attributes of the spans.
// https://opentelemetry.io/docs/specs/semconv/resource/k8s/
// https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/
const (
	attrNamespace = attribute.Key("k8s.namespace.name")
	attrJobName   = attribute.Key("k8s.job.name")
	attrJobUID    = attribute.Key("k8s.job.uid")
	attrErrorType = attribute.Key("error.type")
	attrKept      = attribute.Key("waybill.context_kept")
	attrDropped   = attribute.Key("waybill.context_dropped")
)

// Jobs is a client of Kubernetes Jobs. Its Create and Apply start a span and inject the
// context of it, so that the process in the Job continues the trace. All other
// methods are the underlying client's. Jobs is safe for concurrent use if
// that client is.
type Jobs struct {
	batchv1client.JobInterface

	cfg jobsConfig
}

var _ batchv1client.JobInterface = (*Jobs)(nil)

// NewJobs returns a client that creates Jobs with c, such as the result of
// clientset.BatchV1().Jobs(namespace). If c is nil, every method that returns an
// error returns [ErrNil].
func NewJobs(c batchv1client.JobInterface, opts ...JobsOption) *Jobs {
	if isNil(c) {
		c = noClient{}
	}
	return &Jobs{JobInterface: c, cfg: newJobsConfig(opts)}
}

// Create creates a copy of job that carries the context of a new span, of the
// kind producer, called "create job". It does not modify job. With
// [WithErrorOnConflict] the error may be [ErrConflict], and then nothing is
// created. For any other reason that the context cannot be injected, the Job is
// created without it.
//
// If the client returns an error, error.type is set, and the span's status is Error,
// unless ctx was canceled or there is a Job of this name already: a controller that
// reconciles creates it again and again.
func (j *Jobs) Create(ctx context.Context, job *batchv1.Job, opts metav1.CreateOptions) (created *batchv1.Job, err error) {
	ctx, span := j.start(ctx, "create job")
	outcome := observe.OutcomePanic // Until the client has returned.
	defer func() { j.end(span, created, err, outcome) }()
	job = job.DeepCopy()
	if err = j.inject(ctx, span, job); err == nil {
		created, err = j.JobInterface.Create(ctx, job, opts)
	}
	outcome = observe.Classify(ctx, err)
	return created, err
}

// inject injects the context of ctx into job, and records on span if another
// context was kept, or this one dropped.
func (j *Jobs) inject(ctx context.Context, span trace.Span, job *batchv1.Job) error {
	kept, err := injectJob(ctx, job, j.cfg.config)
	return j.note(span, kept, err)
}

// note records on span how an injection ended. The error is [ErrConflict], for which
// nothing is created.
func (j *Jobs) note(span trace.Span, kept bool, err error) error {
	switch {
	case errors.Is(err, ErrConflict):
		return err
	case err != nil && !errors.Is(err, ErrNil) && !errors.Is(err, ErrNoContext):
		setAttributes(span, attrDropped.Bool(true))
	case kept:
		setAttributes(span, attrKept.Bool(true))
	}
	return nil
}

// start starts the span of a call, or one that does nothing if the tracer provider, the
// tracer or the span panics.
func (j *Jobs) start(ctx context.Context, name string) (started context.Context, span trace.Span) {
	defer func() {
		if recover() != nil {
			started, span = propagation.Start(ctx, noop.Tracer{}, name, nil) //nolint:fatcontext // set once, in place of the result.
		}
	}()
	provider := j.cfg.tracerProvider
	if provider == nil {
		provider = otel.GetTracerProvider()
	}
	tracer := provider.Tracer(scopeName, trace.WithInstrumentationVersion(version), trace.WithSchemaURL(schemaURL))
	started, span = propagation.Start(ctx, tracer, name, nil, propagation.WithSpanOptions(trace.WithSpanKind(trace.SpanKindProducer)))
	span.SpanContext() // It must not panic later.
	return started, span
}

// end ends the span of a call.
func (j *Jobs) end(span trace.Span, created *batchv1.Job, err error, outcome observe.Outcome) {
	defer contain()
	defer span.End()
	errorType := outcome.ErrorType(err)
	if errorType != "" {
		setAttributes(span, attrErrorType.String(errorType))
	}
	if outcome.IsError() && !apierrors.IsAlreadyExists(err) {
		span.SetStatus(codes.Error, j.description(err, errorType))
	}
	if outcome == observe.OutcomeSuccess && created != nil {
		setAttributes(span,
			attrNamespace.String(created.Namespace),
			attrJobName.String(created.Name),
			attrJobUID.String(string(created.UID)),
		)
	}
}

// maxDescription is the length of the longest description of a status, in bytes.
const maxDescription = 1 << 10

// description returns the text of the status for err: its type, unless
// [WithErrorDescription] is given.
func (j *Jobs) description(err error, errorType string) (text string) {
	defer contain()
	if text = errorType; j.cfg.describe != nil && err != nil {
		described := j.cfg.describe(err)
		text = strings.ToValidUTF8(described[:min(len(described), maxDescription)], "")
	}
	return text
}

func setAttributes(span trace.Span, attributes ...attribute.KeyValue) {
	defer contain()
	span.SetAttributes(attributes...)
}

// contain stops a panic of a provider, a span or a function of the user's. It must
// be deferred directly.
func contain() { _ = recover() }
