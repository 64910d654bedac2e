// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	batchv1client "k8s.io/client-go/kubernetes/typed/batch/v1"

	"github.com/waybill-go/waybill/carriers/k8scarrier"
	"github.com/waybill-go/waybill/propagation"
)

func nightly() *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "nightly", Namespace: "etl", UID: "job-uid"},
		Spec:       batchv1.JobSpec{Template: *template()},
	}
}

// recorder returns a provider and the spans it ends.
func recorder() (*sdktrace.TracerProvider, *tracetest.SpanRecorder) {
	spans := tracetest.NewSpanRecorder()
	return sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)), spans
}

// onlySpan returns the only span that was ended, and its attributes.
func onlySpan(t *testing.T, spans *tracetest.SpanRecorder) (sdktrace.ReadOnlySpan, map[string]string) {
	t.Helper()
	ended := spans.Ended()
	if len(ended) != 1 {
		t.Fatalf("%d spans", len(ended))
	}
	attributes := map[string]string{}
	for _, kv := range ended[0].Attributes() {
		attributes[string(kv.Key)] = kv.Value.String()
	}
	return ended[0], attributes
}

func TestJobsCreate(t *testing.T) {
	t.Parallel()
	provider, spans := recorder()
	jobs, err := k8scarrier.NewJobs(fake.NewClientset().BatchV1().Jobs("etl"),
		k8scarrier.WithTracerProvider(provider), k8scarrier.WithPropagator(w3c))
	if err != nil {
		t.Fatal(err)
	}
	given := nightly()
	created, err := jobs.Create(spanContext(t), given, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	span, attributes := onlySpan(t, spans)
	if span.Name() != "create job" || span.SpanKind() != trace.SpanKindProducer || span.Parent().SpanID().String() != traceparent[36:52] {
		t.Errorf("span %q, %v, parent %v", span.Name(), span.SpanKind(), span.Parent())
	}
	want := map[string]string{"k8s.namespace.name": "etl", "k8s.job.name": "nightly", "k8s.job.uid": "job-uid"}
	if diff := cmp.Diff(want, attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	scope := span.InstrumentationScope()
	if scope.Name != k8scarrier.ScopeName || scope.Version != k8scarrier.Version || scope.SchemaURL != semconv.SchemaURL {
		t.Errorf("scope %+v", scope)
	}
	stored, err := jobs.Get(t.Context(), "nightly", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range containers(&stored.Spec.Template) {
		if got := k8scarrier.Read(c.Env, k8scarrier.WithPropagator(w3c)).SpanContext(); got.SpanID() != span.SpanContext().SpanID() {
			t.Errorf("container %s has %v, want the context of the span", name, got)
		}
	}
	if diff := cmp.Diff(nightly(), given); diff != "" {
		t.Errorf("the job that was given has changed:\n%s", diff)
	}
	if diff := cmp.Diff(stored, created); diff != "" {
		t.Errorf("what is returned is not what was created:\n%s", diff)
	}
}

func TestJobsCreateFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		client batchv1client.JobInterface
		want   string
		err    error
	}{
		"it is there":   {fake.NewClientset(nightly()).BatchV1().Jobs("etl"), "AlreadyExists", nil},
		"cancelled":     {failing{err: context.Canceled}, "cancelled", context.Canceled},
		"timeout":       {failing{err: context.DeadlineExceeded}, "timeout", context.DeadlineExceeded},
		"anything else": {failing{err: errors.ErrUnsupported}, "_OTHER", errors.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jobs, spans := newJobs(t, test.client)
			_, err := jobs.Create(t.Context(), nightly(), metav1.CreateOptions{})
			if err == nil || test.err != nil && !errors.Is(err, test.err) {
				t.Errorf("error %v", err)
			}
			span, attributes := onlySpan(t, spans)
			if span.Status().Code != codes.Error || attributes["error.type"] != test.want || len(attributes) != 1 {
				t.Errorf("status %v, attributes %v", span.Status(), attributes)
			}
		})
	}
}

// panicking is a provider that panics, and a span processor that does.
type panicking struct{ embedded.TracerProvider }

func (panicking) Tracer(string, ...trace.TracerOption) trace.Tracer { panic("tracer") }
func (panicking) OnStart(context.Context, sdktrace.ReadWriteSpan)   {}
func (panicking) OnEnd(sdktrace.ReadOnlySpan)                       { panic("end") }
func (panicking) Shutdown(context.Context) error                    { return nil }
func (panicking) ForceFlush(context.Context) error                  { return nil }

func TestJobsCreateWithTelemetryThatPanics(t *testing.T) {
	t.Parallel()
	for what, provider := range map[string]trace.TracerProvider{
		"provider":  panicking{},
		"processor": sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(panicking{})),
	} {
		jobs, err := k8scarrier.NewJobs(fake.NewClientset().BatchV1().Jobs("etl"), k8scarrier.WithTracerProvider(provider))
		if err != nil {
			t.Fatal(err)
		}
		if created, err := jobs.Create(t.Context(), nightly(), metav1.CreateOptions{}); err != nil || created.Name != "nightly" {
			t.Errorf("%s: %v, %v", what, created, err)
		}
	}
}

// failing is a client whose Create fails or panics.
type failing struct {
	batchv1client.JobInterface

	err   error
	panic any
}

func (f failing) Create(context.Context, *batchv1.Job, metav1.CreateOptions) (*batchv1.Job, error) {
	if f.panic != nil {
		panic(f.panic)
	}
	return nil, f.err
}

func newJobs(t *testing.T, client batchv1client.JobInterface, opts ...k8scarrier.Option) (*k8scarrier.Jobs, *tracetest.SpanRecorder) {
	t.Helper()
	provider, spans := recorder()
	jobs, err := k8scarrier.NewJobs(client, append(opts, k8scarrier.WithTracerProvider(provider), k8scarrier.WithPropagator(w3c))...)
	if err != nil {
		t.Fatal(err)
	}
	return jobs, spans
}

func TestJobsCreatePanics(t *testing.T) {
	t.Parallel()
	jobs, spans := newJobs(t, failing{panic: "boom"})
	defer func() {
		if got := recover(); got != "boom" {
			t.Errorf("recovered %v", got)
		}
		if span, attributes := onlySpan(t, spans); span.Status().Code != codes.Error || attributes["error.type"] != "panic" {
			t.Errorf("status %v, attributes %v", span.Status(), attributes)
		}
	}()
	_, _ = jobs.Create(t.Context(), nightly(), metav1.CreateOptions{})
}

// Rules 20 and 21.
func TestJobsCreateWithAnotherContext(t *testing.T) {
	t.Parallel()
	job := nightly()
	job.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{secret("TRACEPARENT")}

	client := fake.NewClientset()
	jobs, spans := newJobs(t, client.BatchV1().Jobs("etl"), k8scarrier.WithErrorOnConflict())
	if created, err := jobs.Create(t.Context(), job, metav1.CreateOptions{}); !errors.Is(err, k8scarrier.ErrConflict) || created != nil {
		t.Errorf("created %v, error %v", created, err)
	}
	if _, attributes := onlySpan(t, spans); attributes["error.type"] != "conflict" || len(client.Actions()) != 0 {
		t.Errorf("attributes %v, calls %v", attributes, client.Actions())
	}

	jobs, spans = newJobs(t, client.BatchV1().Jobs("etl"), k8scarrier.WithPolicy(propagation.KeepExisting))
	created, err := jobs.Create(t.Context(), job, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, attributes := onlySpan(t, spans); attributes["waybill.context_kept"] != "true" {
		t.Errorf("attributes %v", attributes)
	}
	if diff := cmp.Diff([]corev1.EnvVar{secret("TRACEPARENT")}, created.Spec.Template.Spec.Containers[0].Env); diff != "" {
		t.Errorf("what was to be kept has changed:\n%s", diff)
	}
}

// The Job is worth more than its context. Rule 29.
func TestJobsCreateWithoutRoomForTheContext(t *testing.T) {
	t.Parallel()
	job := nightly()
	job.Spec.Template.Annotations = map[string]string{"k": strings.Repeat("v", 256<<10-1)}
	jobs, spans := newJobs(t, fake.NewClientset().BatchV1().Jobs("etl"), k8scarrier.WithAnnotations(""))
	created, err := jobs.Create(t.Context(), job, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(job.Spec, created.Spec); diff != "" {
		t.Errorf("what is created is not what was given:\n%s", diff)
	}
	if span, attributes := onlySpan(t, spans); attributes["waybill.context_dropped"] != "true" || span.Status().Code != codes.Unset {
		t.Errorf("status %v, attributes %v", span.Status(), attributes)
	}
}

func TestJobsCreateKeepsAnnotations(t *testing.T) {
	t.Parallel()
	job := nightly()
	job.Spec.Template.Annotations = map[string]string{"tracing.k8s.io/traceparent": otherTraceparent}
	jobs, spans := newJobs(t, fake.NewClientset().BatchV1().Jobs("etl"),
		k8scarrier.WithAnnotations(""), k8scarrier.WithPolicy(propagation.KeepExisting))
	created, err := jobs.Create(t.Context(), job, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(job.Spec.Template.Annotations, created.Spec.Template.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	if _, attributes := onlySpan(t, spans); attributes["waybill.context_kept"] != "true" {
		t.Errorf("attributes %v", attributes)
	}
}

func TestJobsTakeWhateverTheyAreGiven(t *testing.T) {
	t.Parallel()
	if jobs, err := k8scarrier.NewJobs(nil); err == nil || jobs != nil {
		t.Errorf("of no client NewJobs makes %v, error %v", jobs, err)
	}
	jobs, _ := newJobs(t, failing{err: errors.ErrUnsupported}, nil)
	var none context.Context
	if _, err := jobs.Create(none, nil, metav1.CreateOptions{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error %v, want that of the client", err)
	}
}

// The global provider is asked at the time of the call, and only where no other
// is given.
func TestTracerProviderIsTheGivenOrTheGlobalOne(t *testing.T) {
	before := otel.GetTracerProvider()
	t.Cleanup(func() { otel.SetTracerProvider(before) })
	unset, err := k8scarrier.NewJobs(failing{}, k8scarrier.WithTracerProvider(nil), k8scarrier.WithPropagator(w3c))
	if err != nil {
		t.Fatal(err)
	}
	provider, spans := recorder()
	otel.SetTracerProvider(provider)
	if _, err = unset.Create(t.Context(), nightly(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	onlySpan(t, spans)

	otel.SetTracerProvider(hostileProvider{t: t})
	jobs, given := newJobs(t, failing{})
	if _, err = jobs.Create(t.Context(), nightly(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	onlySpan(t, given)
}

// hostileProvider fails the test when it is used.
type hostileProvider struct {
	embedded.TracerProvider

	t testing.TB
}

func (p hostileProvider) Tracer(string, ...trace.TracerOption) trace.Tracer {
	p.t.Error("the global tracer provider was used")
	return noop.Tracer{}
}
