// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/propagation"
)

// place is where an object holds a context, or may hold one: the literal values of
// an environment, or the annotations with a prefix.
type place struct {
	env         []corev1.EnvVar
	annotations map[string]string
	prefix      string // Empty for an environment.
	elsewhere   bool   // Reports whether a value comes from another object.
}

// get returns the value of key, or the empty string.
func (p place) get(key string) string {
	if p.prefix == "" {
		return valueOf(p.env, envcarrier.Normalize(key))
	}
	if len(p.annotations) == 0 {
		return ""
	}
	return p.annotations[annotationKey(p.prefix, key)]
}

// inEnv returns the place in the environment of a container.
func (in *injection) inEnv(env []corev1.EnvVar) place {
	p := inLiterals(env)
	p.elsewhere = slices.ContainsFunc(in.keys, func(key string) bool { return in.isElsewhere(env, key) })
	return p
}

// isElsewhere reports whether env gets the value of key from another object.
func (in *injection) isElsewhere(env []corev1.EnvVar, key string) bool {
	entry := lastOf(env, envcarrier.Normalize(key))
	return entry != nil && entry.ValueFrom != nil && key != keyBaggage && !in.cfg.isReference(entry, key)
}

// inLiterals returns the place in the literal values of an environment.
func inLiterals(env []corev1.EnvVar) place {
	return place{env: env}
}

// inAnnotations returns the place in the annotations with a prefix.
func inAnnotations(annotations map[string]string, prefix string) place {
	return place{annotations: annotations, prefix: prefix}
}

// isReference reports whether entry refers to the annotation of key, or to the variable
// of key in the file.
func (cfg *config) isReference(entry *corev1.EnvVar, key string) bool {
	if ref := entry.ValueFrom.FileKeyRef; ref != nil {
		return cfg.file.holds(ref, envcarrier.Normalize(key))
	}
	ref := entry.ValueFrom.FieldRef
	return cfg.annotations && ref != nil && ref.FieldPath == annotationPath(annotationKey(cfg.prefix, key))
}

// decision is what becomes of one place.
type decision int

const (
	write decision = iota
	keep
	conflict
	skip // For a place that is not to be written to.
)

// decide applies the policy to a place.
func (in *injection) decide(p place) decision {
	switch {
	case in.fields.KeepsExisting() && (p.elsewhere || in.isValid(p)):
		return keep
	case in.cfg.conflictFails && (p.elsewhere || in.holdsAnother(p)) && in.fields.Len() > 0 && !in.cfg.replaces():
		return conflict
	default:
		return write
	}
}

// replaces reports whether the policy is [propagation.Replace]: no other removes
// anything for an empty context.
func (cfg *config) replaces() bool {
	empty := propagation.Encode(context.Context(nil), append(slices.Clip(cfg.propagation), propagation.WithoutJournal())...)
	return !empty.IsEmpty() && !empty.KeepsExisting()
}

// isValid reports whether p holds a valid context.
func (in *injection) isValid(p place) bool {
	return propagation.Read(p, propagation.Getter[place](placeReader{}), in.cfg.propagation...).SpanContext().IsValid()
}

// placeReader reads a place.
type placeReader struct{}

func (placeReader) Get(p place, key string) string { return p.get(key) }

// holdsAnother reports whether p holds a context, or a part of one, that is not
// the one that is written. Baggage alone is not a context.
func (in *injection) holdsAnother(p place) bool {
	return slices.ContainsFunc(in.keys, func(key string) bool { return key != keyBaggage && p.get(key) != "" }) && !in.isSame(p)
}

// isStale reports whether p holds anything but the context that is written.
func (in *injection) isStale(p place) bool {
	return slices.ContainsFunc(in.keys, func(key string) bool { return p.get(key) != "" }) && !in.isSame(p)
}

// isSame reports whether p holds the context that is written, except for the
// waybill.
func (in *injection) isSame(p place) bool {
	return !slices.ContainsFunc(in.keys, func(key string) bool { return key != keyWaybill && p.get(key) != in.values[key] })
}

// reuseWaybill writes the waybill of the first of places that holds the same
// context. A waybill has the time of its injection; by this a second injection of
// one context changes nothing.
func (in *injection) reuseWaybill(places ...place) {
	now, err := propagation.ParseWaybill(in.values[keyWaybill])
	if err != nil {
		return
	}
	for _, p := range places {
		before, err := propagation.ParseWaybill(p.get(keyWaybill))
		if err != nil || before.Hops != now.Hops || !in.isSame(p) {
			continue
		}
		areNew := now.Origin.Equal(now.Sent) && before.Origin.Equal(before.Sent)
		if areNew || before.Origin.Equal(now.Origin) {
			in.values[keyWaybill] = p.get(keyWaybill)
			return
		}
	}
}
