// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envname_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/internal/envname"
)

func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{"", "traceparent", "x-b3-traceid", "0abc", "🧳", "Mój Bagaż", "ß", "\xff", "A\x00b", "_"} {
		f.Add(seed)
	}
	other, valid := regexp.MustCompile(`(?s)[^A-Za-z0-9_]`), regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)
	lower, upper := "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	f.Fuzz(func(t *testing.T, key string) {
		want := strings.Map(func(r rune) rune {
			if i := strings.IndexRune(lower, r); i >= 0 {
				return rune(upper[i])
			}
			return r
		}, other.ReplaceAllString(key, "_"))
		if !valid.MatchString(want) {
			want = "_" + want
		}
		got := envname.Normalize(key)
		if got != want {
			t.Errorf("Normalize(%q) = %q, want %q", key, got, want)
		}
		if got, want := envname.IsNormalized(key), valid.MatchString(key); got != want {
			t.Errorf("IsNormalized(%q) = %t, want %t", key, got, want)
		}
		if again := envname.Normalize(got); again != got {
			t.Errorf("Normalize(%q) = %q, want it unchanged", got, again)
		}
	})
}
