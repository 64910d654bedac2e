// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriertest

import "slices"

// Option describes what a medium can and cannot do. If an option is given more
// than once, the last one wins, except for [WithNil]. Nil options are ignored.
type Option interface {
	apply(config) config
}

type config struct {
	foldedKeys  bool
	lastValue   bool
	withoutUTF8 bool
	maxBytes    int
	nils        []any // each a func() C.
	forkFunc    any   // func(C) C.
	repeatsFunc any   // func(key string, values ...string) C.
	entriesFunc any   // func(C) int.

	// What is not derived from the type of the carrier.
	withoutNil, withoutFork, withoutRepeats bool
}

func newConfig(opts []Option) config {
	var cfg config
	for _, o := range opts {
		if o != nil {
			cfg = o.apply(cfg)
		}
	}
	return cfg
}

type optionFunc func(config) config

func (f optionFunc) apply(cfg config) config { return f(cfg) }

// WithFoldedKeys declares that the medium does not keep the case of its keys, as
// HTTP headers, environments and the metadata of objects do not: all spellings
// of a key are one key. Without it, spellings must be different keys, because a
// carrier that folds where its medium does not reads what others did not write.
func WithFoldedKeys() Option {
	return optionFunc(func(cfg config) config { cfg.foldedKeys = true; return cfg })
}

// WithLastValue declares that readers of the medium take the last of several
// values under one key, as Kafka headers do, instead of the first.
func WithLastValue() Option {
	return optionFunc(func(cfg config) config { cfg.lastValue = true; return cfg })
}

// WithoutNonASCII declares that values of the medium are ASCII by its own
// specification, as the metadata of objects. What propagators write is ASCII.
func WithoutNonASCII() Option {
	return optionFunc(func(cfg config) config { cfg.withoutUTF8 = true; return cfg })
}

// WithMaxBytes declares that values of the medium hold at most n bytes. The
// default is 0; a value of 0 or less means no limit. Below 8 KiB, the size of the
// largest baggage, values of n bytes are tried.
func WithMaxBytes(n int) Option {
	return optionFunc(func(cfg config) config { cfg.maxBytes = max(n, 0); return cfg })
}

// WithNil adds constructors of carriers that are nil or zero, which must be
// empty. If given more than once, all of them are used; nil constructors are
// ignored.
//
// Without it, a nil map, and a pointer to a zero slice or struct, must be read as
// empty, if the carrier is of such a type. A nil constructor alone disables that.
func WithNil[C any](constructors ...func() C) Option {
	return optionFunc(func(cfg config) config {
		cfg.withoutNil = true
		for _, c := range constructors {
			if c != nil {
				cfg.nils = append(slices.Clip(cfg.nils), c)
				cfg.withoutNil = false
			}
		}
		return cfg
	})
}

// WithFork sets how a carrier is copied, to check that it never writes to memory
// it shares. The copy is what a user gets who copies the message by assignment:
// a second carrier that holds the same and shares all its memory.
//
// Without it, the copy is derived from a carrier that is a map, or a pointer to a
// slice or to a struct without pointers. A nil fork disables the check.
func WithFork[C any](fork func(carrier C) C) Option {
	return optionFunc(func(cfg config) config {
		cfg.forkFunc, cfg.withoutFork = nil, true
		if fork != nil {
			cfg.forkFunc, cfg.withoutFork = fork, false
		}
		return cfg
	})
}

// WithRepeats sets how a carrier is made that holds values under key, in their
// order, as another program may have written it, to check a medium that repeats
// keys.
//
// Without it, the carrier is derived from one that is a map of slices of
// strings, or a pointer to a slice of pairs of strings. A nil repeats disables
// the check.
func WithRepeats[C any](repeats func(key string, values ...string) C) Option {
	return optionFunc(func(cfg config) config {
		cfg.repeatsFunc, cfg.withoutRepeats = nil, true
		if repeats != nil {
			cfg.repeatsFunc, cfg.withoutRepeats = repeats, false
		}
		return cfg
	})
}

// WithEntries provides a function that counts the carrier's entries, to detect
// duplicates that Get and Keys hide. If entries is nil, they are not counted.
func WithEntries[C any](entries func(carrier C) int) Option {
	return optionFunc(func(cfg config) config {
		cfg.entriesFunc = nil
		if entries != nil {
			cfg.entriesFunc = entries
		}
		return cfg
	})
}
