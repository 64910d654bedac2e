// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/cmd/waybill/internal/execute"
)

func TestScan(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		text string
		want execute.Rows
	}{
		{name: "nothing", text: ""},
		{name: "other lines", text: "rows read=1\n ::rows read=1\n::row read=1\n::rows\nx::rows read=1"},
		{name: "all fields", text: "::rows read=5 wrote=3 rejected=2 reason=late\n", want: execute.Rows{Read: 5, Wrote: 3, Rejected: 2, Reasons: map[string]int64{"late": 2}}},
		{name: "any order, spaces and no newline", text: "::rows   reason=\"not an earthquake\"\trejected=2  read=5\r", want: execute.Rows{Read: 5, Rejected: 2, Reasons: map[string]int64{"not an earthquake": 2}}},
		{name: "adds up", text: "::rows read=1\nx\n::rows read=2\n::rows rejected=1\n::rows rejected=1 reason=a\n::rows rejected=2 reason=a\n", want: execute.Rows{Read: 3, Rejected: 4, Reasons: map[string]int64{"": 1, "a": 3}}},
		{name: "nothing was rejected", text: "::rows rejected=0 reason=a", want: execute.Rows{}},
		{name: "no count", text: "::rows reason=a\n::rows \n", want: execute.Rows{Malformed: 2}},
		{name: "negative", text: "::rows read=-1 wrote=2", want: execute.Rows{Malformed: 1}},
		{name: "fraction", text: "::rows read=1.5", want: execute.Rows{Malformed: 1}},
		{name: "too big", text: "::rows read=9223372036854775808", want: execute.Rows{Malformed: 1}},
		{name: "sum that is too big", text: "::rows read=9223372036854775807\n::rows read=9", want: execute.Rows{Read: math.MaxInt64}},
		{name: "unknown field", text: "::rows read=1 skipped=2", want: execute.Rows{Malformed: 1}},
		{name: "twice", text: "::rows read=1 read=2", want: execute.Rows{Malformed: 1}},
		{name: "no value", text: "::rows read", want: execute.Rows{Malformed: 1}},
		{name: "text after a quote", text: "::rows rejected=1 reason=\"a\"b", want: execute.Rows{Malformed: 1}},
		{name: "long line", text: "::rows read=1 reason=" + strings.Repeat("x", 1<<20) + "\n::rows read=2", want: execute.Rows{Read: 2, Malformed: 1}},
		{name: "long other line", text: strings.Repeat("x", 1<<20) + "::rows read=1\n::rows read=2", want: execute.Rows{Read: 2}},
		{name: "reason that is not UTF-8", text: "::rows rejected=1 reason=\xff", want: execute.Rows{Rejected: 1, Reasons: map[string]int64{"�": 1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			whole, held := execute.Scan([]byte(tt.text))
			if diff := cmp.Diff(tt.want, whole); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if held > 1<<10 {
				t.Errorf("%d bytes were held", held)
			}
		})
	}
}

func TestScan_ManyReasons(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&text, "::rows rejected=1 reason=r%d\n", i)
	}
	got, _ := execute.Scan(text.Bytes())
	if len(got.Reasons) != 65 || got.Reasons["_OTHER"] != 1000-64 || got.Rejected != 1000 {
		t.Errorf("%d reasons, %d others, %d rejected; want 65, 936 and 1000", len(got.Reasons), got.Reasons["_OTHER"], got.Rejected)
	}
}

// FuzzScan cuts a text in two: it must not matter where.
func FuzzScan(f *testing.F) {
	f.Add([]byte("::rows read=1 wrote=2 rejected=3 reason=\"a b\"\n::rows x\n"), 5)
	f.Add([]byte("::rows rejected=1 reason=\xff\r\n\n::rows read=9223372036854775807"), 0)
	f.Fuzz(func(t *testing.T, text []byte, at int) {
		whole, held := execute.Scan(text)
		if at < 0 || at > len(text) {
			at = len(text) / 2
		}
		cut, _ := execute.Scan(text[:at], text[at:])
		if diff := cmp.Diff(whole, cut); diff != "" {
			t.Errorf("cut at %d (-whole +cut):\n%s", at, diff)
		}
		if held > 1<<10 || whole.Read < 0 || whole.Wrote < 0 || whole.Rejected < 0 || len(whole.Reasons) > 65 {
			t.Errorf("%d bytes held, %+v", held, whole)
		}
		if lines := int64(bytes.Count(text, []byte("::rows "))); whole.Malformed > lines {
			t.Errorf("%d of %d lines are malformed", whole.Malformed, lines)
		}
		if line := execute.LastLine(text[:at], text[at:]); line != execute.LastLine(text) || len(line) > 3<<10 || strings.Contains(line, "\n") {
			t.Errorf("last line %q", line)
		}
	})
}

func TestLastLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{name: "nothing"},
		{name: "one", text: "a", want: "a"},
		{name: "blank lines after it", text: "a\nb \n\n \n", want: "b"},
		{name: "long", text: strings.Repeat("x", 5000), want: strings.Repeat("x", 1024)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := execute.LastLine([]byte(tt.text)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
