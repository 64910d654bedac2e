// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	applybatch "k8s.io/client-go/applyconfigurations/batch/v1"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/waybill-go/waybill/carriers/k8scarrier"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// exampleContext returns a ctx with a span, as a handler has it.
func exampleContext() context.Context {
	return trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
}

// traceContext leaves out the waybill, whose times would differ at each run.
var traceContext = k8scarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{}))

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
		switch {
		case entry.ValueFrom != nil && entry.ValueFrom.FileKeyRef != nil:
			fmt.Println(entry.Name, "from", entry.ValueFrom.FileKeyRef.Path, "in", entry.ValueFrom.FileKeyRef.VolumeName)
		case entry.ValueFrom != nil:
			fmt.Println(entry.Name, "from", entry.ValueFrom.FieldRef.FieldPath)
		default:
			fmt.Println(entry.Name + "=" + entry.Value)
		}
	}
}

func ExampleNewJobs() {
	clientset := fake.NewClientset() // kubernetes.NewForConfig(config)
	jobs := k8scarrier.NewJobs(clientset.BatchV1().Jobs("default"))
	created, err := jobs.Create(exampleContext(), exampleJob(), metav1.CreateOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(k8scarrier.Read(created.Spec.Template.Spec.Containers[0].Env).SpanContext().TraceID())
	// Output: 01000000000000000000000000000000
}

func ExampleJobs_Create() {
	jobs := k8scarrier.NewJobs(fake.NewClientset().BatchV1().Jobs("default"), k8scarrier.WithJobInfo())
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
	// Output: k8scarrier: the object starts many runs, which are not one flow: CronJob.batch; see InjectCronJob
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

func ExampleInjectAnnotations() {
	job := exampleJob()
	job.Spec.Suspend = new(true) // until its turn comes, when this sets its context.
	if err := k8scarrier.InjectAnnotations(exampleContext(), &job.Spec.Template, traceContext); err != nil {
		fmt.Println(err)
	}
	fmt.Println(job.Spec.Template.Annotations)
	// Output: map[tracing.k8s.io/traceparent:00-01000000000000000000000000000000-0200000000000000-01]
}

// A mutating webhook brings the context that the creator of a pod put into its
// annotations to the processes in it.
func Example_webhook() {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
			"tracing.k8s.io/traceparent": "00-01000000000000000000000000000000-0200000000000000-01",
		}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "etl"}}},
	}
	ctx := k8scarrier.ReadAnnotations(pod).Context(context.Background())
	err := k8scarrier.InjectObject(ctx, pod, traceContext,
		k8scarrier.WithAnnotations(""), k8scarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting)))
	printEnv(pod.Spec.Containers[0].Env)
	fmt.Println(err)
	// Output:
	// TRACEPARENT from metadata.annotations['tracing.k8s.io/traceparent']
	// TRACESTATE from metadata.annotations['tracing.k8s.io/tracestate']
	// <nil>
}

func ExampleReadAnnotations() {
	template := exampleJob().Spec.Template
	if err := k8scarrier.InjectPodTemplate(exampleContext(), &template, k8scarrier.WithAnnotations("")); err != nil {
		fmt.Println(err)
	}
	fmt.Println(k8scarrier.ReadAnnotations(&template).SpanContext().SpanID())
	// Output: 0200000000000000
}

func ExampleStripAnnotations() {
	// A controller handles an update only if more than the context has changed.
	isChange := func(before, after metav1.Object) bool {
		return before.GetGeneration() != after.GetGeneration() ||
			!maps.Equal(k8scarrier.StripAnnotations(before.GetAnnotations()), k8scarrier.StripAnnotations(after.GetAnnotations()))
	}
	before := exampleJob()
	after := before.DeepCopy()
	if err := k8scarrier.InjectAnnotations(exampleContext(), after); err != nil {
		fmt.Println(err)
	}
	fmt.Println(isChange(before, after))
	after.Annotations["example.org/day"] = "tuesday"
	fmt.Println(isChange(before, after))
	// Output:
	// false
	// true
}

// Some projects read a context from one annotation, as JSON.
func Example_annotationOfTekton() {
	run := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "tekton.dev/v1", "kind": "PipelineRun"}}
	text, err := json.Marshal(propagation.Map(exampleContext(), propagation.WithPropagator(propagation.TraceContext{})))
	if err != nil {
		fmt.Println(err)
	}
	run.SetAnnotations(map[string]string{"tekton.dev/pipelinerunSpanContext": string(text)})
	fmt.Println(run.GetAnnotations())
	// Output: map[tekton.dev/pipelinerunSpanContext:{"traceparent":"00-01000000000000000000000000000000-0200000000000000-01"}]
}

func ExampleWithContextFile() {
	ctx, job := exampleContext(), exampleJob()
	pod := &job.Spec.Template.Spec
	pod.Volumes = []corev1.Volume{{Name: "handover", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	pod.InitContainers = []corev1.Container{{Name: "prepare", VolumeMounts: []corev1.VolumeMount{{Name: "handover", MountPath: "/handover"}}}}
	if err := k8scarrier.InjectJob(ctx, job, k8scarrier.WithContextFile("handover", "context")); err != nil {
		fmt.Println(err)
	}
	fmt.Println(k8scarrier.Read(pod.InitContainers[0].Env).SpanContext().SpanID())
	printEnv(pod.Containers[0].Env)
	// Output:
	// 0200000000000000
	// BAGGAGE from context in handover
	// TRACEPARENT from context in handover
	// TRACESTATE from context in handover
	// WAYBILL from context in handover
	// DAY=2026-02-03
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

func ExampleCarrier() {
	container := corev1.Container{Name: "etl"}
	propagation.InjectTextMap(exampleContext(), (*k8scarrier.Carrier)(&container.Env),
		propagation.WithPropagator(propagation.TraceContext{}))
	printEnv(container.Env)
	// Output: TRACEPARENT=00-01000000000000000000000000000000-0200000000000000-01
}

func ExampleWithContainers() {
	template := exampleJob().Spec.Template
	always := corev1.ContainerRestartPolicyAlways
	template.Spec.InitContainers = []corev1.Container{{Name: "proxy", RestartPolicy: &always}}
	err := k8scarrier.InjectPodTemplate(exampleContext(), &template, traceContext,
		k8scarrier.WithContainers(func(c corev1.Container) bool { return c.RestartPolicy == nil })) // no sidecars.
	fmt.Println(len(template.Spec.InitContainers[0].Env), len(template.Spec.Containers[0].Env), err)
	// Output: 0 2 <nil>
}

func ExampleWithErrorOnConflict() {
	job := exampleJob()
	job.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "TRACEPARENT", Value: "of an earlier run"}}
	fmt.Println(k8scarrier.InjectJob(exampleContext(), job, k8scarrier.WithErrorOnConflict()))
	// Output: k8scarrier: the object holds another trace context: container "etl", variable "TRACEPARENT"
}

func ExampleWithResource() {
	job := &batchv1.Job{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main"}}}}}}
	err := k8scarrier.InjectJob(exampleContext(), job, traceContext, k8scarrier.WithResource(attribute.String("service.version", "1.2")))
	env := job.Spec.Template.Spec.Containers[0].Env
	for member := range strings.SplitSeq(env[len(env)-1].Value, ",") {
		fmt.Println(member)
	}
	fmt.Println(err)
	// Output:
	// service.version=1.2
	// k8s.namespace.name=$(WAYBILL_POD_NAMESPACE)
	// k8s.pod.name=$(WAYBILL_POD_NAME)
	// k8s.pod.uid=$(WAYBILL_POD_UID)
	// k8s.node.name=$(WAYBILL_NODE_NAME)
	// k8s.container.name=main
	// k8s.job.name=$(WAYBILL_JOB_NAME)
	// k8s.job.uid=$(WAYBILL_JOB_UID)
	// <nil>
}

func ExampleInjectCronJob() {
	hourly := &batchv1.CronJob{}
	hourly.Spec.JobTemplate.Spec.Template.Spec.Containers = []corev1.Container{{Name: "main"}}
	err := k8scarrier.InjectCronJob(exampleContext(), hourly)
	fmt.Println(hourly.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Env[0].Name, err)
	// Output: WAYBILL_CREATOR <nil>
}

func ExampleJobs_Apply() {
	jobs := k8scarrier.NewJobs(fake.NewClientset().BatchV1().Jobs("default"), k8scarrier.WithResource())
	nightly := applybatch.Job("nightly", "default").WithSpec(applybatch.JobSpec().WithTemplate(applycore.PodTemplateSpec().
		WithSpec(applycore.PodSpec().WithContainers(applycore.Container().WithName("main").WithImage("report:1")))))

	for range 2 { // As a controller does, whenever something has changed.
		job, err := jobs.Apply(exampleContext(), nightly, metav1.ApplyOptions{FieldManager: "reports"})
		fmt.Println(job.Name, err)
	}
	// Output:
	// nightly <nil>
	// nightly <nil>
}

func ExampleWithJobInfo() {
	job := exampleJob()
	err := k8scarrier.InjectJob(exampleContext(), job, traceContext, k8scarrier.WithJobInfo())
	printEnv(job.Spec.Template.Spec.Containers[0].Env)
	fmt.Println(err)
	// Output:
	// TRACEPARENT=00-01000000000000000000000000000000-0200000000000000-01
	// WAYBILL_JOB_FAILURES from metadata.annotations['batch.kubernetes.io/job-index-failure-count']
	// WAYBILL_JOB_NAME from metadata.labels['batch.kubernetes.io/job-name']
	// WAYBILL_JOB_UID from metadata.labels['batch.kubernetes.io/controller-uid']
	// WAYBILL_POD_NAME from metadata.name
	// WAYBILL_POD_NAMESPACE from metadata.namespace
	// WAYBILL_POD_UID from metadata.uid
	// DAY=2026-02-03
	// <nil>
}

func ExampleWithPropagation() {
	env := []corev1.EnvVar{
		{Name: "TRACEPARENT", Value: "00-01000000000000000000000000000000-0200000000000000-01"},
		{Name: "BAGGAGE", Value: "tenant=7,user=42"},
	}
	tenant := k8scarrier.WithPropagation(propagation.WithBaggage("tenant"))
	fmt.Println(k8scarrier.Read(env, tenant).Baggage())
	// Output: tenant=7
}

// dropPrinter prints what is left out. Package metrics has an observer that counts it.
type dropPrinter struct{}

func (dropPrinter) Dropped(d observe.Drop) { fmt.Println("dropped:", d.Reason) }

func ExampleWithObserver() {
	job := exampleJob()
	job.Spec.Template.Annotations = map[string]string{"notes": strings.Repeat("a", 256<<10-100)}
	state, err := trace.ParseTraceState("vendor=value")
	if err != nil {
		fmt.Println(err)
	}
	ctx := trace.ContextWithSpanContext(exampleContext(), trace.SpanContextFromContext(exampleContext()).WithTraceState(state))
	err = k8scarrier.InjectJob(ctx, job, traceContext, k8scarrier.WithAnnotations(""), k8scarrier.WithObserver(dropPrinter{}))
	fmt.Println(len(job.Spec.Template.Annotations)-1, "annotation of ours,", err)
	// Output:
	// dropped: too_large
	// 1 annotation of ours, <nil>
}

func ExampleWithPodTemplatePath() {
	// An object of the dynamic client, of a kind that starts one run.
	run := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.org/v1", "kind": "Run",
		"spec": map[string]any{"pod": map[string]any{"spec": map[string]any{
			"containers": []any{map[string]any{"name": "etl"}},
		}}},
	}}
	fmt.Println(k8scarrier.InjectObject(exampleContext(), run))
	fmt.Println(k8scarrier.InjectObject(exampleContext(), run, traceContext, k8scarrier.WithPodTemplatePath("spec", "pod")))
	fmt.Println(run.Object["spec"])
	// Output:
	// k8scarrier: the kind of the object is not known: Run.example.org; see WithPodTemplatePath and WithContainerPath
	// <nil>
	// map[pod:map[spec:map[containers:[map[env:[map[name:TRACEPARENT value:00-01000000000000000000000000000000-0200000000000000-01]] name:etl]]]]]
}

func ExampleWithContainerPath() {
	// A TaskRun of Tekton, whose steps are containers.
	run := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "tekton.dev/v1", "kind": "TaskRun",
		"spec": map[string]any{"taskSpec": map[string]any{"steps": []any{map[string]any{"name": "load"}}}},
	}}
	path := k8scarrier.WithContainerPath("spec", "taskSpec", "steps", k8scarrier.AnyField)
	fmt.Println(k8scarrier.InjectObject(exampleContext(), run, traceContext, path))
	fmt.Println(run.Object["spec"])
	// Output:
	// <nil>
	// map[taskSpec:map[steps:[map[env:[map[name:TRACEPARENT value:00-01000000000000000000000000000000-0200000000000000-01]] name:load]]]]
}

func ExampleWithErrorDescription() {
	jobs := k8scarrier.NewJobs(fake.NewClientset(exampleJob()).BatchV1().Jobs(""), k8scarrier.WithErrorDescription(nil))
	_, err := jobs.Create(exampleContext(), exampleJob(), metav1.CreateOptions{}) // whose span has the text of the error.
	fmt.Println(err)
	// Output: jobs.batch "nightly" already exists
}

func ExampleWithTracerProvider() {
	clientset := fake.NewClientset() // kubernetes.NewForConfig(config)
	jobs := k8scarrier.NewJobs(clientset.BatchV1().Jobs("default"), k8scarrier.WithTracerProvider(noop.NewTracerProvider()))
	created, err := jobs.Create(exampleContext(), exampleJob(), metav1.CreateOptions{}) // without a span of its own.
	fmt.Println(k8scarrier.Read(created.Spec.Template.Spec.Containers[0].Env).SpanContext().SpanID(), err)
	// Output: 0200000000000000 <nil>
}
