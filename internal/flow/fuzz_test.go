// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flow"
)

// FuzzGraph builds flows of any shape, with parents and links to anything, and
// compares what the graph says with what a naive walk over the references says.
func FuzzGraph(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 2, 1, 0, 3, 2, 1})
	f.Add([]byte{1, 1, 0, 2, 3, 0, 3, 2, 0x11})
	f.Add([]byte{1, 9, 0x80, 1, 0, 0, 2, 9, 0x88})
	f.Fuzz(func(t *testing.T, data []byte) {
		spans := decode(data[:min(len(data), 3*60)])
		g := flow.New(slices.Clone(spans))
		d := g.Diagnose(flow.Expectation{OneFlow: true})
		tree, text := d.Tree(g, 0), g.Text(func(string) bool { return true })

		if want := pieces(g.Spans()); g.Pieces() != want {
			t.Errorf("%d pieces, want %d:\n%s", g.Pieces(), want, tree)
		}
		violation := slices.ContainsFunc(d.Findings, func(f flow.Finding) bool { return f.Level == flow.Violation })
		if whole := g.Pieces() == 1 && !violation; len(spans) > 0 && whole != (d.Verdict() != flow.Broken) {
			t.Errorf("verdict %s of %d pieces, violations %t:\n%s", d.Verdict(), g.Pieces(), violation, tree)
		}
		if g.Pieces() > 1 && !violation && !strings.Contains(tree, "✗") {
			t.Errorf("a broken flow is not explained:\n%s", tree)
		}
		if got := drawn(tree); got != len(g.Spans()) {
			t.Errorf("%d of %d spans are drawn:\n%s", got, len(g.Spans()), tree)
		}
		if strings.Count(tree, "\n") > len(g.Spans()) || strings.Count(text, "\n") > 4*len(g.Spans()) {
			t.Errorf("more lines than spans:\n%s\n%s", tree, text)
		}
		for i := range g.Spans() {
			checkDownstream(t, g, i)
		}
	})
}

// decode reads a span from each three bytes: id, parent, and both kind and link.
func decode(data []byte) []flow.Span {
	var spans []flow.Span
	for n := 0; n+2 < len(data); n += 3 {
		s := flow.Span{
			ID: id(1+int(data[n]>>6), int(data[n]&31)), Parent: id(1+int(data[n+1]>>6), int(data[n+1]&31)),
			Remote:  data[n+1]&32 != 0,
			Service: string(rune('a' + data[n+2]>>6)), Name: "n" + strconv.Itoa(int(data[n]&7)),
			Kind:  trace.SpanKind(data[n+2] % 6),
			Start: time.Unix(int64(n), 0), End: time.Unix(int64(n)+1, 0),
		}
		for l := range data[n+2] >> 3 & 3 {
			s.Links = append(s.Links, id(1+int(l), int(data[n+2]&31)))
		}
		spans = append(spans, s)
	}
	return spans
}

// pieces counts the components that references make, by coloring until
// nothing changes.
func pieces(spans []flow.Span) int {
	colour := make([]int, len(spans))
	first := make(map[flow.ID]int)
	for i, s := range spans {
		colour[i] = i
		if _, ok := first[s.ID]; !ok && s.ID != (flow.ID{}) {
			first[s.ID] = i
		}
	}
	outside := make(map[flow.ID]int)
	for changed := true; changed; {
		changed = false
		meet := func(a, b *int) {
			if *a != *b {
				*a, *b, changed = min(*a, *b), min(*a, *b), true
			}
		}
		refer := func(i int, to flow.ID, boundary bool) {
			at, ok := first[to]
			switch {
			case to == flow.ID{}:
			case ok:
				meet(&colour[i], &colour[at])
			case boundary:
				c, ok := outside[to]
				if !ok {
					c = colour[i]
				}
				meet(&colour[i], &c)
				outside[to] = c
			}
		}
		for i, s := range spans {
			if s.Parent != s.ID {
				refer(i, s.Parent, s.Remote)
			}
			for _, to := range s.Links {
				refer(i, to, true)
			}
		}
	}
	slices.Sort(colour)
	return len(slices.Compact(colour))
}

var folded = regexp.MustCompile(`(?m)^.*? n\d(?: ×([\d,]+))?  `)

// drawn counts the spans that the lines of a tree stand for.
func drawn(tree string) int {
	total := 0
	for _, match := range folded.FindAllStringSubmatch(tree, -1) {
		n := 1
		if match[1] != "" {
			n, _ = strconv.Atoi(strings.ReplaceAll(match[1], ",", ""))
		}
		total += n
	}
	return total
}

// checkDownstream checks that a span and what is downstream of it are closed
// under children and links.
func checkDownstream(t *testing.T, g *flow.Graph, from int) {
	t.Helper()
	reached := g.Downstream([]int{from})
	in := func(i int) bool { return i == from || slices.Contains(reached, i) }
	for i := range g.Spans() {
		up := in(g.Parent(i)) || slices.ContainsFunc(g.Links(i), in)
		if up != slices.Contains(reached, i) {
			t.Errorf("downstream of %d: span %d is reached: %v", from, i, !up)
		}
	}
}

// large are flows of n spans, in the shapes that are hard on one step or other.
func large(n int) map[string][]flow.Span {
	shapes := map[string][]flow.Span{}
	for i := range n {
		at := i + 1
		add := func(shape string, s flow.Span) { shapes[shape] = append(shapes[shape], s) }
		add("chain", span(1, at, i, "a INTERNAL step"))
		add("star", span(1, at, min(i, 1), "a INTERNAL step"))
		add("apart", span(at, at, 0, "a CONSUMER process"))
		add("names", span(1, at, min(i, 1), fmt.Sprintf("a INTERNAL step %d", i)))
		add("names apart", span(at, at, 0, fmt.Sprintf("a CONSUMER process %d", i)))
		add("linked to one", span(at, at, 0, "a CONSUMER process", link(1, 1)))
		add("chain of links", span(at, at, 0, "a CONSUMER process", link(i, i)))
		add("lost parents", span(1, at, n+at, "a INTERNAL step"))
	}
	shapes["one sender"] = oneSender(n)
	shapes["batch"] = batch(n / 2)
	shapes["fan-out"] = fanOut(n / 3)
	return shapes
}

// oneSender is a sending span with many children in its process, and as many receivers
// that do not continue it.
func oneSender(n int) []flow.Span {
	spans := []flow.Span{span(1, 1, 0, "a PRODUCER send orders", kafka("orders"))}
	for i := 2; i < n; i += 2 {
		spans = append(spans, span(1, i, 1, "a INTERNAL step"), span(i, i+1, 0, "b CONSUMER process orders", kafka("orders")))
	}
	return spans
}

func TestLargeFlows(t *testing.T) {
	t.Parallel()
	for name, spans := range large(2_000) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := flow.New(spans)
			d := g.Diagnose(flow.Expectation{OneFlow: true})
			tree := d.Tree(g, 200)
			if lines := strings.Count(tree, "\n"); lines > 201 {
				t.Errorf("%d lines", lines)
			}
			if g.Text(keepFew) == "" || d.Verdict() == flow.Broken && len(d.Findings) == 0 {
				t.Errorf("verdict %s, findings:\n%s", d.Verdict(), described(d))
			}
		})
	}
}

// The time is linear in the number of spans.
func BenchmarkLargeFlows(b *testing.B) {
	for name, spans := range large(100_000) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				g := flow.New(spans)
				g.Diagnose(flow.Expectation{OneFlow: true}).Tree(g, 200)
				g.Text(keepFew)
			}
		})
	}
}

// FuzzDiagnose looks for findings in flows of any shape.
func FuzzDiagnose(f *testing.F) {
	f.Add([]byte{1, 0, 4, 2, 0, 5, 3, 2, 1})
	f.Add([]byte{1, 1, 0, 2, 3, 0, 3, 2, 0x11})
	f.Fuzz(func(t *testing.T, data []byte) {
		spans := decode(data[:min(len(data), 3*60)])
		for i := range spans {
			kafka("orders")(&spans[i])
			at("0", strconv.Itoa(i%5))(&spans[i])
		}
		g := flow.New(spans)
		d := g.Diagnose(flow.Expectation{})
		for _, f := range d.Findings {
			if f.What == "" || f.Why == "" || f.Fix == "" || flow.Title(f.ID) == "" || f.Count < len(f.Spans) || len(f.Spans) == 0 {
				t.Errorf("finding %+v", f)
			}
		}
		var all []int
		for _, f := range d.Flows {
			all = append(all, f.Spans...)
		}
		slices.Sort(all)
		if len(slices.Compact(all)) != len(g.Spans()) {
			t.Errorf("the flows have %d different spans, want %d", len(all), len(g.Spans()))
		}
		violation := slices.ContainsFunc(d.Findings, func(f flow.Finding) bool { return f.Level == flow.Violation })
		if (d.Verdict() == flow.Broken) != violation {
			t.Errorf("verdict %s, violations %t", d.Verdict(), violation)
		}
		if d.Summary(g) == "" {
			t.Error("no summary")
		}
	})
}
