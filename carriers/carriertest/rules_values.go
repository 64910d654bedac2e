// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriertest

import (
	"bytes"
	"strings"
	"testing"
)

// valueBytes is the size of the largest value to try.
func (f fixture) valueBytes() int {
	if f.maxBytes > 0 {
		return min(f.maxBytes, maxBaggage)
	}
	return maxBaggage
}

func checkLargeValues(t testing.TB, f fixture) {
	value := strings.Repeat("0123456789abcdef", maxBaggage/16)[:f.valueBytes()]
	s := f.fresh()
	s.set("x-large", value)
	s.requireGet(t, "x-large", value)

	sent := bare(1)
	sent.baggage = largeBaggage(f.valueBytes())
	s = f.fresh()
	s.inject(sent.context(t), usual())
	sent.requireRead(t, s.read(usual()))
}

func checkPunctuation(t testing.TB, f fixture) {
	var printable strings.Builder
	for c := byte('!'); c <= '~'; c++ {
		printable.WriteByte(c)
	}
	for _, value := range []string{
		printable.String(),
		"a b",
		"user=alice;ttl=5,tenant=%20acme%2C",
		`{"key":"value"}`,
		`back\slash \u0041 \n`,
		"#not=a:comment!",
		"$(HOME) $$ ${USER}",
	} {
		s := f.fresh()
		s.set("x-key", value)
		s.requireGet(t, "x-key", value)
	}
}

func checkNonASCII(t testing.TB, f fixture) {
	for _, value := range []string{"grüße", "荷物", "🧾 ok", "\u00a0\u2028"} {
		s := f.fresh()
		s.set("x-key", value)
		s.requireGet(t, "x-key", value)
	}
	for _, value := range []string{"\xff\xfe", "half \xc3", "\x00\x01\x80"} {
		s := f.fresh()
		s.set("x-key", value)
		if got := s.get("x-key"); got != value && got != "" {
			t.Errorf("the bytes %q became %q; they must stay as they are or not be held at all", value, got)
		}
	}
}

func checkBytes(t testing.TB, f fixture) {
	s := f.fresh()
	s.set("x-key", "text")
	if got := s.getBytes("x-key"); !bytes.Equal(got, []byte("text")) {
		t.Errorf("GetBytes is %q, want what was set, %q", got, "text")
	}
	if got := s.getBytes("x-absent"); got != nil {
		t.Errorf("GetBytes of an absent key is %q, want nil", got)
	}
}
