// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import (
	"context"
	"os"

	"github.com/waybill-go/waybill/propagation"
)

// Extract returns ctx with the trace context in the environment of this
// process, or ctx itself if there is none or it is malformed.
//
// Call it once, at the start, before the first span.
func Extract(ctx context.Context, opts ...Option) context.Context {
	cfg := newConfig(opts)
	return propagation.Extract(ctx, struct{}{}, propagation.Getter[struct{}](process{}), cfg[:]...)
}

// Read returns the trace context in the environment of this process, to be
// used as a parent or a link, or to be looked at.
func Read(opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return propagation.Read(struct{}{}, propagation.Getter[struct{}](process{}), cfg[:]...)
}

// ExtractFrom is [Extract] for environ, a list of NAME=value.
func ExtractFrom(ctx context.Context, environ []string, opts ...Option) context.Context {
	cfg := newConfig(opts)
	return propagation.Extract(ctx, environ, propagation.Getter[[]string](list{}), cfg[:]...)
}

// ReadFrom is [Read] for environ, a list of NAME=value.
func ReadFrom(environ []string, opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return propagation.Read(environ, propagation.Getter[[]string](list{}), cfg[:]...)
}

// process reads the environment of this process.
type process struct{}

func (process) Get(_ struct{}, key string) string { return os.Getenv(Normalize(key)) }
func (process) Keys(struct{}) []string            { return normalizedNames(os.Environ()) }
