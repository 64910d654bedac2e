// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import (
	"context"
	"os"

	"github.com/waybill-go/waybill/propagation"
)

// Extract returns ctx with the trace context in the environment of this process.
// Extract never fails; a malformed context is treated as absent, and then the
// result is ctx itself.
//
// Call it once, at the start of the program, before the first span. That span is a child
// of the context, however old this is: a program that may wait in a queue, or be run again
// days later, uses package job, or [Read] and [propagation.WithMaxAge].
func Extract(ctx context.Context, opts ...Option) context.Context {
	cfg := newConfig(opts)
	return propagation.Extract(ctx, struct{}{}, propagation.Getter[struct{}](processReader{}), cfg.propagation...)
}

// Read returns the trace context in the environment of this process, to be used
// as a parent or a link.
func Read(opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return propagation.Read(struct{}{}, propagation.Getter[struct{}](processReader{}), cfg.propagation...)
}

// ExtractFrom is [Extract] for environ, a list of NAME=value.
func ExtractFrom(ctx context.Context, environ []string, opts ...Option) context.Context {
	cfg := newConfig(opts)
	return propagation.Extract(ctx, environ, propagation.Getter[[]string](host), cfg.propagation...)
}

// ReadFrom is [Read] for environ, a list of NAME=value.
func ReadFrom(environ []string, opts ...Option) propagation.Remote {
	return host.read(environ, newConfig(opts))
}

func (s *system) read(environ []string, cfg config) propagation.Remote {
	return propagation.Read(environ, propagation.Getter[[]string](s), cfg.propagation...)
}

// ExtractMap is [Extract] for an environment that is a map.
func ExtractMap(ctx context.Context, environ map[string]string, opts ...Option) context.Context {
	cfg := newConfig(opts)
	return propagation.Extract(ctx, Map(environ), propagation.Getter[Map](mapReader{}), cfg.propagation...)
}

// ReadMap is [Read] for an environment that is a map.
func ReadMap(environ map[string]string, opts ...Option) propagation.Remote {
	return readMap(environ, newConfig(opts))
}

func readMap(environ Map, cfg config) propagation.Remote {
	return propagation.Read(environ, propagation.Getter[Map](mapReader{}), cfg.propagation...)
}

// processReader reads the environment of this process.
type processReader struct{}

func (processReader) Get(_ struct{}, key string) string { return os.Getenv(Normalize(key)) }
func (processReader) Keys(struct{}) []string            { return host.Keys(os.Environ()) }

// mapReader reads an environment that is a map.
type mapReader struct{}

func (mapReader) Get(environ Map, key string) string { return environ.Get(key) }
func (mapReader) Keys(environ Map) []string          { return environ.Keys() }
