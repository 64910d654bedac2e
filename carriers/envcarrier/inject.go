// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import (
	"context"
	"maps"
	"os/exec"
	"strings"

	"github.com/waybill-go/waybill/internal/envname"
	"github.com/waybill-go/waybill/propagation"
)

// Inject returns a copy of environ, a list of NAME=value, with the trace context
// of ctx in place of any that environ holds.
//
// If ctx has no valid span, an inherited context is removed, so that the child
// starts a trace of its own; [WithPassThrough] keeps it. Inject does not modify
// environ; the result is not nil and shares no memory with it, so it may be
// called concurrently with one list. A nil environ is an empty environment. For
// an [exec.Cmd], where nil stands for the environment of this process, use
// [Command].
func Inject(ctx context.Context, environ []string, opts ...Option) []string {
	return host.inject(ctx, environ, newConfig(opts))
}

func (s *system) inject(ctx context.Context, environ []string, cfg config) []string {
	f := propagation.Encode(ctx, cfg.propagation...)
	if f.KeepsExisting() && s.read(environ, cfg).SpanContext().IsValid() {
		f = propagation.Fields{}
	}
	child := s.scrub(environ, f)
	own := len(child)
	for key, value := range f.All() {
		name := Normalize(key)
		if i := s.lastOf(child[own:], name); i >= 0 { // of a key that is another under the same name.
			child = append(child[:own+i], child[own+i+1:]...)
		}
		if s.passable(name, value) {
			child = append(child, name+"="+value)
		}
	}
	return child
}

// Command sets cmd.Env to an environment with the trace context of ctx, as
// [Inject] does. If cmd.Env is nil, which stands for the environment of this
// process, Command starts from cmd.Environ(); an empty one gets nothing but the
// context.
//
// Call it after cmd.Dir and cmd.Env are set, and before cmd.Start. Command does
// not modify the environment of this process. A nil cmd is ignored.
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

// InjectMap is [Inject] for an environment that is a map. The copy it returns is
// not nil.
func InjectMap(ctx context.Context, environ map[string]string, opts ...Option) map[string]string {
	cfg := newConfig(opts)
	f := propagation.Encode(ctx, cfg.propagation...)
	if f.KeepsExisting() && readMap(environ, cfg).SpanContext().IsValid() {
		f = propagation.Fields{}
	}
	child := make(Map, len(environ)+f.Len())
	maps.Copy(child, environ)
	for _, key := range f.Cleared() {
		child.Delete(key)
	}
	for name := range environ {
		if clearsBaggage(f, name) {
			delete(child, name)
		}
	}
	for key, value := range f.All() {
		child.Set(key, value)
	}
	return child
}

// scrub returns a copy of environ without what f removes or sets, and with room
// for what it sets.
func (s *system) scrub(environ []string, f propagation.Fields) []string {
	var room [8]string // for more fields than most propagators have.
	names := room[:0]
	for _, key := range f.Cleared() {
		names = append(names, Normalize(key))
	}
	for i := range f.Len() {
		names = append(names, Normalize(f.Key(i)))
	}
	kept := make([]string, 0, len(environ)+f.Len())
	for _, entry := range environ {
		name, _, isVariable := strings.Cut(entry, "=")
		if !isVariable || !s.isOneOf(name, names) && !clearsBaggage(f, name) {
			kept = append(kept, entry)
		}
	}
	return kept
}

// isOneOf reports whether name is one of names.
func (s *system) isOneOf(name string, names []string) bool {
	for _, n := range names {
		if s.sameName(name, n) {
			return true
		}
	}
	return false
}

// baggageName begins the names of variables for keys that OpenTracing gives to
// the members of its baggage, which are not among the fields of its propagator.
const baggageName = "OT_BAGGAGE_"

// clearsBaggage reports whether the variable called name is a member of a baggage
// that f removes.
func clearsBaggage(f propagation.Fields, name string) bool {
	member, ok := strings.CutPrefix(name, baggageName)
	return ok && envname.IsNormalized(name) && f.Clears("ot-baggage-"+member)
}
