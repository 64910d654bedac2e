// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	batchv1client "k8s.io/client-go/kubernetes/typed/batch/v1"

	"github.com/waybill-go/waybill/propagation"
)

// ScopeName is the instrumentation scope of the spans of [Jobs], and Version
// its version.
const (
	ScopeName = "github.com/waybill-go/waybill/carriers/k8scarrier"
	Version   = "0.1.0"
)

// schemaURL identifies the semantic conventions of the spans.
const schemaURL = "https://opentelemetry.io/schemas/1.43.0"

// Attributes of the spans.
// https://opentelemetry.io/docs/specs/semconv/resource/k8s/
// https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/
const (
	keyNamespace = attribute.Key("k8s.namespace.name")
	keyJobName   = attribute.Key("k8s.job.name")
	keyJobUID    = attribute.Key("k8s.job.uid")
	keyErrorType = attribute.Key("error.type")
	keyKept      = attribute.Key("waybill.context_kept")
	keyDropped   = attribute.Key("waybill.context_dropped")
)

// Jobs is a client of Kubernetes Jobs whose Create starts a span and sends it
// along, so that what runs in the Job continues it. All its other methods are
// those of the client it was made from. It is safe for concurrent use if that
// is.
type Jobs struct {
	batchv1client.JobInterface

	cfg config
}

// Compile-time check that Jobs can stand in for the client.
var _ batchv1client.JobInterface = (*Jobs)(nil)

// NewJobs returns a client that creates its jobs with c, such as what
// clientset.BatchV1().Jobs(namespace) returns. It is an error if c is nil.
func NewJobs(c batchv1client.JobInterface, opts ...Option) (*Jobs, error) {
	if c == nil {
		return nil, errors.New("the client of jobs is nil")
	}
	return &Jobs{JobInterface: c, cfg: newConfig(opts)}, nil
}

// Create creates a copy of job that carries the context of a new span, of the
// kind producer, called "create job". The job that is given is not changed, and
// the result is what the client returns. With [WithErrorOnConflict] it may be
// [ErrConflict], and then nothing is created. A context that the annotations
// have no room for is left out, and the Job created as it is.
func (j *Jobs) Create(ctx context.Context, job *batchv1.Job, opts metav1.CreateOptions) (created *batchv1.Job, err error) {
	ctx, span := propagation.Start(ctx, j.tracer(), "create job", nil,
		propagation.WithSpanOptions(trace.WithSpanKind(trace.SpanKindProducer)))
	returned := false
	defer func() { end(span, created, err, returned) }()
	job = job.DeepCopy()
	if err = j.inject(ctx, span, job); err == nil {
		created, err = j.JobInterface.Create(ctx, job, opts)
	}
	returned = true
	return created, err
}

// inject puts the context of ctx into job, and on span what became of one that
// was there, or of this one.
func (j *Jobs) inject(ctx context.Context, span trace.Span, job *batchv1.Job) error {
	if job == nil {
		return nil
	}
	kept, err := injectPod(ctx, &job.Spec.Template.ObjectMeta, &job.Spec.Template.Spec, j.cfg)
	switch {
	case errors.Is(err, ErrTooLarge):
		span.SetAttributes(keyDropped.Bool(true))
		return nil
	case kept:
		span.SetAttributes(keyKept.Bool(true))
	}
	return err
}

// tracer returns the tracer to use now, nil from a provider that panics.
func (j *Jobs) tracer() trace.Tracer {
	defer contain()
	provider := j.cfg.provider
	if provider == nil {
		provider = otel.GetTracerProvider()
	}
	return provider.Tracer(ScopeName, trace.WithInstrumentationVersion(Version), trace.WithSchemaURL(schemaURL))
}

// end ends the span of a Create that returned, or else panics.
func end(span trace.Span, created *batchv1.Job, err error, returned bool) {
	defer contain()
	defer span.End()
	switch {
	case !returned:
		fail(span, "panic")
	case err != nil:
		fail(span, errorType(err))
	case created != nil:
		span.SetAttributes(
			keyNamespace.String(created.Namespace),
			keyJobName.String(created.Name),
			keyJobUID.String(string(created.UID)),
		)
	}
}

// contain keeps a panic of a provider or a span processor from the caller.
func contain() { _ = recover() }

func fail(span trace.Span, errorType string) {
	span.SetStatus(codes.Error, errorType)
	span.SetAttributes(keyErrorType.String(errorType))
}

// errorType names err by a word of a closed set: the reason of the API server,
// or one of ours.
func errorType(err error) string {
	reason := apierrors.ReasonForError(err)
	switch {
	case reason != metav1.StatusReasonUnknown:
		return string(reason)
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, ErrConflict):
		return "conflict"
	default:
		return "_OTHER"
	}
}
