// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier_test

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/trace"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/waybill-go/waybill/carriers/k8scarrier"
	"github.com/waybill-go/waybill/propagation"
)

// exampleContext returns a ctx with a span, as a handler has it.
func exampleContext() context.Context {
	return trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
}

// traceContext leaves out the waybill, whose times would differ at each run.
var traceContext = k8scarrier.WithPropagator(propagation.TraceContext{})

func exampleJob() *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "nightly"},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "etl", Env: []corev1.EnvVar{{Name: "DAY", Value: "2026-02-03"}}}},
		}}},
	}
}

func printEnv(env []corev1.EnvVar) {
	for _, entry := range env {
		if entry.ValueFrom != nil {
			fmt.Println(entry.Name, "from", entry.ValueFrom.FieldRef.FieldPath)
		} else {
			fmt.Println(entry.Name + "=" + entry.Value)
		}
	}
}

func ExampleNewJobs() {
	clientset := fake.NewClientset() // kubernetes.NewForConfig(config)
	jobs, err := k8scarrier.NewJobs(clientset.BatchV1().Jobs("default"))
	if err != nil {
		fmt.Println(err)
		return
	}
	created, err := jobs.Create(exampleContext(), exampleJob(), metav1.CreateOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(k8scarrier.Read(created.Spec.Template.Spec.Containers[0].Env).SpanContext().TraceID())
	// Output: 01000000000000000000000000000000
}

func ExampleJobs_Create() {
	jobs, err := k8scarrier.NewJobs(fake.NewClientset().BatchV1().Jobs("default"), k8scarrier.WithJobInfo())
	if err != nil {
		fmt.Println(err)
		return
	}
	created, err := jobs.Create(exampleContext(), exampleJob(), metav1.CreateOptions{})
	fmt.Println(created.Name, err)
	// Output: nightly <nil>
}

func ExampleInjectJob() {
	job := exampleJob()
	if err := k8scarrier.InjectJob(exampleContext(), job, traceContext); err != nil {
		fmt.Println(err)
	}
	printEnv(job.Spec.Template.Spec.Containers[0].Env)
	// Output:
	// TRACEPARENT=00-01000000000000000000000000000000-0200000000000000-01
	// DAY=2026-02-03
}

func ExampleInjectPodTemplate() {
	template := exampleJob().Spec.Template
	err := k8scarrier.InjectPodTemplate(exampleContext(), &template, traceContext,
		k8scarrier.WithContainers(func(c corev1.Container) bool { return c.Name != "etl" }))
	printEnv(template.Spec.Containers[0].Env)
	fmt.Println(err)
	// Output:
	// DAY=2026-02-03
	// <nil>
}

func ExampleInjectObject() {
	cron := &batchv1.CronJob{Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: exampleJob().Spec}}}
	fmt.Println(k8scarrier.InjectObject(exampleContext(), cron))
	// Output: the object is no Pod and no Job, so its runs are not one flow: *v1.CronJob
}

func ExampleInjectEnv() {
	env := []corev1.EnvVar{{Name: "DAY", Value: "2026-02-03"}, {Name: "TRACEPARENT", Value: "old"}}
	printEnv(k8scarrier.InjectEnv(exampleContext(), env, traceContext))
	// Output:
	// DAY=2026-02-03
	// TRACEPARENT=00-01000000000000000000000000000000-0200000000000000-01
}

func ExampleExtract() {
	env := []corev1.EnvVar{{Name: "TRACEPARENT", Value: "00-01000000000000000000000000000000-0200000000000000-01"}}
	ctx := k8scarrier.Extract(context.Background(), env)
	fmt.Println(trace.SpanContextFromContext(ctx).SpanID())
	// Output: 0200000000000000
}

func ExampleRead() {
	fmt.Println(k8scarrier.Read(exampleJob().Spec.Template.Spec.Containers[0].Env).Err())
	// Output: the carrier holds no trace context
}

func ExampleReadAnnotations() {
	template := exampleJob().Spec.Template
	if err := k8scarrier.InjectPodTemplate(exampleContext(), &template, k8scarrier.WithAnnotations("")); err != nil {
		fmt.Println(err)
	}
	fmt.Println(k8scarrier.ReadAnnotations(&template).SpanContext().SpanID())
	// Output: 0200000000000000
}

func ExampleWithAnnotations() {
	job := exampleJob()
	if err := k8scarrier.InjectJob(exampleContext(), job, traceContext, k8scarrier.WithAnnotations("example.org")); err != nil {
		fmt.Println(err)
	}
	fmt.Println(job.Spec.Template.Annotations)
	printEnv(job.Spec.Template.Spec.Containers[0].Env)
	// Output:
	// map[example.org/traceparent:00-01000000000000000000000000000000-0200000000000000-01]
	// TRACEPARENT from metadata.annotations['example.org/traceparent']
	// TRACESTATE from metadata.annotations['example.org/tracestate']
	// DAY=2026-02-03
}

func ExampleEnvSetter() {
	container := corev1.Container{Name: "etl"}
	propagation.Inject(exampleContext(), &container.Env, k8scarrier.EnvSetter{},
		propagation.WithPropagator(propagation.TraceContext{}))
	printEnv(container.Env)
	// Output: TRACEPARENT=00-01000000000000000000000000000000-0200000000000000-01
}
