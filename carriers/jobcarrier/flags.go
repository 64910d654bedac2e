// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import (
	"slices"
	"strings"
)

// argument is a flag in a list of arguments.
type argument struct {
	name     string
	value    string
	hasValue bool
	at       int // The index of the flag.
	next     int // The index after the flag and its value.
}

// nextFlag returns the first flag in args, from an index on, for whose name isOurs
// reports true, and reports whether there is one. A flag of which the value does not
// follow a "=" has the next argument as its value, which other flags need not have,
// unless that is a flag itself: no value of a context begins with a dash, and a
// caller's flag must not be lost if a shell has dropped an empty value. There must be
// no "--" in args.
func nextFlag(args []string, from int, isOurs func(name string) bool) (argument, bool) {
	for i := from; i < len(args); i++ {
		flag, value, inline := strings.Cut(args[i], "=")
		name := flagName(flag)
		if name == "" || !isOurs(name) {
			continue
		}
		a := argument{name: name, value: value, hasValue: inline, at: i, next: i + 1}
		if !inline && a.next < len(args) && !strings.HasPrefix(args[a.next], "-") {
			a.value, a.hasValue = args[a.next], true
			a.next++
		}
		return a, true
	}
	return argument{}, false
}

// heldFlags returns the names of the flags of args for which isOurs reports true
// and that have a value. One that has none counts too, because some parsers take the
// next argument for it, and that may be one that is added. There must be no "--" in
// args.
func heldFlags(args []string, isOurs func(name string) bool) []string {
	var names []string
	for a, ok := nextFlag(args, 0, isOurs); ok; a, ok = nextFlag(args, a.next, isOurs) {
		if a.value != "" || !a.hasValue {
			names = append(names, a.name)
		}
	}
	return names
}

// appendOthers appends args to dst, but not the flags for whose name isOurs reports
// true, and not their values. There must be no "--" in args.
func appendOthers(dst, args []string, isOurs func(name string) bool) []string {
	from := 0
	for a, ok := nextFlag(args, 0, isOurs); ok; a, ok = nextFlag(args, a.next, isOurs) {
		dst = append(dst, args[from:a.at]...)
		from = a.next
	}
	return append(dst, args[from:]...)
}

// splitFlags splits args before the first "--": only what stands before it may be
// flags.
func splitFlags(args []string) (flags, operands []string) {
	if end := slices.Index(args, "--"); end >= 0 {
		return args[:end], args[end:]
	}
	return args, nil
}

// flagName returns the name of a flag with one or two dashes, or the empty string
// for any other argument.
func flagName(flag string) string {
	name := strings.TrimPrefix(strings.TrimPrefix(flag, "-"), "-")
	if name == flag {
		return ""
	}
	return name
}

// flagReader reads the flags of a list of arguments.
type flagReader struct{}

func (flagReader) Get(args []string, key string) string {
	value := ""
	isKey := func(name string) bool { return name == key }
	flags, _ := splitFlags(args)
	for a, ok := nextFlag(flags, 0, isKey); ok; a, ok = nextFlag(flags, a.next, isKey) {
		if a.hasValue {
			value = a.value
		}
	}
	return value
}
