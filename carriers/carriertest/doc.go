// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package carriertest tests that a carrier keeps the promises that package
// propagation relies on. Every carrier of this module passes it.
//
// # When
//
// Use it in the tests of a carrier of your own: a TextMapCarrier, or a type
// with a Setter and a Getter. It replaces the tests one would write for it.
//
// # How
//
// [Run] takes a constructor and is the whole test for most types; [RunAccessors] does the same
// for a carrier that is read by a Getter and written by a Setter. Each rule is a
// subtest:
//
//	round_trip        what is injected is read, bit for bit
//	replaces          a second Set replaces the first, and adds nothing
//	clears            a second Inject leaves no tracestate and no baggage of the first
//	keeps_other_keys  keys that are not the propagator's are left alone
//	deletes           Delete removes its key, and only that
//	case              keys differ by case, or fold: see WithFoldedKeys
//	nil_and_zero      nil and zero carriers are empty and do not panic: see WithNil
//	empty_values      an empty value is treated as absent
//	keys              Get works for each of Keys, and each key is there once
//	repeated_values   Values are in order, and Set replaces all: see WithRepeats
//	large_values      8 KiB of baggage are kept whole: see WithMaxBytes
//	punctuation       printable ASCII is kept as it is
//	non_ascii         UTF-8 is kept as it is, other bytes are too or not at all
//	bytes             GetBytes agrees with Get
//	aliasing          a carrier never writes to memory it shares: see WithFork
//	concurrent_reads  a carrier may be read concurrently; run it with -race
//
// A rule about methods that the carrier does not have is not run. What the rules
// nil_and_zero, aliasing and repeated_values need is derived from the type of the
// carrier where that is a map, or a pointer to a slice or to a struct whose fields
// are no pointers, maps or interfaces. For any other type these rules do not run
// unless the options supply it; the log of the test names them.
//
// # Guarantees
//
// The suite uses its own propagator, so no global changes its result. A carrier
// that panics fails the rule it panics in and no other; a constructor that panics
// or returns nil fails the test before the rules. Rules are independent: each
// starts from new carriers.
//
// # Limits
//
// What a carrier writes to its medium, its size there and its names, is for the
// carrier's own tests.
package carriertest
