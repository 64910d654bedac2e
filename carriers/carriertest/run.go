// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriertest

import (
	"runtime/debug"
	"testing"

	"github.com/waybill-go/waybill/propagation"
)

// Run checks the carriers that newCarrier makes, each rule as a subtest. Each
// carrier must be new, empty and not nil.
func Run(t *testing.T, newCarrier func() propagation.TextMapCarrier, opts ...Option) {
	t.Helper()
	f, err := newFixture(newCarrier, bindTextMap, newConfig(opts))
	if err != nil {
		t.Fatal(err)
	}
	run(t, f)
}

// RunAccessors is [Run] for carriers that are read by getter and written by
// setter.
func RunAccessors[C any](t *testing.T, newCarrier func() C, getter propagation.Getter[C], setter propagation.Setter[C], opts ...Option) {
	t.Helper()
	f, err := newFixture(newCarrier, binder(getter, setter), newConfig(opts))
	if err != nil {
		t.Fatal(err)
	}
	run(t, f)
}

func run(t *testing.T, f fixture) {
	t.Helper()
	for _, r := range rules {
		switch {
		case r.applies == nil || r.applies(f):
			t.Run(r.name, func(t *testing.T) { r.run(t, f) })
		case r.needs != "":
			t.Logf("%s was not tested: give the suite %s", r.name, r.needs)
		}
	}
}

// run checks the rule; a panic of the carrier is a failure of it.
func (r rule) run(t testing.TB, f fixture) {
	t.Helper()
	defer func() {
		if v := recover(); v != nil {
			t.Errorf("the carrier panicked: %v\n%s", v, debug.Stack())
		}
	}()
	r.check(t, f)
}
