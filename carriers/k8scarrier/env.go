// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/waybill-go/waybill/carriers/envcarrier"
)

// variables holds, by their names, the variables that are to stand in an
// environment. Nil removes a variable.
type variables map[string]*corev1.EnvVar

// merge returns a copy of env, the entries of an environment of any type, with set in
// it. Each variable is there once, at the place of its first entry, or else at the
// front, sorted by name, but for last, which is at the end unless it is nil. nameOf
// returns the name of an entry, and entryOf makes one.
func merge[E any](env []E, set variables, last *corev1.EnvVar, nameOf func(E) string, entryOf func(*corev1.EnvVar) E) []E {
	out := make([]E, len(set), len(env)+len(set)+1) // The first of them are for new ones.
	var isPlaced map[string]bool
	for _, entry := range env {
		name := nameOf(entry)
		ours, isOurs := set[name]
		switch {
		case last != nil && name == last.Name:
		case !isOurs:
			out = append(out, entry)
		case ours != nil && !isPlaced[name]:
			out = append(out, entryOf(ours))
			if isPlaced == nil {
				isPlaced = make(map[string]bool, len(set))
			}
			isPlaced[name] = true
		}
	}
	first := len(set)
	for name, ours := range set {
		if ours != nil && !isPlaced[name] && (last == nil || name != last.Name) {
			first--
			out[first] = entryOf(ours)
		}
	}
	slices.SortFunc(out[first:len(set)], func(a, b E) int { return strings.Compare(nameOf(a), nameOf(b)) })
	if last != nil {
		out = append(out, entryOf(last))
	}
	if first == len(out) {
		return env[:0:0] // nil stays nil.
	}
	return out[first:]
}

// mergeEnv is merge for the environment of a typed container.
func mergeEnv(env []corev1.EnvVar, set variables, last *corev1.EnvVar) []corev1.EnvVar {
	return merge(env, set, last,
		func(entry corev1.EnvVar) string { return entry.Name },
		func(entry *corev1.EnvVar) corev1.EnvVar { return *entry })
}

// literal returns a variable with a value that kubelet does not expand.
func literal(name, value string) *corev1.EnvVar {
	return &corev1.EnvVar{Name: name, Value: escape(value)}
}

// fieldRef returns a variable with the value of a field of the pod. The version
// is the one that the API server sets by default.
func fieldRef(name, path string) *corev1.EnvVar {
	return &corev1.EnvVar{
		Name:      name,
		ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}},
	}
}

func annotationPath(key string) string { return "metadata.annotations['" + key + "']" }
func labelPath(key string) string      { return "metadata.labels['" + key + "']" }

// jobInfo returns the variables of [WithJobInfo]. A label or an annotation that a
// pod does not have gives an empty value.
// https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
func jobInfo() variables {
	set := variables{}
	for name, path := range map[string]string{
		envcarrier.JobNameVariable:      labelPath(batchv1.JobNameLabel),
		envcarrier.JobUIDVariable:       labelPath(batchv1.ControllerUidLabel),
		envcarrier.JobFailuresVariable:  annotationPath(batchv1.JobIndexFailureCountAnnotation),
		envcarrier.PodNameVariable:      "metadata.name",
		envcarrier.PodNamespaceVariable: "metadata.namespace",
		envcarrier.PodUIDVariable:       "metadata.uid",
	} {
		set[name] = fieldRef(name, path)
	}
	return set
}

// lastOf returns the last entry called name, which is the one that kubelet uses,
// or nil.
func lastOf(env []corev1.EnvVar, name string) *corev1.EnvVar {
	for i := range slices.Backward(env) {
		if env[i].Name == name {
			return &env[i]
		}
	}
	return nil
}

// valueOf returns the literal value of name as a process gets it, or the empty
// string. A value that no process gets, because it is too long even when kubelet
// has halved its dollars, is not read.
func valueOf(env []corev1.EnvVar, name string) string {
	entry := lastOf(env, name)
	if entry == nil || entry.ValueFrom != nil || len(entry.Value) > 2*maxEntry {
		return ""
	}
	return unescape(entry.Value)
}

// envReader reads an environment.
type envReader struct{}

func (envReader) Get(env []corev1.EnvVar, key string) string {
	return valueOf(env, envcarrier.Normalize(key))
}

func (envReader) Keys(env []corev1.EnvVar) []string {
	var keys []string
	seen := make(map[string]bool, len(env))
	for _, entry := range env {
		if entry.Name != "" && !seen[entry.Name] && envcarrier.Normalize(entry.Name) == entry.Name {
			seen[entry.Name] = true
			keys = append(keys, entry.Name)
		}
	}
	return keys
}
