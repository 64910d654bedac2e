// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
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
	isJob      bool     // Reports whether that object is a Job.
	pod        metadata // Of the pod, whose containers can refer to it; or nil.
	containers []container
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
	hasEnvFrom  bool
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

// objectOf returns the parts of an object. The error is [ErrLongLived] or
// [ErrUnknownKind].
func objectOf(o any, cfg *config) (object, error) {
	switch o := o.(type) {
	case *batchv1.Job:
		return objectOfTemplate(&o.Spec.Template, o), nil
	case *corev1.Pod:
		return objectOfPod(o, &o.Spec), nil
	case *corev1.PodTemplateSpec:
		return objectOfTemplate(o, nil), nil
	case *unstructured.Unstructured:
		return objectOfUnstructured(o, cfg)
	case runtime.Object:
		if isLongLived(kindOf(o)) {
			return object{}, ErrLongLived
		}
	}
	return object{}, ErrUnknownKind
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
	case "CronJob.batch", "Deployment.apps", "StatefulSet.apps", "DaemonSet.apps", "ReplicaSet.apps", "ReplicationController":
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
	o := object{pod: pod, containers: make([]container, 0, count)}
	for _, list := range [...][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			c := &list[i]
			o.containers = append(o.containers, container{
				name: c.Name, hasEnvFrom: len(c.EnvFrom) > 0, env: c.Env, typedEnv: &c.Env, typed: c,
			})
		}
	}
	for i := range spec.EphemeralContainers {
		c := &spec.EphemeralContainers[i]
		o.containers = append(o.containers, container{
			name: c.Name, isEphemeral: true, hasEnvFrom: len(c.EnvFrom) > 0, env: c.Env, typedEnv: &c.Env,
		})
	}
	return o
}

// objectOfUnstructured returns the parts of an object of the dynamic client.
func objectOfUnstructured(u *unstructured.Unstructured, cfg *config) (object, error) {
	kind := u.GroupVersionKind().GroupKind()
	switch {
	case isLongLived(kind):
		return object{}, ErrLongLived
	case kind == schema.GroupKind{Kind: "Pod"}:
		return objectOfPodFields(u.Object, u), nil
	case kind == schema.GroupKind{Group: "batch", Kind: "Job"}:
		o := objectAround(u, "spec", "template")
		o.isJob = true
		return o, nil
	case len(cfg.templatePath) > 0:
		return objectAround(u, cfg.templatePath...), nil
	default:
		return object{}, ErrUnknownKind
	}
}

// objectAround returns the parts of an object that has a pod template under a
// path. Without one, it has no containers.
func objectAround(u *unstructured.Unstructured, path ...string) object {
	field, _, _ := unstructured.NestedFieldNoCopy(u.Object, path...)
	template, ok := field.(map[string]any)
	if !ok {
		return object{owner: u}
	}
	o := objectOfPodFields(template, &unstructured.Unstructured{Object: template})
	o.owner = u
	return o
}

// objectOfPodFields returns the parts of a pod or a pod template. What is not of
// the type that it should be is left out.
func objectOfPodFields(pod map[string]any, meta metadata) object {
	o := object{pod: meta}
	for _, list := range []string{"initContainers", "containers", "ephemeralContainers"} {
		field, _, _ := unstructured.NestedFieldNoCopy(pod, "spec", list)
		containers, _ := field.([]any)
		for _, field := range containers {
			if fields, ok := field.(map[string]any); ok {
				o.containers = append(o.containers, containerOfFields(fields, list == "ephemeralContainers"))
			}
		}
	}
	return o
}

func containerOfFields(fields map[string]any, isEphemeral bool) container {
	name, _ := fields["name"].(string)
	envFrom, _ := fields["envFrom"].([]any)
	entries, _ := fields["env"].([]any)
	env := make([]corev1.EnvVar, len(entries))
	for i := range entries {
		env[i] = envVarOf(entries[i])
	}
	return container{name: name, isEphemeral: isEphemeral, hasEnvFrom: len(envFrom) > 0, env: env, fields: fields}
}

// nameOfFields returns the name of an entry of an environment, or the empty string if
// the entry is malformed.
func nameOfFields(entry any) string {
	fields, _ := entry.(map[string]any)
	_, isValue := fields["value"].(string)
	_, isSource := fields["valueFrom"].(map[string]any)
	if !isValue && fields["value"] != nil || !isSource && fields["valueFrom"] != nil {
		return ""
	}
	name, _ := fields["name"].(string)
	return name
}

// envVarOf returns an entry of an environment, or the zero one if it is malformed. It
// copies no text, and leaves out fields that this package does not read.
func envVarOf(entry any) corev1.EnvVar {
	name := nameOfFields(entry)
	if name == "" {
		return corev1.EnvVar{}
	}
	fields, _ := entry.(map[string]any)
	value, _ := fields["value"].(string)
	read := corev1.EnvVar{Name: name, Value: value}
	if source := fields["valueFrom"]; source != nil {
		typed := fromFields[corev1.EnvVarSource](source)
		read.ValueFrom = &typed
	}
	return read
}

// fromFields returns fields as a T, or the zero T if they are of other types.
func fromFields[T any](fields any) T {
	var typed, none T
	object, ok := fields.(map[string]any)
	if !ok || runtime.DefaultUnstructuredConverter.FromUnstructured(object, &typed) != nil {
		return none
	}
	return typed
}

// toFields returns a variable as fields.
func toFields(entry *corev1.EnvVar) any {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(entry)
	if err != nil { // not possible for an EnvVar.
		return map[string]any{"name": entry.Name}
	}
	return fields
}
