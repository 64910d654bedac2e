// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/carriers"
)

// Header types of others, as their libraries declare them.
type (
	natsHeader     map[string][]string
	amqpTable      map[string]any
	userProperty   struct{ Key, Value string }
	userProperties []userProperty
	publish        struct{ User userProperties }
)

// TestMap_NamedTypesConvert is about types more than about values.
func TestMap_NamedTypesConvert(t *testing.T) {
	t.Parallel()
	header := natsHeader{}
	carriers.MultiMap(header).Set("k", "v")
	table := amqpTable{}
	carriers.AnyMap(table).Set("k", "v")
	message := publish{}
	(*carriers.Pairs[userProperty])(&message.User).Set("k", "v")

	if diff := cmp.Diff(natsHeader{"k": {"v"}}, header); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(amqpTable{"k": "v"}, table); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(userProperties{{"k", "v"}}, message.User); diff != "" {
		t.Error(diff)
	}
}

func TestAnyMap_ReadsTextAndWritesStrings(t *testing.T) {
	t.Parallel()
	m := carriers.AnyMap{
		"string": "a", "bytes": []byte("b"), "empty": "",
		"int": 7, "nil": nil, "list": []string{"c"}, "stringer": http.MethodGet + "", "error": http.ErrAbortHandler,
	}
	for key, want := range map[string]string{
		"string": "a", "bytes": "b", "empty": "", "int": "", "nil": "", "list": "", "error": "", "absent": "",
	} {
		if got := m.Get(key); got != want {
			t.Errorf("Get(%q) is %q, want %q", key, got, want)
		}
	}
	if diff := cmp.Diff([]string{"bytes", "empty", "string", "stringer"}, slices.Sorted(slices.Values(m.Keys()))); diff != "" {
		t.Errorf("Keys (-want +got):\n%s", diff)
	}
	for _, key := range []string{"string", "bytes", "int", "nil", "list"} {
		m.Set(key, "new")
		if got, ok := m[key].(string); !ok || got != "new" {
			t.Errorf("Set(%q) wrote %#v", key, m[key])
		}
	}
}

func TestMultiMap_FirstOfSeveralValues(t *testing.T) {
	t.Parallel()
	values := []string{"", "1", "", "2"}
	pairs := carriers.Pairs[carriers.Pair]{}
	for _, value := range values {
		pairs = append(pairs, carriers.Pair{Key: "k", Value: value})
	}
	for name, c := range map[string]interface {
		Get(key string) string
		Values(key string) []string
	}{
		"MultiMap":       carriers.MultiMap{"k": values},
		"FoldedMultiMap": carriers.FoldedMultiMap{"K": values},
		"Pairs":          &pairs,
	} {
		if got := c.Get("k"); got != "" {
			t.Errorf("%s: Get is %q, want the first value, which is empty", name, got)
		}
		if diff := cmp.Diff([]string{"1", "2"}, c.Values("k")); diff != "" {
			t.Errorf("%s: Values, those that are not empty (-want +got):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff([]string{"", "1", "", "2"}, values); diff != "" {
		t.Errorf("Values changed the list it read (-want +got):\n%s", diff)
	}
}

func TestMultiMap_SetReplacesTheValues(t *testing.T) {
	t.Parallel()
	multi := carriers.MultiMap{"k": {"old"}}
	others := maps.Clone(multi)
	multi.Set("k", "new")
	if got := others.Get("k"); got != "old" {
		t.Errorf("a clone of the MultiMap holds %q", got)
	}
	bytes := carriers.BytesMap{"k": []byte("old")}
	clone := maps.Clone(bytes)
	bytes.Set("k", "new")
	bytes.Set("k", "newer")
	if got := clone.Get("k"); got != "old" {
		t.Errorf("a clone of the BytesMap holds %q", got)
	}
}

func TestFoldedMap_Spellings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		in   map[string]string
		want string
	}{
		{name: "exact first", in: map[string]string{"TraceParent": "b", "traceparent": "a", "TRACEPARENT": "c"}, want: "a"},
		{name: "other spelling", in: map[string]string{"Traceparent": "a"}, want: "a"},
		{name: "first of other spellings", in: map[string]string{"Traceparent": "b", "TRACEPARENT": "a", "traceParent": "c"}, want: "a"},
		{name: "absent", in: map[string]string{"tracestate": "a"}, want: ""},
		{name: "nil", in: nil, want: ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			one, many := carriers.FoldedMap(tt.in), carriers.FoldedMultiMap{}
			for key, value := range tt.in {
				many[key] = []string{value}
			}
			if got := one.Get("traceparent"); got != tt.want {
				t.Errorf("FoldedMap has %q, want %q", got, tt.want)
			}
			if got := many.Get("traceparent"); got != tt.want {
				t.Errorf("FoldedMultiMap has %q, want %q", got, tt.want)
			}
			if tt.in == nil {
				return
			}
			one.Set("TraceParent", "new")
			many.Set("TraceParent", "new")
			delete(one, "tracestate")
			delete(many, "tracestate")
			if diff := cmp.Diff(carriers.FoldedMap{"traceparent": "new"}, one); diff != "" {
				t.Errorf("one lower-case key is written (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(carriers.FoldedMultiMap{"traceparent": {"new"}}, many); diff != "" {
				t.Errorf("one lower-case key is written (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPairs_KeepTheOrderOfOthers(t *testing.T) {
	t.Parallel()
	p := carriers.Pairs[userProperty]{{"a", "1"}, {"k", "2"}, {"a", "3"}, {"k", "4"}, {"b", "5"}}
	p.Set("k", "new")
	if diff := cmp.Diff(carriers.Pairs[userProperty]{{"a", "1"}, {"a", "3"}, {"b", "5"}, {"k", "new"}}, p); diff != "" {
		t.Errorf("after Set (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b", "k"}, p.Keys()); diff != "" {
		t.Errorf("Keys (-want +got):\n%s", diff)
	}
	p.Delete("a")
	if diff := cmp.Diff(carriers.Pairs[userProperty]{{"b", "5"}, {"k", "new"}}, p); diff != "" {
		t.Errorf("after Delete (-want +got):\n%s", diff)
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	inject := func(m map[string]int) {
		m["traceparent"], m["waybill"] = 1, 1
	}
	for _, tt := range []struct {
		name    string
		in      map[string]int
		maxKeys int
		want    map[string]int
		fits    bool
	}{
		{name: "exactly fits", in: map[string]int{"a": 0}, maxKeys: 3, want: map[string]int{"a": 0, "traceparent": 1, "waybill": 1}, fits: true},
		{name: "one too many", in: map[string]int{"a": 0, "b": 0}, maxKeys: 3, want: map[string]int{"a": 0, "b": 0}, fits: false},
		{name: "existing keys count once", in: map[string]int{"a": 0, "traceparent": 0}, maxKeys: 3, want: map[string]int{"a": 0, "traceparent": 1, "waybill": 1}, fits: true},
		{name: "no half", in: map[string]int{"a": 0, "b": 0, "traceparent": 0}, maxKeys: 3, want: map[string]int{"a": 0, "b": 0, "traceparent": 0}, fits: false},
		{name: "full of others", in: map[string]int{"a": 0, "b": 0, "c": 0, "d": 0}, maxKeys: 3, want: map[string]int{"a": 0, "b": 0, "c": 0, "d": 0}, fits: false},
		{name: "no room", in: map[string]int{}, maxKeys: 0, want: map[string]int{}, fits: false},
		{name: "nil", in: nil, maxKeys: 3, want: nil, fits: false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if fits := carriers.Within(tt.in, tt.maxKeys, inject); fits != tt.fits {
				t.Errorf("Within reports %t, want %t", fits, tt.fits)
			}
			if diff := cmp.Diff(tt.want, tt.in); diff != "" {
				t.Errorf("the map (-want +got):\n%s", diff)
			}
		})
	}
	if carriers.Within(map[string]int{}, 1, nil) {
		t.Error("Within reports that a nil function put something in")
	}
}

func TestWithin_KeepsRemovals(t *testing.T) {
	t.Parallel()
	m := map[string]string{"tracestate": "old", "a": "1"}
	if !carriers.Within(m, 2, func(m map[string]string) { delete(m, "tracestate"); m["traceparent"] = "new" }) {
		t.Fatal("it does not fit")
	}
	if diff := cmp.Diff(map[string]string{"a": "1", "traceparent": "new"}, m); diff != "" {
		t.Error(diff)
	}
}
