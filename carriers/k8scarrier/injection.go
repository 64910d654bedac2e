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
