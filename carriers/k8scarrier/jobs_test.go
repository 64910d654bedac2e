// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
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

func TestJobs_Create(t *testing.T) {
	t.Parallel()
	provider, spans := recorder()
	jobs := k8scarrier.NewJobs(fake.NewClientset().BatchV1().Jobs("etl"),
		k8scarrier.WithTracerProvider(provider), k8scarrier.WithPropagation(propagation.WithPropagator(w3c)))
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
	if scope.Name != "github.com/waybill-go/waybill/carriers/k8scarrier" || scope.Version != "0.1.0" || scope.SchemaURL != semconv.SchemaURL {
		t.Errorf("scope %+v", scope)
	}
	stored, err := jobs.Get(t.Context(), "nightly", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range containers(&stored.Spec.Template) {
		if got := k8scarrier.Read(c.Env, k8scarrier.WithPropagation(propagation.WithPropagator(w3c))).SpanContext(); got.SpanID() != span.SpanContext().SpanID() {
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

func TestJobs_CreateFails(t *testing.T) {
	t.Parallel()
	resource := schema.GroupResource{Group: "batch", Resource: "jobs"}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	t.Cleanup(cancel)
	for name, test := range map[string]struct {
		ctx       context.Context //nolint:containedctx // a row of a table.
		client    batchv1client.JobInterface
		errorType string
		code      codes.Code
	}{
		"the job is there":     {t.Context(), fake.NewClientset(nightly()).BatchV1().Jobs("etl"), "AlreadyExists", codes.Unset},
		"forbidden":            {t.Context(), failing{err: apierrors.NewForbidden(resource, "nightly", io.EOF)}, "Forbidden", codes.Error},
		"wrapped":              {t.Context(), failing{err: fmt.Errorf("create: %w", apierrors.NewTooManyRequests("slow", 1))}, "TooManyRequests", codes.Error},
		"no reason":            {t.Context(), failing{err: &apierrors.StatusError{}}, "*errors.StatusError", codes.Error},
		"canceled":             {canceled, failing{err: context.Canceled}, "canceled", codes.Unset},
		"canceled by the API":  {canceled, failing{err: fmt.Errorf("client: %w", context.Canceled)}, "canceled", codes.Unset},
		"canceled by others":   {t.Context(), failing{err: context.Canceled}, "canceled", codes.Error},
		"the deadline of ctx":  {expired, failing{err: context.DeadlineExceeded}, "timeout", codes.Error},
		"a deadline of others": {t.Context(), failing{err: context.DeadlineExceeded}, "timeout", codes.Error},
		"the end of a stream":  {t.Context(), failing{err: io.EOF}, "eof", codes.Error},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jobs, spans := newJobs(t, test.client)
			if _, err := jobs.Create(test.ctx, nightly(), metav1.CreateOptions{}); err == nil {
				t.Error("no error")
			}
			span, attributes := onlySpan(t, spans)
			if span.Status().Code != test.code || attributes["error.type"] != test.errorType || len(attributes) != 1 {
				t.Errorf("status %v, attributes %v, want %v and %s", span.Status(), attributes, test.code, test.errorType)
			}
		})
	}
}

func TestWithErrorDescription(t *testing.T) {
	t.Parallel()
	failed := errors.New("no room for user 42")
	for name, test := range map[string]struct {
		describe func(error) string
		want     string
	}{
		"nil":         {nil, failed.Error()},
		"a function":  {func(err error) string { return strings.ReplaceAll(err.Error(), "42", "?") }, "no room for user ?"},
		"a panic":     {func(error) string { panic("describe") }, "*errors.errorString"},
		"binary":      {func(error) string { return "a\xffb" }, "ab"},
		"a long text": {func(error) string { return strings.Repeat("\u00fc", 1<<20) }, strings.Repeat("\u00fc", 512)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jobs, spans := newJobs(t, failing{err: failed}, k8scarrier.WithErrorDescription(test.describe))
			if _, err := jobs.Create(t.Context(), nightly(), metav1.CreateOptions{}); !errors.Is(err, failed) {
				t.Errorf("error %v, want %v", err, failed)
			}
			if span, _ := onlySpan(t, spans); span.Status().Description != test.want {
				t.Errorf("description %.40q, want %.40q", span.Status().Description, test.want)
			}
		})
	}
}

// brokenSpan is a span of which one method panics.
type brokenSpan struct {
	trace.Span

	broken string
}

func (s brokenSpan) call(method string) {
	if s.broken == method {
		panic(method)
	}
}

func (s brokenSpan) End(...trace.SpanEndOption)           { s.call("End") }
func (s brokenSpan) SetAttributes(...attribute.KeyValue)  { s.call("SetAttributes") }
func (s brokenSpan) SetStatus(codes.Code, string)         { s.call("SetStatus") }
func (s brokenSpan) AddLink(trace.Link)                   { s.call("AddLink") }
func (s brokenSpan) TracerProvider() trace.TracerProvider { s.call("TracerProvider"); return nil }

func (s brokenSpan) IsRecording() bool {
	s.call("IsRecording")
	return true
}

func (s brokenSpan) SpanContext() trace.SpanContext {
	s.call("SpanContext")
	return trace.SpanContext{}
}

// brokenTracer is a tracer of broken spans.
type brokenTracer struct {
	embedded.Tracer

	span brokenSpan
}

func (t brokenTracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	t.span.call("Start")
	if t.span.broken == "nil span" {
		return ctx, nil
	}
	return trace.ContextWithSpan(ctx, t.span), t.span
}

// brokenProvider is a provider of broken tracers.
type brokenProvider struct {
	embedded.TracerProvider

	span brokenSpan
}

func (p brokenProvider) Tracer(string, ...trace.TracerOption) trace.Tracer {
	p.span.call("Tracer")
	if p.span.broken == "nil tracer" {
		return nil
	}
	return brokenTracer{span: p.span}
}

// Telemetry changes neither the result nor the error.
func TestJobs_HostileTelemetry(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"Tracer", "nil tracer", "Start", "nil span", "End", "SetAttributes", "SetStatus", "IsRecording", "SpanContext", "TracerProvider"} {
		for name, failed := range map[string]error{"success": nil, "failure": errors.ErrUnsupported} {
			t.Run(broken+", "+name, func(t *testing.T) {
				t.Parallel()
				jobs := k8scarrier.NewJobs(failing{err: failed}, k8scarrier.WithTracerProvider(brokenProvider{span: brokenSpan{Span: noop.Span{}, broken: broken}}),
					k8scarrier.WithAnnotations("not valid!"))
				if _, err := jobs.Create(spanContext(t), nightly(), metav1.CreateOptions{}); !errors.Is(err, failed) {
					t.Errorf("error %v, want %v", err, failed)
				}
			})
		}
	}
}

// Many goroutines create Jobs with one client.
func TestJobs_ConcurrentSafe(t *testing.T) {
	t.Parallel()
	for _, goroutines := range []int{2, 16, 128} {
		client := fake.NewClientset()
		jobs, spans := newJobs(t, client.BatchV1().Jobs("etl"), k8scarrier.WithJobInfo())
		shared := nightly()
		var wg sync.WaitGroup
		for n := range goroutines {
			wg.Go(func() {
				job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("job-%d", n)}, Spec: shared.Spec}
				created, err := jobs.Create(spanContext(t), job, metav1.CreateOptions{})
				if err != nil || k8scarrier.Read(created.Spec.Template.Spec.Containers[0].Env, k8scarrier.WithPropagation(propagation.WithPropagator(w3c))).Err() != nil {
					t.Errorf("created %v, error %v", created, err)
				}
			})
		}
		wg.Wait()
		if diff := cmp.Diff(nightly(), shared); diff != "" {
			t.Errorf("the spec that all share has changed:\n%s", diff)
		}
		ids := map[trace.SpanID]bool{}
		for _, span := range spans.Ended() {
			ids[span.SpanContext().SpanID()] = true
		}
		if len(ids) != goroutines {
			t.Errorf("%d spans, want %d", len(ids), goroutines)
		}
	}
}

// panicking is a provider that panics, and a span processor that does.
type panicking struct{ embedded.TracerProvider }

func (panicking) Tracer(string, ...trace.TracerOption) trace.Tracer { panic("tracer") }
func (panicking) OnStart(context.Context, sdktrace.ReadWriteSpan)   {}
func (panicking) OnEnd(sdktrace.ReadOnlySpan)                       { panic("end") }
func (panicking) Shutdown(context.Context) error                    { return nil }
func (panicking) ForceFlush(context.Context) error                  { return nil }

func TestJobs_CreateWithTelemetryThatPanics(t *testing.T) {
	t.Parallel()
	for what, provider := range map[string]trace.TracerProvider{
		"provider":  panicking{},
		"processor": sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(panicking{})),
	} {
		jobs := k8scarrier.NewJobs(fake.NewClientset().BatchV1().Jobs("etl"), k8scarrier.WithTracerProvider(provider))
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

func newJobs(t *testing.T, client batchv1client.JobInterface, opts ...k8scarrier.JobsOption) (*k8scarrier.Jobs, *tracetest.SpanRecorder) {
	t.Helper()
	provider, spans := recorder()
	jobs := k8scarrier.NewJobs(client, append(opts, k8scarrier.WithTracerProvider(provider), k8scarrier.WithPropagation(propagation.WithPropagator(w3c)))...)
	return jobs, spans
}

func TestJobs_CreatePanics(t *testing.T) {
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

func TestJobs_CreateWithAnotherContext(t *testing.T) {
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

	jobs, spans = newJobs(t, client.BatchV1().Jobs("etl"), k8scarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting)))
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

// The Job is worth more than its context.
func TestJobs_CreateWithoutRoom(t *testing.T) {
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

func TestJobs_CreateKeepsAnnotations(t *testing.T) {
	t.Parallel()
	job := nightly()
	job.Spec.Template.Annotations = map[string]string{"tracing.k8s.io/traceparent": otherTraceparent}
	jobs, spans := newJobs(t, fake.NewClientset().BatchV1().Jobs("etl"),
		k8scarrier.WithAnnotations(""), k8scarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting)))
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

func TestJobs_NilArguments(t *testing.T) {
	t.Parallel()
	var noClient *failing
	for name, client := range map[string]batchv1client.JobInterface{"nil": nil, "a nil pointer": noClient} {
		jobs := k8scarrier.NewJobs(client, nil)
		ctx := t.Context()
		_, create := jobs.Create(ctx, nightly(), metav1.CreateOptions{})
		_, update := jobs.Update(ctx, nightly(), metav1.UpdateOptions{})
		_, updateStatus := jobs.UpdateStatus(ctx, nightly(), metav1.UpdateOptions{})
		_, get := jobs.Get(ctx, "nightly", metav1.GetOptions{})
		_, list := jobs.List(ctx, metav1.ListOptions{})
		_, watch := jobs.Watch(ctx, metav1.ListOptions{})
		_, patch := jobs.Patch(ctx, "nightly", "", nil, metav1.PatchOptions{})
		_, apply := jobs.Apply(ctx, nil, metav1.ApplyOptions{})
		_, applyStatus := jobs.ApplyStatus(ctx, nil, metav1.ApplyOptions{})
		for i, err := range []error{
			create, update, updateStatus, get, list, watch, patch, apply, applyStatus,
			jobs.Delete(ctx, "nightly", metav1.DeleteOptions{}), jobs.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}),
		} {
			if !errors.Is(err, k8scarrier.ErrNil) {
				t.Errorf("%s: method %d: error %v, want %v", name, i, err, k8scarrier.ErrNil)
			}
		}
	}
	jobs, _ := newJobs(t, failing{err: errors.ErrUnsupported}, nil)
	var none context.Context
	if _, err := jobs.Create(none, nil, metav1.CreateOptions{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error %v, want that of the client", err)
	}
}

// The global provider is asked at the time of the call, and only where no other
// is given.
func TestWithTracerProvider_HostileGlobals(t *testing.T) {
	before := otel.GetTracerProvider()
	t.Cleanup(func() { otel.SetTracerProvider(before) })
	unset := k8scarrier.NewJobs(failing{}, k8scarrier.WithTracerProvider(nil), k8scarrier.WithPropagation(propagation.WithPropagator(w3c)))
	provider, spans := recorder()
	otel.SetTracerProvider(provider)
	if _, err := unset.Create(t.Context(), nightly(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	onlySpan(t, spans)

	otel.SetTracerProvider(hostileProvider{t: t})
	jobs, given := newJobs(t, failing{})
	if _, err := jobs.Create(t.Context(), nightly(), metav1.CreateOptions{}); err != nil {
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
