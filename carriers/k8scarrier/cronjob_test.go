// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/carriers/k8scarrier"
)

func cronJob(env ...corev1.EnvVar) *batchv1.CronJob {
	return &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Name: "hourly", Namespace: "etl"},
		Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Env: env}}},
		}}}},
	}
}

func envOf(c *batchv1.CronJob) []corev1.EnvVar {
	return c.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Env
}

// A run of a CronJob links its creator, and continues nobody.
func TestInjectCronJob(t *testing.T) {
	created := cronJob(corev1.EnvVar{Name: "A", Value: "1"}, literal("TRACEPARENT", traceparent), literal("TRACESTATE", "a=1"), literal("WAYBILL", "x"))
	if err := k8scarrier.InjectCronJob(spanContext(t), created); err != nil {
		t.Fatal(err)
	}
	want := []corev1.EnvVar{literal("WAYBILL_CREATOR", traceparent), {Name: "A", Value: "1"}}
	if diff := cmp.Diff(want, envOf(created)); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	for name, value := range (pod{}).start(t, created.Spec.JobTemplate.Spec.Template.Spec.Containers[0]) {
		t.Setenv(name, value)
	}
	if got := envcarrier.ReadCreator().SpanContext(); got.TraceID().String() != traceparent[3:35] || envcarrier.Read().Err() == nil {
		t.Errorf("a run has the creator %v and the parent %v", got, envcarrier.Read().SpanContext())
	}
	// A controller that writes it again, in another span, changes nothing.
	again := created.DeepCopy()
	if err := k8scarrier.InjectCronJob(otherSpan(t), again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(created, again); diff != "" {
		t.Errorf("the second time (-want +got):\n%s", diff)
	}
}

// A context is removed wherever a run could find it.
func TestInjectCronJob_RemovesAContext(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]k8scarrier.Option{"literals": nil, "annotations": {k8scarrier.WithAnnotations("")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			created := cronJob(literal("A", "1"))
			template := &created.Spec.JobTemplate.Spec.Template
			template.Spec.Containers = append(template.Spec.Containers, corev1.Container{Name: "other"})
			created.Spec.JobTemplate.Annotations = map[string]string{"tracing.k8s.io/traceparent": otherTraceparent, "k": "v"}
			if err := k8scarrier.InjectPodTemplate(otherSpan(t), template, opts...); err != nil {
				t.Fatal(err)
			}
			if err := k8scarrier.InjectCronJob(spanContext(t), created, append(opts, only("main"))...); err != nil {
				t.Fatal(err)
			}
			want := cronJob(literal("WAYBILL_CREATOR", traceparent), literal("A", "1"))
			want.Spec.JobTemplate.Annotations = map[string]string{"k": "v"}
			want.Spec.JobTemplate.Spec.Template.Spec.Containers = append(want.Spec.JobTemplate.Spec.Template.Spec.Containers, corev1.Container{Name: "other"})
			if diff := cmp.Diff(want, created, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestInjectCronJob_WithoutASpan(t *testing.T) {
	t.Parallel()
	before := cronJob()
	if err := k8scarrier.InjectCronJob(t.Context(), before); !errors.Is(err, k8scarrier.ErrNoContext) {
		t.Errorf("error %v, want ErrNoContext", err)
	}
	if diff := cmp.Diff(cronJob(), before); diff != "" {
		t.Errorf("it was changed:\n%s", diff)
	}
	if err := k8scarrier.InjectCronJob(t.Context(), nil); !errors.Is(err, k8scarrier.ErrNil) {
		t.Errorf("error %v, want ErrNil", err)
	}
	if err := k8scarrier.InjectCronJob(spanContext(t), &batchv1.CronJob{}); !errors.Is(err, k8scarrier.ErrNoContainers) {
		t.Errorf("error %v, want ErrNoContainers", err)
	}
}

// No pod knows the CronJob that it is of.
func TestInjectCronJob_Resource(t *testing.T) {
	created := cronJob()
	if err := k8scarrier.InjectCronJob(t.Context(), created, k8scarrier.WithResource()); err != nil {
		t.Fatal(err)
	}
	got := resourceOf(t, created.Spec.JobTemplate.Spec.Template.Spec.Containers[0])
	if got["k8s.cronjob.name"] != "hourly" || got["k8s.job.name"] != "nightly" {
		t.Errorf("resource %v", got)
	}
}
