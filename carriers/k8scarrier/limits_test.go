// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/waybill-go/waybill/carriers/k8scarrier"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// drops collects the reasons of what is left out.
type drops []string

func (d *drops) Dropped(dropped observe.Drop) { *d = append(*d, dropped.Reason) }

// brokenObserver panics.
type brokenObserver struct{}

func (brokenObserver) Dropped(observe.Drop) { panic("dropped") }

// pairs is a propagator of some keys and values. An empty value is not set.
type pairs [][2]string

func (p pairs) Inject(_ context.Context, c propagation.TextMapCarrier) {
	for _, pair := range p {
		if pair[1] != "" {
			c.Set(pair[0], pair[1])
		}
	}
}

func (pairs) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context { return ctx }

func (p pairs) Fields() []string {
	keys := make([]string, len(p))
	for i, pair := range p {
		keys[i] = pair[0]
	}
	return keys
}

// What is left out is counted, and the rest arrives whole.
func TestWithObserver(t *testing.T) {
	t.Parallel()
	const full = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03"
	long := strings.Repeat("v", 128<<10)
	for name, test := range map[string]struct {
		propagator  propagation.TextMapPropagator // or w3c.
		state       string                        // a tracestate.
		opts        []k8scarrier.Option
		annotations int // how many bytes the caller's own have.
		dropped     []string
		written     []string
	}{
		"nothing":                {state: "a=1", written: []string{"TRACEPARENT", "TRACESTATE"}},
		"over the limit":         {state: "a=1", opts: []k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithMaxBytes(70))}, dropped: []string{observe.DropTooLarge}, written: []string{"TRACEPARENT"}},
		"no room in annotations": {state: "a=1", opts: []k8scarrier.Option{k8scarrier.WithAnnotations("")}, annotations: 256<<10 - 100, dropped: []string{observe.DropTooLarge}, written: []string{"TRACEPARENT"}},
		"no value for a process": {
			propagator: pairs{{"traceparent", full}, {"x-nul", "a\x00"}, {"x-latin", "\xe9"}, {"x-long", long}, {"x-good", "g"}},
			opts:       []k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithMaxBytes(0))},
			dropped:    []string{observe.DropUnsafe, observe.DropUnsafe, observe.DropTooLarge}, written: []string{"TRACEPARENT", "X_GOOD"},
		},
		"no key for an annotation": {
			propagator: pairs{{"traceparent", full}, {"not a key!", "v"}}, opts: []k8scarrier.Option{k8scarrier.WithAnnotations("")},
			dropped: []string{observe.DropUnsafe}, written: []string{"TRACEPARENT"},
		},
		"text that other kinds expand": {
			propagator: pairs{{"traceparent", full}, {"x-a", "{{workflow.parameters.secret}}"}, {"x-b", "$(params.secret)"}, {"x-c", "{$}"}},
			opts:       []k8scarrier.Option{k8scarrier.WithContainerPath("spec")},
			dropped:    []string{observe.DropUnsafe, observe.DropUnsafe}, written: []string{"TRACEPARENT", "X_C"},
		},
		"a tracestate alone is none": {propagator: pairs{{"traceparent", "\xff"}, {"tracestate", "a=1"}}, dropped: []string{observe.DropUnsafe}},
		"a long attribute": {
			opts:    []k8scarrier.Option{k8scarrier.WithResource(attribute.String("note", strings.Repeat(",", 4<<10)), attribute.String("service.version", "1"))},
			dropped: []string{observe.DropTooLarge}, written: []string{"TRACEPARENT"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := spanContext(t)
			if test.state != "" {
				ctx = withTracestate(t, ctx, test.state)
			}
			if test.propagator == nil {
				test.propagator = w3c
			}
			for _, observer := range []observe.DropObserver{new(drops), brokenObserver{}, nil} {
				template := &corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main"}}}}
				if test.annotations > 0 {
					template.Annotations = map[string]string{"k": strings.Repeat("v", test.annotations-1)}
				}
				opts := append([]k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPropagator(test.propagator)), k8scarrier.WithObserver(observer)}, test.opts...)
				if err := k8scarrier.InjectPodTemplate(ctx, template, opts...); err != nil {
					t.Fatal(err)
				}
				if collected, ok := observer.(*drops); ok && !slices.Equal(*collected, test.dropped) {
					t.Errorf("dropped %q, want %q", *collected, test.dropped)
				}
				var written []string
				for name, value := range (pod{annotations: template.Annotations}).start(t, template.Spec.Containers[0]) {
					if isOfContext := strings.HasPrefix(name, "TRACE") || strings.HasPrefix(name, "X_"); isOfContext && value != "" {
						written = append(written, name)
					}
				}
				slices.Sort(written)
				if !slices.Equal(written, test.written) {
					t.Errorf("the process gets %q, want %q", written, test.written)
				}
			}
		})
	}
}

func TestWithResource_LongAttribute(t *testing.T) {
	const limit = 8 << 10
	job := jobWithAll()
	attributes := []attribute.KeyValue{attribute.String("note", strings.Repeat(",", limit/3)), attribute.String("service.version", "1")}
	if err := k8scarrier.InjectJob(t.Context(), job, k8scarrier.WithResource(attributes...)); err != nil {
		t.Fatal(err)
	}
	got := resourceOf(t, job.Spec.Template.Spec.Containers[0])
	if got["note"] != "" || got["service.version"] != "1" || got["k8s.pod.name"] == "" {
		t.Errorf("resource %v, want all but what is too long", got)
	}
}

// The containers of an object share its room.
func TestInjectPodTemplate_ManyContainers(t *testing.T) {
	t.Parallel()
	for containers, want := range map[int]struct {
		fields int
		err    error
	}{
		10:     {3, nil},
		2_000:  {2, nil}, // no baggage.
		6_000:  {1, nil}, // no tracestate.
		10_000: {0, k8scarrier.ErrTooLarge},
	} {
		template := &corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: make([]corev1.Container, containers)}}
		before := template.DeepCopy()
		ctx := withTracestate(t, withBaggage(t, spanContext(t)), "a="+strings.Repeat("1", 180))
		if want.fields == 1 {
			ctx = withTracestate(t, ctx, "a="+strings.Repeat("1", 250))
		}
		err := k8scarrier.InjectPodTemplate(ctx, template, k8scarrier.WithPropagation(propagation.WithPropagator(w3c), propagation.WithBaggage("user")))
		if !errors.Is(err, want.err) {
			t.Errorf("%d containers: error %v, want %v", containers, err, want.err)
		}
		for _, c := range template.Spec.Containers {
			if len(c.Env) != want.fields {
				t.Errorf("%d containers: one has %d variables, want %d", containers, len(c.Env), want.fields)
				break
			}
		}
		if err != nil && !cmp.Equal(before, template) {
			t.Errorf("%d containers: it has changed all the same", containers)
		}
	}
}

// A spec of any size is injected into in time that grows with it.
func TestInjectObject_HugeSpecs(t *testing.T) {
	t.Parallel()
	const size = 10_000
	job := &batchv1.Job{}
	job.APIVersion, job.Kind = "batch/v1", "Job"
	job.Spec.Template.Annotations = map[string]string{}
	room := 256<<10 - 1_000
	for i := range room / 64 {
		job.Spec.Template.Annotations[fmt.Sprintf("%032d", i)] = strings.Repeat("v", 32)
	}
	var env []corev1.EnvVar
	for i := range size {
		env = append(env, literal("NAME_"+strconv.Itoa(i), "$(NAME_0)"), secret("SECRET_"+strconv.Itoa(i)), literal("TRACEPARENT", otherTraceparent))
	}
	job.Spec.Template.Spec.Containers = []corev1.Container{{Name: "main", Env: env}}
	fields := &unstructured.Unstructured{Object: fieldsOf(t, job)}
	var took time.Duration
	for _, opt := range []k8scarrier.Option{nil, k8scarrier.WithAnnotations(""), k8scarrier.WithResource()} {
		with := k8scarrier.WithPropagation(propagation.WithPropagator(w3c))
		start := time.Now()
		if err := errors.Join(k8scarrier.InjectJob(spanContext(t), job, with, opt), k8scarrier.InjectObject(spanContext(t), fields, with, opt)); err != nil {
			t.Fatal(err)
		}
		took += time.Since(start)
		if !reflect.DeepEqual(fieldsOf(t, job), fields.Object) {
			t.Error("a typed Job and one of the dynamic client differ")
		}
		process := pod{annotations: job.Spec.Template.Annotations}
		injected := slices.DeleteFunc(slices.Clone(job.Spec.Template.Spec.Containers[0].Env), func(e corev1.EnvVar) bool { return strings.HasPrefix(e.Name, "SECRET_") })
		got := process.start(t, corev1.Container{Env: injected})
		if ids, _, _ := contexts(t, job); got["TRACEPARENT"] != traceparent || len(ids) > 1 || got["NAME_9999"] != "$(NAME_0)" {
			t.Errorf("the process gets %q and %q, and the object holds %q", got["TRACEPARENT"], got["NAME_9999"], ids)
		}
	}
	if took > 20*time.Second { // Quadratic work would take minutes.
		t.Errorf("it took %s", took)
	}
	t.Logf("it took %s", took)
}

// Keys that have one name as variables are one; the last one that is set wins.
func TestInject_NamesThatCollide(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		propagator pairs
		want       string
	}{
		"both are set":       {pairs{{"x-a", "1"}, {"x.a", "2"}}, "2"},
		"the first is set":   {pairs{{"x-a", "1"}, {"x.a", ""}}, "1"},
		"the second is set":  {pairs{{"x-a", ""}, {"x.a", "2"}}, "2"},
		"the last is unsafe": {pairs{{"x-a", "1"}, {"x.a", "\xff"}, {"x-b", "3"}}, ""},
	} {
		for mode, opt := range map[string]k8scarrier.Option{"environment": nil, "annotations": k8scarrier.WithAnnotations("")} {
			t.Run(name+", "+mode, func(t *testing.T) {
				t.Parallel()
				injected := template()
				opts := []k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPropagator(test.propagator)), k8scarrier.WithErrorOnConflict(), opt}
				for range 2 { // The second time is no conflict.
					if err := k8scarrier.InjectPodTemplate(spanContext(t), injected, opts...); err != nil {
						t.Fatal(err)
					}
					for _, c := range containers(injected) {
						got := pod{envFrom: map[string]string{"X_A": "stale"}, annotations: injected.Annotations}.start(t, c)
						if got["X_A"] != test.want {
							t.Errorf("the process of %s gets %q, want %q", c.Name, got["X_A"], test.want)
						}
					}
				}
			})
		}
	}
}

// A value beside a source, which the API server refuses, is replaced, kept, or a
// conflict, as any other context.
func TestInjectObject_ValueBesideASource(t *testing.T) {
	t.Parallel()
	both := secret("TRACEPARENT")
	both.Value = traceparent
	for name, test := range map[string]struct {
		opt  k8scarrier.Option
		want corev1.EnvVar
		err  error
	}{
		"replaced": {nil, literal("TRACEPARENT", traceparent), nil},
		"kept":     {k8scarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting)), both, nil},
		"conflict": {k8scarrier.WithErrorOnConflict(), both, &k8scarrier.ConflictError{Container: "main", Key: "TRACEPARENT"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			job := &batchv1.Job{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Env: []corev1.EnvVar{both}}}}}}}
			job.APIVersion, job.Kind = "batch/v1", "Job"
			fields := &unstructured.Unstructured{Object: fieldsOf(t, job)}
			opts := []k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPropagator(w3c)), test.opt}
			for _, err := range []error{k8scarrier.InjectJob(spanContext(t), job, opts...), k8scarrier.InjectObject(spanContext(t), fields, opts...)} {
				if diff := cmp.Diff(fmt.Sprint(test.err), fmt.Sprint(err)); diff != "" {
					t.Errorf("error (-want +got):\n%s", diff)
				}
			}
			if diff := cmp.Diff([]corev1.EnvVar{test.want}, job.Spec.Template.Spec.Containers[0].Env); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(fieldsOf(t, job), fields.Object); diff != "" {
				t.Errorf("(-typed +dynamic):\n%s", diff)
			}
		})
	}
}
