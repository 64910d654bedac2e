// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriertest

import "slices"

// Option says what a medium can and cannot do. A nil one does not count.
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

// WithFoldedKeys is for a medium that does not keep the case of its keys, as
// HTTP headers, environments and the metadata of objects: all spellings of a
// key are one key. Without it spellings must be told apart, because a carrier
// that folds where its medium does not reads what others did not write.
func WithFoldedKeys() Option {
	return optionFunc(func(cfg config) config { cfg.foldedKeys = true; return cfg })
}

// WithLastValue is for a medium whose readers take the last of several values
// under one key, as those of Kafka headers do, instead of the first.
func WithLastValue() Option {
	return optionFunc(func(cfg config) config { cfg.lastValue = true; return cfg })
}

// WithoutNonASCII is for a medium whose values are ASCII by its own
// specification, as the metadata of objects. What propagators write is ASCII.
func WithoutNonASCII() Option {
	return optionFunc(func(cfg config) config { cfg.withoutUTF8 = true; return cfg })
}

// WithMaxBytes is for a medium whose values hold at most n bytes. An n of 0 or
// less means no limit. Below the 8 KiB of the largest baggage, values of n
// bytes are tried.
func WithMaxBytes(n int) Option {
	return optionFunc(func(cfg config) config { cfg.maxBytes = max(n, 0); return cfg })
}

// WithNil adds constructors of carriers that are nil or zero, which hold
// nothing. Given several times, all count; a nil one does not.
func WithNil[C any](constructors ...func() C) Option {
	return optionFunc(func(cfg config) config {
		for _, c := range constructors {
			if c != nil {
				cfg.nils = append(slices.Clip(cfg.nils), c)
			}
		}
		return cfg
	})
}

// WithFork lets the suite check that a carrier never writes to memory it
// shares. A fork of a carrier is what a user gets who copies the message by
// assignment: a second carrier that holds the same and shares all its memory.
// A map that is the medium itself has none.
func WithFork[C any](fork func(carrier C) C) Option {
	return optionFunc(func(cfg config) config {
		cfg.forkFunc = nil
		if fork != nil {
			cfg.forkFunc = fork
		}
		return cfg
	})
}

// WithRepeats lets the suite check a medium that repeats keys: repeats returns a
// carrier that holds values under key, in their order, as another program may
// have written it.
func WithRepeats[C any](repeats func(key string, values ...string) C) Option {
	return optionFunc(func(cfg config) config {
		cfg.repeatsFunc = nil
		if repeats != nil {
			cfg.repeatsFunc = repeats
		}
		return cfg
	})
}

// WithEntries lets the suite count the entries of a medium that repeats keys,
// where one that was added instead of replaced may show neither in Get nor in
// Keys.
func WithEntries[C any](entries func(carrier C) int) Option {
	return optionFunc(func(cfg config) config {
		cfg.entriesFunc = nil
		if entries != nil {
			cfg.entriesFunc = entries
		}
		return cfg
	})
}
