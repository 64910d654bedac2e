// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"context"
	"fmt"
	"maps"
	"reflect"

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

// InjectAnnotations puts the trace context of ctx into the annotations of an
// object, where [ReadAnnotations] finds it: for a controller that handles the
// object later, or for a Job that is suspended, whose template
// [InjectPodTemplate] was given before with [WithAnnotations].
//
// It replaces the map and changes nothing else of the object, and nothing at all
// without a valid span in ctx or if it returns an error: [ErrConflict] on demand,
// or [ErrTooLarge]. The same ctx again changes nothing. A nil object is left
// alone.
func InjectAnnotations(ctx context.Context, object metav1.Object, opts ...Option) error {
	if isNil(object) {
		return nil
	}
	cfg := newConfig(opts)
	_, err := pack(ctx, cfg).injectAnnotations(object, cfg) //nolint:contextcheck // what is there is read without one.
	return err
}

// ReadAnnotations returns the trace context in the annotations of an object, as
// [InjectAnnotations] and [WithAnnotations] put it there. It is for controllers:
// what they do later for the object is best linked to it. A nil object holds
// none.
func ReadAnnotations(object metav1.Object, opts ...Option) propagation.Remote {
	if isNil(object) {
		return propagation.Remote{}
	}
	cfg := newConfig(opts)
	getter := propagation.GetterFunc[map[string]string](func(m map[string]string, key string) string { return m[cfg.annotation(key)] })
	return propagation.Read(object.GetAnnotations(), propagation.Getter[map[string]string](getter), cfg.forward[:]...)
}

// isNil reports whether object is nil, or a nil pointer to an object.
func isNil(object metav1.Object) bool {
	value := reflect.ValueOf(object)
	return !value.IsValid() || value.Kind() == reflect.Pointer && value.IsNil()
}

// annotation returns the key of the annotation for the field called key.
func (cfg config) annotation(key string) string { return cfg.prefix + "/" + key }

// refers reports whether entry has its value from the annotation for field.
func (cfg config) refers(entry *corev1.EnvVar, field string) bool {
	ref := entry.ValueFrom.FieldRef
	return cfg.annotations && ref != nil && ref.FieldPath == annotationPath(cfg.annotation(field))
}

// injectAnnotations writes values into the annotations of object, and reports
// whether a context stayed that was there.
func (p *parcel) injectAnnotations(object metav1.Object, cfg config) (kept bool, err error) {
	before := object.GetAnnotations()
	held := func(key string) string { return before[cfg.annotation(key)] }
	switch p.decide(held, false, cfg) {
	case nothing:
		return false, nil
	case keep:
		return true, nil
	case conflict:
		return false, fmt.Errorf("%w: annotations", ErrConflict)
	default:
	}
	after, err := p.annotate(before, cfg)
	if err == nil && !maps.Equal(before, after) {
		object.SetAnnotations(after)
	}
	return false, err
}

// annotate returns a copy of annotations with as much of the context as they
// have room for, or that they have not even room for the least.
func (p *parcel) annotate(annotations map[string]string, cfg config) (map[string]string, error) {
	for {
		out := p.annotated(annotations, cfg)
		if size(out) <= maxAnnotations {
			return out, nil
		}
		if !p.lighten() {
			return nil, ErrTooLarge
		}
	}
}

// annotated returns a copy of annotations with the context.
func (p *parcel) annotated(annotations map[string]string, cfg config) map[string]string {
	waybill := p.sentAs(func(key string) string { return annotations[cfg.annotation(key)] })
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
	return out
}

func size(annotations map[string]string) int {
	total := 0
	for key, value := range annotations {
		total += len(key) + len(value)
	}
	return total
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
