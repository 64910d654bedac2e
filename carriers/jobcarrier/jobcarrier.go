// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/waybill-go/waybill/propagation"
)

// ErrConflict is returned when the caller's parameters hold a context already
// and [WithErrorOnConflict] is given.
var ErrConflict = errors.New("the parameters hold a trace context already")

// ErrTooLarge is returned when the parameters are larger than the job service
// takes, even with no more of the context than must be.
var ErrTooLarge = errors.New("the parameters are too large")

// Inject returns a copy of params with the trace context of ctx. The map that
// is returned is never nil, params may be, and params is not changed.
//
// The caller's own parameters win: where params holds a value under a key of
// the context, that whole context stays and nothing is written; a baggage
// parameter of the caller's keeps only our baggage out. An empty value is none.
// Without a valid span in ctx nothing is written.
//
// A value of which a service, a shell or kubelet could expand or run a part is
// percent-encoded if it is baggage, and left out if it is another: see
// [Databricks] and the other presets for what is safe. Without a preset it is
// letters, digits, spaces and "%*+,-./:;=@_~".
//
// The error is [ErrConflict] or [ErrTooLarge]; the map is a copy of params as
// they are then, so a caller may go on without the context.
func Inject(ctx context.Context, params map[string]string, opts ...Option) (map[string]string, error) {
	return inject(ctx, params, newConfig(opts), func(_, value string, _ *parcel) string { return value })
}

// InjectConf is [Inject] for the conf of an Airflow DAG run, a JSON object that
// the caller has as a map, with the preset [Airflow]. Beside the plain keys,
// which tasks read, it writes the mapping that makes Airflow's own spans
// children of the span in ctx, from Airflow 3.4 on.
func InjectConf(ctx context.Context, conf map[string]any, opts ...Option) (map[string]any, error) {
	cfg := newConfig(opts)
	cfg.preset = airflow
	return inject(ctx, conf, cfg, func(name, value string, p *parcel) any {
		if name == airflowParent {
			return p.airflowMapping()
		}
		return value
	})
}

// Extract returns ctx with the trace context that params holds, or ctx itself
// if there is none or it is malformed.
func Extract(ctx context.Context, params map[string]string, opts ...Option) context.Context {
	cfg := newConfig(opts)
	return propagation.Extract(ctx, params, cfg.reader(), cfg.forward[:]...)
}

// Read returns the trace context that params holds, to be used as a parent or a
// link, or to be looked at.
func Read(params map[string]string, opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return propagation.Read(params, cfg.reader(), cfg.forward[:]...)
}

// ExtractConf is [Extract] for the conf of an Airflow DAG run.
func ExtractConf(ctx context.Context, conf map[string]any, opts ...Option) context.Context {
	cfg := newConfig(opts)
	return propagation.Extract(ctx, conf, propagation.Getter[map[string]any](confReader{}), cfg.forward[:]...)
}

// ReadConf is [Read] for the conf of an Airflow DAG run.
func ReadConf(conf map[string]any, opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return propagation.Read(conf, propagation.Getter[map[string]any](confReader{}), cfg.forward[:]...)
}

// inject returns a copy of params with the context of ctx, each value made by
// valueOf for the name it goes under.
func inject[V any](ctx context.Context, params map[string]V, cfg config, valueOf func(name, value string, p *parcel) V) (map[string]V, error) {
	own := make(map[string]V, len(params))
	maps.Copy(own, params)
	p := pack(ctx, cfg)
	if cfg.replace {
		drop(own, p.fields, cfg.preset)
	} else if conflict := p.yield(func(field string) bool { return holds(own, cfg.preset.namesOf(field)) }); conflict && cfg.conflictFails {
		return own, ErrConflict
	}
	for {
		out := maps.Clone(own)
		for key, value := range p.values {
			for _, name := range cfg.preset.namesOf(key) {
				out[name] = valueOf(name, value, p)
			}
		}
		if cfg.preset.fits(out) {
			return out, nil
		}
		if !p.lighten() {
			return own, ErrTooLarge
		}
	}
}

// drop deletes what params has under the names of fields.
func drop[V any](params map[string]V, fields []string, ps preset) {
	for _, field := range fields {
		for _, name := range ps.namesOf(field) {
			delete(params, name)
		}
	}
}

// holds reports whether params has a value under one of names.
func holds[V any](params map[string]V, names []string) bool {
	for _, name := range names {
		if value, ok := params[name]; ok && any(value) != any("") && any(value) != nil {
			return true
		}
	}
	return false
}

// confReader reads the plain keys of a conf, and if it has none of a trace
// context, the mapping or string for Airflow's own spans.
type confReader struct{}

func (confReader) Get(conf map[string]any, key string) string {
	if _, plain := conf[keyTraceparent].(string); plain || key != keyTraceparent && key != keyTracestate {
		value, _ := conf[key].(string)
		return value
	}
	switch parent := conf[airflowParent].(type) {
	case string:
		if key == keyTraceparent {
			return parent
		}
	case map[string]any:
		value, _ := parent[key].(string)
		return value
	}
	return ""
}

func (confReader) Keys(conf map[string]any) []string { return slices.Sorted(maps.Keys(conf)) }
