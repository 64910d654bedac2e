// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"context"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// InjectEnv returns a copy of env, the environment of a container, with the trace
// context of ctx in place of any that env holds.
//
// A variable that is there keeps its place, without its duplicates and its
// ValueFrom. A new one is inserted at the front, sorted by name, so that others
// can refer to it. Each $ of a value is doubled, because kubelet halves it. If
// ctx has no valid span, no trace context is written. InjectEnv does not modify
// env; the result shares no entry with it, but what entries point to.
//
// For a container with EnvFrom use [InjectPodTemplate], which also masks the
// variables that come from there.
func InjectEnv(ctx context.Context, env []corev1.EnvVar, opts ...Option) []corev1.EnvVar {
	cfg := newConfig(opts)
	cfg.annotations, cfg.file = false, nil
	in := newInjection(ctx, &cfg)
	here := in.inEnv(env)
	if in.fields.IsEmpty() || in.decide(here) != write {
		return slices.Clone(env)
	}
	in.reuseWaybill(here)
	return mergeEnv(env, in.literals(container{env: env}), nil)
}

// InjectPodTemplate writes the trace context of ctx to each container and init
// container of template, as [InjectEnv] does. If a container has EnvFrom, fields
// without a value are set to the empty string, so that no other context comes
// from there.
//
// The template holds one context then: another one in its annotations, in
// ephemeral containers, or in containers that [WithContainers] does not select is
// replaced too.
//
// InjectPodTemplate modifies template, but not if it returns an error: [ErrNil],
// [ErrNoContainers], [ErrNoContext], [ErrConflict], [ErrTooLarge] or [ErrContextFile].
// The template can be used without the context then. If it is called again with the same
// context, it changes nothing.
func InjectPodTemplate(ctx context.Context, template *corev1.PodTemplateSpec, opts ...Option) error {
	if template == nil {
		return ErrNil
	}
	_, err := inject(ctx, newConfig(opts), objectOfTemplate(template, nil))
	return err
}

// InjectJob writes the trace context of ctx to the pod template of job, as
// [InjectPodTemplate] does, and replaces another context in the annotations of
// job. A Job is one run, also if it was made from the template of a CronJob. The
// template of a Job cannot be changed once it has been created.
func InjectJob(ctx context.Context, job *batchv1.Job, opts ...Option) error {
	_, err := injectJob(ctx, job, newConfig(opts))
	return err
}

func injectJob(ctx context.Context, job *batchv1.Job, cfg config) (kept bool, err error) {
	if job == nil {
		return false, ErrNil
	}
	return inject(ctx, cfg, objectOfTemplate(&job.Spec.Template, job))
}

// InjectObject writes the trace context of ctx to a Job or a Pod, as [InjectJob]
// and [InjectPodTemplate] do. The object may be a [batchv1.Job], a [corev1.Pod],
// or one of these kinds as an [unstructured.Unstructured] of the dynamic client.
// It is for code that handles objects of any kind, such as a webhook.
//
// An object that starts many runs is refused with [ErrLongLived], and one of
// another kind with [ErrUnknownKind], unless [WithPodTemplatePath] or
// [WithContainerPath] is given.
func InjectObject(ctx context.Context, obj runtime.Object, opts ...Option) error {
	if isNil(obj) {
		return ErrNil
	}
	cfg := newConfig(opts)
	objects, err := objectsOf(obj, &cfg)
	if err != nil {
		return fmt.Errorf("%w: %s%s", err, kindOf(obj), wayOut(obj, err))
	}
	_, err = inject(ctx, cfg, objects...)
	return err
}

// inject writes the context of ctx to the containers that are selected. It reports
// whether a context that was there was kept.
func inject(ctx context.Context, cfg config, objects ...object) (kept bool, err error) {
	targets, containers, selected := make([]target, len(objects)), 0, 0
	for i, o := range objects {
		targets[i] = cfg.targetOf(o)
		containers += len(o.containers)
		selected += targets[i].selected()
	}
	switch {
	case containers == 0:
		return false, ErrNoContainers
	case selected == 0:
		return false, nil
	}
	in := newInjection(ctx, &cfg)
	switch {
	case in.fields.IsEmpty() && !cfg.jobInfo && !cfg.hasResource:
		return false, ErrNoContext
	case cfg.annotations && !cfg.hasValidPrefix():
		return false, fmt.Errorf("%w: %q", errPrefix, cfg.prefix)
	}
	for _, t := range targets {
		if err := t.checkFile(); err != nil {
			return false, err
		}
	}
	if !cfg.annotations {
		if err := in.fitContainers(selected); err != nil {
			return false, err
		}
	}
	return in.into(targets...)
}

// InjectAnnotations writes the trace context of ctx to the annotations of an
// object, where [ReadAnnotations] reads it: for a controller that handles the
// object later, or for a Job that is suspended, after [InjectPodTemplate] with
// [WithAnnotations] on its template.
//
// It replaces the map of annotations, and another context that the containers of
// a Pod, a pod template or a Job hold in literal values. It modifies nothing if
// it returns an error: [ErrNil], [ErrNoContext], [ErrConflict] or [ErrTooLarge].
// If it is called again with the same context, it changes nothing.
func InjectAnnotations(ctx context.Context, obj metav1.Object, opts ...Option) error {
	if isNil(obj) {
		return ErrNil
	}
	cfg := newConfig(opts)
	cfg.annotations = true
	in := newInjection(ctx, &cfg)
	switch {
	case in.fields.IsEmpty():
		return ErrNoContext
	case !cfg.hasValidPrefix():
		return fmt.Errorf("%w: %q", errPrefix, cfg.prefix)
	}
	objects, err := objectsOf(obj, &cfg)
	if err != nil { // of any other kind: its annotations are all that is known of it.
		objects = []object{{owner: obj}}
	}
	targets := make([]target, len(objects))
	for i, o := range objects {
		isOwner := o.owner != nil // and else the pod itself.
		targets[i] = target{object: o, isSelected: make([]bool, len(o.containers)), annotateOwner: isOwner, annotatePod: !isOwner}
	}
	_, err = in.into(targets...)
	return err
}
