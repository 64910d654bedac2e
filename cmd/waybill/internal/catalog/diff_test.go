// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/cmd/waybill/internal/catalog"
)

// edge returns a catalog with one edge of n hops.
func edge(n int, change func(e *catalog.Edge)) *catalog.Catalog {
	e := catalog.Edge{
		From: "api", Carrier: "kafka", Destination: "orders", To: "job", Hops: n,
		Hop: &catalog.Times{Count: n, P50: 0.010, P95: 0.020}, Queue: &catalog.Times{Count: n, P50: 0.008, P95: 0.018},
	}
	if change != nil {
		change(&e)
	}
	return &catalog.Catalog{Version: 1, Services: []catalog.Service{{Name: "api", Spans: n}, {Name: "job", Spans: n}}, Edges: []catalog.Edge{e}}
}

func TestCatalog_Compare(t *testing.T) {
	t.Parallel()
	limits := catalog.Limits{Slower: 0.5, Failing: 0.01, MinHops: 20}
	const name = "edge api → kafka orders → job"
	for _, tt := range []struct {
		name     string
		old, new *catalog.Catalog
		want     []string // Kind, subject, name and measure.
	}{
		{name: "the same", old: edge(100, nil), new: edge(100, nil)},
		{name: "an edge appeared", old: &catalog.Catalog{Services: edge(1, nil).Services}, new: edge(1, nil), want: []string{"appeared " + name}},
		{
			name: "everything vanished", old: edge(1, nil), new: &catalog.Catalog{},
			want: []string{"vanished service api", "vanished service job", "vanished " + name},
		},
		{
			name: "a destination of another carrier", old: &catalog.Catalog{Destinations: []catalog.Destination{{Carrier: "kafka", Name: "a"}}},
			new:  &catalog.Catalog{Destinations: []catalog.Destination{{Carrier: "nats", Name: "a"}}},
			want: []string{"appeared destination nats a", "vanished destination kafka a"},
		},
		{name: "slower", old: edge(100, nil), new: edge(100, func(e *catalog.Edge) { e.Hop.P50, e.Queue.P95 = 0.016, 0.030 }), want: []string{
			"slower " + name + " hop_seconds.p50", "slower " + name + " queue_seconds.p95",
		}},
		{name: "slower by less than the limit", old: edge(100, nil), new: edge(100, func(e *catalog.Edge) { e.Hop.P50 = 0.015 })},
		{name: "faster", old: edge(100, nil), new: edge(100, func(e *catalog.Edge) { e.Hop.P50 = 0.001 })},
		{name: "slower by less than a millisecond", old: edge(100, func(e *catalog.Edge) { e.Hop.P50 = 0.0001 }), new: edge(100, func(e *catalog.Edge) { e.Hop.P50 = 0.001 })},
		{name: "slower in a small sample", old: edge(100, nil), new: edge(19, func(e *catalog.Edge) { e.Hop.P50 = 1 })},
		{name: "a percentile of too few", old: edge(99, nil), new: edge(100, func(e *catalog.Edge) { e.Hop.P95 = 1 })},
		{name: "slower, and clocks differ", old: edge(100, nil), new: edge(100, func(e *catalog.Edge) { e.Hop.P50, e.Skewed = 1, 1 })},
		{name: "not measured", old: edge(100, nil), new: edge(100, func(e *catalog.Edge) { e.Hop, e.Queue = nil, nil })},
		{name: "failing", old: edge(100, nil), new: edge(100, func(e *catalog.Edge) { e.Failed = 5 }), want: []string{"failing " + name + " error_share"}},
		{name: "failing as chance explains", old: edge(100, func(e *catalog.Edge) { e.Failed = 10 }), new: edge(100, func(e *catalog.Edge) { e.Failed = 16 })},
		{name: "failing by less than the limit", old: edge(10_000, nil), new: edge(10_000, func(e *catalog.Edge) { e.Failed = 99 })},
		{name: "failing in a small sample", old: edge(19, nil), new: edge(100, func(e *catalog.Edge) { e.Failed = 100 })},
		{name: "broken", old: edge(100, nil), new: edge(90, func(e *catalog.Edge) { e.Broken = 10 }), want: []string{"broken " + name + " broken_share"}},
		{name: "broken altogether", old: edge(100, nil), new: edge(0, func(e *catalog.Edge) { e.Broken, e.Hop, e.Queue = 100, nil, nil }), want: []string{"broken " + name + " broken_share"}},
		{name: "a service fails", old: edge(100, nil), new: func() *catalog.Catalog {
			c := edge(100, nil)
			c.Services[0].Failed = 50
			return c
		}(), want: []string{"failing service api error_share"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			d := tt.new.Compare(tt.old, limits)
			for _, c := range d.Changes {
				got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", c.Kind, c.Subject, c.Name, c.Measure)))
				if !d.Has(c.Kind) {
					t.Errorf("Has(%q) = false", c.Kind)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("changes (-want +got)\n%s", diff)
			}
			if len(tt.want) == 0 && d.Has(catalog.Slower) {
				t.Error("Has(slower) = true")
			}
		})
	}
}

func TestDiff_WriteMarkdown(t *testing.T) {
	t.Parallel()
	old, now := edge(100, nil), edge(100, func(e *catalog.Edge) { e.Queue.P50, e.Failed = 0.5, 20 })
	for _, tt := range []struct {
		name string
		diff *catalog.Diff
		want string
	}{
		{name: "nothing", diff: now.Compare(now, catalog.Limits{}), want: "Nothing has changed.\n"},
		{name: "changes", diff: now.Compare(old, catalog.Limits{}), want: `2 changes.

| change  | of   | name                     | measure   |  was |    is |
| ------- | ---- | ------------------------ | --------- | ---: | ----: |
| slower  | edge | api → kafka orders → job | queue p50 |  8ms | 500ms |
| failing | edge | api → kafka orders → job | errors    | 0.0% | 20.0% |
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if err := tt.diff.WriteMarkdown(&b, 0); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, b.String()); diff != "" {
				t.Errorf("diff (-want +got)\n%s", diff)
			}
		})
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(edge(7, nil))
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalog.Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(edge(7, nil), c); diff != "" {
		t.Errorf("catalog (-written +read)\n%s", diff)
	}
}

func TestRead_Damaged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{name: "empty", want: "damaged catalog: unexpected end of JSON input"},
		{name: "cut off", text: `{"waybill_catalog":1,"edges":[`, want: "damaged catalog"},
		{name: "no version", text: `{"edges":[]}`, want: "it has no version"},
		{name: "a newer version", text: `{"waybill_catalog":2}`, want: "a newer waybill has written it"},
		{name: "a text for a number", text: `{"waybill_catalog":1,"spans":"many"}`, want: "damaged catalog"},
		{name: "an edge twice", text: `{"waybill_catalog":1,"edges":[{"from":"a","to":"b"},{"from":"a","to":"b"}]}`, want: `the edge "a → b" is listed twice`},
		{name: "a service twice", text: `{"waybill_catalog":1,"services":[{"name":"a"},{"name":"a"}]}`, want: `the service "a" is listed twice`},
		{name: "a destination twice", text: `{"waybill_catalog":1,"destinations":[{"name":"a"},{"name":"a"}]}`, want: `the destination "a" is listed twice`},
		{name: "a negative count", text: `{"waybill_catalog":1,"edges":[{"from":"a","to":"b","hops":-1}]}`, want: "impossible counts"},
		{name: "more failed than hops", text: `{"waybill_catalog":1,"edges":[{"from":"a","to":"b","hops":1,"failed":2}]}`, want: "impossible counts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := catalog.Read(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestIsJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, head string
		want       bool
	}{
		{name: "a catalog", head: "\n {\n \"waybill_catalog\": 1", want: true},
		{name: "a recording", head: `{"resourceSpans":[]}`},
		{name: "a catalog in Markdown", head: `| "waybill_catalog" |`},
		{name: "empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := catalog.IsJSON([]byte(tt.head)); got != tt.want {
				t.Errorf("IsJSON(%q) = %v, want %v", tt.head, got, tt.want)
			}
		})
	}
}

// What is read is compared and written without a panic, and compares equal to itself.
func FuzzRead(f *testing.F) {
	text, err := json.Marshal(edge(100, nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"waybill_catalog":1,"edges":[{"from":"a","carrier":"b c","to":"d"},{"from":"a","carrier":"b","destination":"c","to":"d"}]}`))
	f.Add([]byte(`{"waybill_catalog":1,"edges":[{"from":"|","to":"\"]","carrier":"\u001b[31m","hops":9223372036854775807,"broken":9223372036854775807,"hop_seconds":{"count":1e3,"p50":-1e300,"p95":1e300}}]}`))
	other := edge(1000, func(e *catalog.Edge) { e.Failed, e.Broken = 900, 900 })
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := catalog.Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		if d := c.Compare(c, catalog.Limits{}); len(d.Changes) > 0 {
			t.Errorf("differs from itself: %+v", d.Changes)
		}
		for _, d := range []*catalog.Diff{c.Compare(other, catalog.Limits{}), other.Compare(c, catalog.Limits{})} {
			var b bytes.Buffer
			if err := d.WriteMarkdown(&b, 80); err != nil {
				t.Fatal(err)
			}
		}
		var b bytes.Buffer
		for _, write := range []func() error{
			func() error { return c.WriteMarkdown(&b, 80) }, func() error { return c.WriteMermaid(&b) }, func() error { return c.WriteDOT(&b) },
		} {
			if err := write(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
