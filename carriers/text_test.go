// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/carriers"
)

func TestJSONKeepsTheBytesOfOthers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, set, deleted string }{
		{"empty", "", `{"k":"v"}`, ""},
		{"blank", " \n", `{"k":"v"}`, " \n"},
		{"null", "null", `{"k":"v"}`, "null"},
		{"object", "{}", `{"k":"v"}`, "{}"},
		{"blank object", "{ \n }", "{\"k\":\"v\" \n }", "{ \n }"},
		{"after others", `{"a": 1.50, "b": {"k": "inner"} }`, `{"a": 1.50, "b": {"k": "inner"},"k":"v" }`, `{"a": 1.50, "b": {"k": "inner"} }`},
		{"in its place", `{"a":1, "k" : "old" ,"b":2}`, `{"a":1, "k":"v" ,"b":2}`, `{"a":1 ,"b":2}`},
		{"first", `{ "k":"old", "b":2}`, `{ "k":"v", "b":2}`, `{ "b":2}`},
		{"last", `{"a":1, "k":"old"}`, `{"a":1, "k":"v"}`, `{"a":1}`},
		{"only", `{"k":"old"}`, `{"k":"v"}`, `{}`},
		{"repeated", `{"k":"1","a":1,"k":"2","k":3}`, `{"k":"v","a":1}`, `{"a":1}`},
		{"of another type", `{"k":{"x":[1]},"a":1}`, `{"k":"v","a":1}`, `{"a":1}`},
		{"escaped key", `{"\u006b":"old"}`, `{"k":"v"}`, `{}`},
		{"large number", `{"n":12345678901234567890.0e+9}`, `{"n":12345678901234567890.0e+9,"k":"v"}`, `{"n":12345678901234567890.0e+9}`},
		{"invalid", `{"a":1,}`, `{"a":1,}`, `{"a":1,}`},
		{"list", `["k"]`, `["k"]`, `["k"]`},
		{"text", `"k"`, `"k"`, `"k"`},
		{"two objects", `{} {}`, `{} {}`, `{} {}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := tt.in
			carriers.JSON(&text).Set("k", "v")
			if text != tt.set {
				t.Errorf("Set makes it %s, want %s", text, tt.set)
			}
			raw := []byte(tt.in)
			carriers.JSON(&raw).Delete("k")
			if string(raw) != tt.deleted {
				t.Errorf("Delete makes it %s, want %s", raw, tt.deleted)
			}
		})
	}
}

func TestJSONReads(t *testing.T) {
	t.Parallel()
	text := `{"a":"1","n":7,"l":["x"],"o":{"k":"inner"},"e":"","a":"\u00fc","z":null}`
	for key, want := range map[string]string{"a": "ü", "n": "", "l": "", "o": "", "k": "", "e": "", "z": "", "absent": ""} {
		if got := carriers.JSON(&text).Get(key); got != want {
			t.Errorf("Get(%q) is %q, want %q", key, got, want)
		}
	}
	if diff := cmp.Diff([]string{"a"}, carriers.JSON(&text).Keys()); diff != "" {
		t.Errorf("Keys (-want +got):\n%s", diff)
	}
}

// Rule 13. The texts are what java.util.Properties reads and writes.
func TestPropertiesRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		want     map[string]string
	}{
		{"empty", "", map[string]string{}},
		{
			"stored by Java", "#Mon Sep 29 10:15:00 UTC 2025\ntraceparent=00-0af7-01\ntracestate=vendor\\=1\n",
			map[string]string{"traceparent": "00-0af7-01", "tracestate": "vendor=1"},
		},
		{"separators", "a=1\nb:2\nc 3\nd\t=\t4\ne  5 6 \n", map[string]string{"a": "1", "b": "2", "c": "3", "d": "4", "e": "5 6 "}},
		{"one separator only", "a==1\nb = = 2\nc :: 3\n", map[string]string{"a": "=1", "b": "= 2", "c": ": 3"}},
		{"line ends", "a=1\rb=2\r\nc=3\n\n\r\nd=4", map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}},
		{"comments", "#a=1\n  !b=2\nc=3#not\n # d=4 \\\ne=5", map[string]string{"c": "3#not", "e": "5"}},
		{"no value", "a\nb=\nc:", map[string]string{"a": "", "b": "", "c": ""}},
		{"indent", "  a=1\n\t\fb=2", map[string]string{"a": "1", "b": "2"}},
		{"continued", "a=1,\\\n   2,\\\r\n\t3\nb=4", map[string]string{"a": "1,2,3", "b": "4"}},
		{"continued by nothing", "a=1\\\n\nb=2", map[string]string{"a": "1", "b": "2"}},
		{"continued by a sign", "a=1\\\n#2", map[string]string{"a": "1#2"}},
		{"continued key", "tra\\\n ceparent=1", map[string]string{"traceparent": "1"}},
		{"not continued", "a=1\\\\\nb=2", map[string]string{"a": "1\\", "b": "2"}},
		{"open end", "a=1\\", map[string]string{"a": "1"}},
		{"escapes", "a\\ b\\=c\\:=\\t\\n\\r\\f\\\\\\q\\ ", map[string]string{"a b=c:": "\t\n\r\f\\q "}},
		{"unicode", "k=gr\\u00FC\\u00dfe \\ud83e\\uddfe ü", map[string]string{"k": "grüße 🧾 ü"}},
		{"half a pair", "k=\\ud83e", map[string]string{"k": "\uFFFD"}},
		{"malformed unicode", "a=\\u12\nb=\\u00zz\n\\u1=c\nd=1", map[string]string{"a": "", "b": "", "d": "1"}},
		{"the last counts", "a=1\na=2", map[string]string{"a": "2"}},
		{"no name", "=1\n:2", map[string]string{"": "2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := carriers.Properties(&tt.in)
			for key, want := range tt.want {
				if got := c.Get(key); got != want {
					t.Errorf("Get(%q) is %q, want %q", key, got, want)
				}
			}
			got := map[string]string{}
			for _, key := range c.Keys() {
				got[key] = c.Get(key)
			}
			for key, value := range tt.want {
				if value == "" {
					delete(tt.want, key)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("by Keys (-want +got):\n%s", diff)
			}
		})
	}
}

// Rule 13.
func TestPropertiesKeepTheBytesOfOthers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, set, deleted string }{
		{"empty", "", "k=v\n", ""},
		{"after others", "a = 1\n", "a = 1\nk=v\n", "a = 1\n"},
		{"after no line end", "a = 1", "a = 1\nk=v\n", "a = 1"},
		{"after a comment", "#note \\", "#note \\\nk=v\n", "#note \\"},
		{"in its place", "#note\n  k : old\nb=2\n", "#note\n  k=v\nb=2\n", "#note\n  b=2\n"},
		{"continued", "k=\\\n  old\nb=2\n", "k=v\nb=2\n", "b=2\n"},
		{"repeated", "k=1\na=1\nk=2\nk", "k=v\na=1\n", "a=1\n"},
		{"after an open end", "a=1\\", "a=1\\\n\nk=v\n", "a=1\\"},
		{"after a continued end", "a=1\\\n", "a=1\\\n\n\nk=v\n", "a=1\\\n"},
		{"malformed others", "a=\\u1\n", "a=\\u1\nk=v\n", "a=\\u1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := tt.in
			carriers.Properties(&text).Set("k", "v")
			if text != tt.set {
				t.Errorf("Set makes it %q, want %q", text, tt.set)
			}
			raw := []byte(tt.in)
			carriers.Properties(&raw).Delete("k")
			if string(raw) != tt.deleted {
				t.Errorf("Delete makes it %q, want %q", raw, tt.deleted)
			}
		})
	}
}

// Rule 13.
func TestPropertiesWritten(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ key, value, want string }{
		{"tracestate", "vendor=1,other=#2:3!", "tracestate=vendor=1,other=#2:3!\n"},
		{"k", "  two spaces ", "k=\\  two spaces \n"},
		{"#a !b=c:d", "", "\\#a\\ \\!b\\=c\\:d=\n"},
		{"k", "a\\b\tc\nd\re\ff", "k=a\\\\b\\tc\\nd\\re\\ff\n"},
		{"k", "ü🧾\x00\x7f", "k=\\u00fc\\ud83e\\uddfe\\u0000\\u007f\n"},
	} {
		var text string
		carriers.Properties(&text).Set(tt.key, tt.value)
		if text != tt.want {
			t.Errorf("Set(%q, %q) writes %q, want %q", tt.key, tt.value, text, tt.want)
		}
	}
}

// Rule 11: a value of other bytes is refused, not changed.
func TestTextRefusesWhatIsNotUTF8(t *testing.T) {
	t.Parallel()
	for name, bind := range map[string]func(*string) *carriers.Text[string]{
		"JSON": carriers.JSON[string], "Properties": carriers.Properties[string],
	} {
		var text string
		c := bind(&text)
		c.Set("k", "old")
		c.Set("k", "\xff")
		if got := c.Get("k"); got != "" {
			t.Errorf("%s: the value is %q, want none: the old one is not what was set", name, got)
		}
		before := text
		c.Set("\xff", "value")
		if text != before {
			t.Errorf("%s: a key that is not UTF-8 made the text %q", name, text)
		}
	}
}
