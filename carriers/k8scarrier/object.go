// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

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

// objectsOfUnstructured returns the parts of an object of the dynamic client.
func objectsOfUnstructured(u *unstructured.Unstructured, cfg *config) ([]object, error) {
	kind := u.GroupVersionKind().GroupKind()
	switch {
	case isLongLived(kind):
		return nil, ErrLongLived
	case kind == schema.GroupKind{Kind: "Pod"}:
		return []object{objectOfPodFields(u.Object, u)}, nil
	case kind == schema.GroupKind{Group: "batch", Kind: "Job"}:
		return []object{jobOfFields(u)}, nil
	case cfg.isOfOthers():
		return objectsOfOthers(u, cfg)
	default:
		return nil, ErrUnknownKind
	}
}

// objectsOfOthers returns the parts of an object that the paths of cfg lead to.
func objectsOfOthers(u *unstructured.Unstructured, cfg *config) ([]object, error) {
	objects := objectsAround(u, cfg.templatePath)
	for i := range objects {
		objects[i].isJob = u.GroupVersionKind().GroupKind() == schema.GroupKind{Group: "jobset.x-k8s.io", Kind: "JobSet"}
	}
	objects = append(objects, containersIn(u, cfg.containerPaths))
	if slices.ContainsFunc(objects, func(o object) bool { return len(o.containers) > 0 }) {
		return objects, nil
	}
	var ends []string
	for _, path := range append([][]string{cfg.templatePath}, cfg.containerPaths...) {
		if len(path) > 0 {
			ends = append(ends, endOf(u, path))
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrNoContainers, strings.Join(ends, ", "))
}

// endOf says where a path ends that leads to no container.
func endOf(u *unstructured.Unstructured, path []string) string {
	whole, values := strings.Join(path, "."), []any{u.Object}
	for _, field := range path {
		if values = allUnder(values, field); len(values) == 0 {
			return fmt.Sprintf("the path %q ends at %q", whole, field)
		}
	}
	return fmt.Sprintf("the path %q leads to none", whole)
}

// jobOfFields returns the parts of a Job. Without a pod template, it has no containers.
func jobOfFields(u *unstructured.Unstructured) object {
	o := object{owner: u}
	if found := objectsAround(u, []string{"spec", "template"}); len(found) > 0 {
		o = found[0]
	}
	o.isJob = true
	return o
}

// objectsAround returns the parts of an object that has pod templates under a path.
func objectsAround(u *unstructured.Unstructured, path []string) []object {
	var objects []object
	for _, template := range fieldsAt(u, path) {
		o := objectOfPodFields(template, &unstructured.Unstructured{Object: template})
		o.owner = u
		objects = append(objects, o)
	}
	return objects
}

// containersIn returns the containers under paths in an object, which have no pod that is
// known.
func containersIn(u *unstructured.Unstructured, paths [][]string) object {
	o := object{owner: u}
	for _, path := range paths {
		for _, fields := range fieldsAt(u, path) {
			o.containers = append(o.containers, containerOfFields(fields, ""))
		}
	}
	return o
}

// fieldsAt returns the maps under a path in an object, of which a field [AnyField] stands
// for every element of a list or a map.
func fieldsAt(u *unstructured.Unstructured, path []string) []map[string]any {
	if len(path) == 0 {
		return nil
	}
	values := []any{u.Object}
	for _, field := range path {
		values = allUnder(values, field)
	}
	var found []map[string]any
	for _, value := range values {
		if fields, ok := value.(map[string]any); ok {
			found = append(found, fields)
		}
	}
	return found
}

// allUnder returns what is under a field of values.
func allUnder(values []any, field string) []any {
	var all []any
	for _, value := range values {
		all = append(all, under(value, field)...)
	}
	return slices.DeleteFunc(all, func(value any) bool { return value == nil })
}

// under returns the values under a field, which may be nil.
func under(value any, field string) []any {
	switch value := value.(type) {
	case []any:
		if field == AnyField {
			return value
		}
	case map[string]any:
		if field != AnyField {
			return []any{value[field]}
		}
		var values []any
		for _, key := range slices.Sorted(maps.Keys(value)) {
			values = append(values, value[key])
		}
		return values
	}
	return nil
}

// objectOfPodFields returns the parts of a pod or a pod template. What is not of
// the type that it should be is left out.
func objectOfPodFields(pod map[string]any, meta metadata) object {
	o := object{pod: meta, fieldsSpec: pod["spec"]}
	for _, list := range []string{"initContainers", "containers", "ephemeralContainers"} {
		field, _, _ := unstructured.NestedFieldNoCopy(pod, "spec", list)
		containers, _ := field.([]any)
		for _, field := range containers {
			if fields, ok := field.(map[string]any); ok {
				o.containers = append(o.containers, containerOfFields(fields, list))
			}
		}
	}
	return o
}

// containerOfFields returns a container that is in a list of a pod, or in none.
func containerOfFields(fields map[string]any, list string) container {
	name, _ := fields["name"].(string)
	envFrom, _ := fields["envFrom"].([]any)
	entries, _ := fields["env"].([]any)
	env := make([]corev1.EnvVar, len(entries))
	for i := range entries {
		env[i] = envVarOf(entries[i])
	}
	return container{
		name: name, isEphemeral: list == "ephemeralContainers", isMain: list == "containers",
		env: env, fields: fields,
		hasEnvFrom: len(envFrom) > 0, mayBring: slices.ContainsFunc(envFrom, func(source any) bool {
			fields, _ := source.(map[string]any)
			prefix, _ := fields["prefix"].(string)
			return mayBringResource(corev1.EnvFromSource{Prefix: prefix})
		}),
	}
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
