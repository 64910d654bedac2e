// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

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
