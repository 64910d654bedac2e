// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/cmd/waybill/internal/catalog"
	"github.com/waybill-go/waybill/internal/flow"
)

// hop returns the spans of one message from a service to another, which takes a time.
func hop(n byte, from, over, to string, took time.Duration) []flow.Span {
	start := time.Date(2025, 1, 1, 0, 0, int(n), 0, time.UTC)
	attributes := []attribute.KeyValue{attribute.String("messaging.system", "kafka"), attribute.String("messaging.destination.name", over)}
	sent := flow.Span{
		ID: flow.ID{Trace: trace.TraceID{15: n}, Span: trace.SpanID{6: n, 7: 1}}, Service: from, Name: "send " + over, Kind: trace.SpanKindProducer,
		Start: start, End: start.Add(time.Millisecond), Attributes: attributes,
	}
	received := flow.Span{
		ID: flow.ID{Trace: trace.TraceID{15: n}, Span: trace.SpanID{6: n, 7: 2}}, Parent: sent.ID, Remote: true, Service: to, Name: "process " + over,
		Kind: trace.SpanKindConsumer, Start: start.Add(took), End: start.Add(took + time.Millisecond), Attributes: attributes,
	}
	return []flow.Span{sent, received}
}

func catalogOf(spans ...flow.Span) *catalog.Catalog {
	g := flow.New(spans)
	return catalog.New(g, g.Diagnose(flow.Expectation{}))
}

func TestNew(t *testing.T) {
	t.Parallel()
	spans := append(hop(1, "shop", "orders", "billing", 5*time.Millisecond), hop(2, "shop", "orders", "billing", 3*time.Millisecond)...)
	spans[3].Status = codes.Error
	want := &catalog.Catalog{
		Version: 1, Spans: 4, Flows: 2,
		Services:     []catalog.Service{{Name: "billing", Spans: 2, Failed: 1}, {Name: "shop", Spans: 2}},
		Carriers:     []catalog.Carrier{{Name: "kafka", Hops: 2}},
		Destinations: []catalog.Destination{{Carrier: "kafka", Name: "orders", Sent: 2, Received: 2, Failed: 1}},
		Edges: []catalog.Edge{{
			From: "shop", Carrier: "kafka", Destination: "orders", To: "billing", Hops: 2, Failed: 1, ErrorShare: 0.5,
			Hop: &catalog.Times{Count: 2, P50: 0.005, P95: 0.005}, Queue: &catalog.Times{Count: 2, P50: 0.004, P95: 0.004},
		}},
	}
	if diff := cmp.Diff(want, catalogOf(spans...)); diff != "" {
		t.Errorf("catalog (-want +got)\n%s", diff)
	}
}

// hostile are names that mean something in one of the formats.
var hostile = []string{
	"", " ", "|", `\|`, "a|b\n|c|", "`x`", "*x*", "[x](javascript:alert(1))", "<img src=x onerror=alert(1)>", "&lt;", `"]; click n0 "javascript:x"`,
	`" end`, `\" -> evil [label="`, "%% x", "#quot;", "#35;", "end", "\x1b[31mred\x07", "\u202egnp", "a\r\nb", strings.Repeat("long ", 200_000), "\xff\xfe", "日本語",
}

func TestCatalog_HostileNames(t *testing.T) {
	t.Parallel()
	var spans []flow.Span
	for n, name := range hostile {
		spans = append(spans, hop(byte(n+1), name, name, name+"2", time.Millisecond)...)
	}
	c := catalogOf(spans...)
	outputs := map[string]func(*bytes.Buffer) error{
		"markdown": func(b *bytes.Buffer) error { return c.WriteMarkdown(b, 0) },
		"narrow":   func(b *bytes.Buffer) error { return c.WriteMarkdown(b, 80) },
		"mermaid":  func(b *bytes.Buffer) error { return c.WriteMermaid(b) },
		"dot":      func(b *bytes.Buffer) error { return c.WriteDOT(b) },
		"diff":     func(b *bytes.Buffer) error { return c.Compare(catalogOf(), catalog.Limits{}).WriteMarkdown(b, 0) },
	}
	for name, write := range outputs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			for _, r := range b.String() {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Fatalf("the output has the character %U", r)
				}
			}
			checkLines(t, name, b.String())
		})
	}
}

// The lines of which the formats consist. A name that broke out of its place makes
// others.
var (
	markdownLine = regexp.MustCompile(`^(\| ([^|<>\\` + "`" + `*\[\]&~]|\\.)* )+\|$|^## \w+$|^[\d,]+ (spans?|changes?)[^|]*\.$|^$`)
	mermaidLine  = regexp.MustCompile("^flowchart LR$|^  n\\d+\\[\\(?\"([^\"#&<>`]|#\\d+;)*\"\\)?\\]$|^  n\\d+ (-->|-\\.->|--x)\\|\"([^\"#&<>`]|#\\d+;)*\"\\| n\\d+$")
	dotLine      = regexp.MustCompile(`^digraph waybill \{$|^  rankdir=LR;$|^  node \[shape=box\];$|^\}$|^  n\d+( -> n\d+)? \[label="([^"\\]|\\["\\])*"(, \w+=\w+)?\];$`)
)

func checkLines(t *testing.T, name, text string) {
	t.Helper()
	lines := map[string]*regexp.Regexp{"markdown": markdownLine, "narrow": markdownLine, "diff": markdownLine, "mermaid": mermaidLine, "dot": dotLine}[name]
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if !lines.MatchString(line) {
			t.Errorf("a line is not as the format has it: %q", line)
		}
		if len(line) > 2000 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

func TestCatalog_WriteMarkdown_Width(t *testing.T) {
	t.Parallel()
	c := catalogOf(hop(1, strings.Repeat("shop", 20), strings.Repeat("orders", 20), strings.Repeat("billing", 20), time.Millisecond)...)
	for _, width := range []int{0, 120, 160} {
		var b bytes.Buffer
		if err := c.WriteMarkdown(&b, width); err != nil {
			t.Fatal(err)
		}
		longest := 0
		for line := range strings.Lines(b.String()) {
			longest = max(longest, len([]rune(strings.TrimSuffix(line, "\n"))))
		}
		if width > 0 && longest != width || width == 0 && longest < 300 {
			t.Errorf("width %d: the longest line has %d characters", width, longest)
		}
	}
}

// A diagram of thousands of edges has those with the most hops, and says how many are
// left out.
func TestCatalog_Diagrams_ManyEdges(t *testing.T) {
	t.Parallel()
	c := &catalog.Catalog{}
	for n := range 10_000 {
		c.Edges = append(c.Edges, catalog.Edge{From: "api", To: fmt.Sprintf("job%d", n), Carrier: "kafka", Destination: "orders", Hops: n})
	}
	var mermaid, dot bytes.Buffer
	if err := c.WriteMermaid(&mermaid); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteDOT(&dot); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"mermaid": mermaid.String(), "dot": dot.String()} {
		if !strings.Contains(text, "9,750 edges with fewer hops are left out.") || !strings.Contains(text, "job9999") {
			t.Errorf("%s: the end is %q", name, text[max(0, len(text)-100):])
		}
		if n := strings.Count(text, "\n"); n > 1000 {
			t.Errorf("%s: %d lines", name, n)
		}
	}
}
