// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import (
	"context"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/propagation"
)

// InjectArgs returns a copy of args, the arguments of a job, with the trace
// context of ctx in flags: --traceparent=VALUE. The flags are added at the end,
// or before a "--". InjectArgs does not modify args.
//
// A program that parses its arguments strictly, as package flag and Python's
// argparse do, stops at a flag it does not know: deploy [TakeArgs] there first.
// To declare the flags in the program is not enough, because a strict parser may
// stop at its first positional argument.
//
// The caller's own flags win, as the parameters do in [Inject], and the same
// values are safe. If ctx has no valid span, no trace context is written. A nil
// list stays nil, because for a job service a list replaces the job's own. A
// context that is too large for the service is left out.
func InjectArgs(ctx context.Context, args []string, opts ...Option) []string {
	if args == nil {
		return nil
	}
	cfg := newConfig(opts)
	e := encode(ctx, &cfg, cfg.preset.encodeArgument)
	flags, operands := splitFlags(args)
	out := make([]string, 0, len(args)+e.Len())
	if isOurs := flagMatcher(e.Fields); e.KeepsExisting() {
		e = e.besides(heldFlags(flags, isOurs), preset{})
		out = append(out, flags...)
	} else {
		out = appendOthers(out, flags, isOurs)
	}
	e, _ = cfg.fit(e, sizeOfList(out, operands)) // What is left out is not an error here.
	return append(appendFlags(out, e), operands...)
}

// appendFlags appends a flag for each field of e to args, in order.
func appendFlags(args []string, e encoded) []string {
	from := len(args)
	for i := range e.Len() {
		args = append(args, "--"+e.Key(i)+"="+e.value(e.Key(i)))
	}
	slices.Sort(args[from:])
	return args
}

// ExtractArgs returns ctx with the trace context in the flags of args, such as
// os.Args[1:]. ExtractArgs never fails; a malformed context is treated as absent,
// and then the result is ctx itself.
func ExtractArgs(ctx context.Context, args []string, opts ...Option) context.Context {
	cfg := newConfig(opts)
	return propagation.Extract(ctx, args, propagation.Getter[[]string](flagReader{}), cfg.propagation...)
}

// ReadArgs returns the trace context in the flags of args, such as os.Args[1:]. A
// flag has one or two dashes, and its value after a "=" or in the next argument,
// unless that begins with a dash. If a flag occurs more than once, the last one wins.
// Arguments after a "--" are not flags.
func ReadArgs(args []string, opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return propagation.Read(args, propagation.Getter[[]string](flagReader{}), cfg.propagation...)
}

// TakeArgs returns the trace context in the flags of args, as [ReadArgs] does,
// and a copy of args without these flags and their values. Call it in place of
// flag.Parse in a program whose parser refuses flags it does not know:
//
//	remote, args := jobcarrier.TakeArgs(os.Args[1:])
//	err := flag.CommandLine.Parse(args)
//	ctx := remote.Context(context.Background())
//
// Every field of the propagator is taken off, also an empty or malformed one. A
// program that has a flag of its own under one of these names, such as --baggage,
// selects others with [WithPropagation]. A nil list stays nil.
func TakeArgs(args []string, opts ...Option) (propagation.Remote, []string) {
	remote := ReadArgs(args, opts...)
	if args == nil {
		return remote, nil
	}
	flags, operands := splitFlags(args)
	rest := appendOthers(make([]string, 0, len(args)), flags, flagMatcher(fieldsOf(newConfig(opts))))
	return remote, append(rest, operands...)
}

// flagMatcher returns a function that reports whether a flag is one that f
// replaces. Flags that differ in case are different flags.
func flagMatcher(f propagation.Fields) func(name string) bool {
	return func(name string) bool {
		differsInCase := func(key string) bool { return key != name && strings.EqualFold(key, name) }
		return f.Clears(name) && !slices.ContainsFunc(f.Cleared(), differsInCase)
	}
}

// fieldsOf returns fields that clear every key of the propagator.
func fieldsOf(cfg config) propagation.Fields {
	replace := append(slices.Clip(cfg.propagation), propagation.WithPolicy(propagation.Replace), propagation.WithoutJournal())
	return propagation.Encode(context.Context(nil), replace...)
}
