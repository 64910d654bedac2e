// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier_test

import (
	"context"
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/waybill-go/waybill/carriers/k8scarrier"
)

// A program creates a Job, whose process continues the trace of the program with
// envcarrier.Extract.
func Example() {
	provider := sdktrace.NewTracerProvider()
	ctx, span := provider.Tracer("dispatcher").Start(context.Background(), "dispatch")
	defer span.End()

	clientset := fake.NewClientset() // kubernetes.NewForConfig(config) in a cluster.
	jobs := k8scarrier.NewJobs(clientset.BatchV1().Jobs("etl"), k8scarrier.WithTracerProvider(provider), k8scarrier.WithJobInfo())
	job, err := jobs.Create(ctx, newJob("nightly"), metav1.CreateOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	injected := k8scarrier.Read(job.Spec.Template.Spec.Containers[0].Env)
	fmt.Println("one trace:", injected.SpanContext().TraceID() == span.SpanContext().TraceID())
	// Output: one trace: true
}

func newJob(name string) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers:    []corev1.Container{{Name: "etl", Image: "example.com/etl:1"}},
		}}},
	}
}
