// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/carriers"
)

func TestJSON_KeepsTheBytesOfOthers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, set, deleted string }{
		{name: "empty", in: "", set: `{"k":"v"}`, deleted: ""},
		{name: "blank", in: " \n", set: `{"k":"v"}`, deleted: " \n"},
		{name: "null", in: "null", set: `{"k":"v"}`, deleted: "null"},
		{name: "object", in: "{}", set: `{"k":"v"}`, deleted: "{}"},
		{name: "blank object", in: "{ \n }", set: "{\"k\":\"v\" \n }", deleted: "{ \n }"},
		{name: "after others", in: `{"a": 1.50, "b": {"k": "inner"} }`, set: `{"a": 1.50, "b": {"k": "inner"},"k":"v" }`, deleted: `{"a": 1.50, "b": {"k": "inner"} }`},
		{name: "in its place", in: `{"a":1, "k" : "old" ,"b":2}`, set: `{"a":1, "k":"v" ,"b":2}`, deleted: `{"a":1 ,"b":2}`},
		{name: "first", in: `{ "k":"old", "b":2}`, set: `{ "k":"v", "b":2}`, deleted: `{ "b":2}`},
		{name: "last", in: `{"a":1, "k":"old"}`, set: `{"a":1, "k":"v"}`, deleted: `{"a":1}`},
		{name: "only", in: `{"k":"old"}`, set: `{"k":"v"}`, deleted: `{}`},
		{name: "repeated", in: `{"k":"1","a":1,"k":"2","k":3}`, set: `{"k":"v","a":1}`, deleted: `{"a":1}`},
		{name: "of another type", in: `{"k":{"x":[1]},"a":1}`, set: `{"k":"v","a":1}`, deleted: `{"a":1}`},
		{name: "escaped key", in: `{"\u006b":"old"}`, set: `{"k":"v"}`, deleted: `{}`},
		{name: "large number", in: `{"n":12345678901234567890.0e+9}`, set: `{"n":12345678901234567890.0e+9,"k":"v"}`, deleted: `{"n":12345678901234567890.0e+9}`},
		{name: "invalid", in: `{"a":1,}`, set: `{"a":1,}`, deleted: `{"a":1,}`},
		{name: "list", in: `["k"]`, set: `["k"]`, deleted: `["k"]`},
		{name: "text", in: `"k"`, set: `"k"`, deleted: `"k"`},
		{name: "two objects", in: `{} {}`, set: `{} {}`, deleted: `{} {}`},
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

func TestJSON_Reads(t *testing.T) {
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

// The texts are what java.util.Properties reads and writes.
func TestProperties_Reads(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		want     map[string]string
	}{
		{name: "empty", in: "", want: map[string]string{}},
		{
			name: "stored by Java", in: "#Mon Sep 29 10:15:00 UTC 2025\ntraceparent=00-0af7-01\ntracestate=vendor\\=1\n",
			want: map[string]string{"traceparent": "00-0af7-01", "tracestate": "vendor=1"},
		},
		{name: "separators", in: "a=1\nb:2\nc 3\nd\t=\t4\ne  5 6 \n", want: map[string]string{"a": "1", "b": "2", "c": "3", "d": "4", "e": "5 6 "}},
		{name: "one separator only", in: "a==1\nb = = 2\nc :: 3\n", want: map[string]string{"a": "=1", "b": "= 2", "c": ": 3"}},
		{name: "line ends", in: "a=1\rb=2\r\nc=3\n\n\r\nd=4", want: map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}},
		{name: "comments", in: "#a=1\n  !b=2\nc=3#not\n # d=4 \\\ne=5", want: map[string]string{"c": "3#not", "e": "5"}},
		{name: "no value", in: "a\nb=\nc:", want: map[string]string{"a": "", "b": "", "c": ""}},
		{name: "indent", in: "  a=1\n\t\fb=2", want: map[string]string{"a": "1", "b": "2"}},
		{name: "continued", in: "a=1,\\\n   2,\\\r\n\t3\nb=4", want: map[string]string{"a": "1,2,3", "b": "4"}},
		{name: "continued by nothing", in: "a=1\\\n\nb=2", want: map[string]string{"a": "1", "b": "2"}},
		{name: "continued by a sign", in: "a=1\\\n#2", want: map[string]string{"a": "1#2"}},
		{name: "continued key", in: "tra\\\n ceparent=1", want: map[string]string{"traceparent": "1"}},
		{name: "not continued", in: "a=1\\\\\nb=2", want: map[string]string{"a": "1\\", "b": "2"}},
		{name: "open end", in: "a=1\\", want: map[string]string{"a": "1"}},
		{name: "escapes", in: "a\\ b\\=c\\:=\\t\\n\\r\\f\\\\\\q\\ ", want: map[string]string{"a b=c:": "\t\n\r\f\\q "}},
		{name: "unicode", in: "k=gr\\u00FC\\u00dfe \\ud83e\\uddfe ü", want: map[string]string{"k": "grüße 🧾 ü"}},
		{name: "half a pair", in: "k=\\ud83e", want: map[string]string{"k": "\uFFFD"}},
		{name: "malformed unicode", in: "a=\\u12\nb=\\u00zz\n\\u1=c\nd=1", want: map[string]string{"a": "", "b": "", "d": "1"}},
		{name: "the last counts", in: "a=1\na=2", want: map[string]string{"a": "2"}},
		{name: "no name", in: "=1\n:2", want: map[string]string{"": "2"}},
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

func TestProperties_KeepsTheBytesOfOthers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, set, deleted string }{
		{name: "empty", in: "", set: "k=v\n", deleted: ""},
		{name: "after others", in: "a = 1\n", set: "a = 1\nk=v\n", deleted: "a = 1\n"},
		{name: "after no line end", in: "a = 1", set: "a = 1\nk=v\n", deleted: "a = 1"},
		{name: "after a comment", in: "#note \\", set: "#note \\\nk=v\n", deleted: "#note \\"},
		{name: "in its place", in: "#note\n  k : old\nb=2\n", set: "#note\n  k=v\nb=2\n", deleted: "#note\n  b=2\n"},
		{name: "continued", in: "k=\\\n  old\nb=2\n", set: "k=v\nb=2\n", deleted: "b=2\n"},
		{name: "repeated", in: "k=1\na=1\nk=2\nk", set: "k=v\na=1\n", deleted: "a=1\n"},
		{name: "after an open end", in: "a=1\\", set: "a=1\\\n\nk=v\n", deleted: "a=1\\"},
		{name: "after a continued end", in: "a=1\\\n", set: "a=1\\\n\n\nk=v\n", deleted: "a=1\\\n"},
		{name: "malformed others", in: "a=\\u1\n", set: "a=\\u1\nk=v\n", deleted: "a=\\u1\n"},
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

func TestProperties_Writes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ key, value, want string }{
		{key: "tracestate", value: "vendor=1,other=#2:3!", want: "tracestate=vendor=1,other=#2:3!\n"},
		{key: "k", value: "  two spaces ", want: "k=\\  two spaces \n"},
		{key: "#a !b=c:d", value: "", want: "\\#a\\ \\!b\\=c\\:d=\n"},
		{key: "k", value: "a\\b\tc\nd\re\ff", want: "k=a\\\\b\\tc\\nd\\re\\ff\n"},
		{key: "k", value: "ü🧾\x00\x7f", want: "k=\\u00fc\\ud83e\\uddfe\\u0000\\u007f\n"},
	} {
		var text string
		carriers.Properties(&text).Set(tt.key, tt.value)
		if text != tt.want {
			t.Errorf("Set(%q, %q) writes %q, want %q", tt.key, tt.value, text, tt.want)
		}
	}
}

// A value of other bytes is refused, not changed.
func TestText_RefusesInvalidUTF8(t *testing.T) {
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
