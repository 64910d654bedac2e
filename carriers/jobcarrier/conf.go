// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import (
	"context"
	"maps"
	"slices"

	"github.com/waybill-go/waybill/propagation"
)

// airflowParent is the key of the parent of Airflow's own spans: a traceparent,
// or a mapping with a traceparent and a tracestate.
const airflowParent = "airflow/dagrun_parent_trace_context"

// InjectConf is [Inject] for the conf of an Airflow DAG run, a JSON object as a
// map, with the preset [Airflow]. Besides the plain keys, which tasks read, it
// writes the mapping that makes Airflow's own spans children of the span in ctx,
// from Airflow 3.4 on.
func InjectConf(ctx context.Context, conf map[string]any, opts ...Option) (map[string]any, error) {
	cfg := newConfig(opts)
	cfg.preset = airflow
	own, e, err := prepare(ctx, conf, &cfg)
	if err == nil {
		write(own, e, cfg.preset, func(key, name string) any {
			if name == airflowParent {
				return e.airflowMapping()
			}
			return e.value(key)
		})
	}
	return own, err
}

// airflowMapping returns the trace context for Airflow's own spans.
func (e encoded) airflowMapping() map[string]any {
	mapping := map[string]any{}
	for i := range e.Len() {
		if key := e.Key(i); key == keyTraceparent || key == keyTracestate {
			mapping[key] = e.value(key)
		}
	}
	return mapping
}

// ExtractConf is [Extract] for the conf of an Airflow DAG run.
func ExtractConf(ctx context.Context, conf map[string]any, opts ...Option) context.Context {
	cfg := newConfig(opts)
	return propagation.Extract(ctx, conf, propagation.Getter[map[string]any](confReader{}), cfg.propagation...)
}

// ReadConf is [Read] for the conf of an Airflow DAG run.
func ReadConf(conf map[string]any, opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return propagation.Read(conf, propagation.Getter[map[string]any](confReader{}), cfg.propagation...)
}

// confReader reads the plain keys of a conf. If they hold no trace context, it
// reads the mapping or the string for Airflow's own spans instead.
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
