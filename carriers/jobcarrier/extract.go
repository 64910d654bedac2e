// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import (
	"context"

	"github.com/waybill-go/waybill/propagation"
)

// Extract returns ctx with the trace context that params holds. Extract never
// fails; a malformed context is treated as absent, and then the result is ctx
// itself. It needs the preset that the context was written with, if the keys of that
// have other names: DatabricksEnv, Glue and Spark.
func Extract(ctx context.Context, params map[string]string, opts ...Option) context.Context {
	cfg := newConfig(opts)
	return propagation.Extract(ctx, params, cfg.preset.reader(), cfg.propagation...)
}

// Read returns the trace context that params holds, to be used as a parent or a
// link. It needs the preset as Extract does.
func Read(params map[string]string, opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return propagation.Read(params, cfg.preset.reader(), cfg.propagation...)
}

// reader returns the reader of parameters under the preset.
func (ps preset) reader() propagation.Getter[map[string]string] {
	if ps.names == nil {
		return plainReader{}
	}
	return namedReader{names: ps.names}
}

// plainReader reads parameters whose keys go under their own names.
type plainReader struct{}

func (plainReader) Get(params map[string]string, key string) string { return params[key] }
func (plainReader) Keys(params map[string]string) []string          { return Carrier(params).Keys() }

// namedReader reads parameters by the names of a preset.
type namedReader struct {
	plainReader

	names func(key string) []string
}

func (r namedReader) Get(params map[string]string, key string) string {
	for _, name := range r.names(key) {
		if value := params[name]; value != "" {
			return value
		}
	}
	return ""
}
