// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"context"
	"maps"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waybill-go/waybill/propagation"
)

// Extract returns ctx with the trace context that env holds in literal values.
// Extract never fails; a malformed context is treated as absent, and then the
// result is ctx itself. It is for a controller or a test; a process reads its own
// environment with carriers/envcarrier.
func Extract(ctx context.Context, env []corev1.EnvVar, opts ...Option) context.Context {
	cfg := newConfig(opts)
	return propagation.Extract(ctx, env, propagation.Getter[[]corev1.EnvVar](envReader{}), cfg.propagation...)
}

// Read returns the trace context that env holds in literal values, as the process
// gets them, to be used as a parent or a link.
func Read(env []corev1.EnvVar, opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return propagation.Read(env, propagation.Getter[[]corev1.EnvVar](envReader{}), cfg.propagation...)
}

// ReadAnnotations returns the trace context in the annotations of an object, as
// [InjectAnnotations] and [WithAnnotations] write it. It is for controllers: link
// the later work for the object to it. A nil object holds none.
func ReadAnnotations(object metav1.Object, opts ...Option) propagation.Remote {
	if isNil(object) {
		return propagation.Remote{}
	}
	cfg := newConfig(opts)
	reader := annotationReader{prefix: cfg.prefix}
	return propagation.Read(object.GetAnnotations(), propagation.Getter[map[string]string](reader), cfg.propagation...)
}

// StripAnnotations returns a copy of annotations without the context that
// [InjectAnnotations] and [WithAnnotations] write. It is for controllers that compare or
// hash annotations, for which a new context alone is not a change. The result is nil if
// annotations is.
func StripAnnotations(annotations map[string]string, opts ...Option) map[string]string {
	cfg := newConfig(opts)
	return cfg.strip(annotations)
}

// strip is [StripAnnotations].
func (cfg *config) strip(annotations map[string]string) map[string]string {
	stripped := maps.Clone(annotations)
	for _, key := range cfg.keys() {
		delete(stripped, annotationKey(cfg.prefix, key))
	}
	return stripped
}

// annotationReader reads the annotations with a prefix.
type annotationReader struct{ prefix string }

func (r annotationReader) Get(annotations map[string]string, key string) string {
	return annotations[annotationKey(r.prefix, key)]
}

func annotationKey(prefix, key string) string { return prefix + "/" + key }

// isNil reports whether object is nil or holds a nil pointer.
func isNil(object any) bool {
	value := reflect.ValueOf(object)
	return !value.IsValid() || value.Kind() == reflect.Pointer && value.IsNil()
}
