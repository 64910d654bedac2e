// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/carriers/envcarrier"
)

func TestNormalize(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"":             "_",
		"traceparent":  "TRACEPARENT",
		"tracestate":   "TRACESTATE",
		"baggage":      "BAGGAGE",
		"waybill":      "WAYBILL",
		"x-b3-traceid": "X_B3_TRACEID",
		"MiXeD_123!":   "MIXED_123_",
		"ABC":          "ABC",
		"Content-Type": "CONTENT_TYPE",
		"two words":    "TWO_WORDS",
		"01239":        "_01239",
		"0abc":         "_0ABC",
		"9":            "_9",
		"a.b":          "A_B",
		"a=b":          "A_B",
		"🧳":            "_",
		"Mój":          "M_J",
		"ı":            "_", // upper case in Unicode is I.
		"ß":            "_",
		"\xff\xfe":     "__",
	} {
		if got := envcarrier.Normalize(key); got != want {
			t.Errorf("Normalize(%q) = %q, want %q", key, got, want)
		}
	}
}

func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{"", "traceparent", "x-b3-traceid", "0abc", "🧳", "Mój Bagaż", "\xff", "A\x00b"} {
		f.Add(seed)
	}
	other := regexp.MustCompile(`(?s)[^A-Za-z0-9_]`)
	name := regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)
	f.Fuzz(func(t *testing.T, key string) {
		want := upper(other.ReplaceAllString(key, "_"))
		if want == "" || '0' <= want[0] && want[0] <= '9' {
			want = "_" + want
		}
		got := envcarrier.Normalize(key)
		if got != want {
			t.Errorf("Normalize(%q) = %q, want %q", key, got, want)
		}
		if !name.MatchString(got) {
			t.Errorf("Normalize(%q) = %q is no name", key, got)
		}
		if again := envcarrier.Normalize(got); again != got {
			t.Errorf("Normalize(%q) = %q, want it as it is", got, again)
		}
		carrier := envcarrier.Carrier{got + "=v", key + "=w"}
		if carrier.Keys()[0] != got || carrier.Get(key) == "" {
			t.Errorf("%q does not find what it was written under: %q", key, carrier)
		}
	})
}

func upper(ascii string) string {
	return strings.Map(func(r rune) rune {
		if i := strings.IndexRune("abcdefghijklmnopqrstuvwxyz", r); i >= 0 {
			return rune("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i])
		}
		return r
	}, ascii)
}

func TestCarrier_KeysAreNormalizedNames(t *testing.T) {
	t.Parallel()
	carrier := envcarrier.Carrier{
		"TRACEPARENT=a", "x-b3-traceid=b", "lower=c", "_=d", "0DIGIT=e", "A_1=f", "TRACEPARENT=g", "=C:=C:\\", "BROKEN", "",
	}
	if got, want := carrier.Keys(), []string{"TRACEPARENT", "_", "A_1"}; !slices.Equal(got, want) {
		t.Errorf("Keys() = %q, want %q", got, want)
	}
	if got := carrier.Get("x-b3-traceid"); got != "" {
		t.Errorf("a name that is not normalized was read: %q", got)
	}
	values := envcarrier.Map{"TRACEPARENT": "a", "x-b3-traceid": "b", "lower": "c", "_": "d", "0DIGIT": "e", "A_1": "f", "": "g"}
	if got, want := slices.Sorted(slices.Values(values.Keys())), []string{"A_1", "TRACEPARENT", "_"}; !slices.Equal(got, want) {
		t.Errorf("Keys() of a map = %q, want %q", got, want)
	}
	if got := values.Get("x-b3-traceid"); got != "" {
		t.Errorf("a name that is not normalized was read: %q", got)
	}
}
