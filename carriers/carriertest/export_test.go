// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriertest

import (
	"testing"

	"github.com/waybill-go/waybill/propagation"
)

// Failures returns the names of the rules that the carriers break, each with
// what it says, and the names of those that ran.
func Failures(t testing.TB, newCarrier func() propagation.TextMapCarrier, opts ...Option) (failed map[string]string, ran []string) {
	t.Helper()
	f, err := newFixture(newCarrier, bindTextMap, newConfig(opts))
	if err != nil {
		t.Fatal(err)
	}
	return failures(t, f)
}

// AccessorFailures is Failures for a carrier with accessors.
func AccessorFailures[C any](t testing.TB, newCarrier func() C, getter propagation.Getter[C], setter propagation.Setter[C], opts ...Option) (failed map[string]string, ran []string) {
	t.Helper()
	f, err := newFixture(newCarrier, binder(getter, setter), newConfig(opts))
	if err != nil {
		t.Fatal(err)
	}
	return failures(t, f)
}

func failures(t testing.TB, f fixture) (failed map[string]string, ran []string) {
	t.Helper()
	failed = map[string]string{}
	for _, r := range rules {
		if r.applies != nil && !r.applies(f) {
			continue
		}
		ran = append(ran, r.name)
		recorder := &recorder{TB: t}
		done := make(chan struct{})
		go func() { // So that a Fatal ends the rule, not the test.
			defer close(done)
			r.run(recorder, f)
		}()
		<-done
		if recorder.Failed() {
			failed[r.name] = recorder.text()
		}
	}
	return failed, ran
}

// FixtureError returns what Run refuses the options with.
func FixtureError(newCarrier func() propagation.TextMapCarrier, opts ...Option) error {
	_, err := newFixture(newCarrier, bindTextMap, newConfig(opts))
	return err
}

// AccessorFixtureError is the error with which RunAccessors stops.
func AccessorFixtureError[C any](newCarrier func() C, getter propagation.Getter[C], setter propagation.Setter[C]) error {
	_, err := newFixture(newCarrier, binder(getter, setter), newConfig(nil))
	return err
}

// Rules returns the names of all rules.
func Rules() []string {
	var names []string
	for _, r := range rules {
		names = append(names, r.name)
	}
	return names
}
