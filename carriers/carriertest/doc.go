// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package carriertest proves that a carrier keeps the promises that
// propagation relies on. Every carrier of this module passes it.
//
// # When
//
// Use it in the tests of a carrier of your own: a TextMapCarrier, or a type
// with a Setter and a Getter. It replaces the tests one would write for it.
//
// # How
//
// [Run] takes a constructor and is the whole test; [RunAccessors] does the same
// for a carrier that is read and written by a Getter and a Setter. Each rule is
// a subtest:
//
//	round_trip        what is injected is read, bit for bit
//	replaces          a second Set replaces the first, and adds nothing
//	clears            a second Inject leaves no tracestate and no baggage of the first
//	keeps_other_keys  keys that are not the propagator's are left alone
//	deletes           Delete removes its key, and only that
//	case              keys are told apart by case, or fold: see WithFoldedKeys
//	nil_and_zero      nil and zero carriers hold nothing and do not panic: see WithNil
//	empty_values      an empty value is as good as none
//	keys              Get works for each of Keys, and each key is there once
//	repeated_values   Values come in order, and Set replaces all: see WithRepeats
//	large_values      8 KiB of baggage pass whole: see WithMaxBytes
//	punctuation       printable ASCII passes unchanged
//	non_ascii         UTF-8 passes unchanged, other bytes so or not at all
//	bytes             GetBytes agrees with Get
//	aliasing          a carrier never writes to memory it shares: see WithFork
//	concurrent_reads  many may read at once; run it with -race
//
// A rule about methods that the carrier does not have is not run.
//
// # Guarantees
//
// The suite uses its own propagator, so no global changes its result. A carrier
// that panics fails the rule it panics in and no other; a constructor that panics
// or makes nothing fails the test before the rules. Rules are independent:
// each starts from new carriers.
//
// # Limits
//
// What a carrier writes to its medium, its size there and its names, is for the
// carrier's own tests.
package carriertest
