// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriertest_test

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/carriers/carriertest"
	"github.com/waybill-go/waybill/propagation"
)

// brokenCarriers each break one rule, in a way that was seen in real carriers.
var brokenCarriers = []struct {
	rule, name, says string
	carrier          func() propagation.TextMapCarrier
	options          []carriertest.Option
}{
	{
		rule: "round_trip", name: "loses the tracestate", says: "tracestate",
		carrier: brokenMap(func(m *patched) {
			m.set = func(key, value string) {
				if key != "tracestate" {
					m.inner.Set(key, value)
				}
			}
		}),
	},
	{
		rule: "replaces", name: "adds, and reads the last", says: "entries",
		carrier: func() propagation.TextMapCarrier { return &appending{} },
		options: []carriertest.Option{
			carriertest.WithEntries(func(c propagation.TextMapCarrier) int { return len(c.(*appending).pairs) }),
			carriertest.WithFork[propagation.TextMapCarrier](nil), // It shares memory too.
		},
	},
	{
		rule: "clears", name: "clears nothing when there is nothing to set", says: "traceparent",
		carrier: func() propagation.TextMapCarrier { return clearsLate{otelpropagation.MapCarrier{}} },
	},
	{
		rule: "clears", name: "ignores an empty value", says: "tracestate",
		carrier: func() propagation.TextMapCarrier { return ignoresEmpty{otelpropagation.MapCarrier{}} },
	},
	{
		rule: "keeps_other_keys", name: "starts anew at a traceparent", says: "x-tenant",
		carrier: brokenMap(func(m *patched) {
			m.set = func(key, value string) {
				if key == "traceparent" {
					clear(m.inner)
				}
				m.inner.Set(key, value)
			}
		}),
	},
	{
		rule: "deletes", name: "deletes what it knows", says: "x-two",
		carrier: brokenMap(func(m *patched) {
			m.delete = func(key string) {
				if !strings.HasPrefix(key, "x-") {
					m.inner.Delete(key)
				}
			}
		}),
	},
	{
		rule: "case", name: "folds what its medium tells apart", says: "X-Case",
		carrier: brokenMap(func(m *patched) {
			m.get = func(key string) string { return m.inner.Get(strings.ToLower(key)) }
			m.set = func(key, value string) { m.inner.Set(strings.ToLower(key), value) }
		}),
	},
	{
		rule: "case", name: "tells apart what its medium folds", says: "X-Case",
		carrier: func() propagation.TextMapCarrier { return byteMap{} },
		options: []carriertest.Option{carriertest.WithFoldedKeys()},
	},
	{
		rule: "nil_and_zero", name: "writes to a nil map", says: "panicked",
		carrier: func() propagation.TextMapCarrier { return otelpropagation.MapCarrier{} },
		options: []carriertest.Option{
			carriertest.WithNil(func() propagation.TextMapCarrier { return otelpropagation.MapCarrier(nil) }),
		},
	},
	{
		rule: "empty_values", name: "writes null", says: "null",
		carrier: brokenMap(func(m *patched) {
			m.set = func(key, value string) {
				if value == "" {
					value = "null"
				}
				m.inner.Set(key, value)
			}
		}),
	},
	{
		rule: "keys", name: "lists names that Get does not know", says: "googclient_",
		carrier: brokenMap(func(m *patched) {
			m.keys = func() []string {
				var keys []string
				for _, key := range m.inner.Keys() {
					keys = append(keys, "googclient_"+key)
				}
				return keys
			}
		}),
	},
	{
		rule: "keys", name: "lists other names than were set", says: "as they were set",
		carrier: brokenMap(func(m *patched) {
			m.get = func(key string) string { return m.inner.Get("trace-" + strings.TrimPrefix(key, "trace-")) }
			m.set = func(key, value string) { m.inner.Set("trace-"+key, value) }
			m.delete = func(key string) { m.inner.Delete("trace-" + key) }
		}),
	},
	{
		rule: "repeated_values", name: "takes the last", says: "want \"1\"",
		carrier: func() propagation.TextMapCarrier { return &list{last: true} },
		options: listOptions(list{last: true}),
	},
	{
		rule: "repeated_values", name: "takes the first where readers take the last", says: "want \"3\"",
		carrier: func() propagation.TextMapCarrier { return &list{} },
		options: append(listOptions(list{}), carriertest.WithLastValue()),
	},
	{
		rule: "large_values", name: "cuts at 4096 bytes", says: "member",
		carrier: func() propagation.TextMapCarrier { return limited{byteMap{}, 4096} },
	},
	{
		rule: "punctuation", name: "cuts at a comment", says: "#",
		carrier: brokenMap(func(m *patched) {
			m.set = func(key, value string) {
				value, _, _ = strings.Cut(value, "#")
				m.inner.Set(key, value)
			}
		}),
	},
	{
		rule: "non_ascii", name: "replaces bytes that are not UTF-8", says: "became",
		carrier: brokenMap(func(m *patched) {
			m.set = func(key, value string) { m.inner.Set(key, strings.ToValidUTF8(value, "\uFFFD")) }
		}),
	},
	{
		rule: "non_ascii", name: "writes question marks", says: "gr??e",
		carrier: brokenMap(func(m *patched) {
			m.set = func(key, value string) {
				m.inner.Set(key, strings.Map(func(r rune) rune {
					if r > 0x7e {
						return '?'
					}
					return r
				}, value))
			}
		}),
	},
	{
		rule: "bytes", name: "returns bytes where there are none", says: "want nil",
		carrier: func() propagation.TextMapCarrier { return emptyBytes{byteMap{}} },
	},
	{
		rule: "aliasing", name: "edits in place", says: "the copy changed the original",
		carrier: func() propagation.TextMapCarrier { return &list{inPlace: true} },
		options: listOptions(list{}),
	},
	{
		rule: "aliasing", name: "edits in place, without options", says: "the copy changed the original",
		carrier: func() propagation.TextMapCarrier { return &list{inPlace: true} },
	},
	{
		rule: "aliasing", name: "appends to a shared array, without options", says: "a copy changed another copy",
		carrier: func() propagation.TextMapCarrier { return &list{appends: true} },
	},
	{
		rule: "aliasing", name: "edits the values of a map that a clone shares", says: "the copy changed the original",
		carrier: func() propagation.TextMapCarrier { return editsValues{} },
	},
	{
		rule: "repeated_values", name: "takes the last, without options", says: "want \"1\"",
		carrier: func() propagation.TextMapCarrier { return lastOfMany{} },
	},
	{
		rule: "nil_and_zero", name: "is not empty by its type", says: "traceparent",
		carrier: func() propagation.TextMapCarrier { return &prefilled{written: true} },
	},
	{
		rule: "aliasing", name: "appends to a shared array", says: "x-left",
		carrier: func() propagation.TextMapCarrier { return &list{appends: true} },
		options: listOptions(list{}),
	},
	{
		rule: "concurrent_reads", name: "cannot be read twice at once", says: "x-key",
		carrier: func() propagation.TextMapCarrier {
			var readers atomic.Int32
			return brokenMap(func(m *patched) {
				m.get = func(key string) string {
					defer readers.Add(-1)
					if readers.Add(1) > 1 {
						return ""
					}
					time.Sleep(time.Microsecond) // So that reads overlap.
					return m.inner.Get(key)
				}
			})()
		},
	},
}

// byteMap is a carrier that keeps every rule.
type byteMap map[string][]byte

func (m byteMap) Get(key string) string      { return string(m[key]) }
func (m byteMap) Set(key, value string)      { m[key] = []byte(value) }
func (m byteMap) Keys() []string             { return slices.Collect(maps.Keys(m)) }
func (m byteMap) Delete(key string)          { delete(m, key) }
func (m byteMap) GetBytes(key string) []byte { return m[key] }

// patched is a carrier of text of which some methods are replaced.
type patched struct {
	inner byteMap

	get    func(key string) string
	set    func(key, value string)
	keys   func() []string
	delete func(key string)
}

// brokenMap returns a constructor of carriers that are broken by patch.
func brokenMap(patch func(*patched)) func() propagation.TextMapCarrier {
	return func() propagation.TextMapCarrier {
		inner := byteMap{}
		m := &patched{inner: inner, get: inner.Get, set: inner.Set, keys: inner.Keys, delete: inner.Delete}
		patch(m)
		return m
	}
}

func (m *patched) Get(key string) string { return m.get(key) }
func (m *patched) Set(key, value string) { m.set(key, value) }
func (m *patched) Keys() []string        { return m.keys() }
func (m *patched) Delete(key string)     { m.delete(key) }

// emptyBytes has bytes for every key.
type emptyBytes struct{ byteMap }

func (m emptyBytes) GetBytes(key string) []byte { return append([]byte{}, m.byteMap[key]...) }

// clearsLate clears only what it is about to set.
type clearsLate struct{ otelpropagation.MapCarrier }

func (m clearsLate) SetFields(fields propagation.Fields) {
	if fields.Len() > 0 {
		maps.DeleteFunc(m.MapCarrier, func(key, _ string) bool { return fields.Clears(key) })
	}
	maps.Insert(m.MapCarrier, fields.All())
}

// editsValues writes to the values that it holds.
type editsValues map[string][]string

func (m editsValues) Keys() []string             { return slices.Collect(maps.Keys(m)) }
func (m editsValues) Delete(key string)          { delete(m, key) }
func (m editsValues) Values(key string) []string { return m[key] }

func (m editsValues) Get(key string) string {
	if len(m[key]) == 0 {
		return ""
	}
	return m[key][0]
}

func (m editsValues) Set(key, value string) { m[key] = append(m[key][:0], value) }

// lastOfMany returns the last of several values.
type lastOfMany map[string][]string

func (m lastOfMany) Keys() []string        { return slices.Collect(maps.Keys(m)) }
func (m lastOfMany) Delete(key string)     { delete(m, key) }
func (m lastOfMany) Set(key, value string) { m[key] = []string{value} }

func (m lastOfMany) Get(key string) string {
	if n := len(m[key]); n > 0 {
		return m[key][n-1]
	}
	return ""
}

// prefilled holds something until it is written to.
type prefilled struct {
	list

	written bool
}

func (p *prefilled) Get(key string) string {
	if key == "traceparent" && !p.written {
		return "00-"
	}
	return p.list.Get(key)
}

// limited cuts values at a number of bytes.
type limited struct {
	byteMap

	limit int
}

func (m limited) Set(key, value string) { m.byteMap.Set(key, value[:min(len(value), m.limit)]) }

// ignoresEmpty has no Delete, and a Set that means well.
type ignoresEmpty struct{ propagation.TextMapCarrier }

func (m ignoresEmpty) Set(key, value string) {
	if value != "" || key == "x-key" {
		m.TextMapCarrier.Set(key, value)
	}
}

// appending only ever adds.
type appending struct{ pairs [][2]string }

func (a *appending) Set(key, value string) { a.pairs = append(a.pairs, [2]string{key, value}) }

func (a *appending) Get(key string) string {
	for _, pair := range slices.Backward(a.pairs) {
		if pair[0] == key {
			return pair[1]
		}
	}
	return ""
}

func (a *appending) Keys() []string {
	seen := map[string]bool{}
	for _, pair := range a.pairs {
		seen[pair[0]] = true
	}
	return slices.Collect(maps.Keys(seen))
}

// list is a carrier of pairs that keeps every rule, or not.
type list struct {
	pairs   [][2]string
	last    bool
	inPlace bool
	appends bool
}

func (l *list) Get(key string) string {
	values := l.Values(key)
	switch {
	case len(values) == 0:
		return ""
	case l.last:
		return values[len(values)-1]
	default:
		return values[0]
	}
}

func (l *list) Values(key string) []string {
	var values []string
	for _, pair := range l.pairs {
		if pair[0] == key {
			values = append(values, pair[1])
		}
	}
	return values
}

func (l *list) Keys() []string {
	var keys []string
	for _, pair := range l.pairs {
		if !slices.Contains(keys, pair[0]) {
			keys = append(keys, pair[0])
		}
	}
	return keys
}

func (l *list) Delete(key string) {
	is := func(pair [2]string) bool { return pair[0] == key }
	if l.inPlace {
		l.pairs = slices.DeleteFunc(l.pairs, is)
	} else if slices.ContainsFunc(l.pairs, is) {
		l.pairs = slices.DeleteFunc(slices.Clone(l.pairs), is)
	}
}

func (l *list) Set(key, value string) {
	l.Delete(key)
	if !l.inPlace && !l.appends {
		l.pairs = slices.Clip(l.pairs)
	}
	l.pairs = append(l.pairs, [2]string{key, value})
}

func forkList(c propagation.TextMapCarrier) propagation.TextMapCarrier {
	fork := *c.(*list)
	return &fork
}

// listOptions are those of a list like template.
func listOptions(template list) []carriertest.Option {
	return []carriertest.Option{
		carriertest.WithFork(forkList),
		carriertest.WithNil(func() propagation.TextMapCarrier { return &list{} }),
		carriertest.WithEntries(func(c propagation.TextMapCarrier) int { return len(c.(*list).pairs) }),
		carriertest.WithRepeats(func(key string, values ...string) propagation.TextMapCarrier {
			l := template
			for _, value := range values {
				l.pairs = append(l.pairs, [2]string{key, value})
			}
			return &l
		}),
	}
}
