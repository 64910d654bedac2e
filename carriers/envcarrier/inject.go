// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import (
	"context"
	"os/exec"

	"github.com/waybill-go/waybill/propagation"
)

// fields is how many variables the default propagator writes.
const fields = 4

// Inject returns a copy of environ, a list of NAME=value, with the trace
// context of ctx in place of any that environ holds.
//
// Without a valid span in ctx an inherited context is removed, so that the
// child starts a trace of its own; [WithPassThrough] keeps it. The result is
// never nil and shares no memory with environ, so children that are started
// concurrently can have one parent list. A nil environ is an empty environment;
// for an [exec.Cmd], where nil means this process's, use [Command].
func Inject(ctx context.Context, environ []string, opts ...Option) []string {
	cfg := newConfig(opts)
	child := copyOf(environ, fields)
	propagation.Inject(ctx, &child, propagation.Setter[*[]string](owned{}), cfg[:]...)
	return child
}

// Command gives cmd an environment with the trace context of ctx, as [Inject]
// does. A nil cmd.Env, which means this process's environment, becomes
// cmd.Environ() with the context; an empty one gets the context only.
//
// Call it after setting cmd.Dir and cmd.Env, and before cmd.Start. The
// environment of this process is not changed. A nil cmd is left alone.
func Command(ctx context.Context, cmd *exec.Cmd, opts ...Option) {
	if cmd == nil {
		return
	}
	environ := cmd.Env
	if environ == nil {
		environ = cmd.Environ()
	}
	cmd.Env = Inject(ctx, environ, opts...)
}
