// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/carriers/k8scarrier"
	"github.com/waybill-go/waybill/propagation"
)

// template returns a pod with containers of all kinds.
func template() *corev1.PodTemplateSpec {
	always := corev1.ContainerRestartPolicyAlways
	return &corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "init"}, {Name: "sidecar", RestartPolicy: &always}},
		Containers: []corev1.Container{
			{Name: "main", Env: []corev1.EnvVar{literal("A", "1"), literal("TRACESTATE", "old=1")}},
			{Name: "from", EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{}}}},
		},
	}}
}

// containers returns the containers of the template by their names.
func containers(template *corev1.PodTemplateSpec) map[string]corev1.Container {
	all := map[string]corev1.Container{}
	for _, list := range [][]corev1.Container{template.Spec.InitContainers, template.Spec.Containers} {
		for _, c := range list {
			all[c.Name] = c
		}
	}
	return all
}

func TestInjectPodTemplate(t *testing.T) {
	t.Parallel()
	ours := literal("TRACEPARENT", traceparent)
	injected := template()
	injected.Spec.EphemeralContainers = make([]corev1.EphemeralContainer, 1) // They are added to a pod that runs.
	if err := k8scarrier.InjectPodTemplate(spanContext(t), injected, k8scarrier.WithPropagation(propagation.WithPropagator(w3c))); err != nil {
		t.Fatal(err)
	}
	if env := injected.Spec.EphemeralContainers[0].Env; env != nil {
		t.Errorf("an ephemeral container has %v", env)
	}
	all := containers(injected)
	for name, want := range map[string][]corev1.EnvVar{
		"init":    {ours},
		"sidecar": {ours},
		"main":    {ours, literal("A", "1")},
		"from":    {literal("BAGGAGE", ""), ours, literal("TRACESTATE", "")},
	} {
		if diff := cmp.Diff(want, all[name].Env); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	// What the process gets.
	stale := pod{envFrom: map[string]string{"TRACEPARENT": otherTraceparent, "TRACESTATE": "old=1", "BAGGAGE": "old=1"}}
	remote := envcarrier.ReadFrom(environ(stale.start(t, all["from"])), envcarrier.WithPropagation(propagation.WithPropagator(w3c)), envcarrier.WithPropagation(propagation.WithBaggage("old")))
	if sc := remote.SpanContext(); sc.TraceID().String() != traceparent[3:35] || sc.TraceState().Len() != 0 || remote.Baggage().Len() != 0 {
		t.Errorf("the process reads %+v, %s", sc, remote.Baggage())
	}
}

func TestInjectPodTemplate_Repeated(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]k8scarrier.Option{
		"values":      nil,
		"annotations": {k8scarrier.WithAnnotations("")},
		"all":         {k8scarrier.WithAnnotations("example.org"), k8scarrier.WithJobInfo(), k8scarrier.WithPropagation(propagation.WithBaggage("user"))},
		"fails":       {k8scarrier.WithErrorOnConflict()},
		"refers":      {k8scarrier.WithErrorOnConflict(), k8scarrier.WithAnnotations("")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts = append(opts, k8scarrier.WithPropagation(propagation.WithPropagator(propagation.Default())))
			ctx := withTracestate(t, withBaggage(t, spanContext(t)), "a=1")
			first := template()
			first.Spec.Containers[0].Env = first.Spec.Containers[0].Env[:1]
			if err := k8scarrier.InjectPodTemplate(ctx, first, opts...); err != nil {
				t.Fatal(err)
			}
			second := first.DeepCopy()
			if err := k8scarrier.InjectPodTemplate(ctx, second, opts...); err != nil {
				t.Fatal(err)
			}
			firstBytes, err := first.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			secondBytes, err := second.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if string(firstBytes) != string(secondBytes) {
				t.Errorf("a second inject changed it (-first +second):\n%s", cmp.Diff(first, second))
			}
		})
	}
}

func TestInject_NothingToDo(t *testing.T) {
	t.Parallel()
	ctx := spanContext(t)
	var noJob *batchv1.Job
	var noPod *corev1.Pod
	empty := &corev1.PodTemplateSpec{}
	untouched := template()
	with := k8scarrier.WithPropagation(propagation.WithPropagator(w3c))
	none := k8scarrier.WithContainers(func(corev1.Container) bool { return false })
	for name, test := range map[string]struct{ got, want error }{
		"nil template":             {k8scarrier.InjectPodTemplate(ctx, nil), k8scarrier.ErrNil},
		"nil job":                  {k8scarrier.InjectJob(ctx, nil), k8scarrier.ErrNil},
		"nil object":               {k8scarrier.InjectObject(ctx, nil), k8scarrier.ErrNil},
		"a nil job":                {k8scarrier.InjectObject(ctx, noJob), k8scarrier.ErrNil},
		"a nil pod":                {k8scarrier.InjectObject(ctx, noPod), k8scarrier.ErrNil},
		"annotations of nil":       {k8scarrier.InjectAnnotations(ctx, nil), k8scarrier.ErrNil},
		"annotations of a nil pod": {k8scarrier.InjectAnnotations(ctx, noPod), k8scarrier.ErrNil},
		"no containers":            {k8scarrier.InjectPodTemplate(ctx, empty, k8scarrier.WithAnnotations(""), k8scarrier.WithJobInfo()), k8scarrier.ErrNoContainers},
		"a job without containers": {k8scarrier.InjectJob(ctx, &batchv1.Job{}), k8scarrier.ErrNoContainers},
		"no container is selected": {k8scarrier.InjectPodTemplate(ctx, untouched, with, none, k8scarrier.WithAnnotations("")), nil},
		"no span":                  {k8scarrier.InjectPodTemplate(t.Context(), untouched, with), k8scarrier.ErrNoContext},
		"no span, a job":           {k8scarrier.InjectJob(t.Context(), &batchv1.Job{Spec: batchv1.JobSpec{Template: *untouched}}, with), k8scarrier.ErrNoContext},
		"no span and annotations":  {k8scarrier.InjectPodTemplate(t.Context(), untouched, with, k8scarrier.WithAnnotations("")), k8scarrier.ErrNoContext},
		"no span for annotations":  {k8scarrier.InjectAnnotations(t.Context(), untouched, with), k8scarrier.ErrNoContext},
		"a nil ctx":                {k8scarrier.InjectPodTemplate(nil, untouched, with), k8scarrier.ErrNoContext}, //nolint:staticcheck // This is the case to test.
		"nothing to remove":        {k8scarrier.InjectAnnotations(t.Context(), &corev1.Pod{}, with, k8scarrier.WithPropagation(propagation.WithPolicy(propagation.Replace))), nil},
		"no propagator":            {k8scarrier.InjectPodTemplate(ctx, untouched, k8scarrier.WithPropagation(propagation.WithPropagator(propagation.Compose()))), k8scarrier.ErrNoContext},
	} {
		if !errors.Is(test.got, test.want) {
			t.Errorf("%s: error %v, want %v", name, test.got, test.want)
		}
	}
	if err := k8scarrier.InjectPodTemplate(ctx, untouched, with, k8scarrier.WithAnnotations("not valid!")); err == nil || !strings.Contains(err.Error(), "not valid!") {
		t.Errorf("error %v for a prefix that is not valid", err)
	}
	if diff := cmp.Diff(&corev1.PodTemplateSpec{}, empty); diff != "" {
		t.Errorf("a template without containers has changed:\n%s", diff)
	}
	if diff := cmp.Diff(template().Spec, untouched.Spec); diff != "" || len(untouched.Annotations) > 0 {
		t.Errorf("annotations %v, and the pod has changed:\n%s", untouched.Annotations, diff)
	}
}

func TestWithContainers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		selects func(corev1.Container) bool
		want    string
	}{
		"no sidecars": {func(c corev1.Container) bool { return c.RestartPolicy == nil }, "from init main"},
		"none":        {func(corev1.Container) bool { return false }, ""},
		"nil":         {nil, "from init main sidecar"},
		"a panic":     {func(corev1.Container) bool { panic("selects") }, "from init main sidecar"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			injected := template()
			if err := k8scarrier.InjectPodTemplate(spanContext(t), injected, k8scarrier.WithPropagation(propagation.WithPropagator(w3c)), k8scarrier.WithContainers(test.selects)); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, name := range []string{"from", "init", "main", "sidecar"} {
				if k8scarrier.Read(containers(injected)[name].Env, k8scarrier.WithPropagation(propagation.WithPropagator(w3c))).Err() == nil {
					got = append(got, name)
				}
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("injected %q, want %q", got, test.want)
			}
		})
	}
}

func TestWithErrorOnConflict(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		opt    k8scarrier.Option
		change func(*corev1.PodTemplateSpec)
	}{
		"a literal": {nil, func(p *corev1.PodTemplateSpec) {
			p.Spec.Containers[1].Env = []corev1.EnvVar{literal("TRACEPARENT", otherTraceparent)}
		}},
		"a source": {nil, func(p *corev1.PodTemplateSpec) { p.Spec.Containers[1].Env = []corev1.EnvVar{secret("TRACEPARENT")} }},
		"an annotation": {k8scarrier.WithAnnotations("example.org"), func(p *corev1.PodTemplateSpec) {
			p.Annotations = map[string]string{"example.org/traceparent": otherTraceparent}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			injected := template()
			injected.Spec.Containers[0].Env = nil
			test.change(injected)
			before := injected.DeepCopy()
			err := k8scarrier.InjectPodTemplate(spanContext(t), injected,
				k8scarrier.WithPropagation(propagation.WithPropagator(w3c)), k8scarrier.WithErrorOnConflict(), k8scarrier.WithJobInfo(), test.opt)
			if !errors.Is(err, k8scarrier.ErrConflict) {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(before, injected); diff != "" {
				t.Errorf("it has changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestInjectObject(t *testing.T) {
	t.Parallel()
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Annotations:     map[string]string{"cronjob.kubernetes.io/instantiate": "manual"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "CronJob", Name: "nightly"}},
		},
		Spec: batchv1.JobSpec{Template: *template()},
	}
	simple := &corev1.Pod{Spec: template().Spec}
	for name, test := range map[string]struct {
		object runtime.Object
		spec   *corev1.PodSpec
		err    error
	}{
		"a job, run now from a CronJob": {job, &job.Spec.Template.Spec, nil},
		"a pod":                         {simple, &simple.Spec, nil},
		"a CronJob": {
			&batchv1.CronJob{Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: *template()}}}}, nil, k8scarrier.ErrLongLived,
		},
		"a Deployment":  {&appsv1.Deployment{Spec: appsv1.DeploymentSpec{Template: *template()}}, nil, k8scarrier.ErrLongLived},
		"a StatefulSet": {&appsv1.StatefulSet{Spec: appsv1.StatefulSetSpec{Template: *template()}}, nil, k8scarrier.ErrLongLived},
		"a ReplicaSet":  {&appsv1.ReplicaSet{Spec: appsv1.ReplicaSetSpec{Template: *template()}}, nil, k8scarrier.ErrLongLived},
		"a ConfigMap":   {&corev1.ConfigMap{}, nil, k8scarrier.ErrUnknownKind},
		"a list":        {&batchv1.JobList{Items: []batchv1.Job{{Spec: batchv1.JobSpec{Template: *template()}}}}, nil, k8scarrier.ErrUnknownKind},
		"a DaemonSet":   {&appsv1.DaemonSet{Spec: appsv1.DaemonSetSpec{Template: *template()}}, nil, k8scarrier.ErrLongLived},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := test.object.DeepCopyObject()
			err := k8scarrier.InjectObject(spanContext(t), test.object, k8scarrier.WithPropagation(propagation.WithPropagator(w3c)))
			if !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
			if test.err != nil && !cmp.Equal(before, test.object) {
				t.Error("an object that was refused has changed")
			}
			if test.err == nil && k8scarrier.Read(test.spec.Containers[0].Env, k8scarrier.WithPropagation(propagation.WithPropagator(w3c))).Err() != nil {
				t.Error("nothing was injected")
			}
		})
	}
}

func TestWithAnnotations(t *testing.T) {
	t.Parallel()
	ctx := withTracestate(t, spanContext(t), "a=$(FOO)$")
	injected := template()
	injected.Annotations = map[string]string{"kept": "yes", "example.org/baggage": "old=1"}
	before := injected.Annotations
	opts := []k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPropagator(w3c)), k8scarrier.WithAnnotations("example.org")}
	if err := k8scarrier.InjectPodTemplate(ctx, injected, opts...); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"kept": "yes", "example.org/traceparent": traceparent, "example.org/tracestate": "a=$(FOO)$"}
	if diff := cmp.Diff(want, injected.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	if before["example.org/baggage"] == "" {
		t.Error("the map that was there has changed")
	}
	main := containers(injected)["main"]
	ref := func(name, key string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{
			APIVersion: "v1", FieldPath: "metadata.annotations['example.org/" + key + "']",
		}}}
	}
	wantEnv := []corev1.EnvVar{ref("BAGGAGE", "baggage"), ref("TRACEPARENT", "traceparent"), literal("A", "1"), ref("TRACESTATE", "tracestate")}
	if diff := cmp.Diff(wantEnv, main.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	// What the process and a controller get, now and after a late change.
	process := func() propagation.Remote {
		return envcarrier.ReadFrom(environ(pod{annotations: injected.Annotations}.start(t, main)), envcarrier.WithPropagation(propagation.WithPropagator(w3c)))
	}
	for name, remote := range map[string]propagation.Remote{"process": process(), "controller": k8scarrier.ReadAnnotations(injected, opts...)} {
		if sc := remote.SpanContext(); sc.TraceID().String() != traceparent[3:35] || sc.TraceState().String() != "a=$(FOO)$" {
			t.Errorf("the %s reads %+v", name, sc)
		}
	}
	injected.Annotations["example.org/traceparent"] = otherTraceparent
	if got := process().SpanContext().TraceID().String(); got != otherTraceparent[3:35] {
		t.Errorf("after a change the process reads %s", got)
	}
	// Removal, on demand.
	if err := k8scarrier.InjectPodTemplate(t.Context(), injected, append(opts, k8scarrier.WithPropagation(propagation.WithPolicy(propagation.Replace)))...); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"kept": "yes"}, injected.Annotations); diff != "" {
		t.Errorf("annotations after removal (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]corev1.EnvVar{literal("A", "1")}, containers(injected)["main"].Env); diff != "" {
		t.Errorf("environment after removal (-want +got):\n%s", diff)
	}
}

// A webhook reads the context from the object, and passes it on to the
// process; it may be called again.
func TestWithAnnotations_KeepExisting(t *testing.T) {
	t.Parallel()
	for name, ctx := range map[string]func(*corev1.PodTemplateSpec) context.Context{
		"of another span": func(*corev1.PodTemplateSpec) context.Context { return spanContext(t) },
		"of the webhook": func(on *corev1.PodTemplateSpec) context.Context {
			return k8scarrier.ReadAnnotations(on, k8scarrier.WithPropagation(propagation.WithPropagator(propagation.Default()))).Context(t.Context())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			injected := template()
			injected.Annotations = map[string]string{
				"tracing.k8s.io/traceparent": otherTraceparent, "tracing.k8s.io/waybill": "00-00063f2a6a3d80-00063f2a6a3d80-0001",
			}
			annotations := maps.Clone(injected.Annotations)
			opts := []k8scarrier.Option{
				k8scarrier.WithPropagation(propagation.WithPropagator(propagation.Default())), k8scarrier.WithAnnotations(""), k8scarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting)),
			}
			if err := k8scarrier.InjectPodTemplate(ctx(injected), injected, opts...); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(annotations, injected.Annotations); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
			process := pod{annotations: injected.Annotations}.start(t, containers(injected)["main"])
			if process["TRACEPARENT"] != otherTraceparent || process["TRACESTATE"] != "" {
				t.Errorf("the process gets %v", process)
			}
			again := injected.DeepCopy()
			if err := k8scarrier.InjectPodTemplate(ctx(again), again, opts...); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(injected, again); diff != "" {
				t.Errorf("a second inject changed it (-first +second):\n%s", diff)
			}
		})
	}
}

func TestWithAnnotations_KeepExistingContainers(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]corev1.EnvVar{
		"a literal": literal("TRACEPARENT", otherTraceparent),
		"a source":  secret("TRACEPARENT"),
		"an annotation of another": {Name: "TRACEPARENT", ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['example.org/traceparent']"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			injected := template()
			injected.Spec.Containers[0].Env = []corev1.EnvVar{own}
			opts := []k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPropagator(w3c)), k8scarrier.WithAnnotations("")}
			conflicting := injected.DeepCopy()
			if err := k8scarrier.InjectPodTemplate(spanContext(t), conflicting, append(opts, k8scarrier.WithErrorOnConflict())...); !errors.Is(err, k8scarrier.ErrConflict) {
				t.Errorf("error %v, want a conflict", err)
			}
			if diff := cmp.Diff(injected, conflicting); diff != "" {
				t.Errorf("a conflict changed it:\n%s", diff)
			}
			if err := k8scarrier.InjectPodTemplate(spanContext(t), injected, append(opts, k8scarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting)))...); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]corev1.EnvVar{own}, containers(injected)["main"].Env); diff != "" {
				t.Errorf("what was to be kept has changed:\n%s", diff)
			}
			if got := (pod{annotations: injected.Annotations}).start(t, containers(injected)["from"]); got["TRACEPARENT"] != traceparent {
				t.Errorf("the process of another container gets %v", got)
			}
		})
	}
}

func TestInjectAnnotations(t *testing.T) {
	t.Parallel()
	opts := []k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPropagator(w3c)), k8scarrier.WithAnnotations("example.org")}
	// A Job that is suspended at first, and gets its context late.
	job := &batchv1.Job{Spec: batchv1.JobSpec{Suspend: new(true), Template: *template()}}
	if err := k8scarrier.InjectJob(withTracestate(t, spanContext(t), "a=1"), job, opts...); err != nil {
		t.Fatal(err)
	}
	late := trace.ContextWithSpanContext(t.Context(), trace.SpanContextFromContext(spanContext(t)).WithSpanID(trace.SpanID{9}))
	env, before := job.Spec.Template.Spec.DeepCopy(), job.Spec.Template.Annotations
	for range 2 { // The second changes nothing.
		if err := k8scarrier.InjectAnnotations(late, &job.Spec.Template, opts...); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"example.org/traceparent": "00-0af7651916cd43dd8448eb211c80319c-0900000000000000-03"}
		if diff := cmp.Diff(want, job.Spec.Template.Annotations); diff != "" {
			t.Errorf("annotations (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff(env, &job.Spec.Template.Spec); diff != "" {
		t.Errorf("the pod has changed:\n%s", diff)
	}
	if before["example.org/tracestate"] == "" {
		t.Error("the map that was there has changed")
	}
	got := pod{annotations: job.Spec.Template.Annotations}.start(t, job.Spec.Template.Spec.Containers[0])
	if remote := envcarrier.ReadFrom(environ(got), envcarrier.WithPropagation(propagation.WithPropagator(w3c))); remote.SpanContext().SpanID() != (trace.SpanID{9}) {
		t.Errorf("the process reads %+v", remote.SpanContext())
	}
	// Without a span nothing changes, and on demand a conflict is an error.
	after := job.DeepCopy()
	if err := k8scarrier.InjectAnnotations(t.Context(), &job.Spec.Template, opts...); !errors.Is(err, k8scarrier.ErrNoContext) {
		t.Errorf("error %v, want %v", err, k8scarrier.ErrNoContext)
	}
	if err := k8scarrier.InjectAnnotations(spanContext(t), &job.Spec.Template, append(opts, k8scarrier.WithErrorOnConflict())...); !errors.Is(err, k8scarrier.ErrConflict) {
		t.Errorf("error %v, want a conflict", err)
	}
	if diff := cmp.Diff(after, job); diff != "" {
		t.Errorf("it has changed:\n%s", diff)
	}
}

func TestWithAnnotations_Limit(t *testing.T) {
	t.Parallel()
	const limit = 256 << 10
	const tracestate, members = "a=1", "user=42"
	ours := len("tracing.k8s.io/traceparent") + len(traceparent)
	state := ours + len("tracing.k8s.io/tracestate") + len(tracestate)
	all := state + len("tracing.k8s.io/baggage") + len(members)
	ctx := withTracestate(t, withBaggage(t, spanContext(t)), tracestate)
	for room, want := range map[int]int{all: 3, all - 1: 2, state - 1: 1, ours: 1, ours - 1: 0} {
		injected := template()
		injected.Annotations = map[string]string{"k": strings.Repeat("v", limit-room-1)}
		before := injected.DeepCopy()
		err := k8scarrier.InjectPodTemplate(ctx, injected,
			k8scarrier.WithPropagation(propagation.WithPropagator(w3c)), k8scarrier.WithAnnotations(""), k8scarrier.WithPropagation(propagation.WithBaggage("user")))
		if errors.Is(err, k8scarrier.ErrTooLarge) != (want == 0) || len(injected.Annotations) != want+1 {
			t.Errorf("room for %d bytes: error %v, %d annotations, want %d of ours", room, err, len(injected.Annotations), want)
		}
		if err != nil && !cmp.Equal(before, injected) {
			t.Error("it has changed all the same")
		}
	}
}

func TestStripAnnotations(t *testing.T) {
	t.Parallel()
	with := k8scarrier.WithPropagation(propagation.WithPropagator(propagation.Default()), propagation.WithBaggage("user"))
	for name, test := range map[string]struct {
		own  map[string]string
		opts []k8scarrier.Option
	}{
		"nil":            {},
		"own":            {own: map[string]string{"a": "1", "tracing.k8s.io/other": "x"}},
		"another prefix": {own: map[string]string{"a": "1", "tracing.k8s.io/baggage": "mine"}, opts: []k8scarrier.Option{k8scarrier.WithAnnotations("example.org")}},
		"another format": {own: map[string]string{"a": "1"}, opts: []k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPropagator(pairs{{"b3", "0"}}))}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := append([]k8scarrier.Option{with}, test.opts...)
			for n := range 3 { // Whatever the context is.
				annotated := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: test.own}}
				ctx := withBaggage(t, spanOf(t, byte(n+1)))
				if err := k8scarrier.InjectAnnotations(ctx, annotated, opts...); err != nil {
					t.Fatal(err)
				}
				before := maps.Clone(annotated.Annotations)
				if len(before) == len(test.own) {
					t.Fatal("nothing is injected")
				}
				got := k8scarrier.StripAnnotations(annotated.Annotations, opts...)
				if !maps.Equal(got, test.own) {
					t.Errorf("%v, want %v", got, test.own)
				}
				if diff := cmp.Diff(before, annotated.Annotations); diff != "" {
					t.Errorf("what was given has changed:\n%s", diff)
				}
			}
		})
	}
	if got := k8scarrier.StripAnnotations(nil); got != nil {
		t.Errorf("%v of nil", got)
	}
}

func TestReadAnnotations_Nothing(t *testing.T) {
	t.Parallel()
	var noPod *corev1.Pod
	for name, object := range map[string]metav1.Object{"nil": nil, "a nil pod": noPod, "no annotations": &corev1.Pod{}} {
		if err := k8scarrier.ReadAnnotations(object, k8scarrier.WithPropagation(propagation.WithPropagator(w3c))).Err(); !errors.Is(err, propagation.ErrAbsent) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// The variables are those that envcarrier reads.
func TestWithJobInfo(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
	job := &batchv1.Job{Spec: batchv1.JobSpec{Template: *template()}}
	// It does not depend on a span.
	if err := k8scarrier.InjectJob(t.Context(), job, k8scarrier.WithPropagation(propagation.WithPropagator(w3c)), k8scarrier.WithJobInfo()); err != nil {
		t.Fatal(err)
	}
	started := pod{
		labels:      map[string]string{"batch.kubernetes.io/job-name": "nightly", "batch.kubernetes.io/controller-uid": "job-uid"},
		annotations: map[string]string{"batch.kubernetes.io/job-index-failure-count": "1"},
	}.start(t, job.Spec.Template.Spec.Containers[0])
	for name, value := range started {
		t.Setenv(name, value)
	}
	got, ok := envcarrier.KubernetesJob()
	want := envcarrier.JobInfo{
		Name: "nightly", UID: "job-uid", Namespace: "metadata.namespace", Pod: "metadata.name", PodUID: "metadata.uid", Index: -1, Attempt: 2,
	}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("ok %t, job (-want +got):\n%s", ok, diff)
	}
}

// The global propagator is used at the time of the call, and only where no
// other is given.
func TestWithPropagation_HostileGlobals(t *testing.T) {
	ctx := spanContext(t)
	setGlobalPropagator(t, mark{})
	for _, opts := range [][]k8scarrier.Option{nil, {k8scarrier.WithPropagation(propagation.WithPropagator(nil))}} {
		got := k8scarrier.InjectEnv(ctx, nil, opts...)
		got = slices.DeleteFunc(got, func(e corev1.EnvVar) bool { return e.Name == "WAYBILL" }) // It goes with every global propagator.
		if diff := cmp.Diff([]corev1.EnvVar{literal("X_MARK", "here")}, got); diff != "" {
			t.Errorf("the global propagator was not used:\n%s", diff)
		}
	}
	setGlobalPropagator(t, hostile{t})
	opts := []k8scarrier.Option{
		k8scarrier.WithPropagation(propagation.WithPropagator(w3c)), k8scarrier.WithPropagation(propagation.WithMaxBytes(200)), k8scarrier.WithPropagation(propagation.WithBaggage("a")), k8scarrier.WithPropagation(propagation.WithoutBaggage()),
		k8scarrier.WithPropagation(propagation.WithPolicy(propagation.Replace)), k8scarrier.WithErrorOnConflict(), k8scarrier.WithContainers(nil),
		k8scarrier.WithJobInfo(), k8scarrier.WithAnnotations(""), k8scarrier.WithPodTemplatePath("spec"), nil,
	}
	env := k8scarrier.InjectEnv(ctx, nil, opts...)
	injected := template()
	if err := k8scarrier.InjectPodTemplate(ctx, injected, opts...); err != nil {
		t.Error(err)
	}
	if err := k8scarrier.InjectAnnotations(ctx, injected, opts...); err != nil {
		t.Error(err)
	}
	if k8scarrier.Extract(t.Context(), env, opts...) == t.Context() || k8scarrier.Read(env, opts...).Err() != nil ||
		k8scarrier.ReadAnnotations(injected, opts...).Err() != nil {
		t.Error("nothing is read")
	}
}

// mark is a propagator of one key.
type mark struct{}

func (mark) Inject(_ context.Context, c propagation.TextMapCarrier) { c.Set("x-mark", "here") }
func (mark) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context {
	return ctx
}
func (mark) Fields() []string { return []string{"x-mark"} }
