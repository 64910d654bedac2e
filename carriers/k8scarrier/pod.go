// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"context"
	"errors"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// ErrConflict is returned when an object holds another context already and
// [WithErrorOnConflict] is given.
var ErrConflict = errors.New("the object holds another trace context")

// ErrTooLarge is returned when an object has no room for the annotations of
// [WithAnnotations].
var ErrTooLarge = errors.New("the annotations are larger than an object takes")

// ErrLongLived is returned by [InjectObject] for an object that is no Pod and no
// Job, such as a CronJob or a Deployment: every run its template starts, for
// months, would join the one trace, and each new context would be a new
// revision of the object.
var ErrLongLived = errors.New("the object is no Pod and no Job, so its runs are not one flow")

// InjectPodTemplate puts the trace context of ctx into each container and init
// container of template, as [InjectEnv] does. Where a container has EnvFrom, the
// fields that ctx has no value for are set to "", so that no other context can
// come from there.
//
// It changes template, and nothing of it if it returns an error; copy one that
// is shared first. Given the same ctx again it changes nothing. A nil template,
// and one without containers, is left alone.
func InjectPodTemplate(ctx context.Context, template *corev1.PodTemplateSpec, opts ...Option) error {
	if template == nil {
		return nil
	}
	_, err := injectPod(ctx, &template.ObjectMeta, &template.Spec, newConfig(opts))
	return err
}

// InjectJob puts the trace context of ctx into the pod template of job, as
// [InjectPodTemplate] does. A Job is one run, also one that was made from the
// template of a CronJob. The template of a Job can not be changed once it has
// been created.
func InjectJob(ctx context.Context, job *batchv1.Job, opts ...Option) error {
	if job == nil {
		return nil
	}
	return InjectPodTemplate(ctx, &job.Spec.Template, opts...)
}

// InjectObject puts the trace context of ctx into a [batchv1.Job] or a
// [corev1.Pod], and refuses every other object with [ErrLongLived]. It is for
// code that handles objects of any kind, such as a webhook.
func InjectObject(ctx context.Context, object runtime.Object, opts ...Option) error {
	switch o := object.(type) {
	case nil:
		return nil
	case *batchv1.Job:
		return InjectJob(ctx, o, opts...)
	case *corev1.Pod:
		if o == nil {
			return nil
		}
		_, err := injectPod(ctx, &o.ObjectMeta, &o.Spec, newConfig(opts))
		return err
	default:
		return fmt.Errorf("%w: %T", ErrLongLived, object)
	}
}

// injectPod reports whether a context stayed that was there.
func injectPod(ctx context.Context, meta *metav1.ObjectMeta, spec *corev1.PodSpec, cfg config) (kept bool, err error) {
	containers := cfg.containers(spec)
	if len(containers) == 0 {
		return false, nil
	}
	p := pack(ctx, cfg)
	decisions, err := p.decideAll(containers, cfg) //nolint:contextcheck // what is there is read without one.
	if err != nil {
		return false, err
	}
	if cfg.annotations {
		if kept, err = p.injectAnnotations(meta, cfg); err != nil { //nolint:contextcheck // as above.
			return false, err
		}
	}
	for i, c := range containers {
		switch decisions[i] {
		case write:
			c.Env = merge(c.Env, p.entries(c, cfg))
		case keep:
			kept = true
		default:
		}
		if cfg.jobInfo {
			c.Env = merge(c.Env, jobInfo())
		}
	}
	return kept, nil
}

// decideAll applies the policy to each container.
func (p *parcel) decideAll(containers []*corev1.Container, cfg config) ([]decision, error) {
	decisions := make([]decision, len(containers))
	for i, c := range containers {
		if decisions[i] = p.decideEnv(c.Env, cfg); decisions[i] == conflict {
			return nil, fmt.Errorf("%w: container %q", ErrConflict, c.Name)
		}
	}
	return decisions, nil
}

// entries returns what is to stand in the environment of c.
func (p *parcel) entries(c *corev1.Container, cfg config) entries {
	if cfg.annotations && !p.empty() {
		return p.references(cfg)
	}
	return p.literals(c.Env, c.EnvFrom)
}

// containers returns the containers that are selected.
func (cfg config) containers(spec *corev1.PodSpec) []*corev1.Container {
	var selected []*corev1.Container
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			if cfg.selected(list[i]) {
				selected = append(selected, &list[i])
			}
		}
	}
	return selected
}

func (cfg config) selected(c corev1.Container) (selected bool) {
	if cfg.selects == nil {
		return true
	}
	defer func() {
		if recover() != nil {
			selected = true
		}
	}()
	return cfg.selects(c)
}
