// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package safe_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/waybill-go/waybill/internal/safe"
)

func TestText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text, want string
		limit            int
	}{
		{name: "empty", text: "", limit: 8, want: ""},
		{name: "fits", text: "orders", limit: 6, want: "orders"},
		{name: "one byte too long", text: "orders!", limit: 6, want: "ord…"},
		{name: "not UTF-8", text: "Caf\xe9.csv", limit: 32, want: "Caf\uFFFD.csv"},
		{name: "replacement makes it too long", text: "abcd\xe9", limit: 6, want: "abc…"},
		{name: "cut between characters", text: "äöüäöü", limit: 8, want: "äö…"},
		{name: "cut in a broken character", text: "abcdefgh\xf0\x9f", limit: 9, want: "abcdef…"},
		{name: "nothing but broken bytes", text: "\xff\xfe\xfd", limit: 9, want: "\uFFFD"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := safe.Text(test.text, test.limit); got != test.want {
				t.Errorf("Text(%q, %d) = %q, want %q", test.text, test.limit, got, test.want)
			}
		})
	}
}

func TestText_LargeInputCostsItsLimitOnly(t *testing.T) {
	large := strings.Repeat("x", 5<<20)
	if got := testing.AllocsPerRun(10, func() { _ = safe.Text(large, safe.MaxValue) }); got > 1 {
		t.Errorf("Text of 5 MiB allocates %v times, want at most 1", got)
	}
	if got := testing.AllocsPerRun(10, func() { _ = safe.Text("orders", safe.MaxName) }); got != 0 {
		t.Errorf("Text of valid text allocates %v times, want 0", got)
	}
}

func FuzzText(f *testing.F) {
	f.Add("Caf\xe9", 5)
	f.Add(strings.Repeat("ä", 40), 33)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = 3 + max(limit, 0)%2048
		got := safe.Text(text, limit)
		if !utf8.ValidString(got) || len(got) > limit {
			t.Fatalf("Text(%q, %d) = %q: valid %t, %d bytes", text, limit, got, utf8.ValidString(got), len(got))
		}
		if utf8.ValidString(text) && len(text) <= limit && got != text {
			t.Fatalf("Text(%q, %d) = %q, want it unchanged", text, limit, got)
		}
	})
}
