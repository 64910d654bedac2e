// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriertest

import (
	"errors"
	"fmt"
)

// fixture makes the subjects of the rules. A function that is nil is one that
// was neither given nor derived.
type fixture struct {
	config

	fresh    func() *subject
	forks    bool // Reports whether subjects have a fork.
	repeats  func(key string, values ...string) *subject
	empties  []func() *subject
	unfilled func() *subject // One that is empty by its type.
}

var (
	errNoConstructor = errors.New("carriertest: the constructor of carriers is nil")
	errNoAccessor    = errors.New("carriertest: the getter or the setter is nil")
)

// newFixture binds what the options hold to the type of the carrier.
func newFixture[C any](newCarrier func() C, bind func(C) *subject, cfg config) (fixture, error) {
	f := fixture{config: cfg}
	if newCarrier == nil {
		return f, errNoConstructor
	}
	if bind == nil {
		return f, errNoAccessor
	}
	fork, err := functionOf[func(C) C]("WithFork", cfg.forkFunc)
	if err != nil {
		return f, err
	}
	repeats, err := functionOf[func(string, ...string) C]("WithRepeats", cfg.repeatsFunc)
	if err != nil {
		return f, err
	}
	entries, err := functionOf[func(C) int]("WithEntries", cfg.entriesFunc)
	if err != nil {
		return f, err
	}
	var subjectOf func(c C) *subject
	subjectOf = func(c C) *subject {
		s := bind(c)
		if fork != nil {
			s.fork = func() *subject { return subjectOf(fork(c)) }
		}
		if entries != nil {
			s.entries = func() int { return entries(c) }
		}
		return s
	}
	f.fresh = func() *subject { return subjectOf(newCarrier()) }
	for _, constructor := range cfg.nils {
		empty, err := functionOf[func() C]("WithNil", constructor)
		if err != nil {
			return f, err
		}
		f.empties = append(f.empties, func() *subject { return subjectOf(empty()) })
	}
	if err := f.try(); err != nil {
		return f, err
	}
	sample := newCarrier()
	if fork == nil && !cfg.withoutFork {
		if _, ok := forkOf(sample); ok {
			fork = func(c C) C { fork, _ := forkOf(c); return fork }
		}
	}
	if repeats == nil && !cfg.withoutRepeats && canRepeat(sample) {
		repeats = func(key string, values ...string) C {
			c := newCarrier()
			bind(c).set(key, "one")
			repeat(c, values)
			return c
		}
	}
	if _, ok := emptyOf(sample); ok && !cfg.withoutNil {
		f.unfilled = func() *subject { empty, _ := emptyOf(sample); return subjectOf(empty) }
	}
	f.forks = fork != nil
	if repeats != nil {
		f.repeats = func(key string, values ...string) *subject { return subjectOf(repeats(key, values...)) }
	}
	return f, nil
}

// try makes one carrier, so that a constructor that fails is reported before the
// rules, and not once in each.
func (f fixture) try() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("carriertest: the constructor made no carrier: %v", v)
		}
	}()
	f.fresh()
	return nil
}

// functionOf returns the function that an option holds, or nil if there is none.
func functionOf[F any](option string, f any) (F, error) {
	function, ok := f.(F)
	if f != nil && !ok {
		return function, fmt.Errorf("carriertest: %s is of %T, and must be of %T", option, f, function)
	}
	return function, nil
}
