// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// ErrConflict is returned when the caller's own parameters keep a context out and
// [WithErrorOnConflict] is given.
var ErrConflict = errors.New("jobcarrier: the parameters already hold a trace context")

// ErrTooLarge is returned when the parameters are larger than the job service
// accepts, even without the context.
var ErrTooLarge = errors.New("jobcarrier: the parameters are too large")

// Inject returns a copy of params with the trace context of ctx. The copy is not
// nil; params may be. Inject does not modify params.
//
// The caller's own parameters win: if params holds a value under a key of the
// context, in any case, nothing is written. A baggage of the caller's keeps only
// the baggage out. Empty values are ignored. If ctx has no valid span, no trace
// context is written.
//
// A value of which a shell, a template or kubelet could run or expand a part is
// percent-encoded if it is baggage, and otherwise left out. Letters, digits,
// spaces and "%*+,-./:;=@_~" are safe; a preset may accept more.
//
// The error is [ErrConflict] or [ErrTooLarge]. The copy then holds only the caller's
// own parameters, so the job can be started without the context.
func Inject(ctx context.Context, params map[string]string, opts ...Option) (map[string]string, error) {
	cfg := newConfig(opts)
	own, e, err := prepare(ctx, params, &cfg)
	if err == nil {
		e, err = cfg.fit(e, sizeOfMap(own, cfg.preset))
	}
	if err == nil {
		write(own, e, cfg.preset, func(key, _ string) string { return e.value(key) })
	}
	return own, err
}

// prepare returns a copy of params in which there is room for the context of ctx, and
// what is to be written there.
func prepare[V any](ctx context.Context, params map[string]V, cfg *config) (map[string]V, encoded, error) {
	e := encode(ctx, cfg, cfg.preset.encode)
	room := len(params)
	for i := range e.Len() {
		room += len(cfg.preset.namesOf(e.Key(i)))
	}
	own := make(map[string]V, room)
	isOurs := e.matcher(cfg.preset)
	if !e.KeepsExisting() {
		for name, value := range params {
			if !isOurs(name) {
				own[name] = value
			}
		}
		return own, e, nil
	}
	maps.Copy(own, params)
	kept := e.besides(heldNames(own, isOurs), cfg.preset)
	if cfg.conflictFails && kept.Len() < e.Len() {
		return own, kept, ErrConflict
	}
	return own, kept, nil
}

// write adds e to params, with the values that valueOf returns for a key and one of
// its names.
func write[V any](params map[string]V, e encoded, ps preset, valueOf func(key, name string) V) {
	for i := range e.Len() {
		key := e.Key(i)
		for _, name := range ps.namesOf(key) {
			params[name] = valueOf(key, name)
		}
	}
}

// heldNames returns the names for which isOurs reports true and under which
// params holds a value.
func heldNames[V any](params map[string]V, isOurs func(name string) bool) []string {
	var names []string
	for name, value := range params {
		if any(value) != any("") && any(value) != nil && isOurs(name) {
			names = append(names, name)
		}
	}
	return names
}

// The keys that are handled each in its own way.
const (
	keyTraceparent = "traceparent"
	keyTracestate  = "tracestate"
	keyBaggage     = "baggage"
)

// encoded is what one injection writes: fields, and the values that they have
// among the parameters of a service.
type encoded struct {
	propagation.Fields

	values []pair // of these, and of those that were dropped from them.
}

type pair struct{ key, value string }

// encode returns the fields to write for ctx. safe returns the value to write for a
// key, or the reason why it has no value.
func encode(ctx context.Context, cfg *config, safe func(key, value string) (string, string)) encoded {
	all := propagation.Encode(ctx, cfg.propagation...)
	e := encoded{Fields: all}
	for key, original := range all.All() {
		value, reason := safe(key, original)
		if reason != "" {
			e.Fields = e.Without(key)
			cfg.drop(reason)
			continue
		}
		if e.values == nil {
			e.values = make([]pair, 0, all.Len())
		}
		e.values = append(e.values, pair{key, value})
	}
	if all.IsReduced() {
		cfg.drop(observe.DropTooLarge)
	}
	if all.HasTraceContext() && !e.HasTraceContext() {
		e.Fields = e.Without(keyTracestate) // which belongs to a trace context.
	}
	return e
}

// value returns the value to write for key.
func (e encoded) value(key string) string {
	i := slices.IndexFunc(e.values, func(p pair) bool { return p.key == key })
	return e.values[i].value
}

// besides returns what of e is written beside the caller's own parameters, which
// hold values under the given names of e: everything, everything but the baggage,
// or nothing.
func (e encoded) besides(held []string, ps preset) encoded {
	if len(held) == 0 {
		return e
	}
	names := ps.namesOf(keyBaggage)
	isBaggage := func(name string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	for _, name := range held {
		if !isBaggage(name) {
			return encoded{}
		}
	}
	e.Fields = e.Without(keyBaggage)
	return e
}

// matcher returns a function that reports whether a name, in any case, is one
// that a field of e has under the preset.
func (e encoded) matcher(ps preset) func(name string) bool {
	if ps.names == nil {
		return e.Clears
	}
	var names []string
	for _, key := range e.Cleared() {
		names = append(names, ps.namesOf(key)...)
	}
	for i := range e.Len() {
		names = append(names, ps.namesOf(e.Key(i))...)
	}
	return func(name string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
}
