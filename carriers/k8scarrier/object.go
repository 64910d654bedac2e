// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"errors"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// object is the part of a Kubernetes object that can hold a context.
type object struct {
	owner      metadata // Of the object around the pod template, or nil.
	isJob      bool     // Reports whether its pods are those of a Job.
	pod        metadata // Of the pod, whose containers can refer to it; or nil.
	containers []container

	typedSpec  *corev1.PodSpec // Of a typed pod.
	fieldsSpec any             // Of a pod of the dynamic client.
}

// podSpec returns the spec of the pod, or the zero one if it is malformed.
func (o object) podSpec() corev1.PodSpec {
	if o.typedSpec != nil {
		return *o.typedSpec
	}
	return fromFields[corev1.PodSpec](o.fieldsSpec)
}

// metadata is the part of the metadata of an object that can hold a context.
type metadata interface {
	GetAnnotations() map[string]string
	SetAnnotations(annotations map[string]string)
}

// container is a container of a pod, typed or as fields.
type container struct {
	name        string
	isEphemeral bool
	isMain      bool // Reports whether it is neither an init container nor ephemeral.
	hasEnvFrom  bool
	mayBring    bool // Reports whether EnvFrom may bring resourceVariable.
	env         []corev1.EnvVar

	typedEnv *[]corev1.EnvVar  // Of a typed container.
	typed    *corev1.Container // The same, unless it is ephemeral.
	fields   map[string]any    // Of a container of the dynamic client.
}

// spec returns c as a container.
func (c container) spec() corev1.Container {
	if c.typed != nil {
		return *c.typed
	}
	return fromFields[corev1.Container](c.fields)
}

// setEnv merges set and last into the environment of c.
func (c container) setEnv(set variables, last *corev1.EnvVar) {
	if c.typedEnv != nil {
		*c.typedEnv = mergeEnv(c.env, set, last)
		return
	}
	entries, _ := c.fields["env"].([]any)
	if merged := merge(entries, set, last, nameOfFields, toFields); len(merged) > 0 {
		c.fields["env"] = merged
	} else {
		delete(c.fields, "env")
	}
}

// isSelected reports whether c is to be injected into.
func (cfg *config) isSelected(c container) (selected bool) {
	if c.isEphemeral {
		return false
	}
	if cfg.selects == nil {
		return true
	}
	defer func() {
		if recover() != nil {
			selected = true
		}
	}()
	return cfg.selects(c.spec())
}

// objectsOf returns the parts of an object: one for each pod template. The error is
// [ErrLongLived], [ErrUnknownKind] or, for paths that lead to none, [ErrNoContainers].
func objectsOf(o any, cfg *config) ([]object, error) {
	switch o := o.(type) {
	case *batchv1.Job:
		return []object{objectOfTemplate(&o.Spec.Template, o)}, nil
	case *corev1.Pod:
		return []object{objectOfPod(o, &o.Spec)}, nil
	case *corev1.PodTemplateSpec:
		return []object{objectOfTemplate(o, nil)}, nil
	case *unstructured.Unstructured:
		return objectsOfUnstructured(o, cfg)
	case runtime.Object:
		if isLongLived(kindOf(o)) {
			return nil, ErrLongLived
		}
	}
	return nil, ErrUnknownKind
}

// wayOut says what is for an object that is refused with err.
func wayOut(o runtime.Object, err error) string {
	_, hasFields := o.(*unstructured.Unstructured)
	switch {
	case kindOf(o) == schema.GroupKind{Group: "batch", Kind: "CronJob"}:
		return "; see InjectCronJob"
	case hasFields && errors.Is(err, ErrUnknownKind):
		return "; see WithPodTemplatePath and WithContainerPath"
	default:
		return ""
	}
}

// kindOf returns the kind of an object: a typed one need not say it itself.
func kindOf(o runtime.Object) schema.GroupKind {
	if kinds, _, err := scheme.Scheme.ObjectKinds(o); err == nil && len(kinds) > 0 {
		return kinds[0].GroupKind()
	}
	return o.GetObjectKind().GroupVersionKind().GroupKind()
}

// isLongLived reports whether objects of kind start many runs.
func isLongLived(kind schema.GroupKind) bool {
	switch kind.String() {
	case "CronJob.batch", "Deployment.apps", "StatefulSet.apps", "DaemonSet.apps", "ReplicaSet.apps", "ReplicationController",
		"CronWorkflow.argoproj.io", "ScaledJob.keda.sh", "ScheduledSparkApplication.sparkoperator.k8s.io":
		return true
	default:
		return false
	}
}

// objectOfTemplate returns the parts of a pod template and, if job is not nil, of
// the Job around it.
func objectOfTemplate(template *corev1.PodTemplateSpec, job *batchv1.Job) object {
	o := objectOfPod(template, &template.Spec)
	if job != nil {
		o.owner, o.isJob = job, true
	}
	return o
}

func objectOfPod(pod metadata, spec *corev1.PodSpec) object {
	count := len(spec.InitContainers) + len(spec.Containers) + len(spec.EphemeralContainers)
	o := object{pod: pod, typedSpec: spec, containers: make([]container, 0, count)}
	for n, list := range [...][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			c := &list[i]
			o.containers = append(o.containers, container{
				name: c.Name, isMain: n == 1, env: c.Env, typedEnv: &c.Env, typed: c,
				hasEnvFrom: len(c.EnvFrom) > 0, mayBring: slices.ContainsFunc(c.EnvFrom, mayBringResource),
			})
		}
	}
	for i := range spec.EphemeralContainers {
		c := &spec.EphemeralContainers[i]
		o.containers = append(o.containers, container{
			name: c.Name, isEphemeral: true, env: c.Env, typedEnv: &c.Env,
			hasEnvFrom: len(c.EnvFrom) > 0, mayBring: slices.ContainsFunc(c.EnvFrom, mayBringResource),
		})
	}
	return o
}
