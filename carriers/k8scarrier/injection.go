// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"context"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// The keys that are handled each in its own way.
const (
	keyTracestate = "tracestate"
	keyBaggage    = "baggage"
	keyWaybill    = "waybill"
)

// injection writes one context to the places of an object: the environments of
// its containers, and annotations.
type injection struct {
	cfg    *config
	fields propagation.Fields
	keys   []string          // Of the fields that are removed or set.
	values map[string]string // By key, of the fields that are set.

	// The variables of containers without and with EnvFrom, once they are made.
	plain, masking variables
}

// newInjection returns the injection of what ctx holds, without values that do
// not arrive unchanged.
func newInjection(ctx context.Context, cfg *config) *injection {
	fields := propagation.Encode(ctx, cfg.propagation...)
	in := &injection{cfg: cfg, fields: fields}
	if fields.IsEmpty() {
		return in
	}
	if fields.IsReduced() {
		cfg.drop(observe.DropTooLarge)
	}
	in.keys = append(make([]string, 0, len(fields.Cleared())+fields.Len()), fields.Cleared()...)
	in.values = make(map[string]string, fields.Len())
	for key, value := range fields.All() {
		if !slices.Contains(in.keys, key) {
			in.keys = append(in.keys, key)
		}
		if !fields.UsesContextKeys() {
			in.replaceAlike(key)
		}
		if reason := cfg.unusable(key, value); reason != "" {
			cfg.drop(reason)
			in.fields = in.fields.Without(key)
			continue
		}
		in.values[key] = value
	}
	if fields.HasTraceContext() && !in.fields.HasTraceContext() {
		in.remove(keyTracestate) // which belongs to a trace context.
	}
	return in
}

// replaceAlike removes what is written under the same name as key: the last one wins.
func (in *injection) replaceAlike(key string) {
	name := envcarrier.Normalize(key)
	in.keys = slices.DeleteFunc(in.keys, func(other string) bool {
		isAlike := other != key && envcarrier.Normalize(other) == name
		if isAlike {
			in.remove(other)
		}
		return isAlike
	})
}

// remove makes in write nothing under key.
func (in *injection) remove(key string) {
	in.fields = in.fields.Without(key)
	delete(in.values, key)
}

// unusable returns the reason for which value cannot be written under key, or the empty
// string.
func (cfg *config) unusable(key, value string) string {
	name := envcarrier.Normalize(key)
	switch {
	case len(name)+1+len(value) > maxEntry:
		return observe.DropTooLarge
	case !passable(name, value),
		cfg.annotations && !isAnnotationKey(annotationKey(cfg.prefix, key)),
		cfg.isOfOthers() && (strings.Contains(value, "{{") || strings.Contains(value, "$(")):
		return observe.DropUnsafe
	default:
		return ""
	}
}

// isAnnotationKey reports whether the API server accepts key as the key of an
// annotation.
func isAnnotationKey(key string) bool {
	return len(validation.IsQualifiedName(strings.ToLower(key))) == 0
}

// hasValidPrefix reports whether the API server accepts annotations with the
// prefix.
func (cfg *config) hasValidPrefix() bool {
	return isAnnotationKey(annotationKey(cfg.prefix, keyBaggage))
}

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

// literals returns the variables for a container. A field without a value is
// removed, or set to the empty string if EnvFrom could bring one.
func (in *injection) literals(c container) variables {
	if in.plain == nil {
		in.plain = make(variables, len(in.keys))
		for _, key := range in.keys {
			name := envcarrier.Normalize(key)
			if value, ok := in.values[key]; ok {
				in.plain[name] = literal(name, value)
			} else if in.plain[name] == nil {
				in.plain[name] = nil
			}
		}
	}
	if !c.hasEnvFrom {
		return in.withBaggage(in.plain, c.env)
	}
	if in.masking == nil {
		in.masking = maps.Clone(in.plain)
		for name, ours := range in.plain {
			if ours == nil {
				in.masking[name] = literal(name, "")
			}
		}
	}
	return in.withBaggage(in.masking, c.env)
}

// withBaggage returns set with the removal of the members of a baggage of
// OpenTracing that env holds.
func (in *injection) withBaggage(set variables, env []corev1.EnvVar) variables {
	isShared := true
	for _, entry := range env {
		if !in.clearsBaggage(entry.Name) {
			continue
		}
		if _, ours := set[entry.Name]; ours {
			continue
		}
		if isShared {
			set, isShared = maps.Clone(set), false
		}
		set[entry.Name] = nil
	}
	return set
}

// references returns a variable for each field that refers to its annotation. One
// for a field without a value masks what EnvFrom could bring, and gets the value
// if it is set before the pod starts.
func (in *injection) references() variables {
	set := variables{}
	for _, key := range in.keys {
		if annotation := annotationKey(in.cfg.prefix, key); isAnnotationKey(annotation) {
			name := envcarrier.Normalize(key)
			set[name] = fieldRef(name, annotationPath(annotation))
		}
	}
	return set
}

// fileReferences returns a variable for each field that refers to the file.
func (in *injection) fileReferences() variables {
	set := variables{}
	for _, key := range in.keys {
		name := envcarrier.Normalize(key)
		set[name] = in.cfg.file.variable(name)
	}
	return set
}

// clearsBaggage reports whether the variable called name is a member of a baggage
// of OpenTracing that is removed.
func (in *injection) clearsBaggage(name string) bool {
	member, ok := strings.CutPrefix(name, "OT_BAGGAGE_")
	return ok && in.fields.Clears("ot-baggage-"+member)
}

// annotate returns a copy of annotations in which fields are the only context
// under each of prefixes.
func (in *injection) annotate(annotations map[string]string, fields propagation.Fields, prefixes ...string) map[string]string {
	out := make(map[string]string, len(annotations)+fields.Len())
	isReplaced := make(map[string]bool, len(prefixes))
	for _, prefix := range prefixes {
		isReplaced[prefix] = true
	}
	for name, value := range annotations {
		prefix, key, _ := strings.Cut(name, "/")
		if !isReplaced[prefix] || !slices.Contains(in.keys, key) && !in.fields.Clears(key) {
			out[name] = value
		}
	}
	for i := range fields.Len() {
		for _, prefix := range prefixes {
			out[annotationKey(prefix, fields.Key(i))] = in.values[fields.Key(i)]
		}
	}
	return out
}

// maxAnnotations is how many bytes the annotations of an object may have, keys
// and values added up.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/
const maxAnnotations = 256 << 10

// haveRoom reports whether an object may have annotations.
func haveRoom(annotations map[string]string) bool {
	total := 0
	for key, value := range annotations {
		total += len(key) + len(value)
	}
	return total <= maxAnnotations
}

// fit drops the fields for which annotations have no room. The error is
// [ErrTooLarge].
func (in *injection) fit(annotations map[string]string) error {
	return in.shrink(in.fields.ShrinkFunc(func(fields propagation.Fields) bool {
		return haveRoom(in.annotate(annotations, fields, in.cfg.prefix))
	}))
}

// maxContexts is how many bytes the contexts of all containers of an object may have:
// a third of an object that etcd takes by default.
const maxContexts = 512 << 10

// fitContainers drops the fields for which so many containers have no room. The error is
// [ErrTooLarge].
func (in *injection) fitContainers(count int) error {
	return in.shrink(in.fields.Shrink(max(maxContexts/count, 1)))
}

// shrink leaves what fits of the fields. The error is [ErrTooLarge].
func (in *injection) shrink(fitting propagation.Fields) error {
	if fitting.Len() == in.fields.Len() {
		return nil
	}
	in.cfg.drop(observe.DropTooLarge)
	if fitting.Len() == 0 {
		return ErrTooLarge
	}
	for i := range in.fields.Len() {
		if key := in.fields.Key(i); fitting.Value(key) == "" {
			delete(in.values, key)
		}
	}
	in.fields = fitting
	return nil
}
