// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/propagation"
)

// target is what an injection is to write to: the selected containers of an
// object, and the annotations of one of its parts.
type target struct {
	object

	isSelected    []bool       // By container.
	file          *contextFile // That the selected main containers refer to, or nil.
	annotatePod   bool
	annotateOwner bool
}

// targetOf returns the target of an injection into the containers of o.
func (cfg *config) targetOf(o object) target {
	t := target{object: o, isSelected: make([]bool, len(o.containers)), annotatePod: cfg.annotations && o.pod != nil}
	if o.pod != nil {
		t.file = cfg.file
	}
	for i, c := range o.containers {
		t.isSelected[i] = cfg.isSelected(c)
	}
	return t
}

// fileOf returns the file from which container i gets its context, or nil.
func (t target) fileOf(i int) *contextFile {
	if t.isSelected[i] && t.containers[i].isMain {
		return t.file
	}
	return nil
}

// checkFile returns an [ErrContextFile] if a container cannot get its context from the
// file.
func (t target) checkFile() error {
	for i := range t.containers {
		if file := t.fileOf(i); file != nil {
			return file.check(t.podSpec())
		}
	}
	return nil
}

// selected returns how many containers are selected.
func (t target) selected() int {
	count := 0
	for _, isSelected := range t.isSelected {
		if isSelected {
			count++
		}
	}
	return count
}

// part is a part of an object that has annotations.
type part struct {
	metadata

	isTarget bool
}

// parts returns the parts of t that have annotations, those to write to first.
func (t target) parts() []part {
	var parts []part
	if t.pod != nil {
		parts = append(parts, part{metadata: t.pod, isTarget: t.annotatePod})
	}
	if t.owner != nil {
		parts = append(parts, part{metadata: t.owner, isTarget: t.annotateOwner})
	}
	if t.annotateOwner {
		slices.Reverse(parts)
	}
	return parts
}

// plan is what an injection changes in an object.
type plan struct {
	variables   []variables // By container; nil changes nothing.
	annotations []annotations
	kept        bool // Reports whether a context that was there is kept.
}

// annotations are the annotations that metadata is to have.
type annotations struct {
	of  metadata
	set map[string]string
}

// into writes the context to targets, and replaces another context in other places of
// the object that they are parts of. It reports whether a context that was there was
// kept, and changes nothing if it returns an error.
func (in *injection) into(targets ...target) (kept bool, err error) {
	plans := make([]plan, len(targets))
	for i, t := range targets {
		if plans[i], err = in.plan(t); err != nil {
			return false, err
		}
		kept = kept || plans[i].kept
	}
	for i, t := range targets {
		in.apply(plans[i], t)
	}
	return kept, nil
}

// apply changes t as p says.
func (in *injection) apply(p plan, t target) {
	for i, c := range t.containers {
		var info variables
		var last *corev1.EnvVar
		if t.isSelected[i] {
			info, last = in.cfg.description(t.object, c)
		}
		setEnv(c, p.variables[i], info, last)
	}
	for _, a := range p.annotations {
		if !maps.Equal(a.of.GetAnnotations(), a.set) {
			a.of.SetAnnotations(a.set)
		}
	}
}

// plan returns what into changes. The error is [ErrConflict] or [ErrTooLarge].
func (in *injection) plan(t target) (plan, error) {
	p := plan{variables: make([]variables, len(t.containers))}
	if in.fields.IsEmpty() {
		return p, nil
	}
	decisions, err := in.decideAll(t)
	if err != nil {
		return plan{}, err
	}
	p.kept = slices.Contains(decisions.containers, keep) || decisions.annotations == keep
	if in.values[keyWaybill] != "" {
		in.reuseWaybill(in.places(t)...)
	}
	for i, c := range t.containers {
		switch {
		case decisions.containers[i] == write && t.fileOf(i) != nil && in.fields.Len() > 0:
			p.variables[i] = in.fileReferences()
		case t.isSelected[i] && decisions.containers[i] == write && t.annotatePod && in.fields.Len() > 0:
			p.variables[i] = in.references()
		case t.isSelected[i] && decisions.containers[i] == write,
			!t.isSelected[i] && !in.fields.KeepsExisting() && in.isStale(inLiterals(c.env)):
			p.variables[i] = in.literals(c)
		}
	}
	for _, part := range t.parts() {
		p.annotations = append(p.annotations, annotations{of: part, set: in.annotated(part, decisions.annotations)})
	}
	return p, nil
}

// setEnv writes set and info, which it may modify, to the environment of c, and last,
// if it is not nil, to its end.
func setEnv(c container, set, info variables, last *corev1.EnvVar) {
	if len(info) > 0 {
		maps.Copy(info, set)
		set = info
	}
	if len(set) > 0 {
		c.setEnv(set, last)
	}
}

// decisions holds the decision for each place of an object.
type decisions struct {
	containers  []decision
	annotations decision
}

// decideAll applies the policy to the places of t.
func (in *injection) decideAll(t target) (decisions, error) {
	d := decisions{containers: make([]decision, len(t.containers)), annotations: skip}
	if parts := t.parts(); len(parts) > 0 && parts[0].isTarget {
		before := parts[0].GetAnnotations()
		if d.annotations = in.decide(inAnnotations(before, in.cfg.prefix)); d.annotations != keep {
			if err := in.fit(before); err != nil {
				return decisions{}, err
			}
			d.annotations = in.decide(inAnnotations(before, in.cfg.prefix)) // of what fits.
		}
		if d.annotations == conflict {
			return decisions{}, in.conflictAt("", inAnnotations(before, in.cfg.prefix))
		}
	}
	for i, c := range t.containers {
		there := inLiterals(c.env)
		if t.isSelected[i] {
			there = in.inEnv(c.env)
		}
		decided := in.decide(there)
		if decided == conflict {
			return decisions{}, in.conflictAt(c.name, there)
		}
		if d.containers[i] = skip; t.isSelected[i] {
			d.containers[i] = decided
		}
	}
	if err := in.decideOthers(t, &d); err != nil {
		return decisions{}, err
	}
	return d, nil
}

// conflictAt returns the error for a place that holds another context.
func (in *injection) conflictAt(container string, p place) error {
	err := &ConflictError{Container: container}
	for _, key := range in.keys {
		switch {
		case key == keyBaggage || key == keyWaybill,
			p.get(key) == in.values[key] && (!p.elsewhere || !in.isElsewhere(p.env, key)):
			continue
		case p.prefix == "":
			err.Key = envcarrier.Normalize(key)
		default:
			err.Key = annotationKey(p.prefix, key)
		}
		return err
	}
	return err
}

// decideOthers applies the policy to annotations that are not written to. If a
// context is to be kept in them, nothing is written to the object. If there is no
// trace context to write, a context that is to be kept anywhere has the same
// effect. Annotations that no container is to refer to are not written.
func (in *injection) decideOthers(t target, d *decisions) error {
	keepsAll := false
	if !in.fields.HasTraceContext() {
		keepsAll = d.annotations == keep || slices.ContainsFunc(t.containers, func(c container) bool { return in.decide(in.inEnv(c.env)) == keep })
	}
	for _, part := range t.parts() {
		if len(part.GetAnnotations()) == 0 {
			continue
		}
		for _, prefix := range in.prefixes(part.GetAnnotations()) {
			if part.isTarget && prefix == in.cfg.prefix {
				continue
			}
			switch there := inAnnotations(part.GetAnnotations(), prefix); in.decide(there) {
			case conflict:
				return in.conflictAt("", there)
			case keep:
				keepsAll = keepsAll || !in.isSame(there)
			default:
			}
		}
	}
	isReferred := !slices.Contains(t.isSelected, true) || slices.Contains(d.containers, write)
	if d.annotations == write && (keepsAll || in.fields.KeepsExisting() && !isReferred) {
		d.annotations = keep
	}
	if keepsAll {
		for i := range d.containers {
			if d.containers[i] == write {
				d.containers[i] = keep
			}
		}
	}
	return nil
}

// annotated returns the annotations that p is to have: with the context if it is
// to be written there, and in place of another one.
func (in *injection) annotated(p part, decided decision) map[string]string {
	before := p.GetAnnotations()
	if len(before) == 0 && !p.isTarget {
		return before
	}
	var target, stale []string
	for _, prefix := range in.prefixes(before) {
		switch {
		case p.isTarget && prefix == in.cfg.prefix:
			if decided == write {
				target = []string{prefix}
			}
		case !in.fields.KeepsExisting() && in.isStale(inAnnotations(before, prefix)):
			stale = append(stale, prefix)
		}
	}
	if len(target)+len(stale) == 0 {
		return before
	}
	after := in.annotate(before, in.fields, append(target, stale...)...)
	if len(stale) > 0 && !haveRoom(after) {
		after = in.annotate(in.annotate(before, propagation.Fields{}, stale...), in.fields, target...)
	}
	return after
}

// places returns where t may hold the context, first where it is written to.
func (in *injection) places(t target) []place {
	var first, others []place
	for _, part := range t.parts() {
		for _, prefix := range in.prefixes(part.GetAnnotations()) {
			p := inAnnotations(part.GetAnnotations(), prefix)
			if part.isTarget && prefix == in.cfg.prefix {
				first = append(first, p)
			} else {
				others = append(others, p)
			}
		}
	}
	for i, c := range t.containers {
		if p := inLiterals(c.env); t.isSelected[i] {
			first = append(first, p)
		} else {
			others = append(others, p)
		}
	}
	return append(first, others...)
}

// prefixes returns the prefixes under which annotations may hold a context: the
// one of the options, and those under which there is a trace context. A baggage or
// a waybill alone may be something else.
func (in *injection) prefixes(annotations map[string]string) []string {
	found := []string{in.cfg.prefix}
	seen := map[string]bool{in.cfg.prefix: true}
	for name := range annotations {
		prefix, key, ok := strings.Cut(name, "/")
		isContext := ok && key != keyBaggage && key != keyTracestate && key != keyWaybill && slices.Contains(in.keys, key)
		if isContext && !seen[prefix] {
			seen[prefix] = true
			found = append(found, prefix)
		}
	}
	slices.Sort(found[1:])
	return found
}
