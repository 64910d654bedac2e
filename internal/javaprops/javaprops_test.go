// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package javaprops_test

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/internal/javaprops"
)

// parse returns the last value of each key, as java.util.Properties does.
func parse(text string) map[string]string {
	values := map[string]string{}
	javaprops.Parse(text, func(e javaprops.Entry) { values[e.Key] = e.Value })
	return values
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		want       map[string]string
		open       bool
	}{
		{name: "empty", text: "", want: map[string]string{}},
		{name: "what store writes", text: "#Tue May 14 10:00:00 UTC 2024\na=1\nb=x\\=y\n", want: map[string]string{"a": "1", "b": "x=y"}},
		{name: "other separators", text: "a:1\nb 2\nc \t= 3\nd", want: map[string]string{"a": "1", "b": "2", "c": "3", "d": ""}},
		{name: "comments", text: "! a=1\n  # b=2\\\nc=3", want: map[string]string{"c": "3"}},
		{name: "every end of a line", text: "a=1\rb=2\r\nc=3\n\n\rd=4", want: map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}},
		{name: "continued", text: "key\\\n  =va\\\r\n\tlue\n", want: map[string]string{"key": "value"}},
		{name: "not continued after an escaped backslash", text: "a=1\\\\\nb=2", want: map[string]string{"a": `1\`, "b": "2"}},
		{name: "continued at the end", text: "a=1\\\n", want: map[string]string{"a": "1"}, open: true},
		{name: "a backslash at the end", text: "a=1\\", want: map[string]string{"a": "1"}, open: true},
		{name: "the last value of a key", text: "a=1\na=2", want: map[string]string{"a": "2"}},
		{name: "Unicode", text: "\\u00fc=\\ud83e\\uddfe", want: map[string]string{"ü": "🧾"}},
		{name: "a malformed escape in a key", text: "\\u00g=1\nb=2", want: map[string]string{"b": "2"}},
		{name: "a malformed escape in a value", text: "a=\\u00g", want: map[string]string{"a": ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, parse(tt.text)); diff != "" {
				t.Errorf("Parse(%q) (-want +got):\n%s", tt.text, diff)
			}
			if open := javaprops.Parse(tt.text, func(javaprops.Entry) {}); open != tt.open {
				t.Errorf("Parse(%q) is open: got %t, want %t", tt.text, open, tt.open)
			}
		})
	}
}

func TestParse_Offsets(t *testing.T) {
	t.Parallel()
	const text = "# c\n a=1\nb=2\\\n 3\n\nc"
	var got []string
	javaprops.Parse(text, func(e javaprops.Entry) { got = append(got, text[e.Start:e.End]) })
	if diff := cmp.Diff([]string{"a=1\n", "b=2\\\n 3\n", "c"}, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ key, value, want string }{
		{key: "k", value: "plain", want: "k=plain\n"},
		{key: "k", value: "  leading", want: "k=\\  leading\n"},
		{key: "k", value: "", want: "k=\n"},
		{key: "", value: "v", want: "=v\n"},
		{key: "a b", value: `back\slash`, want: `a\ b=back\\slash` + "\n"},
		{key: "#!:=", value: "#!:=", want: `\#\!\:\==#!:=` + "\n"},
		{key: "k", value: "\r\n\t\f", want: `k=\r\n\t\f` + "\n"},
		{key: "ü", value: "🧾", want: `\u00fc=\ud83e\uddfe` + "\n"},
	} {
		got := javaprops.Line(tt.key, tt.value)
		if got != tt.want {
			t.Errorf("Line(%q, %q): got %q, want %q", tt.key, tt.value, got, tt.want)
		}
		if diff := cmp.Diff(map[string]string{tt.key: tt.value}, parse(got)); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", got, diff)
		}
	}
}

// hostile returns texts that a reader may need quadratic time for, each of
// about n bytes.
func hostile(n int) map[string]string {
	return map[string]string{
		"continued lines":                       strings.Repeat("a\\\n", n/3),
		"entries":                               strings.Repeat("a=1\n", n/4),
		"comments":                              strings.Repeat("#\n", n/2),
		"empty lines":                           strings.Repeat("\n", n),
		"blanks":                                strings.Repeat(" ", n),
		"one line":                              strings.Repeat("a", n),
		"backslashes":                           strings.Repeat(`\`, n),
		"Unicode escapes":                       strings.Repeat(`\u0061`, n/6),
		"broken escapes":                        strings.Repeat("\\u\n", n/3),
		"lines that end with a carriage return": strings.Repeat("a\\\r", n/3),
	}
}

// A reader that needs quadratic time does not end within the time of a test.
func TestParse_HostileText(t *testing.T) {
	t.Parallel()
	for name, text := range hostile(4 << 20) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			javaprops.Parse(text, func(javaprops.Entry) {})
		})
	}
}

func BenchmarkParse_Growth(b *testing.B) {
	for _, n := range []int{1 << 10, 64 << 10, 4 << 20} {
		for name, text := range hostile(n) {
			b.Run(name+"/"+strconv.Itoa(n), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					javaprops.Parse(text, func(javaprops.Entry) {})
				}
			})
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a\\\n b:\\u00fc\r\n#c\nk = x", "k", "v")
	f.Add("\\", " #=:!\\", " \t\r\n\f\\ü🧾\x00")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		end := 0
		javaprops.Parse(text, func(e javaprops.Entry) {
			if e.Start < end || e.End <= e.Start || e.End > len(text) {
				t.Errorf("an entry of %q is at %d to %d, after %d", text, e.Start, e.End, end)
			}
			end = e.End
		})
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return
		}
		if diff := cmp.Diff(map[string]string{key: value}, parse(javaprops.Line(key, value))); diff != "" {
			t.Errorf("Line(%q, %q) (-want +got):\n%s", key, value, diff)
		}
	})
}
