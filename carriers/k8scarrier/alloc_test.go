// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package k8scarrier_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"go.opentelemetry.io/otel/attribute"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/waybill-go/waybill/carriers/k8scarrier"
	"github.com/waybill-go/waybill/propagation"
)

// environment returns so many variables that have nothing to do with a context.
func environment(size int) []corev1.EnvVar {
	env := make([]corev1.EnvVar, size)
	for i := range env {
		env[i] = literal("NAME_"+strconv.Itoa(i), strings.Repeat("$(x)", 25))
	}
	return env
}

func TestAllocations(t *testing.T) {
	ctx := spanContext(t)
	env := environment(20)
	with := k8scarrier.WithPropagation(propagation.WithPropagator(propagation.Default()))
	full := k8scarrier.InjectEnv(ctx, env, with)
	for what, test := range map[string]struct {
		limit float64
		f     func()
	}{
		"InjectEnv":           {18, func() { k8scarrier.InjectEnv(ctx, env, with) }},
		"InjectEnv, no span":  {4, func() { k8scarrier.InjectEnv(t.Context(), env, with) }},
		"Read":                {0, func() { k8scarrier.Read(full, with) }},
		"Extract":             {3, func() { k8scarrier.Extract(ctx, full, with) }},
		"EnvSetter.Get":       {0, func() { k8scarrier.EnvSetter{}.Get(&full, "TRACEPARENT") }},
		"EnvSetter.Get, else": {0, func() { k8scarrier.EnvSetter{}.Get(&full, "traceparent") }},
	} {
		if got := testing.AllocsPerRun(100, test.f); got > test.limit {
			t.Errorf("%s: %.0f allocations, want at most %.0f", what, got, test.limit)
		}
	}
}

// injections are the ways to inject into objects with one container of a given
// environment. Each returns a function that injects into the same object again and
// again, as if for the first time.
func injections() map[string]func(t *testing.T, ctx context.Context, env []corev1.EnvVar, opts ...k8scarrier.Option) func() error {
	return map[string]func(t *testing.T, ctx context.Context, env []corev1.EnvVar, opts ...k8scarrier.Option) func() error{
		"InjectEnv": func(_ *testing.T, ctx context.Context, env []corev1.EnvVar, opts ...k8scarrier.Option) func() error {
			return func() error {
				if injected := k8scarrier.InjectEnv(ctx, env, opts...); len(injected) <= len(env) {
					return errors.New("nothing is injected")
				}
				return nil
			}
		},
		"InjectPodTemplate": func(_ *testing.T, ctx context.Context, env []corev1.EnvVar, opts ...k8scarrier.Option) func() error {
			template := &corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: make([]corev1.Container, 1)}}
			return func() error {
				template.Spec.Containers[0].Env = env
				return k8scarrier.InjectPodTemplate(ctx, template, opts...)
			}
		},
		"InjectJob": func(_ *testing.T, ctx context.Context, env []corev1.EnvVar, opts ...k8scarrier.Option) func() error {
			job := &batchv1.Job{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: make([]corev1.Container, 1)}}}}
			return func() error {
				job.Spec.Template.Spec.Containers[0].Env = env
				return k8scarrier.InjectJob(ctx, job, opts...)
			}
		},
		"InjectCronJob": func(_ *testing.T, ctx context.Context, env []corev1.EnvVar, opts ...k8scarrier.Option) func() error {
			created := cronJob()
			return func() error {
				created.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Env = env
				return k8scarrier.InjectCronJob(ctx, created, opts...)
			}
		},
		"InjectObject": func(_ *testing.T, ctx context.Context, env []corev1.EnvVar, opts ...k8scarrier.Option) func() error {
			pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: make([]corev1.Container, 1)}}
			return func() error {
				pod.Spec.Containers[0].Env = env
				return k8scarrier.InjectObject(ctx, pod, opts...)
			}
		},
		"InjectObject, fields": func(t *testing.T, ctx context.Context, env []corev1.EnvVar, opts ...k8scarrier.Option) func() error {
			t.Helper()
			pod := &unstructured.Unstructured{Object: fieldsOf(t, &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Env: env}}}})}
			pod.Object["apiVersion"], pod.Object["kind"] = "v1", "Pod"
			container := pod.Object["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
			entries := container["env"]
			return func() error {
				container["env"] = entries
				return k8scarrier.InjectObject(ctx, pod, opts...)
			}
		},
	}
}

// An injection copies the list of variables once, and their text never, whatever is
// written. For fields, it also reads the list once.
func TestInject_CopiesTheListOnce(t *testing.T) {
	const size = 10_000
	env := environment(size)
	ctx := withTracestate(t, spanContext(t), "a=$$(1)")
	for name, injection := range injections() {
		perEntry := int(unsafe.Sizeof(corev1.EnvVar{}))
		if name == "InjectObject, fields" {
			perEntry += int(unsafe.Sizeof(any(nil)))
		}
		for with, opts := range map[string][]k8scarrier.Option{
			"nothing":  nil,
			"job info": {k8scarrier.WithJobInfo()},
			"resource": {k8scarrier.WithResource(attribute.String("service.version", "1"))},
		} {
			inject := injection(t, ctx, env, append(opts, k8scarrier.WithPropagation(propagation.WithPropagator(propagation.Default())))...)
			allocations, bytes := perRun(t, inject)
			if limit := uint64(size*perEntry + 24<<10); bytes > limit {
				t.Errorf("%s with %s: %d bytes, want at most %d", name, with, bytes, limit)
			}
			small, _ := perRun(t, injection(t, ctx, env[:20:20], append(opts, k8scarrier.WithPropagation(propagation.WithPropagator(propagation.Default())))...))
			if allocations > small {
				t.Errorf("%s with %s: %d allocations for %d variables, and %d for 20", name, with, allocations, size, small)
			}
			t.Logf("%s with %s: %d allocations, %d bytes", name, with, allocations, bytes)
		}
	}
}

// The environment of a container without a context is not copied for annotations.
func TestInjectAnnotations_CopiesNoList(t *testing.T) {
	job := &batchv1.Job{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Env: environment(10_000)}}}}}}
	for name, object := range map[string]metav1.Object{"job": job, "pod template": &job.Spec.Template} {
		_, bytes := perRun(t, func() error {
			object.SetAnnotations(nil)
			return k8scarrier.InjectAnnotations(spanContext(t), object)
		})
		if limit := uint64(24 << 10); bytes > limit {
			t.Errorf("%s: %d bytes, want at most %d", name, bytes, limit)
		}
		t.Logf("%s: %d bytes", name, bytes)
	}
}

// A value is copied once, to double its dollars, however many containers get it, and not
// at all for an annotation.
func TestInject_CopiesAValueOnce(t *testing.T) {
	value := state(strings.Repeat("v", 100<<10) + "$")
	for name, test := range map[string]struct {
		opt    k8scarrier.Option
		copies int
	}{
		"environment": {nil, 1},
		"annotations": {k8scarrier.WithAnnotations(""), 0},
	} {
		template := template()
		_, bytes := perRun(t, func() error {
			template.Annotations = nil
			for _, list := range [][]corev1.Container{template.Spec.InitContainers, template.Spec.Containers} {
				for i := range list {
					list[i].Env = nil
				}
			}
			return k8scarrier.InjectPodTemplate(spanContext(t), template, k8scarrier.WithPropagation(propagation.WithPropagator(value), propagation.WithMaxBytes(0)), test.opt)
		})
		if limit := uint64(test.copies*len(value) + 24<<10); bytes > limit {
			t.Errorf("%s: %d bytes for a value of %d, want at most %d", name, bytes, len(value), limit)
		}
		t.Logf("%s: %d bytes for a value of %d", name, bytes, len(value))
	}
}

// perRun returns the allocations and bytes of one call.
func perRun(t *testing.T, f func() error) (allocations, bytes uint64) {
	t.Helper()
	const runs = 20
	if err := f(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		_ = f()
	}
	runtime.ReadMemStats(&after)
	return (after.Mallocs - before.Mallocs) / runs, (after.TotalAlloc - before.TotalAlloc) / runs
}
