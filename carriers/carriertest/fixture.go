// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriertest

import (
	"errors"
	"fmt"
)

// fixture makes the subjects of the rules. A function that is nil is one the
// user did not give.
type fixture struct {
	config

	fresh   func() *subject
	repeats func(key string, values ...string) *subject
	empties []func() *subject
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
	if repeats != nil {
		f.repeats = func(key string, values ...string) *subject { return subjectOf(repeats(key, values...)) }
	}
	for _, constructor := range cfg.nils {
		empty, err := functionOf[func() C]("WithNil", constructor)
		if err != nil {
			return f, err
		}
		f.empties = append(f.empties, func() *subject { return subjectOf(empty()) })
	}
	return f, f.try()
}

// try makes one carrier, so that a constructor that fails is told of before the
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

// functionOf returns the function that an option holds, or nil if it was not
// given.
func functionOf[F any](option string, f any) (F, error) {
	function, ok := f.(F)
	if f != nil && !ok {
		return function, fmt.Errorf("carriertest: %s is of %T, and must be of %T", option, f, function)
	}
	return function, nil
}
