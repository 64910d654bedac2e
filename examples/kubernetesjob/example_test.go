// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applybatch "k8s.io/client-go/applyconfigurations/batch/v1"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/carriers/k8scarrier"
)

// inSpan returns a ctx with a span whose id begins with id.
func inSpan(id byte) context.Context {
	return trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{id}, TraceFlags: trace.FlagsSampled,
	}))
}

func nightly() *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "nightly"},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "main", Image: "report:1"}},
		}}},
	}
}

// The client that wraps another starts a span for each Job that it creates.
func Example_client() {
	ctx, job := inSpan(1), nightly()
	clientset := fake.NewClientset() // kubernetes.NewForConfig(config)

	jobs := k8scarrier.NewJobs(clientset.BatchV1().Jobs("default"), k8scarrier.WithResource(attribute.String("service.version", "1.2")))
	created, err := jobs.Create(ctx, job, metav1.CreateOptions{})
	fmt.Println(created.Name, err)
	// Output: nightly <nil>
}

// A Job that waits in a queue gets the context of its turn.
func Example_suspended() {
	ctx, job := inSpan(1), nightly()

	job.Spec.Suspend = new(true)
	if err := k8scarrier.InjectJob(ctx, job, k8scarrier.WithAnnotations("")); err != nil {
		log.Print(err) // The Job can be created without the context.
	}

	ctx = inSpan(2)

	err := k8scarrier.InjectAnnotations(ctx, &job.Spec.Template, k8scarrier.WithAnnotations(""))
	job.Spec.Suspend = new(false) // And then Update.
	fmt.Println(k8scarrier.ReadAnnotations(&job.Spec.Template).SpanContext().SpanID(), err)
	// Output: 0200000000000000 <nil>
}

// Each run of a CronJob is a flow of its own, linked to who created the CronJob.
func Example_cronJob() {
	ctx := inSpan(1)
	cronJob := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: "nightly"}}
	cronJob.Spec.JobTemplate.Spec = nightly().Spec

	if err := k8scarrier.InjectCronJob(ctx, cronJob, k8scarrier.WithResource()); err != nil {
		log.Print(err)
	}
	for _, entry := range cronJob.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Env {
		if entry.Name == envcarrier.CreatorVariable || entry.Name == "TRACEPARENT" {
			fmt.Println(entry.Name)
		}
	}
	// Output: WAYBILL_CREATOR
}

// A controller applies one Job again and again, and only the first time has a span.
func Example_apply() {
	ctx := inSpan(1)
	jobs := k8scarrier.NewJobs(fake.NewClientset().BatchV1().Jobs("default"))
	nightly := applybatch.Job("nightly", "default").WithSpec(applybatch.JobSpec().WithTemplate(applycore.PodTemplateSpec().
		WithSpec(applycore.PodSpec().WithContainers(applycore.Container().WithName("main").WithImage("report:1")))))

	var first *batchv1.Job
	for range 2 {
		applied, err := jobs.Apply(ctx, nightly, metav1.ApplyOptions{FieldManager: "reports"})
		if err != nil {
			log.Print(err)
			return
		}
		if first == nil {
			first = applied
		}
		fmt.Println(read(applied).Equal(read(first)))
	}
	// Output:
	// true
	// true
}

func read(job *batchv1.Job) trace.SpanContext {
	return k8scarrier.Read(job.Spec.Template.Spec.Containers[0].Env).SpanContext()
}
