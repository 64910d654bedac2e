// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	applybatch "k8s.io/client-go/applyconfigurations/batch/v1"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes/fake"
	batchv1client "k8s.io/client-go/kubernetes/typed/batch/v1"

	"github.com/waybill-go/waybill/carriers/k8scarrier"
	"github.com/waybill-go/waybill/propagation"
)

func jobToApply() *applybatch.JobApplyConfiguration {
	return applybatch.Job("nightly", "etl").WithSpec(applybatch.JobSpec().WithTemplate(applycore.PodTemplateSpec().WithSpec(applycore.PodSpec().
		WithContainers(applycore.Container().WithName("main").WithImage("report:1").WithEnv(applycore.EnvVar().WithName("DAY").WithValue("mon"))).
		WithRestartPolicy("Never"))))
}

var applyOptions = metav1.ApplyOptions{FieldManager: "controller"}

// A controller applies a Job again and again. Its template cannot be changed, so the Job
// keeps the context of the first time.
func TestJobs_Apply(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]k8scarrier.JobsOption{
		"literals":    nil,
		"described":   {k8scarrier.WithResource(), k8scarrier.WithJobInfo()},
		"annotations": {k8scarrier.WithAnnotations("")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			provider, spans := recorder()
			jobs := k8scarrier.NewJobs(fake.NewClientset().BatchV1().Jobs("etl"),
				append(opts, k8scarrier.WithTracerProvider(provider), k8scarrier.WithPropagation(propagation.WithPropagator(propagation.Default())))...)
			given := jobToApply()
			first, err := jobs.Apply(spanContext(t), given, applyOptions)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(jobToApply(), given); diff != "" {
				t.Errorf("what was given has changed:\n%s", diff)
			}
			span, attributes := onlySpan(t, spans)
			want := map[string]string{"k8s.namespace.name": "etl", "k8s.job.name": "nightly"}
			if uid, ok := attributes["k8s.job.uid"]; ok {
				want["k8s.job.uid"] = uid
			}
			if diff := cmp.Diff(want, attributes); diff != "" || span.Name() != "apply job" {
				t.Errorf("span %q, attributes (-want +got):\n%s", span.Name(), diff)
			}
			got := k8scarrier.Read(first.Spec.Template.Spec.Containers[0].Env)
			if name == "annotations" {
				got = k8scarrier.ReadAnnotations(&first.Spec.Template)
			}
			if got.SpanContext().SpanID() != span.SpanContext().SpanID() {
				t.Errorf("the Job has the context %v, want that of the span", got.SpanContext())
			}
			for range 3 {
				again, err := jobs.Apply(otherSpan(t), jobToApply(), applyOptions)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(first.Spec.Template, again.Spec.Template); diff != "" {
					t.Errorf("the template was changed:\n%s", diff)
				}
			}
			if n := len(spans.Ended()); n != 1 {
				t.Errorf("%d spans, want that of the first time only", n)
			}
		})
	}
}

// getting is a client whose Get fails and whose Apply returns what it was given.
type getting struct {
	failing

	get     error
	applied *applybatch.JobApplyConfiguration
}

func (g *getting) Get(context.Context, string, metav1.GetOptions) (*batchv1.Job, error) {
	return nil, g.get
}

func (g *getting) Apply(_ context.Context, job *applybatch.JobApplyConfiguration, _ metav1.ApplyOptions) (*batchv1.Job, error) {
	g.applied = job
	return nil, g.err
}

// racing is a client of a cluster in which another process creates the Job between the
// first Get and the first Apply.
type racing struct {
	batchv1client.JobInterface

	existing *batchv1.Job
	asked    bool
	applied  []*applybatch.JobApplyConfiguration
}

func (r *racing) Get(context.Context, string, metav1.GetOptions) (*batchv1.Job, error) {
	if !r.asked {
		r.asked = true
		return nil, apierrors.NewNotFound(schema.GroupResource{}, "nightly")
	}
	return r.existing, nil
}

func (r *racing) Apply(_ context.Context, job *applybatch.JobApplyConfiguration, _ metav1.ApplyOptions) (*batchv1.Job, error) {
	r.applied = append(r.applied, job)
	if len(r.applied) == 1 {
		return nil, apierrors.NewInvalid(schema.GroupKind{}, "nightly", nil)
	}
	return r.existing, nil
}

func TestJobs_ApplyRace(t *testing.T) {
	t.Parallel()
	existing := nightly()
	existing.Spec.Template.Spec = corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Env: []corev1.EnvVar{literal("TRACEPARENT", otherTraceparent)}}}}
	client := &racing{existing: existing}
	jobs, spans := newJobs(t, client)
	ctx := withTracestate(t, spanContext(t), "a=1") // Which the context of the other has not.
	if _, err := jobs.Apply(ctx, jobToApply(), applyOptions); err != nil || len(client.applied) != 2 {
		t.Fatalf("error %v after %d calls", err, len(client.applied))
	}
	if got := client.applied[1].Spec.Template.Spec.Containers[0].Env[0]; *got.Name != "TRACEPARENT" || *got.Value != otherTraceparent {
		t.Errorf("applied with %s=%s, want the context of who was first", *got.Name, *got.Value)
	}
	if n := len(client.applied[1].Spec.Template.Spec.Containers[0].Env); n != 2 {
		t.Errorf("%d variables, want that of the context and the caller's own", n)
	}
	if span, attributes := onlySpan(t, spans); span.Status().Code == codes.Error || attributes["error.type"] != "" {
		t.Errorf("status %v, attributes %v", span.Status(), attributes)
	}
}

func TestJobs_ApplyFails(t *testing.T) {
	t.Parallel()
	resource := schema.GroupResource{Group: "batch", Resource: "jobs"}
	missing, denied, invalid := apierrors.NewNotFound(resource, "nightly"), apierrors.NewForbidden(resource, "nightly", nil), apierrors.NewInvalid(schema.GroupKind{}, "nightly", nil)
	for name, tt := range map[string]struct {
		job        *applybatch.JobApplyConfiguration
		get, apply error
		spans      int
		isTouched  bool
	}{
		"the server refuses": {job: jobToApply(), get: missing, apply: invalid, spans: 1, isTouched: true},
		"get is forbidden":   {job: jobToApply(), get: denied},
		"apply is forbidden": {job: jobToApply(), get: denied, apply: denied},
		"no name":            {job: &applybatch.JobApplyConfiguration{}, apply: invalid},
		"nil":                {apply: invalid},
		"no template":        {job: applybatch.Job("nightly", "etl"), get: missing, spans: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := &getting{failing: failing{err: tt.apply}, get: tt.get}
			jobs, spans := newJobs(t, client)
			if _, err := jobs.Apply(spanContext(t), tt.job, applyOptions); !errors.Is(err, tt.apply) {
				t.Errorf("error %v, want %v", err, tt.apply)
			}
			if n := len(spans.Ended()); n != tt.spans {
				t.Fatalf("%d spans, want %d", n, tt.spans)
			}
			if tt.apply != nil && tt.spans == 1 {
				if span, attributes := onlySpan(t, spans); span.Status().Code != codes.Error || attributes["error.type"] != "Invalid" {
					t.Errorf("status %v, attributes %v", span.Status(), attributes)
				}
			}
			if touched := cmp.Diff(tt.job, client.applied) != ""; touched != tt.isTouched {
				t.Errorf("applied %v", client.applied)
			}
		})
	}
}
