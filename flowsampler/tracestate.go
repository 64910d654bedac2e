// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowsampler

import (
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// The member of OpenTelemetry in a tracestate is a list of sub-keys and values,
// as in "th:fd70a4;rv:6e6d1a75832a2f".
// https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/
const (
	memberKey     = "ot"
	thresholdKey  = "th"
	randomnessKey = "rv"

	randomnessDigits = 14
)

// subValue returns the value of a sub-key in a member, or the empty string.
func subValue(member, key string) string {
	for member != "" {
		var sub string
		sub, member, _ = strings.Cut(member, ";")
		if len(sub) > len(key) && sub[len(key)] == ':' && sub[:len(key)] == key {
			return sub[len(key)+1:]
		}
	}
	return ""
}

// parseRandomness parses a value of rv: exactly 14 lower-case hexadecimal digits.
func parseRandomness(s string) (randomness uint64, ok bool) {
	if len(s) != randomnessDigits {
		return 0, false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			randomness = randomness<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			randomness = randomness<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return randomness, true
}

// appendRandomness appends the value of rv.
func appendRandomness(dst []byte, randomness uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := randomnessBits - 4; shift >= 0; shift -= 4 {
		dst = append(dst, digits[randomness>>shift&0xf])
	}
	return dst
}

// memberRoom is the room for th and rv: "th:", "rv:", their values and ";".
const memberRoom = 3 + randomnessDigits + 1 + 3 + randomnessDigits

// The member of a flow that is marked as dropped, of which a rate limit needs many.
const droppedMember = randomnessKey + ":00000000000000"

var droppedState = insert(trace.TraceState{}, droppedMember)

// withMember returns state with the sub-keys of member instead of th and rv, and
// with the other sub-keys of its member, if there is room for all. Otherwise it
// returns state as it is.
func withMember(state trace.TraceState, member []byte) trace.TraceState {
	old := state.Get(memberKey)
	for rest := old; rest != ""; {
		var sub string
		sub, rest, _ = strings.Cut(rest, ";")
		if key, _, ok := strings.Cut(sub, ":"); ok && key != thresholdKey && key != randomnessKey {
			if len(member) > 0 {
				member = append(member, ';')
			}
			member = append(member, sub...)
		}
	}
	switch {
	case string(member) == old:
		return state
	case len(member) == 0:
		return state.Delete(memberKey)
	default:
		return insert(state, string(member))
	}
}

// insert returns state with member, or state as it is if member is malformed or
// longer than 256 bytes. If state is full, its last member is dropped, as W3C Trace
// Context asks.
func insert(state trace.TraceState, member string) trace.TraceState {
	with, err := state.Insert(memberKey, member)
	if err != nil {
		return state
	}
	return with
}
