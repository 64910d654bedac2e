// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// FuzzJSON compares with encoding/json, which decodes the whole text.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{"", "null", "{}", `{"a":1 , "k":"old","k":2}`, `{"k":{"k":"x"}}`, "[1]", `{"k":"\ud800"}`} {
		f.Add(seed, "k", "v")
	}
	f.Add("{\"\xff\":\"x\"}", "\uFFFD", "y")
	f.Add("\f", "k", "v")
	f.Add(`{"a":"<&>"}`, "\"", "\\\u2028\n")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		var before map[string]any
		if json.Unmarshal([]byte(text), &before) != nil && strings.TrimSpace(text) != "" {
			after := text
			carriers.JSON(&after).Set(key, value)
			if after != text || carriers.JSON(&text).Get(key) != "" {
				t.Errorf("a text that is no object, %q, became %q", text, after)
			}
			return
		}
		want, _ := before[key].(string)
		if got := carriers.JSON(&text).Get(key); got != want {
			t.Errorf("Get(%q) of %q is %q, want %q", key, text, got, want)
		}
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return
		}
		after := text
		carriers.JSON(&after).Set(key, value)
		requireJSON(t, text, after, before, key, value)
		carriers.JSON(&after).Delete(key)
		delete(before, key)
		requireMap(t, text, after, before)
	})
}

func requireJSON(t *testing.T, text, after string, before map[string]any, key, value string) {
	t.Helper()
	if before == nil {
		before = map[string]any{}
	}
	before[key] = value
	requireMap(t, text, after, before)
}

func requireMap(t *testing.T, text, after string, want map[string]any) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal([]byte(after), &got); err != nil && strings.TrimSpace(after) != "" {
		t.Errorf("%q became %q, which is not valid: %v", text, after, err)
	}
	if len(want) == 0 && len(got) == 0 {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q became %q (-want +got):\n%s", text, after, diff)
	}
}

// FuzzText_SetFields compares with Set and Delete, key by key.
func FuzzText_SetFields(f *testing.F) {
	for _, seed := range []string{"", "null", "{}", `{"a":1,"traceparent":"old","Baggage":"x","traceparent":7}`, `{"tracestate":"x"}`, "[1]", `{"a":"\ud800"}`} {
		f.Add(seed, "a=1", "user=alice")
	}
	for _, seed := range []string{"#c\na=1\n", "traceparent=1\nTRACESTATE:2\nbaggage", "a\\\n b", "k=\\", "=\n"} {
		f.Add(seed, "", "user=alice,tier=gold")
	}
	f.Fuzz(func(t *testing.T, text, tracestate, members string) {
		state, _ := trace.ParseTraceState(tracestate)
		b, _ := baggage.Parse(members)
		sc := trace.SpanContextFromContext(exampleContext()).WithTraceState(state)
		ctx := baggage.ContextWithBaggage(trace.ContextWithSpanContext(t.Context(), sc), b)
		fields := propagation.Encode(ctx, propagation.WithPropagator(propagation.Compose(propagation.TraceContext{}, propagation.Baggage{})))
		for name, bind := range map[string]func(*string) *carriers.Text[string]{"JSON": carriers.JSON[string], "Properties": carriers.Properties[string]} {
			whole, stepwise := text, text
			bind(&whole).SetFields(fields)
			for _, key := range bind(&stepwise).Keys() {
				if fields.Clears(key) && fields.Value(key) == "" || fields.Clears(key) && key != strings.ToLower(key) {
					bind(&stepwise).Delete(key)
				}
			}
			for key, value := range fields.All() {
				bind(&stepwise).Set(key, value)
			}
			got, want := maps.Collect(bind(&whole).All()), maps.Collect(bind(&stepwise).All())
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %q became %q and %q (-want +got):\n%s", name, text, stepwise, whole, diff)
			}
		}
	})
}

// FuzzProperties compares with an oracle made of regular expressions.
func FuzzProperties(f *testing.F) {
	for _, seed := range []string{
		"", "#c\na=1\n", "a\\\n b:\\u00fc\r\nk = x", "k=\\", "k\\\r", "\\\n\\\n#k", "k=1\nk=2\\\\", "=\n:\n \\ =\n", "k=\\u00g",
		"!\r\\ k\f=\\\n\n\n", "\\", "#\\", "  \\\n  ",
	} {
		f.Add(seed, "k", "v")
	}
	f.Add("", " #=:!\\", " \t\r\n\f\\ü🧾\x00")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		before, _ := oracleProperties(text)
		requireProperties(t, text, before)
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return
		}
		after := text
		carriers.Properties(&after).Set(key, value)
		before[key] = value
		requireProperties(t, after, before)
		if got, n := oracleProperties(after); n[key] != 1 || got[key] != value {
			t.Errorf("%q became %q with %d entries of %q, the last %q", text, after, n[key], key, got[key])
		}
		carriers.Properties(&after).Delete(key)
		delete(before, key)
		requireProperties(t, after, before)
	})
}

func requireProperties(t *testing.T, text string, want map[string]string) {
	t.Helper()
	got, _ := oracleProperties(text)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the oracle reads %q with a difference (-want +got):\n%s", text, diff)
	}
	for key, value := range want {
		if got := carriers.Properties(&text).Get(key); got != value {
			t.Errorf("Get(%q) of %q is %q, want %q", key, text, got, value)
		}
	}
	for _, key := range carriers.Properties(&text).Keys() {
		if want[key] == "" {
			t.Errorf("Keys of %q has %q", text, key)
		}
	}
}

var (
	comment     = regexp.MustCompile(`^[ \t\f]*[#!]`)
	naturalLine = regexp.MustCompile("\r\n|\r|\n")
	lineEnd     = regexp.MustCompile(`(\\*)$`)
	property    = regexp.MustCompile(`(?s)^((?:\\.|[^\\=: \t\f])*)(?:[ \t\f]*[=:]|[ \t\f]*)[ \t\f]*(.*)$`)
	unicodes    = regexp.MustCompile(`^(?:\\u[0-9a-fA-F]{4})+`)
)

// oracleProperties reads text the slow way: natural lines, then logical ones,
// then keys and values. It also counts the entries of each key.
func oracleProperties(text string) (values map[string]string, entries map[string]int) {
	values, entries = map[string]string{}, map[string]int{}
	logical := ""
	for _, line := range append(naturalLine.Split(text, -1), "") {
		if logical == "" && comment.MatchString(line) {
			continue
		}
		logical += strings.TrimLeft(line, " \t\f")
		if slashes := len(lineEnd.FindString(logical)); slashes%2 == 1 {
			logical = logical[:len(logical)-1]
			continue
		}
		if match := property.FindStringSubmatch(logical); logical != "" && match != nil {
			if key, ok := oracleUnescape(match[1]); ok {
				value, _ := oracleUnescape(match[2])
				values[key] = value
				entries[key]++
			}
		}
		logical = ""
	}
	return values, entries
}

func oracleUnescape(s string) (string, bool) {
	var b strings.Builder
	for s != "" {
		run := unicodes.FindString(s)
		switch {
		case run != "":
			var units []uint16
			for _, digits := range strings.Split(run, `\u`)[1:] {
				unit, _ := strconv.ParseUint(digits, 16, 16)
				units = append(units, uint16(unit))
			}
			b.WriteString(string(utf16.Decode(units)))
			s = s[len(run):]
		case strings.HasPrefix(s, `\u`):
			return "", false
		case s[0] == '\\' && len(s) > 1:
			b.WriteString(strings.NewReplacer("t", "\t", "n", "\n", "r", "\r", "f", "\f").Replace(s[1:2]))
			s = s[2:]
		default:
			b.WriteByte(s[0])
			s = s[1:]
		}
	}
	return b.String(), true
}
