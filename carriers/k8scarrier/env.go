// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/waybill-go/waybill/propagation"
)

// InjectEnv returns a copy of env, the environment of a container, with the
// trace context of ctx in place of any that env holds.
//
// A variable that is there keeps its place, without its duplicates and without
// its ValueFrom; a new one comes first, in order of the names, so that others
// may refer to it. Each $ of a value is doubled, as kubelet halves it. Without a
// valid span in ctx the copy is equal to env. The result shares no entry with
// env, but what entries of the caller's point to.
//
// For a container with EnvFrom use [InjectPodTemplate], which masks what may
// come from there.
func InjectEnv(ctx context.Context, env []corev1.EnvVar, opts ...Option) []corev1.EnvVar {
	cfg := newConfig(opts)
	cfg.annotations = false
	p := pack(ctx, cfg)
	if p.decideEnv(env, cfg) != write { //nolint:contextcheck // what is there is read without one.
		return slices.Clone(env)
	}
	return merge(env, p.literals(env, nil))
}

// Extract returns ctx with the trace context that env holds in literal values,
// or ctx itself if there is none or it is malformed. It is for a controller or
// a test; a process reads its own environment with carriers/envcarrier.
func Extract(ctx context.Context, env []corev1.EnvVar, opts ...Option) context.Context {
	cfg := newConfig(opts)
	return propagation.Extract(ctx, env, propagation.Getter[[]corev1.EnvVar](reader{}), cfg.forward[:]...)
}

// Read returns the trace context that env holds in literal values, with every $
// as the process gets it.
func Read(env []corev1.EnvVar, opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return propagation.Read(env, propagation.Getter[[]corev1.EnvVar](reader{}), cfg.forward[:]...)
}

// reader reads an environment.
type reader struct{}

func (reader) Get(env []corev1.EnvVar, key string) string { return valueOf(env, envName(key)) }

func (reader) Keys(env []corev1.EnvVar) []string {
	var keys []string
	seen := make(map[string]bool, len(env))
	for _, entry := range env {
		if entry.Name != "" && !seen[entry.Name] && envName(entry.Name) == entry.Name {
			seen[entry.Name] = true
			keys = append(keys, entry.Name)
		}
	}
	return keys
}

// decision is what becomes of one environment.
type decision int

const (
	write decision = iota
	keep
	conflict
	nothing
)

// decide applies the policy to what is there: the value of each field, and
// whether one comes from elsewhere.
func (p *parcel) decide(held func(key string) string, elsewhere bool, cfg config) decision {
	switch {
	case p.empty() && cfg.policy == propagation.Replace:
		return write
	case p.empty():
		return nothing
	case cfg.policy == propagation.KeepExisting && (elsewhere || p.valid(held, cfg)):
		return keep
	case cfg.conflictFails && cfg.policy != propagation.Replace && (elsewhere || p.holdsAny(held) && !p.same(held)):
		return conflict
	default:
		return write
	}
}

// decideEnv applies the policy to env.
func (p *parcel) decideEnv(env []corev1.EnvVar, cfg config) decision {
	return p.decide(func(key string) string { return valueOf(env, envName(key)) }, p.elsewhere(env, cfg), cfg)
}

// elsewhere reports whether the value of a field comes from elsewhere, and not
// from our annotations.
func (p *parcel) elsewhere(env []corev1.EnvVar, cfg config) bool {
	return slices.ContainsFunc(p.fields, func(field string) bool {
		entry := lastOf(env, envName(field))
		return entry != nil && entry.ValueFrom != nil && field != keyBaggage && !cfg.refers(entry, field)
	})
}

// holdsAny reports whether a field but baggage has a value.
func (p *parcel) holdsAny(held func(key string) string) bool {
	return slices.ContainsFunc(p.fields, func(field string) bool { return field != keyBaggage && held(field) != "" })
}

// valid reports whether what is there is a valid context.
func (*parcel) valid(held func(key string) string, cfg config) bool {
	getter := propagation.GetterFunc[struct{}](func(_ struct{}, key string) string { return held(key) })
	return propagation.Read(struct{}{}, propagation.Getter[struct{}](getter), cfg.forward[:]...).SpanContext().IsValid()
}

// literals returns the entries of p for env. A field without a value is
// removed, or set to "" where envFrom could bring one.
func (p *parcel) literals(env []corev1.EnvVar, envFrom []corev1.EnvFromSource) entries {
	waybill := p.sentAs(func(key string) string { return valueOf(env, envName(key)) })
	out := entries{}
	for _, field := range p.fields {
		name := envName(field)
		value, ok := p.values[field]
		if ok && field == keyWaybill {
			value = waybill
		}
		if ok || len(envFrom) > 0 {
			out[name] = literal(name, value)
		} else {
			out[name] = nil
		}
	}
	return out
}

// literal returns a variable that a process gets value in.
func literal(name, value string) *corev1.EnvVar {
	return &corev1.EnvVar{Name: name, Value: escape(value)}
}

// entries holds by its name what is to stand in an environment; nil is none.
type entries map[string]*corev1.EnvVar

// merge returns a copy of env with the entries in it: each once, where its name
// first was, or else at the front in order of the names.
func merge(env []corev1.EnvVar, set entries) []corev1.EnvVar {
	out := make([]corev1.EnvVar, 0, len(env)+len(set))
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if set[name] != nil && lastOf(env, name) == nil {
			out = append(out, *set[name])
		}
	}
	placed := map[string]bool{}
	for _, entry := range env {
		ours, known := set[entry.Name]
		switch {
		case !known:
			out = append(out, entry)
		case ours != nil && !placed[entry.Name]:
			out = append(out, *ours)
			placed[entry.Name] = true
		}
	}
	if len(out) == 0 {
		return env[:0:0] // nil stays nil.
	}
	return out
}

// lastOf returns the entry that counts of those called name, or nil.
func lastOf(env []corev1.EnvVar, name string) *corev1.EnvVar {
	for i := range slices.Backward(env) {
		if env[i].Name == name {
			return &env[i]
		}
	}
	return nil
}

// valueOf returns the literal value of name as a process gets it, or "". A value
// that no process gets, because it is too long even when kubelet has halved its
// dollars, is not looked at.
func valueOf(env []corev1.EnvVar, name string) string {
	entry := lastOf(env, name)
	if entry == nil || entry.ValueFrom != nil || len(entry.Value) > 2*maxEntry {
		return ""
	}
	return unescape(entry.Value)
}
