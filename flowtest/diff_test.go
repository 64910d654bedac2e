// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/flowtest"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, want, got, diff string }{
		{"equal", "a\nb\n", "a\nb\n", ""},
		{"changed", "a\nb\nc\n", "a\nx\nc\n", "  a\n- b\n+ x\n  c\n"},
		{"added", "a\n", "a\nb\n", "  a\n+ b\n"},
		{"removed", "a\nb\n", "b\n", "- a\n  b\n"},
		{"moved", "a\nb\nc\n", "c\na\nb\n", "+ c\n  a\n  b\n- c\n"},
		{"from nothing", "", "a\n", "-\n+ a\n"},
		{"context", "1\n2\n3\n4\n5\nx\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "  3\n  4\n  5\n- x\n  6\n  7\n  8\n"},
	} {
		if d := cmp.Diff(test.diff, flowtest.Diff(test.want, test.got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, d)
		}
	}
}

func TestDiffOfManyLines(t *testing.T) {
	t.Parallel()
	var a, b strings.Builder
	for n := range 3000 {
		fmt.Fprintf(&a, "a%d\n", n)
		fmt.Fprintf(&b, "b%d\n", n)
	}
	if got := strings.Count(flowtest.Diff(a.String(), b.String()), "\n"); got != 6000 {
		t.Errorf("%d lines, want all 6000", got)
	}
}

// FuzzDiff checks that the lines removed less those added are what want has
// more than got.
func FuzzDiff(f *testing.F) {
	f.Add("a\nb\n", "b\nc\n")
	f.Add("abab", "baba")
	f.Fuzz(func(t *testing.T, want, got string) {
		want, got = strings.Join(strings.Split(want, ""), "\n"), strings.Join(strings.Split(got, ""), "\n")
		balance := make(map[string]int)
		count := func(text, mark string, sign int) {
			for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
				if rest, ok := strings.CutPrefix(line, mark); ok {
					balance[strings.TrimSpace(rest)] += sign
				}
			}
		}
		count(want, "", 1)
		count(got, "", -1)
		d := flowtest.Diff(want, got)
		count(d, "-", -1)
		count(d, "+", 1)
		for line, n := range balance {
			if n != 0 && line != "" {
				t.Errorf("%q is off by %d:\n%s", line, n, d)
			}
		}
		if (d == "") != (want == got) {
			t.Errorf("%q and %q: %q", want, got, d)
		}
	})
}
