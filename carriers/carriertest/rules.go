// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriertest

import (
	"errors"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// rule is one promise of a carrier.
type rule struct {
	name    string
	applies func(fixture) bool // nil means to all carriers.
	needs   string             // The option without which it may not apply; may be empty.
	check   func(testing.TB, fixture)
}

var rules = []rule{
	{name: "round_trip", check: checkRoundTrip},
	{name: "replaces", check: checkReplaces},
	{name: "clears", check: checkClears},
	{name: "keeps_other_keys", check: checkKeepsOtherKeys},
	{name: "deletes", check: checkDeletes, applies: func(f fixture) bool { return f.fresh().delete != nil }},
	{name: "case", check: checkCase},
	{name: "nil_and_zero", check: checkNilAndZero, needs: "WithNil", applies: func(f fixture) bool { return len(f.empties) > 0 || f.unfilled != nil }},
	{name: "empty_values", check: checkEmptyValues},
	{name: "keys", check: checkKeys, applies: func(f fixture) bool { return f.fresh().keys != nil }},
	{name: "repeated_values", check: checkRepeatedValues, needs: "WithRepeats, if its medium can repeat keys", applies: func(f fixture) bool { return f.repeats != nil }},
	{name: "large_values", check: checkLargeValues},
	{name: "punctuation", check: checkPunctuation},
	{name: "non_ascii", check: checkNonASCII, applies: func(f fixture) bool { return !f.withoutUTF8 }},
	{name: "bytes", check: checkBytes, applies: func(f fixture) bool { return f.fresh().getBytes != nil }},
	{name: "aliasing", check: checkAliasing, needs: "WithFork", applies: func(f fixture) bool { return f.forks }},
	{name: "concurrent_reads", check: checkConcurrentReads},
}

// requireGet checks the value under key.
func (s *subject) requireGet(t testing.TB, key, want string) {
	t.Helper()
	if got := s.get(key); got != want {
		t.Errorf("Get(%q) is %q, want %q", key, shorten(got), shorten(want))
	}
}

// shorten keeps failures readable.
func shorten(s string) string {
	const limit = 100
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "…"
}

func checkRoundTrip(t testing.TB, f fixture) {
	samples := []sample{
		full(1),
		bare(2),
		{id: 3, flags: 0, tracestate: "a=1,b=2"},
		{id: 4, flags: trace.FlagsRandom, baggage: "user=4"},
		{id: 5, flags: trace.FlagsSampled | trace.FlagsRandom},
	}
	for _, sent := range samples {
		s := f.fresh()
		s.inject(sent.context(t), usual())
		sent.requireRead(t, s.read(usual()))

		ctx := s.extract(t.Context(), usual())
		if got, want := trace.SpanContextFromContext(ctx), s.read(usual()).SpanContext(); !got.Equal(want) {
			t.Errorf("extracted %v, but read %v", got, want)
		}
	}
}

func checkReplaces(t testing.TB, f fixture) {
	s := f.fresh()
	s.set("x-key", "first")
	before := s.count()
	s.set("x-key", "second")
	s.requireGet(t, "x-key", "second")
	if s.values != nil {
		if got := s.values("x-key"); !slices.Equal(got, []string{"second"}) {
			t.Errorf("after two Sets, Values is %q, want the second only", got)
		}
	}
	if got := s.count(); got != before {
		t.Errorf("the second Set made %d entries of %d", got, before)
	}

	s = f.fresh()
	s.inject(bare(1).context(t), usual())
	before = s.count()
	s.inject(bare(2).context(t), usual())
	bare(2).requireRead(t, s.read(usual()))
	if got := s.count(); got != before {
		t.Errorf("the second Inject made %d entries of %d", got, before)
	}
}

// count returns the entries of the medium, or 0 if they cannot be counted.
func (s *subject) count() int {
	if s.entries == nil {
		return 0
	}
	return s.entries()
}

func checkClears(t testing.TB, f fixture) {
	s := f.fresh()
	s.inject(full(1).context(t), usual())
	s.inject(bare(2).context(t), usual())
	s.requireGet(t, tracestate, "")
	s.requireGet(t, baggageKey, "")
	bare(2).requireRead(t, s.read(usual()))

	s.inject(t.Context(), usual(), propagation.WithPolicy(propagation.Replace))
	for _, key := range propagation.Default().Fields() {
		s.requireGet(t, key, "")
	}
}

func checkKeepsOtherKeys(t testing.TB, f fixture) {
	s := f.fresh()
	s.set("x-tenant", "acme")
	s.inject(full(1).context(t), usual())
	s.requireGet(t, "x-tenant", "acme")
	s.inject(bare(2).context(t), usual())
	s.requireGet(t, "x-tenant", "acme")
	s.inject(t.Context(), usual(), propagation.WithPolicy(propagation.Replace))
	s.requireGet(t, "x-tenant", "acme")
}

func checkDeletes(t testing.TB, f fixture) {
	s := f.fresh()
	s.set("x-one", "1")
	s.set("x-two", "2")
	s.set("x-three", "3")
	s.delete("x-two")
	s.delete("x-absent")
	s.requireGet(t, "x-one", "1")
	s.requireGet(t, "x-two", "")
	s.requireGet(t, "x-three", "3")
	if s.keys != nil && len(s.keys()) != 2 {
		t.Errorf("after one of three keys was deleted, Keys is %q", s.keys())
	}
}

func checkCase(t testing.TB, f fixture) {
	s := f.fresh()
	s.set("x-case", "lower")
	if f.foldedKeys {
		s.requireGet(t, "X-Case", "lower")
		s.set("X-CASE", "upper")
		s.requireGet(t, "x-case", "upper")
		if s.keys != nil && len(s.keys()) != 1 {
			t.Errorf("two spellings are the keys %q, want one key", s.keys())
		}
		return
	}
	s.requireGet(t, "X-Case", "")
	s.set("X-Case", "title")
	s.requireGet(t, "x-case", "lower")
	s.requireGet(t, "X-Case", "title")
}

func checkNilAndZero(t testing.TB, f fixture) {
	if f.unfilled != nil {
		requireEmpty(t, f.unfilled())
	}
	for _, empty := range f.empties {
		requireEmpty(t, empty())

		s := empty()
		s.inject(bare(1).context(t), usual())
		if s.read(usual()).Err() == nil { // It may take a context, but not half of it.
			bare(1).requireRead(t, s.read(usual()))
		}

		s = empty()
		s.set("x-key", "value")
		if s.delete != nil {
			s.delete("x-key")
			s.requireGet(t, "x-key", "")
		}
	}
}

// requireEmpty checks that s is empty.
func requireEmpty(t testing.TB, s *subject) {
	t.Helper()
	s.requireGet(t, traceparent, "")
	s.requireGet(t, "", "")
	if s.keys != nil && len(s.keys()) != 0 {
		t.Errorf("an empty carrier has the keys %q", s.keys())
	}
	if s.values != nil && len(s.values(traceparent)) != 0 {
		t.Errorf("an empty carrier has the values %q", s.values(traceparent))
	}
	if s.getBytes != nil && len(s.getBytes(traceparent)) != 0 {
		t.Errorf("an empty carrier has the bytes %q", s.getBytes(traceparent))
	}
	requireAbsent(t, s)
}

// requireAbsent checks that s holds no trace context.
func requireAbsent(t testing.TB, s *subject) {
	t.Helper()
	if err := s.read(usual()).Err(); !errors.Is(err, propagation.ErrAbsent) {
		t.Errorf("reading says %v, want %v", err, propagation.ErrAbsent)
	}
	if ctx := t.Context(); s.extract(ctx, usual()) != ctx {
		t.Error("extracting nothing changed the context")
	}
}

func checkEmptyValues(t testing.TB, f fixture) {
	requireEmpty(t, f.fresh())

	s := f.fresh()
	s.set("x-key", "value")
	s.set("x-key", "")
	s.requireGet(t, "x-key", "")
	s.set(traceparent, "")
	requireAbsent(t, s)
	if s.values != nil {
		for _, value := range s.values(traceparent) {
			if value != "" {
				t.Errorf("Values of an empty value has %q", value)
			}
		}
	}

	s = f.fresh()
	s.set("x-key", "value")
	s.set("", "nameless")
	s.requireGet(t, "x-key", "value")
}

func checkKeys(t testing.TB, f fixture) {
	s := f.fresh()
	set := []string{"x-one", "x-three", "x-two"}
	for _, key := range set {
		s.set(key, "value of "+key)
	}
	var values []string
	for _, key := range s.keys() {
		values = append(values, s.get(key))
	}
	slices.Sort(values)
	if want := []string{"value of x-one", "value of x-three", "value of x-two"}; !slices.Equal(values, want) {
		t.Errorf("Get of each of Keys, %q, is %q, want %q", s.keys(), values, want)
	}
	if keys := slices.Sorted(slices.Values(s.keys())); !f.foldedKeys && !slices.Equal(keys, set) {
		t.Errorf("Keys is %q, want the keys as they were set, %q", keys, set)
	}
}

func checkRepeatedValues(t testing.TB, f fixture) {
	s := f.repeats("x-key", "1", "2", "3")
	if f.lastValue {
		s.requireGet(t, "x-key", "3")
	} else {
		s.requireGet(t, "x-key", "1")
	}
	if s.keys != nil && len(s.keys()) != 1 {
		t.Errorf("one repeated key is the keys %q", s.keys())
	}
	if s.values != nil {
		if got, want := s.values("x-key"), []string{"1", "2", "3"}; !slices.Equal(got, want) {
			t.Errorf("Values is %q, want %q", got, want)
		}
		members := f.repeats(baggageKey, "a=1", "b=2").read(usual()).Baggage()
		if got := members.Member("a").Value() + members.Member("b").Value(); got != "12" {
			t.Errorf("baggage in two values was read as %q", members.String())
		}
	}

	s.set("x-key", "new")
	s.requireGet(t, "x-key", "new")
	if s.values != nil {
		if got := s.values("x-key"); !slices.Equal(got, []string{"new"}) {
			t.Errorf("Set left the values %q", got)
		}
	}
	if s.entries != nil && s.entries() != 1 {
		t.Errorf("Set left %d entries of a repeated key, want 1", s.entries())
	}

	if s = f.repeats("x-key", "1", "2", "3"); s.delete != nil {
		s.delete("x-key")
		s.requireGet(t, "x-key", "")
		if s.entries != nil && s.entries() != 0 {
			t.Errorf("Delete left %d entries of a repeated key", s.entries())
		}
	}
}
