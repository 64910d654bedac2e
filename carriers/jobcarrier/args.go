// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/propagation"
)

// InjectArgs returns a copy of args, the arguments of a job, with the trace
// context of ctx as flags: --traceparent=VALUE. They stand at the end, or
// before a "--".
//
// The caller's own flags win, as the parameters do in [Inject]. Without a valid
// span in ctx nothing is written. A nil list stays nil: for a job service a
// list replaces the job's own, so nothing is added where the caller gives none.
// A context that is too large for the service is left out, and so is a value
// with characters that are not safe in an argument: see [Inject].
func InjectArgs(ctx context.Context, args []string, opts ...Option) []string {
	if args == nil {
		return nil
	}
	cfg := newConfig(opts)
	own := slices.Clone(args)
	p := pack(ctx, cfg)
	maps.DeleteFunc(p.values, func(key, value string) bool { return !cfg.preset.passesArgument(key, value) })
	if cfg.replace {
		own = withoutFlags(own, p.fields)
	} else {
		p.yield(func(field string) bool { return flagValue(own, field) != "" || endsIn(own, field) })
	}
	for {
		out := slices.Insert(slices.Clone(own), flagsEnd(own), p.flags()...)
		if cfg.preset.fits(out) {
			return out
		}
		if !p.lighten() {
			return own
		}
	}
}

// ExtractArgs returns ctx with the trace context in the flags of args, such as
// os.Args[1:], or ctx itself if there is none or it is malformed.
func ExtractArgs(ctx context.Context, args []string, opts ...Option) context.Context {
	cfg := newConfig(opts)
	return propagation.Extract(ctx, args, propagation.Getter[[]string](flagReader{}), cfg.forward[:]...)
}

// ReadArgs returns the trace context in the flags of args, such as os.Args[1:].
// A flag has one or two dashes and its value after a "=" or in the next
// argument; of several the last counts, and nothing counts after a "--".
func ReadArgs(args []string, opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return propagation.Read(args, propagation.Getter[[]string](flagReader{}), cfg.forward[:]...)
}

type flagReader struct{}

func (flagReader) Get(args []string, key string) string { return flagValue(args, key) }

// flags returns p as flags, in order.
func (p *parcel) flags() []string {
	flags := make([]string, 0, len(p.values))
	for key, value := range p.values {
		flags = append(flags, "--"+key+"="+value)
	}
	slices.Sort(flags)
	return flags
}

// flagsEnd returns where the flags of args end.
func flagsEnd(args []string) int {
	if end := slices.Index(args, "--"); end >= 0 {
		return end
	}
	return len(args)
}

// flagValue returns the value of the last flag called name, or "".
func flagValue(args []string, name string) string {
	value := ""
	args = args[:flagsEnd(args)]
	for i := 0; i < len(args); i++ {
		flag, text, inline := strings.Cut(args[i], "=")
		switch {
		case !isFlag(flag, name):
		case inline:
			value = text
		case i+1 < len(args):
			i++
			value = args[i]
		}
	}
	return value
}

// endsIn reports whether the last flag is the one called name, without a value:
// it would take the next argument as its own.
func endsIn(args []string, name string) bool {
	end := flagsEnd(args)
	return end > 0 && isFlag(args[end-1], name)
}

// isFlag reports whether arg, without a value, is the flag called name.
func isFlag(arg, name string) bool {
	dashless := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	return dashless == name && dashless != arg
}

// withoutFlags removes the flags called names and their values.
func withoutFlags(args, names []string) []string {
	kept := args[:0]
	end := flagsEnd(args)
	for i := 0; i < len(args); i++ {
		flag, _, inline := strings.Cut(args[i], "=")
		ours := i < end && slices.ContainsFunc(names, func(name string) bool { return isFlag(flag, name) })
		switch {
		case !ours:
			kept = append(kept, args[i])
		case !inline && i+1 < end:
			i++ // its value.
		}
	}
	return kept
}
