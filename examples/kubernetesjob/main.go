// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command kubernetesjob puts the trace context into a Kubernetes Job and prints
// the object as it would be created. The program that the Job runs is in the folder
// assess.
package main

import (
	"context"
	"fmt"
	"log"

	"go.opentelemetry.io/otel"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/waybill-go/waybill/carriers/k8scarrier"
	"github.com/waybill-go/waybill/examples/internal/telemetry"
)

func main() {
	stop := telemetry.Start(context.Background())
	defer stop()
	ctx, span := otel.Tracer("kubernetesjob").Start(context.Background(), "dispatch")
	defer span.End()

	job := &batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{Name: "assess"},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers: []corev1.Container{{
				Name:  "assess",
				Image: "example.com/assess:1",
				Env:   []corev1.EnvVar{{Name: "REGION", Value: "Taiwan"}},
			}},
		}}},
	}
	// Or wrap the client with k8scarrier.NewJobs, whose Create does this and
	// starts a span.
	if err := k8scarrier.InjectJob(ctx, job); err != nil {
		log.Print(err) // The Job can be created without the context.
	}
	text, err := yaml.Marshal(job)
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Print(string(text))
}
