// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waybill-go/waybill/propagation"
)

// defaultPrefix is that of KEP-5915.
const defaultPrefix = "tracing.k8s.io"

// maxAnnotations is how many bytes the annotations of an object may have, keys
// and values added up.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/
const maxAnnotations = 256 << 10

// ReadAnnotations returns the trace context in the annotations of an object, as
// [WithAnnotations] puts it there. It is for controllers: what they do later
// for the object is best linked to it.
func ReadAnnotations(object metav1.Object, opts ...Option) propagation.Remote {
	if object == nil {
		return propagation.Remote{}
	}
	cfg := newConfig(opts)
	annotations := object.GetAnnotations()
	getter := propagation.GetterFunc[map[string]string](func(m map[string]string, key string) string { return m[cfg.annotation(key)] })
	return propagation.Read(annotations, propagation.Getter[map[string]string](getter), cfg.forward[:]...)
}

// annotation returns the key of the annotation for the field called key.
func (cfg config) annotation(key string) string { return cfg.prefix + "/" + key }

// annotate returns a copy of annotations with the context, or that it is too
// large for an object.
func (p *parcel) annotate(annotations map[string]string, cfg config) (map[string]string, error) {
	held := func(key string) string { return annotations[cfg.annotation(key)] }
	waybill := p.sentAs(held)
	out := maps.Clone(annotations)
	if out == nil {
		out = map[string]string{}
	}
	for _, field := range p.fields {
		value, ok := p.values[field]
		switch {
		case !ok:
			delete(out, cfg.annotation(field))
		case field == keyWaybill:
			out[cfg.annotation(field)] = waybill
		default:
			out[cfg.annotation(field)] = value
		}
	}
	total := 0
	for key, value := range out {
		total += len(key) + len(value)
	}
	if total > maxAnnotations {
		return nil, ErrTooLarge
	}
	return out, nil
}

// references returns an entry for each field that refers to its annotation. One
// for a field without a value masks what EnvFrom could bring, and gets the value
// if it comes before the pod starts.
func (p *parcel) references(cfg config) entries {
	out := entries{}
	for _, field := range p.fields {
		name := envName(field)
		out[name] = fieldRef(name, annotationPath(cfg.annotation(field)))
	}
	return out
}

func annotationPath(key string) string { return "metadata.annotations['" + key + "']" }
func labelPath(key string) string      { return "metadata.labels['" + key + "']" }

// fieldRef returns a variable with the value of a field of the pod. The version
// is what the API server would fill in.
func fieldRef(name, path string) *corev1.EnvVar {
	return &corev1.EnvVar{
		Name:      name,
		ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}},
	}
}
