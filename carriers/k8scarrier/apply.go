// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"go.opentelemetry.io/otel/trace"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	applyv1 "k8s.io/client-go/applyconfigurations/batch/v1"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// Apply applies a copy of job that carries a context. It asks for the Job first. If there
// is none, the context is that of a new span, as for [Jobs.Create]. If there is one, it
// keeps the context that it has, because its template cannot be changed: a controller may
// apply one Job again and again, and only the first time has a span. Apply does not modify job.
//
// If the Job cannot be asked for, it is applied as it is, without a context. If another
// process has created it meanwhile, the Job keeps the context of that one.
func (j *Jobs) Apply(ctx context.Context, job *applyv1.JobApplyConfiguration, opts metav1.ApplyOptions) (applied *batchv1.Job, err error) {
	name := nameOf(job)
	if name == "" {
		return j.JobInterface.Apply(ctx, job, opts) // It says what is wrong.
	}
	existing, err := j.Get(ctx, name, metav1.GetOptions{})
	switch {
	case err == nil && existing != nil:
		return j.JobInterface.Apply(ctx, j.withContextOf(job, existing), opts)
	case !apierrors.IsNotFound(err):
		return j.JobInterface.Apply(ctx, job, opts)
	}
	ctx, span := j.start(ctx, "apply job")
	outcome := observe.OutcomePanic // Until the client has returned.
	defer func() { j.end(span, applied, err, outcome) }()
	injected, err := j.injectApply(ctx, span, job)
	if err == nil {
		applied, err = j.JobInterface.Apply(ctx, injected, opts)
	}
	if apierrors.IsInvalid(err) { // The template of a Job that is there cannot be changed.
		if existing, missing := j.Get(ctx, name, metav1.GetOptions{}); missing == nil && existing != nil {
			applied, err = j.JobInterface.Apply(ctx, j.withContextOf(job, existing), opts)
		}
	}
	outcome = observe.Classify(ctx, err)
	return applied, err
}

func nameOf(job *applyv1.JobApplyConfiguration) string {
	if job == nil || job.ObjectMetaApplyConfiguration == nil || job.Name == nil {
		return ""
	}
	return *job.Name
}

// injectApply is inject for a Job that is applied. It returns a copy.
func (j *Jobs) injectApply(ctx context.Context, span trace.Span, job *applyv1.JobApplyConfiguration) (*applyv1.JobApplyConfiguration, error) {
	fields, ok := fieldsOf(job)
	if !ok {
		setAttributes(span, attrDropped.Bool(true))
		return job, nil
	}
	kept, err := inject(ctx, j.cfg.config, jobOfFields(fields))
	if err = j.note(span, kept, err); err != nil {
		return nil, err
	}
	return applyOf(fields, job), nil
}

// withContextOf returns a copy of job that has what an injection has written to existing:
// the variables of the containers, and the annotations of the pod.
func (j *Jobs) withContextOf(job *applyv1.JobApplyConfiguration, existing *batchv1.Job) *applyv1.JobApplyConfiguration {
	fields, ok := fieldsOf(job)
	if !ok {
		return job
	}
	applied, there := jobOfFields(fields), objectOfTemplate(&existing.Spec.Template, existing)
	keys := j.cfg.keys()
	for _, c := range applied.containers {
		for _, other := range there.containers {
			if other.name == c.name {
				written, info := j.cfg.injected(other, keys)
				setEnv(c, written, info, j.cfg.injectedResource(other))
			}
		}
	}
	if applied.pod != nil && j.cfg.annotations {
		annotations := maps.Clone(applied.pod.GetAnnotations())
		for _, key := range keys {
			name := annotationKey(j.cfg.prefix, key)
			if value, ok := there.pod.GetAnnotations()[name]; ok {
				if annotations == nil {
					annotations = make(map[string]string)
				}
				annotations[name] = value
			}
		}
		applied.pod.SetAnnotations(annotations)
	}
	return applyOf(fields, job)
}

// keys returns the keys of a context.
func (cfg *config) keys() []string {
	replace := append(slices.Clip(cfg.propagation), propagation.WithPolicy(propagation.Replace), propagation.WithoutJournal())
	return propagation.Encode(context.Context(nil), replace...).Cleared()
}

// injected returns the variables of a context in the environment of a container, and
// those that describe its Job and pod, but for the attributes of the resource.
func (cfg *config) injected(c container, keys []string) (written, info variables) {
	written, info = variables{}, variables{}
	for _, key := range keys {
		written.copy(c.env, envcarrier.Normalize(key))
	}
	if cfg.jobInfo || cfg.hasResource {
		for name := range jobInfo() {
			info.copy(c.env, name)
		}
	}
	if cfg.hasResource {
		info.copy(c.env, nodeVariable)
	}
	return written, info
}

// injectedResource returns the variable with the attributes of the resource of a
// container, or nil.
func (cfg *config) injectedResource(c container) *corev1.EnvVar {
	if !cfg.hasResource || !hasOwnResource(c) {
		return nil
	}
	return lastOf(c.env, resourceVariable)
}

// copy adds the variable called name of env, if it is there.
func (v variables) copy(env []corev1.EnvVar, name string) {
	if entry := lastOf(env, name); entry != nil {
		v[name] = entry
	}
}

// fieldsOf returns job as fields.
func fieldsOf(job *applyv1.JobApplyConfiguration) (*unstructured.Unstructured, bool) {
	text, err := json.Marshal(job)
	if err != nil {
		return nil, false
	}
	fields := &unstructured.Unstructured{}
	if err := json.Unmarshal(text, &fields.Object); err != nil || fields.Object == nil {
		return nil, false
	}
	return fields, true
}

// applyOf returns fields as a Job to apply, or job if they are not one.
func applyOf(fields *unstructured.Unstructured, job *applyv1.JobApplyConfiguration) *applyv1.JobApplyConfiguration {
	text, err := json.Marshal(fields.Object)
	if err != nil {
		return job
	}
	copied := &applyv1.JobApplyConfiguration{}
	if err := json.Unmarshal(text, copied); err != nil {
		return job
	}
	return copied
}
