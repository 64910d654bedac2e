// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/waybill-go/waybill/carriers/k8scarrier"
	"github.com/waybill-go/waybill/propagation"
)

// resourceOf returns the resource that the SDK makes in a process of the container.
func resourceOf(t *testing.T, c corev1.Container) map[string]string {
	t.Helper()
	started := pod{labels: map[string]string{"batch.kubernetes.io/job-name": "nightly", "batch.kubernetes.io/controller-uid": "job-uid"}}.start(t, c)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", started["OTEL_RESOURCE_ATTRIBUTES"])
	r, err := resource.New(t.Context(), resource.WithFromEnv())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, a := range r.Attributes() {
		got[string(a.Key)] = a.Value.String()
	}
	return got
}

func TestWithResource(t *testing.T) {
	ofPod := map[string]string{
		"k8s.namespace.name": "metadata.namespace", "k8s.pod.name": "metadata.name", "k8s.pod.uid": "metadata.uid",
		"k8s.node.name": "spec.nodeName", "k8s.container.name": "main",
	}
	ofJob := map[string]string{"k8s.job.name": "nightly", "k8s.job.uid": "job-uid"}
	both := maps.Clone(ofPod)
	maps.Copy(both, ofJob)
	with := func(m map[string]string, pairs ...string) map[string]string {
		m = maps.Clone(m)
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	const hostile = "a,b=c%d $(HOME) $$ \"x\" {{y}}"
	for name, tt := range map[string]struct {
		container  string // or main.
		env        []corev1.EnvVar
		envFrom    []corev1.EnvFromSource
		attributes []attribute.KeyValue
		want       map[string]string
	}{
		"alone":           {want: both},
		"given":           {attributes: []attribute.KeyValue{attribute.String("service.version", "1.2"), attribute.Int("shard", 3)}, want: with(both, "service.version", "1.2", "shard", "3")},
		"hostile value":   {attributes: []attribute.KeyValue{attribute.String("note", hostile)}, want: with(both, "note", hostile)},
		"hostile key":     {attributes: []attribute.KeyValue{attribute.String("a=b,c", "x"), attribute.String("$(HOME)", "x"), attribute.String("", "x")}, want: both},
		"hostile name":    {container: hostile, want: with(both, "k8s.container.name", hostile)},
		"given over ours": {attributes: []attribute.KeyValue{attribute.String("k8s.node.name", "mine")}, want: with(both, "k8s.node.name", "mine")},
		"what is there wins": {
			env:        []corev1.EnvVar{{Name: "STAGE", Value: "prod"}, {Name: "OTEL_RESOURCE_ATTRIBUTES", Value: "service.version=0,deployment.environment.name=$(STAGE),k8s.pod.name=mine,"}},
			attributes: []attribute.KeyValue{attribute.String("service.version", "1")},
			want:       with(both, "service.version", "0", "deployment.environment.name", "prod", "k8s.pod.name", "mine"),
		},
		"other env":     {env: []corev1.EnvVar{{Name: "A", Value: "1"}}, want: both},
		"EnvFrom alone": {envFrom: []corev1.EnvFromSource{{}}, want: map[string]string{}},
		"EnvFrom with a prefix that it begins with": {envFrom: []corev1.EnvFromSource{{Prefix: "DB_"}, {Prefix: "OTEL_"}}, want: map[string]string{}},
		"EnvFrom with other prefixes":               {envFrom: []corev1.EnvFromSource{{Prefix: "DB_"}, {Prefix: "otel_"}}, want: both},
		"EnvFrom, and its own": {
			envFrom: []corev1.EnvFromSource{{}}, env: []corev1.EnvVar{{Name: "OTEL_RESOURCE_ATTRIBUTES", Value: "a=b"}}, want: with(both, "a", "b"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			container := "main"
			if tt.container != "" {
				container = tt.container
			}
			job := &batchv1.Job{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: container, Env: tt.env, EnvFrom: tt.envFrom}},
			}}}}
			before := job.DeepCopy()
			opts := []k8scarrier.Option{k8scarrier.WithResource(tt.attributes[:min(1, len(tt.attributes))]...), k8scarrier.WithResource(tt.attributes[min(1, len(tt.attributes)):]...)}
			for range 2 { // The second time changes nothing.
				if err := k8scarrier.InjectJob(t.Context(), job, opts...); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, resourceOf(t, job.Spec.Template.Spec.Containers[0])); diff != "" {
					t.Errorf("resource (-want +got):\n%s", diff)
				}
			}
			for _, entry := range before.Spec.Template.Spec.Containers[0].Env {
				if entry.Name != "OTEL_RESOURCE_ATTRIBUTES" && !slices.Contains(job.Spec.Template.Spec.Containers[0].Env, entry) {
					t.Errorf("%v is gone", entry)
				}
			}
		})
	}
}

// A variable of another object stays as it is: with a value beside its source, the API
// server would refuse the pod.
func TestWithResource_ValueFromStays(t *testing.T) {
	t.Parallel()
	template := template()
	own := secret("OTEL_RESOURCE_ATTRIBUTES")
	template.Spec.Containers[0].Env = []corev1.EnvVar{own}
	if err := k8scarrier.InjectPodTemplate(t.Context(), template, k8scarrier.WithResource()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(own, *lastOf(template.Spec.Containers[0].Env, own.Name)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The webhook of the operator of OpenTelemetry runs after us: it adds variables of its
// own, and appends to the value of ours. Another injection then changes nothing.
func TestWithResource_BesideTheOperator(t *testing.T) {
	job := jobWithAll()
	inject := func() {
		t.Helper()
		if err := k8scarrier.InjectJob(spanContext(t), job, k8scarrier.WithPropagation(propagation.WithPropagator(w3c)), k8scarrier.WithResource(attribute.String("service.version", "1"))); err != nil {
			t.Fatal(err)
		}
	}
	inject()
	main := &job.Spec.Template.Spec.Containers[0]
	ours := slices.IndexFunc(main.Env, func(entry corev1.EnvVar) bool { return entry.Name == "OTEL_RESOURCE_ATTRIBUTES" })
	if ours != len(main.Env)-1 || main.Env[ours].ValueFrom != nil {
		t.Fatalf("it is the entry %d of %d, want the last one, with a value", ours+1, len(main.Env))
	}
	appended := main.Env[ours]
	appended.Value += ",k8s.node.name=$(OTEL_RESOURCE_ATTRIBUTES_NODE_NAME),k8s.pod.name=$(OTEL_RESOURCE_ATTRIBUTES_POD_NAME),k8s.replicaset.name=r"
	field := func(name, path string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}}
	}
	main.Env = append(main.Env[:ours:ours], literal("OTEL_SERVICE_NAME", "nightly"),
		field("OTEL_RESOURCE_ATTRIBUTES_POD_NAME", "metadata.name"), field("OTEL_RESOURCE_ATTRIBUTES_NODE_NAME", "spec.nodeName"), appended)
	before := job.DeepCopy()
	inject()
	if diff := cmp.Diff(before, job); diff != "" {
		t.Errorf("another injection changes what the operator wrote:\n%s", diff)
	}
	want := map[string]string{
		"service.version": "1", "k8s.namespace.name": "metadata.namespace", "k8s.pod.name": "metadata.name", "k8s.pod.uid": "metadata.uid",
		"k8s.node.name": "spec.nodeName", "k8s.container.name": "main", "k8s.job.name": "nightly", "k8s.job.uid": "job-uid", "k8s.replicaset.name": "r",
	}
	if diff := cmp.Diff(want, resourceOf(t, *main)); diff != "" {
		t.Errorf("resource (-want +got):\n%s", diff)
	}
}

// What is not a Job has no Job, and objects of the dynamic client get the same.
func TestWithResource_Kinds(t *testing.T) {
	job := &batchv1.Job{TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"}, ObjectMeta: metav1.ObjectMeta{Name: "nightly"}, Spec: batchv1.JobSpec{Template: *template()}}
	for name, tt := range map[string]struct {
		inject func(opt k8scarrier.Option) (*corev1.PodTemplateSpec, error)
		isJob  bool
	}{
		"template": {inject: func(opt k8scarrier.Option) (*corev1.PodTemplateSpec, error) {
			alone := template()
			return alone, k8scarrier.InjectPodTemplate(t.Context(), alone, opt)
		}},
		"pod": {inject: func(opt k8scarrier.Option) (*corev1.PodTemplateSpec, error) {
			p := &corev1.Pod{Spec: template().Spec}
			err := k8scarrier.InjectObject(t.Context(), p, opt)
			return &corev1.PodTemplateSpec{Spec: p.Spec}, err
		}},
		"fields of a Job": {isJob: true, inject: func(opt k8scarrier.Option) (*corev1.PodTemplateSpec, error) {
			fields, convert := runtime.DefaultUnstructuredConverter.ToUnstructured(job)
			if convert != nil {
				t.Fatal(convert)
			}
			u := &unstructured.Unstructured{Object: fields}
			err := k8scarrier.InjectObject(t.Context(), u, opt)
			var got batchv1.Job
			if convert = runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &got); convert != nil {
				t.Fatal(convert)
			}
			return &got.Spec.Template, err
		}},
	} {
		got, err := tt.inject(k8scarrier.WithResource())
		if err != nil {
			t.Fatal(err)
		}
		if value := lastOf(got.Spec.Containers[0].Env, "OTEL_RESOURCE_ATTRIBUTES").Value; strings.Contains(value, "k8s.job.name") != tt.isJob || !strings.Contains(value, "k8s.pod.name=$(WAYBILL_POD_NAME)") {
			t.Errorf("%s: %s; want a Job: %t", name, value, tt.isJob)
		}
	}
}

// The pods of a JobSet are those of Jobs.
func TestWithResource_OtherKinds(t *testing.T) {
	t.Parallel()
	const pod = `{"spec":{"containers":[{"name":"main"}]}}`
	for name, tt := range map[string]struct {
		object string
		path   []string
		isJob  bool
	}{
		"JobSet": {
			object: `{"apiVersion":"jobset.x-k8s.io/v1alpha2","kind":"JobSet","spec":{"replicatedJobs":[{"name":"leader","template":{"spec":{"template":` + pod + `}}}]}}`,
			path:   []string{"spec", "replicatedJobs", k8scarrier.AnyField, "template", "spec", "template"}, isJob: true,
		},
		"PyTorchJob": {
			object: `{"apiVersion":"kubeflow.org/v1","kind":"PyTorchJob","spec":{"pytorchReplicaSpecs":{"Master":{"template":` + pod + `}}}}`,
			path:   []string{"spec", "pytorchReplicaSpecs", k8scarrier.AnyField, "template"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := &unstructured.Unstructured{}
			if err := u.UnmarshalJSON([]byte(tt.object)); err != nil {
				t.Fatal(err)
			}
			if err := k8scarrier.InjectObject(t.Context(), u, k8scarrier.WithResource(), k8scarrier.WithPodTemplatePath(tt.path...)); err != nil {
				t.Fatal(err)
			}
			text, err := u.MarshalJSON()
			if got := strings.Contains(string(text), "k8s.job.name=$(WAYBILL_JOB_NAME)"); err != nil || got != tt.isJob {
				t.Errorf("it has a Job: %t, %v; want %t:\n%s", got, err, tt.isJob, text)
			}
		})
	}
}

// Of an object of the dynamic client, a prefix of EnvFrom counts too.
func TestWithResource_FieldsWithEnvFrom(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		envFrom string
		want    bool
	}{
		"without a prefix":                     {envFrom: `[{"configMapRef":{"name":"db"}}]`},
		"a prefix of the variable":             {envFrom: `[{"prefix":"DB_"},{"prefix":"OTEL_"}]`},
		"another prefix":                       {envFrom: `[{"prefix":"DB_"}]`, want: true},
		"a prefix that is malformed":           {envFrom: `[{"prefix":1}]`},
		"an entry that is malformed":           {envFrom: `["DB_"]`},
		"a field that is malformed, so no one": {envFrom: `{"prefix":"OTEL_"}`, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := &unstructured.Unstructured{}
			if err := u.UnmarshalJSON([]byte(`{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"main","envFrom":` + tt.envFrom + `}]}}`)); err != nil {
				t.Fatal(err)
			}
			if err := k8scarrier.InjectObject(t.Context(), u, k8scarrier.WithResource()); err != nil {
				t.Fatal(err)
			}
			text, err := u.MarshalJSON()
			if got := strings.Contains(string(text), `"OTEL_RESOURCE_ATTRIBUTES"`); err != nil || got != tt.want {
				t.Errorf("the variable is there: %t, %v; want %t:\n%s", got, err, tt.want, text)
			}
		})
	}
}

func lastOf(env []corev1.EnvVar, name string) *corev1.EnvVar {
	for i := range slices.Backward(env) {
		if env[i].Name == name {
			return &env[i]
		}
	}
	return &corev1.EnvVar{}
}
