// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/waybill-go/waybill/carriers/k8scarrier"
	"github.com/waybill-go/waybill/propagation"
)

// jobWithAll returns a Job with containers of all kinds.
func jobWithAll() *batchv1.Job {
	job := &batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{Name: "nightly"},
		Spec:       batchv1.JobSpec{Template: *template()},
	}
	job.Spec.Template.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug"}}}
	job.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{literal("A", "1"), {Name: "NODE", ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.nodeName"},
	}}}
	return job
}

// spanOf returns a ctx with a span whose trace id is n everywhere, and with a
// tracestate for every other n.
func spanOf(t testing.TB, n byte) context.Context {
	t.Helper()
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{n}, SpanID: trace.SpanID{n}, TraceFlags: trace.FlagsSampled})
	ctx := trace.ContextWithSpanContext(t.Context(), sc)
	if n%2 == 1 {
		ctx = withTracestate(t, ctx, fmt.Sprintf("s=%d", n))
	}
	return ctx
}

var (
	traceIDs = regexp.MustCompile(`00-([0-9a-f]{32})-[0-9a-f]{16}-01`)
	states   = regexp.MustCompile(`s=(\d+)`)
	origins  = regexp.MustCompile(`00-[0-9a-z]+-[0-9a-z]+-\d{4}`)
)

// contexts returns the trace ids, tracestates and waybills that are anywhere in
// an object, each once.
func contexts(t testing.TB, object any) (ids, tracestates, waybills []string) {
	t.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	once := func(found []string) []string { slices.Sort(found); return slices.Compact(found) }
	return once(traceIDs.FindAllString(string(text), -1)), once(states.FindAllString(string(text), -1)), once(origins.FindAllString(string(text), -1))
}

// steps are the ways to put a context on a Job.
func steps() map[string]func(ctx context.Context, job *batchv1.Job) error {
	with := k8scarrier.WithPropagation(propagation.WithPropagator(propagation.Default()))
	other := k8scarrier.WithAnnotations("example.org")
	return map[string]func(ctx context.Context, job *batchv1.Job) error{
		"literals": func(ctx context.Context, job *batchv1.Job) error { return k8scarrier.InjectJob(ctx, job, with) },
		"literals of the template": func(ctx context.Context, job *batchv1.Job) error {
			return k8scarrier.InjectPodTemplate(ctx, &job.Spec.Template, with)
		},
		"literals of one container": func(ctx context.Context, job *batchv1.Job) error {
			return k8scarrier.InjectJob(ctx, job, with, only("main"))
		},
		"annotations": func(ctx context.Context, job *batchv1.Job) error {
			return k8scarrier.InjectJob(ctx, job, with, k8scarrier.WithAnnotations(""))
		},
		"annotations of another": func(ctx context.Context, job *batchv1.Job) error { return k8scarrier.InjectJob(ctx, job, with, other) },
		"annotations and one of all": func(ctx context.Context, job *batchv1.Job) error {
			return k8scarrier.InjectJob(ctx, job, with, k8scarrier.WithAnnotations(""), only("init"))
		},
		"annotations of the Job": func(ctx context.Context, job *batchv1.Job) error { return k8scarrier.InjectAnnotations(ctx, job, with) },
		"annotations of the pod": func(ctx context.Context, job *batchv1.Job) error {
			return k8scarrier.InjectAnnotations(ctx, &job.Spec.Template, with)
		},
		"other annotations of the pod": func(ctx context.Context, job *batchv1.Job) error {
			return k8scarrier.InjectAnnotations(ctx, &job.Spec.Template, with, other)
		},
		"an object": func(ctx context.Context, job *batchv1.Job) error { return k8scarrier.InjectObject(ctx, job, with) },
	}
}

func only(name string) k8scarrier.Option {
	return k8scarrier.WithContainers(func(c corev1.Container) bool { return c.Name == name })
}

// processes checks what the containers of a Job get.
func processes(t *testing.T, job *batchv1.Job, want string) {
	t.Helper()
	for name, c := range containers(&job.Spec.Template) {
		got := pod{annotations: job.Spec.Template.Annotations}.start(t, c)["TRACEPARENT"]
		if got != "" && got != want {
			t.Errorf("the process of %s gets %q, want %q", name, got, want)
		}
	}
}

// An object holds one context after any sequence of injections.
func TestInjectJob_Sequences(t *testing.T) {
	t.Parallel()
	for first, inject1 := range steps() {
		for second, inject2 := range steps() {
			for _, third := range []string{"literals", "annotations of another", "annotations of the Job"} {
				inject3 := steps()[third]
				t.Run(first+", "+second+", "+third, func(t *testing.T) {
					t.Parallel()
					job := jobWithAll()
					for n, inject := range []func(context.Context, *batchv1.Job) error{inject1, inject2, inject3} {
						ctx := spanOf(t, byte(n+1))
						if err := inject(ctx, job); err != nil {
							t.Fatalf("injection %d: %v", n+1, err)
						}
						want := fmt.Sprintf("00-%032s-%016s-01", trace.TraceID{byte(n + 1)}, trace.SpanID{byte(n + 1)})
						var object any = job
						if name := []string{first, second, third}[n]; strings.Contains(name, "of the template") || strings.Contains(name, "of the pod") {
							object = job.Spec.Template // The call cannot reach the Job around it.
						}
						ids, tracestates, waybills := contexts(t, object)
						if !slices.Equal(ids, []string{want}) {
							t.Errorf("after injection %d the object holds %q, want %q", n+1, ids, want)
						}
						if len(tracestates) != (n+1)%2 || len(waybills) != 1 {
							t.Errorf("after injection %d it has tracestates %q and waybills %q", n+1, tracestates, waybills)
						}
						processes(t, job, want)
						before := job.DeepCopy()
						if err := inject(ctx, job); err != nil {
							t.Errorf("injection %d, again: %v", n+1, err)
						}
						if !reflect.DeepEqual(before, job) {
							t.Errorf("injection %d, again, changed the object:\n%s", n+1, cmp.Diff(before, job))
						}
					}
				})
			}
		}
	}
}

// A context that is to be kept is kept in all of the object.
func TestInjectJob_KeepExistingSequences(t *testing.T) {
	t.Parallel()
	keep := k8scarrier.WithPropagation(propagation.WithPropagator(propagation.Default()), propagation.WithPolicy(propagation.KeepExisting))
	second := map[string]func(ctx context.Context, job *batchv1.Job) error{
		"literals": func(ctx context.Context, job *batchv1.Job) error { return k8scarrier.InjectJob(ctx, job, keep) },
		"annotations": func(ctx context.Context, job *batchv1.Job) error {
			return k8scarrier.InjectJob(ctx, job, keep, k8scarrier.WithAnnotations(""))
		},
		"annotations of another": func(ctx context.Context, job *batchv1.Job) error {
			return k8scarrier.InjectJob(ctx, job, keep, k8scarrier.WithAnnotations("example.org"))
		},
	}
	for name, inject1 := range steps() {
		if strings.Contains(name, "one") || name == "annotations of the Job" {
			continue // Containers have no context of their own, or not all.
		}
		for again, inject2 := range second {
			t.Run(name+", "+again, func(t *testing.T) {
				t.Parallel()
				job := jobWithAll()
				if err := errors.Join(inject1(spanOf(t, 1), job), inject2(spanOf(t, 2), job)); err != nil {
					t.Fatal(err)
				}
				want := fmt.Sprintf("00-%032s-%016s-01", trace.TraceID{1}, trace.SpanID{1})
				if ids, _, _ := contexts(t, job); !slices.Equal(ids, []string{want}) {
					t.Errorf("the object holds %q, want %q", ids, want)
				}
				processes(t, job, want)
			})
		}
	}
}

// If ctx has no valid span, its waybill is not written beside the context of
// another flow, but to an object that holds none.
func TestInjectJob_WaybillOnly(t *testing.T) {
	t.Parallel()
	waybill := propagation.ContextWithWaybill(t.Context(), propagation.Waybill{Origin: time.UnixMicro(1), Sent: time.UnixMicro(2), Hops: 3})
	for name, inject1 := range steps() {
		for again, inject2 := range steps() {
			if strings.Contains(again, "of the template") || strings.Contains(again, "of the pod") {
				continue // They cannot reach the Job around it.
			}
			t.Run(name+", "+again, func(t *testing.T) {
				t.Parallel()
				job := jobWithAll()
				if err := inject1(spanOf(t, 1), job); err != nil {
					t.Fatal(err)
				}
				before := job.DeepCopy()
				if err := inject2(waybill, job); err != nil {
					t.Errorf("error %v", err)
				}
				if diff := cmp.Diff(before, job); diff != "" {
					t.Errorf("the object has changed:\n%s", diff)
				}
			})
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			job := jobWithAll()
			if err := inject1(waybill, job); err != nil {
				t.Errorf("error %v", err)
			}
			if ids, _, waybills := contexts(t, job); len(ids) != 0 || len(waybills) != 1 || !strings.HasSuffix(waybills[0], "-0004") {
				t.Errorf("trace ids %q and waybills %q, want only a waybill", ids, waybills)
			}
		})
	}
}

// Objects that share an environment or annotations with one that is injected into do not
// change, and neither does what stands behind a slice.
func TestInject_SharedMemory(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]k8scarrier.Option{
		"literals":    nil,
		"annotations": {k8scarrier.WithAnnotations("")},
		"described":   {k8scarrier.WithJobInfo(), k8scarrier.WithResource(attribute.String("service.version", "1"))},
		"removed":     {k8scarrier.WithPropagation(propagation.WithPolicy(propagation.Replace))},
	} {
		for what, inject := range map[string]func(ctx context.Context, job *batchv1.Job) error{
			"InjectEnv": func(ctx context.Context, job *batchv1.Job) error {
				k8scarrier.InjectEnv(ctx, job.Spec.Template.Spec.Containers[0].Env, opts...)
				return nil
			},
			"InjectPodTemplate": func(ctx context.Context, job *batchv1.Job) error {
				return k8scarrier.InjectPodTemplate(ctx, &job.Spec.Template, opts...)
			},
			"InjectJob": func(ctx context.Context, job *batchv1.Job) error { return k8scarrier.InjectJob(ctx, job, opts...) },
			"InjectObject": func(ctx context.Context, job *batchv1.Job) error {
				return k8scarrier.InjectObject(ctx, &corev1.Pod{ObjectMeta: job.Spec.Template.ObjectMeta, Spec: job.Spec.Template.Spec}, opts...)
			},
			"InjectAnnotations": func(ctx context.Context, job *batchv1.Job) error {
				return errors.Join(k8scarrier.InjectAnnotations(ctx, job, opts...), k8scarrier.InjectAnnotations(ctx, &job.Spec.Template, opts...))
			},
			"InjectCronJob": func(ctx context.Context, job *batchv1.Job) error {
				return k8scarrier.InjectCronJob(ctx, &batchv1.CronJob{Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: job.Spec}}}, opts...)
			},
		} {
			t.Run(what+", "+name, func(t *testing.T) {
				t.Parallel()
				behind := []corev1.EnvVar{literal("TRACEPARENT", otherTraceparent), literal("OTEL_RESOURCE_ATTRIBUTES", "a=b"), literal("A", "1"), literal("BEHIND", "x"), literal("BEHIND", "y")}
				cached := jobWithAll()
				cached.Annotations = map[string]string{"tracing.k8s.io/traceparent": otherTraceparent}
				cached.Spec.Template.Annotations = map[string]string{"tracing.k8s.io/traceparent": otherTraceparent, "k": "v"}
				cached.Spec.Template.Spec.Containers[0].Env = behind[:3]
				before, behindBefore := cached.DeepCopy(), slices.Clone(behind)
				job := *cached // It shares all but the lists of containers.
				job.Spec.Template.Spec.InitContainers = slices.Clone(job.Spec.Template.Spec.InitContainers)
				job.Spec.Template.Spec.Containers = slices.Clone(job.Spec.Template.Spec.Containers)
				job.Spec.Template.Spec.EphemeralContainers = slices.Clone(job.Spec.Template.Spec.EphemeralContainers)
				if err := inject(spanContext(t), &job); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(before, cached); diff != "" {
					t.Errorf("the object that shares its memory has changed:\n%s", diff)
				}
				if diff := cmp.Diff(behindBefore, behind); diff != "" {
					t.Errorf("written behind the environment:\n%s", diff)
				}
			})
		}
	}
}

// An object of the dynamic client shares lists and maps, too.
func TestInjectObject_SharedFields(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]k8scarrier.Option{"literals": nil, "annotations": k8scarrier.WithAnnotations("")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			job := jobWithAll()
			job.Spec.Template.Annotations = map[string]string{"tracing.k8s.io/traceparent": otherTraceparent}
			job.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{literal("TRACEPARENT", otherTraceparent), literal("A", "1")}
			fields := fieldsOf(t, job)
			template := fields["spec"].(map[string]any)["template"].(map[string]any)
			containers := template["spec"].(map[string]any)["containers"].([]any)
			env, annotations := containers[0].(map[string]any)["env"].([]any), template["metadata"].(map[string]any)["annotations"].(map[string]any)
			envBefore, annotationsBefore := runtime.DeepCopyJSONValue(env), runtime.DeepCopyJSONValue(annotations)
			if err := k8scarrier.InjectObject(spanContext(t), &unstructured.Unstructured{Object: fields}, opt); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(envBefore, any(env)); diff != "" {
				t.Errorf("an environment that others may share has changed:\n%s", diff)
			}
			if diff := cmp.Diff(annotationsBefore, any(annotations)); diff != "" {
				t.Errorf("annotations that others may share have changed:\n%s", diff)
			}
		})
	}
}

// The same input gives the same bytes.
func TestInject_Deterministic(t *testing.T) {
	t.Parallel()
	ctx := withTracestate(t, withBaggage(t, spanContext(t)), "a=1")
	for name, opts := range map[string][]k8scarrier.Option{
		"literals":    nil,
		"annotations": {k8scarrier.WithAnnotations("")},
		"described":   {k8scarrier.WithJobInfo(), k8scarrier.WithResource(attribute.String("service.version", "1"))},
	} {
		with := append([]k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPropagator(w3c), propagation.WithBaggage("user"))}, opts...)
		var first string
		for n := range 20 {
			job, created, annotated := jobWithAll(), cronJob(literal("A", "1")), jobWithAll()
			dynamic := &unstructured.Unstructured{Object: fieldsOf(t, jobWithAll())}
			env := k8scarrier.InjectEnv(ctx, job.Spec.Template.Spec.Containers[0].Env, with...)
			err := errors.Join(k8scarrier.InjectJob(ctx, job, with...), k8scarrier.InjectCronJob(ctx, created, with...),
				k8scarrier.InjectObject(ctx, dynamic, with...), k8scarrier.InjectAnnotations(ctx, annotated, with...))
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal([]any{env, job, created, dynamic, annotated})
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				first = string(text)
			}
			if diff := cmp.Diff(first, string(text)); diff != "" {
				t.Fatalf("%s, time %d (-first +now):\n%s", name, n+1, diff)
			}
		}
	}
}

// A conflict is found wherever the other context is.
func TestInjectJob_ConflictSequences(t *testing.T) {
	t.Parallel()
	with := []k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPropagator(w3c)), k8scarrier.WithErrorOnConflict()}
	for name, inject := range steps() {
		for again, opts := range map[string][]k8scarrier.Option{
			"literals": nil, "annotations": {k8scarrier.WithAnnotations("")}, "one container": {only("main")},
		} {
			t.Run(name+", "+again, func(t *testing.T) {
				t.Parallel()
				job := jobWithAll()
				if err := inject(spanOf(t, 1), job); err != nil {
					t.Fatal(err)
				}
				before := job.DeepCopy()
				if err := k8scarrier.InjectJob(spanOf(t, 2), job, append(with, opts...)...); !errors.Is(err, k8scarrier.ErrConflict) {
					t.Errorf("error %v, want %v", err, k8scarrier.ErrConflict)
				}
				if diff := cmp.Diff(before, job); diff != "" {
					t.Errorf("a conflict changed the object:\n%s", diff)
				}
			})
		}
	}
}

// An object of the dynamic client gets what a typed one gets, and keeps fields
// that the types do not have.
func TestInjectObject_Unstructured(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]k8scarrier.Option{
		"literals":    nil,
		"annotations": {k8scarrier.WithAnnotations("")},
		"job info":    {k8scarrier.WithJobInfo(), only("main")},
		"no context":  {k8scarrier.WithPropagation(propagation.WithPolicy(propagation.Replace))},
	} {
		for kind, typed := range map[string]runtime.Object{
			"Job": jobWithAll(),
			"Pod": &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, Spec: jobWithAll().Spec.Template.Spec},
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				with := append([]k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPropagator(w3c))}, opts...)
				dynamic := &unstructured.Unstructured{Object: fieldsOf(t, typed)}
				for n := range 3 {
					ctx := spanOf(t, byte(n+1))
					if name == "no context" && n == 2 {
						ctx = t.Context()
					}
					if err := errors.Join(k8scarrier.InjectObject(ctx, typed, with...), k8scarrier.InjectObject(ctx, dynamic, with...)); err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(fieldsOf(t, typed), dynamic.Object); diff != "" {
						t.Errorf("injection %d (-typed +dynamic):\n%s", n+1, diff)
					}
				}
			})
		}
	}
}

// fieldsOf returns an object as the dynamic client has it.
func fieldsOf(t testing.TB, object any) map[string]any {
	t.Helper()
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		t.Fatal(err)
	}
	return fields
}

func TestInjectObject_UnknownFields(t *testing.T) {
	t.Parallel()
	text := `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"n","future":1},"spec":{"future":[1],"template":{"spec":{"future":"x",
		"containers":[{"name":"main","future":{"a":1},"env":[
			{"name":"FILE","valueFrom":{"fileKeyRef":{"path":"p","key":"k"}},"future":2},
			{"name":"TRACEPARENT","value":"old","future":3},
			"malformed",
			{"name":"TRACEPARENT","value":"older"},
			{"name":5}
		]}]}}}}`
	job := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(text), &job.Object); err != nil {
		t.Fatal(err)
	}
	if err := k8scarrier.InjectObject(spanContext(t), job, k8scarrier.WithPropagation(propagation.WithPropagator(w3c))); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(text, `"value":"old","future":3}`, `"value":"`+traceparent+`"}`, 1)
	want = strings.Replace(want, `{"name":"TRACEPARENT","value":"older"},`, "", 1)
	var wanted map[string]any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, job.Object); diff != "" {
		t.Errorf("object (-want +got):\n%s", diff)
	}
}

func TestInjectObject_Kinds(t *testing.T) {
	t.Parallel()
	const pod = `{"spec":{"containers":[{"name":"main"}]}}`
	for name, test := range map[string]struct {
		object string
		opts   []k8scarrier.Option
		err    error
	}{
		"a Job":                   {object: `{"apiVersion":"batch/v1","kind":"Job","spec":{"template":` + pod + `}}`},
		"a Pod":                   {object: `{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"main"}]}}`},
		"a CronJob":               {object: `{"apiVersion":"batch/v1","kind":"CronJob","spec":{}}`, err: k8scarrier.ErrLongLived},
		"a Deployment":            {object: `{"apiVersion":"apps/v1","kind":"Deployment","spec":{"template":` + pod + `}}`, err: k8scarrier.ErrLongLived},
		"a path of one":           {object: `{"apiVersion":"apps/v1","kind":"Deployment","spec":{"template":` + pod + `}}`, opts: []k8scarrier.Option{k8scarrier.WithPodTemplatePath("spec", "template")}, err: k8scarrier.ErrLongLived},
		"a one-shot kind":         {object: `{"apiVersion":"example.org/v1","kind":"Run","spec":{"pod":` + pod + `}}`, err: k8scarrier.ErrUnknownKind},
		"with its path":           {object: `{"apiVersion":"example.org/v1","kind":"Run","spec":{"pod":` + pod + `}}`, opts: []k8scarrier.Option{k8scarrier.WithPodTemplatePath("spec", "pod")}},
		"with another path":       {object: `{"apiVersion":"example.org/v1","kind":"Run","spec":{"pod":` + pod + `}}`, opts: []k8scarrier.Option{k8scarrier.WithPodTemplatePath("spec", "template")}, err: k8scarrier.ErrNoContainers},
		"a Job of others":         {object: `{"apiVersion":"example.org/v1","kind":"Job","spec":{"template":` + pod + `}}`, err: k8scarrier.ErrUnknownKind},
		"an empty Job":            {object: `{"apiVersion":"batch/v1","kind":"Job"}`, err: k8scarrier.ErrNoContainers},
		"a malformed Job":         {object: `{"apiVersion":"batch/v1","kind":"Job","spec":{"template":{"spec":{"containers":"x","initContainers":["y",1]}}}}`, err: k8scarrier.ErrNoContainers},
		"a malformed Pod":         {object: `{"apiVersion":"v1","kind":"Pod","spec":5}`, err: k8scarrier.ErrNoContainers},
		"a ReplicationController": {object: `{"apiVersion":"v1","kind":"ReplicationController","spec":{"template":` + pod + `}}`, err: k8scarrier.ErrLongLived},
		"a ConfigMap":             {object: `{"apiVersion":"v1","kind":"ConfigMap"}`, err: k8scarrier.ErrUnknownKind},
		"a CronWorkflow":          {object: `{"apiVersion":"argoproj.io/v1alpha1","kind":"CronWorkflow","spec":{"workflowSpec":{}}}`, opts: []k8scarrier.Option{k8scarrier.WithContainerPath("spec")}, err: k8scarrier.ErrLongLived},
		"a ScaledJob":             {object: `{"apiVersion":"keda.sh/v1alpha1","kind":"ScaledJob","spec":{"template":` + pod + `}}`, opts: []k8scarrier.Option{k8scarrier.WithPodTemplatePath("spec", "template")}, err: k8scarrier.ErrLongLived},
		"a scheduled application": {object: `{"apiVersion":"sparkoperator.k8s.io/v1beta2","kind":"ScheduledSparkApplication","spec":{"template":` + pod + `}}`, opts: []k8scarrier.Option{k8scarrier.WithPodTemplatePath("spec", "template")}, err: k8scarrier.ErrLongLived},
		"a List":                  {object: `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod"}]}`, err: k8scarrier.ErrUnknownKind},
		"nothing":                 {object: `{}`, err: k8scarrier.ErrUnknownKind},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := &unstructured.Unstructured{}
			if err := json.Unmarshal([]byte(test.object), &object.Object); err != nil {
				t.Fatal(err)
			}
			before := object.DeepCopy()
			err := k8scarrier.InjectObject(spanContext(t), object, append(test.opts, k8scarrier.WithPropagation(propagation.WithPropagator(w3c)))...)
			if !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
			if ids := len(traceIDs.FindAllString(fmt.Sprint(object), -1)); test.err == nil && !strings.Contains(fmt.Sprint(object), traceparent) {
				t.Errorf("nothing was injected: %d trace ids in %v", ids, object)
			}
			if diff := cmp.Diff(before, object); test.err != nil && diff != "" {
				t.Errorf("an object that was refused has changed:\n%s", diff)
			}
		})
	}
}

// An error says what to do, and where a path ends.
func TestInjectObject_Advice(t *testing.T) {
	t.Parallel()
	const run = `{"apiVersion":"example.org/v1","kind":"Run","spec":{"pods":[{"spec":{"containers":[]}}],"steps":[{"name":"a"}],"none":null}}`
	for name, test := range map[string]struct {
		object string
		opts   []k8scarrier.Option
		want   string // Of the error, at its end.
	}{
		"a CronJob":                 {object: `{"apiVersion":"batch/v1","kind":"CronJob"}`, want: "not one flow: CronJob.batch; see InjectCronJob"},
		"a Deployment":              {object: `{"apiVersion":"apps/v1","kind":"Deployment"}`, want: "not one flow: Deployment.apps"},
		"a kind that is not known":  {object: run, want: "is not known: Run.example.org; see WithPodTemplatePath and WithContainerPath"},
		"a field that is not there": {object: run, opts: []k8scarrier.Option{k8scarrier.WithPodTemplatePath("spec", "pod", "template")}, want: `inject into: the path "spec.pod.template" ends at "pod": Run.example.org`},
		"a field that is null":      {object: run, opts: []k8scarrier.Option{k8scarrier.WithContainerPath("spec", "none")}, want: `the path "spec.none" ends at "none": Run.example.org`},
		"a list":                    {object: run, opts: []k8scarrier.Option{k8scarrier.WithContainerPath("spec", "steps")}, want: `the path "spec.steps" leads to none: Run.example.org`},
		"no containers":             {object: run, opts: []k8scarrier.Option{k8scarrier.WithPodTemplatePath("spec", "pods", k8scarrier.AnyField)}, want: `the path "spec.pods.*" leads to none: Run.example.org`},
		"two paths": {
			object: run, opts: []k8scarrier.Option{k8scarrier.WithPodTemplatePath("spec", "pods", "x"), k8scarrier.WithContainerPath("steps")},
			want: `the path "spec.pods.x" ends at "x", the path "steps" ends at "steps": Run.example.org`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := &unstructured.Unstructured{}
			if err := json.Unmarshal([]byte(test.object), &object.Object); err != nil {
				t.Fatal(err)
			}
			if err := k8scarrier.InjectObject(spanContext(t), object, test.opts...); err == nil || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("error %v, want %q at its end", err, test.want)
			}
		})
	}
}

// The kinds of other projects that start one run, by the paths that docs/jobs.md names.
func TestInjectObject_KindsOfOthers(t *testing.T) {
	t.Parallel()
	const pod = `{"spec":{"initContainers":[{"name":"init"}],"containers":[{"name":"main","env":[{"name":"A","value":"1"}]}]}}`
	for name, test := range map[string]struct {
		object     string
		opts       []k8scarrier.Option
		containers int
		annotated  int // pod templates.
	}{
		"JobSet": {
			object: `{"apiVersion":"jobset.x-k8s.io/v1alpha2","kind":"JobSet","spec":{"replicatedJobs":[
				{"name":"leader","template":{"spec":{"template":` + pod + `}}},{"name":"workers","replicas":2,"template":{"spec":{"template":` + pod + `}}}]}}`,
			opts:       []k8scarrier.Option{k8scarrier.WithPodTemplatePath("spec", "replicatedJobs", k8scarrier.AnyField, "template", "spec", "template")},
			containers: 4, annotated: 2,
		},
		"PyTorchJob": {
			object: `{"apiVersion":"kubeflow.org/v1","kind":"PyTorchJob","spec":{"pytorchReplicaSpecs":{
				"Master":{"replicas":1,"template":` + pod + `},"Worker":{"replicas":3,"template":` + pod + `}}}}`,
			opts:       []k8scarrier.Option{k8scarrier.WithPodTemplatePath("spec", "pytorchReplicaSpecs", k8scarrier.AnyField, "template")},
			containers: 4, annotated: 2,
		},
		"TaskRun": {
			object: `{"apiVersion":"tekton.dev/v1","kind":"TaskRun","spec":{"taskSpec":{"params":[{"name":"x"}],"steps":[
				{"name":"fetch","image":"git"},{"name":"load","image":"etl","env":[{"name":"A","value":"$(params.x)"}]}]}}}`,
			opts:       []k8scarrier.Option{k8scarrier.WithContainerPath("spec", "taskSpec", "steps", k8scarrier.AnyField)},
			containers: 2,
		},
		"TaskRun of a Task": {
			object:     `{"apiVersion":"tekton.dev/v1","kind":"TaskRun","spec":{"taskRef":{"name":"load"},"podTemplate":{"securityContext":{"runAsNonRoot":true}}}}`,
			opts:       []k8scarrier.Option{k8scarrier.WithContainerPath("spec", "podTemplate")},
			containers: 1,
		},
		"Workflow": {
			object: `{"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow","spec":{"entrypoint":"all","templates":[
				{"name":"all","steps":[[{"name":"a","template":"load"}]]},{"name":"load","container":{"image":"etl"}},{"name":"check","script":{"image":"python","source":"x"}}]}}`,
			opts: []k8scarrier.Option{
				k8scarrier.WithContainerPath("spec", "templates", k8scarrier.AnyField, "container"),
				k8scarrier.WithContainerPath("spec", "templates", k8scarrier.AnyField, "script"),
			},
			containers: 2,
		},
		"SparkApplication": {
			object:     `{"apiVersion":"sparkoperator.k8s.io/v1beta2","kind":"SparkApplication","spec":{"mainClass":"Load","driver":{"cores":1},"executor":{"instances":2,"env":[{"name":"A","value":"1"}]}}}`,
			opts:       []k8scarrier.Option{k8scarrier.WithContainerPath("spec", "driver"), k8scarrier.WithContainerPath("spec", "executor")},
			containers: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := &unstructured.Unstructured{}
			if err := json.Unmarshal([]byte(test.object), &object.Object); err != nil {
				t.Fatal(err)
			}
			with := k8scarrier.WithPropagation(propagation.WithPropagator(w3c))
			if err := k8scarrier.InjectObject(spanContext(t), object.DeepCopy(), with); !errors.Is(err, k8scarrier.ErrUnknownKind) || !strings.Contains(err.Error(), object.GetKind()) {
				t.Errorf("without a path: error %v, want %v with the kind", err, k8scarrier.ErrUnknownKind)
			}
			annotated := object.DeepCopy()
			opts := slices.Concat(test.opts, []k8scarrier.Option{with})
			for range 2 { // The second time changes nothing.
				if err := errors.Join(k8scarrier.InjectObject(spanContext(t), object, opts...), k8scarrier.InjectObject(spanContext(t), annotated, append(opts, k8scarrier.WithAnnotations(""))...)); err != nil {
					t.Fatal(err)
				}
				if n := strings.Count(fmt.Sprint(object.Object), traceparent); n != test.containers {
					t.Errorf("%d containers have the context, want %d: %v", n, test.containers, object)
				}
				want := test.annotated // In each template, to which the containers refer.
				if want == 0 {
					want = test.containers
				}
				if n := strings.Count(fmt.Sprint(annotated.Object), traceparent); n != want {
					t.Errorf("with annotations it is there %d times, want %d: %v", n, want, annotated)
				}
			}
			if err := k8scarrier.InjectObject(t.Context(), object, append(opts, k8scarrier.WithPropagation(propagation.WithPolicy(propagation.Replace)))...); err != nil {
				t.Fatal(err)
			}
			before := &unstructured.Unstructured{}
			if err := json.Unmarshal([]byte(test.object), &before.Object); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, object); diff != "" {
				t.Errorf("after the removal it has changed:\n%s", diff)
			}
		})
	}
}

// An object of several pod templates is injected into as a whole, or not at all.
func TestInjectObject_SeveralTemplates(t *testing.T) {
	t.Parallel()
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(`{"apiVersion":"example.org/v1","kind":"Run","spec":{"pods":[
		{"spec":{"containers":[{"name":"a"}]}},
		{"spec":{"containers":[{"name":"b","env":[{"name":"TRACEPARENT","value":"`+otherTraceparent+`"}]}]}}]}}`), &object.Object); err != nil {
		t.Fatal(err)
	}
	before := object.DeepCopy()
	path := k8scarrier.WithPodTemplatePath("spec", "pods", k8scarrier.AnyField)
	err := k8scarrier.InjectObject(spanContext(t), object, path, k8scarrier.WithErrorOnConflict())
	var conflict *k8scarrier.ConflictError
	if !errors.As(err, &conflict) || conflict.Container != "b" || conflict.Key != "TRACEPARENT" {
		t.Errorf("error %v, want a conflict with b", err)
	}
	if diff := cmp.Diff(before, object); diff != "" {
		t.Errorf("it has changed all the same:\n%s", diff)
	}
}

// Any object of the dynamic client can be injected into without harm.
func FuzzInjectObject(f *testing.F) {
	f.Add(`{"apiVersion":"batch/v1","kind":"Job","spec":{"template":{"spec":{"containers":[{"name":"main","env":[{"name":"A"}]}]}}}}`)
	f.Add(`{"apiVersion":"v1","kind":"Pod","metadata":{"annotations":{"tracing.k8s.io/traceparent":1}},"spec":{"containers":[{"env":[1,{"name":"TRACEPARENT","valueFrom":5}]}]}}`)
	f.Add(`{"apiVersion":"v1","kind":"Pod","metadata":"x","spec":{"initContainers":[null,{"env":null}],"ephemeralContainers":[{"env":{}}]}}`)
	f.Add(`{"apiVersion":"example.org/v1","kind":"Run","spec":{"a":{"spec":{"containers":[{"name":"main"}]}},"b":[{"env":[1]},{"env":{}}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		object := &unstructured.Unstructured{}
		if json.Unmarshal([]byte(text), &object.Object) != nil {
			return
		}
		for _, opts := range [][]k8scarrier.Option{
			nil,
			{k8scarrier.WithAnnotations("")},
			{k8scarrier.WithJobInfo()},
			{k8scarrier.WithResource(), k8scarrier.WithPodTemplatePath("spec", k8scarrier.AnyField), k8scarrier.WithContainerPath("spec", k8scarrier.AnyField, k8scarrier.AnyField)},
		} {
			once := object.DeepCopy()
			if k8scarrier.InjectObject(spanContext(t), once, append(opts, k8scarrier.WithPropagation(propagation.WithPropagator(w3c)))...) != nil {
				if diff := cmp.Diff(object, once); diff != "" {
					t.Errorf("an object that was refused has changed:\n%s", diff)
				}
				continue
			}
			twice := once.DeepCopy()
			if err := k8scarrier.InjectObject(spanContext(t), twice, append(opts, k8scarrier.WithPropagation(propagation.WithPropagator(w3c)))...); err != nil {
				t.Errorf("a second injection: %v", err)
			}
			if diff := cmp.Diff(once, twice); diff != "" {
				t.Errorf("a second injection changed it:\n%s", diff)
			}
		}
	})
}

func TestWithErrorOnConflict_ContainerThatIsNotSelected(t *testing.T) {
	t.Parallel()
	with := k8scarrier.WithPropagation(propagation.WithPropagator(w3c))
	job := jobWithAll()
	if err := k8scarrier.InjectJob(spanOf(t, 1), job, with, only("main")); err != nil {
		t.Fatal(err)
	}
	err := k8scarrier.InjectJob(spanOf(t, 2), job, with, only("init"), k8scarrier.WithErrorOnConflict())
	if !errors.Is(err, k8scarrier.ErrConflict) || !strings.Contains(err.Error(), `"main"`) {
		t.Errorf("error %v, want a conflict with main", err)
	}
}

// Another context goes also if there is no room for this one in its place.
func TestInjectJob_NoRoomInAnnotations(t *testing.T) {
	t.Parallel()
	const limit = 256 << 10
	job := jobWithAll()
	job.Annotations = map[string]string{"tracing.k8s.io/traceparent": "00", "k": strings.Repeat("v", limit-60)}
	if err := k8scarrier.InjectJob(spanOf(t, 1), job, k8scarrier.WithPropagation(propagation.WithPropagator(w3c))); err != nil {
		t.Fatal(err)
	}
	if _, ok := job.Annotations["tracing.k8s.io/traceparent"]; ok || len(job.Annotations) != 1 {
		t.Errorf("%d annotations, want only the caller's own", len(job.Annotations))
	}
}

// strange has a key that no annotation can have, and the keys of OpenTracing.
type strange struct{}

func (strange) Inject(_ context.Context, c propagation.TextMapCarrier) {
	c.Set("x-ids", "1")
	c.Set("not a key!", "2")
	c.Set("ot-tracer-traceid", "3")
}

func (strange) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context { return ctx }

func (strange) Fields() []string { return []string{"x-ids", "not a key!", "ot-tracer-traceid"} }

func TestWithAnnotations_KeysOfAnnotations(t *testing.T) {
	t.Parallel()
	job := jobWithAll()
	if err := k8scarrier.InjectJob(spanOf(t, 1), job, k8scarrier.WithPropagation(propagation.WithPropagator(strange{})), k8scarrier.WithAnnotations("")); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"tracing.k8s.io/x-ids": "1", "tracing.k8s.io/ot-tracer-traceid": "3"}
	if diff := cmp.Diff(want, job.Spec.Template.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	for _, entry := range job.Spec.Template.Spec.InitContainers[0].Env {
		if entry.Name == "NOT_A_KEY_" {
			t.Errorf("a variable refers to an annotation that cannot be: %v", entry)
		}
	}
}

func TestInjectEnv_BaggageOfOpenTracing(t *testing.T) {
	t.Parallel()
	env := []corev1.EnvVar{literal("OT_BAGGAGE_USER", "42"), literal("A", "1"), literal("ot_baggage_x", "2")}
	got := k8scarrier.InjectEnv(spanOf(t, 1), env, k8scarrier.WithPropagation(propagation.WithPropagator(strange{})))
	want := []corev1.EnvVar{
		literal("NOT_A_KEY_", "2"), literal("OT_TRACER_TRACEID", "3"), literal("X_IDS", "1"), literal("A", "1"), literal("ot_baggage_x", "2"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}
