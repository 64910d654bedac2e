// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/carriers/k8scarrier"
	"github.com/waybill-go/waybill/propagation"
)

// fileTemplate returns a template with a volume that an init container can write to.
func fileTemplate() *corev1.PodTemplateSpec {
	of := template()
	of.Spec.Volumes = []corev1.Volume{
		{Name: "other", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/tmp"}}},
		{Name: "handover", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
	}
	of.Spec.InitContainers[0].VolumeMounts = []corev1.VolumeMount{{Name: "other", MountPath: "/other"}, {Name: "handover", MountPath: "/handover"}}
	of.Spec.InitContainers[1].VolumeMounts = []corev1.VolumeMount{{Name: "handover", MountPath: "/handover", ReadOnly: true}}
	return of
}

// fromFile returns the variable called name with the value that a file in handover has for it.
func fromFile(name string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
		FileKeyRef: &corev1.FileKeySelector{VolumeName: "handover", Path: "run/context", Key: name, Optional: new(true)},
	}}
}

var withFile = k8scarrier.WithContextFile("handover", "run/context")

func TestWithContextFile(t *testing.T) {
	t.Parallel()
	ours := literal("TRACEPARENT", traceparent)
	state := literal("TRACESTATE", "a=$$")
	for _, tt := range []struct {
		name string
		opts []k8scarrier.Option
		want map[string][]corev1.EnvVar
	}{
		{name: "all containers", want: map[string][]corev1.EnvVar{
			"init": {ours, state}, "sidecar": {ours, state},
			"main": {fromFile("BAGGAGE"), fromFile("TRACEPARENT"), literal("A", "1"), fromFile("TRACESTATE")},
			"from": {fromFile("BAGGAGE"), fromFile("TRACEPARENT"), fromFile("TRACESTATE")},
		}},
		{name: "one of the main containers", opts: []k8scarrier.Option{only("from")}, want: map[string][]corev1.EnvVar{
			"init": nil, "sidecar": nil, "main": {ours, literal("A", "1"), state}, // In place of its old tracestate.
			"from": {fromFile("BAGGAGE"), fromFile("TRACEPARENT"), fromFile("TRACESTATE")},
		}},
		{name: "only init containers", opts: []k8scarrier.Option{only("init"), k8scarrier.WithContextFile("none", "")}, want: map[string][]corev1.EnvVar{
			"init": {ours, state}, "sidecar": nil, "main": {ours, literal("A", "1"), state}, "from": nil,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			injected := fileTemplate()
			opts := append([]k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPropagator(w3c)), withFile}, tt.opts...)
			if err := k8scarrier.InjectPodTemplate(withTracestate(t, spanContext(t), "a=$"), injected, opts...); err != nil {
				t.Fatal(err)
			}
			for name, c := range containers(injected) {
				if diff := cmp.Diff(tt.want[name], c.Env); diff != "" {
					t.Errorf("the environment of %s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// The main container gets what the init container wrote, and nothing if it wrote nothing.
func TestWithContextFile_Process(t *testing.T) {
	t.Parallel()
	injected := fileTemplate()
	if err := k8scarrier.InjectPodTemplate(spanContext(t), injected, withFile); err != nil {
		t.Fatal(err)
	}
	main := containers(injected)["main"]
	for written, want := range map[string]string{"": "", otherTraceparent: otherTraceparent[36:52]} {
		started := pod{file: map[string]string{"TRACEPARENT": written}}.start(t, main)
		remote := envcarrier.ReadFrom(environ(started))
		if got := remote.SpanContext(); got.IsValid() != (want != "") || got.IsValid() && got.SpanID().String() != want {
			t.Errorf("of a file with %q it reads %v", written, got)
		}
		if _, isSet := started["TRACEPARENT"]; isSet != (want != "") || started["A"] != "1" {
			t.Errorf("of a file with %q it gets %v", written, started)
		}
	}
}

func TestWithContextFile_Repeated(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]k8scarrier.Option{
		"replaces":            nil,
		"annotations":         {k8scarrier.WithAnnotations("")},
		"fails":               {k8scarrier.WithErrorOnConflict()},
		"keeps":               {k8scarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting))},
		"keeps annotations":   {k8scarrier.WithAnnotations(""), k8scarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting))},
		"fails, with the Job": {k8scarrier.WithErrorOnConflict(), k8scarrier.WithJobInfo(), k8scarrier.WithResource()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts = append([]k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPropagator(propagation.Default())), withFile}, opts...)
			first := fileTemplate()
			first.Spec.Containers[0].Env = first.Spec.Containers[0].Env[:1]
			if err := k8scarrier.InjectPodTemplate(spanContext(t), first, opts...); err != nil {
				t.Fatal(err)
			}
			for _, main := range first.Spec.Containers {
				if !slices.ContainsFunc(main.Env, func(e corev1.EnvVar) bool { return cmp.Equal(e, fromFile("TRACEPARENT")) }) {
					t.Errorf("%s does not refer to the file: %v", main.Name, main.Env)
				}
			}
			second := first.DeepCopy()
			if err := k8scarrier.InjectPodTemplate(spanContext(t), second, opts...); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(first, second); diff != "" {
				t.Errorf("a second inject changed it (-first +second):\n%s", diff)
			}
		})
	}
}

// Another context in a main container is treated as anywhere else, and so is a reference to
// a file that is not the one of the option.
func TestWithContextFile_Policies(t *testing.T) {
	t.Parallel()
	with := k8scarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{}))
	keep := k8scarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting))
	elsewhere := fromFile("TRACEPARENT")
	elsewhere.ValueFrom.FileKeyRef.Path = "another"
	for _, tt := range []struct {
		name   string
		before corev1.EnvVar
		opts   []k8scarrier.Option
		want   corev1.EnvVar
		err    error
	}{
		{name: "a literal is replaced", before: literal("TRACEPARENT", otherTraceparent), opts: []k8scarrier.Option{withFile}, want: fromFile("TRACEPARENT")},
		{name: "a literal is kept", before: literal("TRACEPARENT", otherTraceparent), opts: []k8scarrier.Option{withFile, keep}, want: literal("TRACEPARENT", otherTraceparent)},
		{
			name: "a literal is a conflict", before: literal("TRACEPARENT", otherTraceparent), opts: []k8scarrier.Option{withFile, k8scarrier.WithErrorOnConflict()},
			want: literal("TRACEPARENT", otherTraceparent), err: k8scarrier.ErrConflict,
		},
		{name: "another file is replaced", before: elsewhere, opts: []k8scarrier.Option{withFile}, want: fromFile("TRACEPARENT")},
		{name: "another file is kept", before: elsewhere, opts: []k8scarrier.Option{withFile, keep}, want: elsewhere},
		{name: "another file is a conflict", before: elsewhere, opts: []k8scarrier.Option{withFile, k8scarrier.WithErrorOnConflict()}, want: elsewhere, err: k8scarrier.ErrConflict},
		{name: "a file is replaced by a literal", before: fromFile("TRACEPARENT"), want: literal("TRACEPARENT", traceparent)},
		{name: "a file is kept", before: fromFile("TRACEPARENT"), opts: []k8scarrier.Option{keep}, want: fromFile("TRACEPARENT")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			injected := fileTemplate()
			injected.Spec.Containers[0].Env = []corev1.EnvVar{tt.before}
			err := k8scarrier.InjectPodTemplate(spanContext(t), injected, append([]k8scarrier.Option{with}, tt.opts...)...)
			if !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			env := injected.Spec.Containers[0].Env
			at := slices.IndexFunc(env, func(e corev1.EnvVar) bool { return e.Name == "TRACEPARENT" })
			if at < 0 || !cmp.Equal(env[at], tt.want) {
				t.Errorf("the environment is %v, want %v in it", env, tt.want)
			}
		})
	}
}

// What the API server would refuse, and what would keep a container from starting, is an
// error that says what is missing.
func TestWithContextFile_Errors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, volume, path string
		change             func(*corev1.PodSpec)
		says               string
	}{
		{name: "no path", volume: "handover", says: `the path ""`},
		{name: "an absolute path", volume: "handover", path: "/context", says: `the path "/context"`},
		{name: "a path that leads out", volume: "handover", path: "a/../../context", says: `the path "a/../../context"`},
		{name: "the volume itself", volume: "handover", path: ".", says: `the path "."`},
		{name: "no volume", path: "context", says: `no volume ""`},
		{name: "no such volume", volume: "$(handover)", path: "context", says: `no volume "$(handover)"`},
		{name: "a volume of another kind", volume: "other", path: "context", says: `the volume "other" is not an emptyDir`},
		{
			name: "no init container", volume: "handover", path: "context", says: `no init container can write to the volume "handover"`,
			change: func(spec *corev1.PodSpec) { spec.InitContainers = nil },
		},
		{
			name: "an init container without the volume", volume: "handover", path: "context", says: `no init container can write to the volume "handover"`,
			change: func(spec *corev1.PodSpec) { spec.InitContainers[0].VolumeMounts = nil },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			job := &batchv1.Job{TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"}, Spec: batchv1.JobSpec{Template: *fileTemplate()}}
			if tt.change != nil {
				tt.change(&job.Spec.Template.Spec)
			}
			before, fields := job.DeepCopy(), unstructuredOf(t, job)
			cron := &batchv1.CronJob{Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: *job.Spec.DeepCopy()}}}
			opt := k8scarrier.WithContextFile(tt.volume, tt.path)
			for what, err := range map[string]error{
				"InjectJob":          k8scarrier.InjectJob(spanContext(t), job, opt),
				"InjectObject":       k8scarrier.InjectObject(spanContext(t), fields, opt),
				"InjectCronJob":      k8scarrier.InjectCronJob(spanContext(t), cron, opt),
				"InjectPodTemplate":  k8scarrier.InjectPodTemplate(spanContext(t), &job.Spec.Template, opt, k8scarrier.WithJobInfo()),
				"with annotations":   k8scarrier.InjectJob(spanContext(t), job, opt, k8scarrier.WithAnnotations("")),
				"for one container":  k8scarrier.InjectJob(spanContext(t), job, opt, only("main")),
				"for what is a copy": k8scarrier.InjectJob(spanContext(t), job.DeepCopy(), opt),
			} {
				if !errors.Is(err, k8scarrier.ErrContextFile) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%s: error %v, want one that says %q", what, err, tt.says)
				}
			}
			if !cmp.Equal(before, job) || !cmp.Equal(unstructuredOf(t, before), fields) || !cmp.Equal(before.Spec, cron.Spec.JobTemplate.Spec) {
				t.Error("an object that was refused has changed")
			}
		})
	}
}

// unstructuredOf returns a Job as the dynamic client has it.
func unstructuredOf(t *testing.T, job *batchv1.Job) *unstructured.Unstructured {
	t.Helper()
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(job)
	if err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: fields}
}

func TestWithContextFile_Unstructured(t *testing.T) {
	t.Parallel()
	job := &batchv1.Job{TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"}, Spec: batchv1.JobSpec{Template: *fileTemplate()}}
	fields := unstructuredOf(t, job)
	opts := []k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPropagator(w3c)), withFile}
	for range 2 {
		if err := errors.Join(k8scarrier.InjectObject(spanContext(t), fields, opts...), k8scarrier.InjectJob(spanContext(t), job, opts...)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(unstructuredOf(t, job), fields); diff != "" {
			t.Errorf("of the dynamic client and typed (-typed +dynamic):\n%s", diff)
		}
	}
	malformed := unstructuredOf(t, job)
	if err := unstructured.SetNestedField(malformed.Object, "none", "spec", "template", "spec", "volumes"); err != nil {
		t.Fatal(err)
	}
	if err := k8scarrier.InjectObject(spanContext(t), malformed, opts...); !errors.Is(err, k8scarrier.ErrContextFile) {
		t.Errorf("of malformed volumes the error is %v", err)
	}
	step := &unstructured.Unstructured{Object: map[string]any{"kind": "TaskRun", "spec": map[string]any{"steps": []any{map[string]any{"name": "s"}}}}}
	if err := k8scarrier.InjectObject(spanContext(t), step, withFile, k8scarrier.WithContainerPath("spec", "steps", k8scarrier.AnyField)); err != nil {
		t.Errorf("of containers whose pod is not known the error is %v", err)
	}
}

// A controller applies a Job again and again: the references stay.
func TestWithContextFile_Apply(t *testing.T) {
	t.Parallel()
	jobs := k8scarrier.NewJobs(fake.NewClientset().BatchV1().Jobs("etl"), k8scarrier.WithPropagation(propagation.WithPropagator(w3c)), withFile)
	wanted := jobToApply()
	wanted.Spec.Template.Spec.
		WithVolumes(applycore.Volume().WithName("handover").WithEmptyDir(applycore.EmptyDirVolumeSource())).
		WithInitContainers(applycore.Container().WithName("init").WithImage("prepare:1").
			WithVolumeMounts(applycore.VolumeMount().WithName("handover").WithMountPath("/handover")))
	var init []corev1.EnvVar
	for _, ctx := range []context.Context{spanContext(t), otherSpan(t)} {
		applied, err := jobs.Apply(ctx, wanted, applyOptions)
		if err != nil {
			t.Fatal(err)
		}
		want := []corev1.EnvVar{fromFile("BAGGAGE"), fromFile("TRACEPARENT"), fromFile("TRACESTATE"), literal("DAY", "mon")}
		if diff := cmp.Diff(want, applied.Spec.Template.Spec.Containers[0].Env); diff != "" {
			t.Errorf("the main container (-want +got):\n%s", diff)
		}
		if init == nil {
			init = applied.Spec.Template.Spec.InitContainers[0].Env
		}
		if diff := cmp.Diff(init, applied.Spec.Template.Spec.InitContainers[0].Env); diff != "" || len(init) != 1 {
			t.Errorf("the init container (-first +then):\n%s", diff)
		}
	}
}

// Each run of a CronJob has a file of its own.
func TestWithContextFile_CronJob(t *testing.T) {
	t.Parallel()
	with := k8scarrier.WithPropagation(propagation.WithPropagator(w3c))
	cron := &batchv1.CronJob{Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: *fileTemplate()}}}}
	for range 2 {
		if err := k8scarrier.InjectCronJob(spanContext(t), cron, with, withFile); err != nil {
			t.Fatal(err)
		}
	}
	creator := literal(envcarrier.CreatorVariable, traceparent)
	run := cron.Spec.JobTemplate.Spec.Template.Spec
	want := []corev1.EnvVar{fromFile("BAGGAGE"), fromFile("TRACEPARENT"), creator, literal("A", "1"), fromFile("TRACESTATE")}
	if diff := cmp.Diff(want, run.Containers[0].Env); diff != "" {
		t.Errorf("the main container (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]corev1.EnvVar{creator}, run.InitContainers[0].Env); diff != "" {
		t.Errorf("the init container (-want +got):\n%s", diff)
	}
	noCreator := cron.DeepCopy()
	if err := k8scarrier.InjectCronJob(t.Context(), noCreator, with, withFile); err != nil || !cmp.Equal(cron, noCreator) {
		t.Errorf("without a span the error is %v, and %v", err, noCreator.Spec.JobTemplate.Spec.Template.Spec.Containers)
	}
}

func TestWithContextFile_NoEffect(t *testing.T) {
	t.Parallel()
	with := k8scarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{}))
	if env := k8scarrier.InjectEnv(spanContext(t), nil, with, withFile); !cmp.Equal(env, []corev1.EnvVar{literal("TRACEPARENT", traceparent)}) {
		t.Errorf("InjectEnv gives %v", env)
	}
	injected := template()
	if err := k8scarrier.InjectAnnotations(spanContext(t), injected, with, withFile); err != nil || len(injected.Annotations) != 1 {
		t.Errorf("InjectAnnotations gives %v, error %v", injected.Annotations, err)
	}
}
