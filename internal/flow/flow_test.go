// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	"github.com/waybill-go/waybill/internal/flow"
	"github.com/waybill-go/waybill/internal/golden"
)

// orders is a whole flow of one trace.
func orders() []flow.Span {
	return []flow.Span{
		span(1, 1, 0, "api SERVER POST /orders", takes(12*time.Millisecond)),
		span(1, 2, 1, "api PRODUCER send orders", kafka("orders")),
		span(1, 3, 2, "etl-job CONSUMER process orders", remote, kafka("orders"), takes(40*time.Millisecond)),
		span(1, 4, 3, "etl-job INTERNAL extract"),
		span(1, 5, 3, "etl-job CLIENT load", failed("duplicate key"), attr("db.system.name", "mongodb", "db.collection.name", "orders")),
	}
}

// lost is the same flow, broken on its topic.
func lost() []flow.Span {
	spans := orders()
	spans[2] = span(2, 3, 0, "etl-job CONSUMER process orders", kafka("orders"), takes(40*time.Millisecond))
	spans[3].ID, spans[3].Parent = id(2, 4), id(2, 3)
	spans[4].ID, spans[4].Parent = id(2, 5), id(2, 3)
	return spans
}

// batch is n traces of a producer each, and one span that links to them all.
func batch(n int) []flow.Span {
	process := span(9000, 9000, 0, "etl-job CONSUMER process orders", kafka("orders"))
	var spans []flow.Span
	for i := 1; i <= n; i++ {
		spans = append(spans,
			span(i, 2*i-1, 0, "api SERVER POST /orders"),
			span(i, 2*i, 2*i-1, "api PRODUCER send orders", kafka("orders")))
		process.Links = append(process.Links, id(i, 2*i))
	}
	return append(spans, process, span(9000, 9001, 9000, "etl-job CLIENT load"))
}

// fanOut is one request that sends n messages, of which every tenth is
// rejected.
func fanOut(n int) []flow.Span {
	spans := []flow.Span{span(1, 1, 0, "ingest INTERNAL ingest run", takes(time.Minute))}
	for i := range n {
		at := 3*i + 2
		spans = append(spans,
			span(1, at, 1, "ingest PRODUCER send quakes.raw", kafka("quakes.raw")),
			span(1, at+1, at, "clean CONSUMER process quakes.raw", remote, kafka("quakes.raw"), takes(time.Duration(i)*time.Millisecond)))
		if i%10 == 0 {
			spans = append(spans, span(1, at+2, at+1, "clean PRODUCER send quakes.rejected", kafka("quakes.rejected")))
		} else {
			spans = append(spans, span(1, at+2, at+1, "clean INTERNAL load"))
		}
	}
	return spans
}

var scenarios = map[string][]flow.Span{
	"empty":     nil,
	"connected": orders(),
	"batch":     batch(3),
	"fan-out":   fanOut(1793),

	// A batch holds spans of two producers together, which a tree cannot draw as one.
	"fan-in": {
		span(1, 1, 0, "api PRODUCER send orders"),
		span(2, 2, 0, "web PRODUCER send orders"),
		span(3, 3, 0, "etl-job CONSUMER process orders", link(1, 1), link(2, 2)),
	},
	"fan-in-of-topics": {
		span(1, 1, 0, "api PRODUCER send orders", kafka("orders-of-a-region")),
		span(2, 2, 0, "web PRODUCER send orders"),
		span(3, 3, 0, "job CONSUMER process orders", kafka("orders-of-a-region"), link(1, 1), link(2, 2)),
	},
	// A poller's own span stays the parent, and what it polled is linked.
	"poller": {
		span(2, 1, 0, "job INTERNAL poll"),
		span(1, 2, 0, "api PRODUCER insert orders"),
		span(2, 3, 1, "job CONSUMER process orders", link(1, 2)),
		span(2, 4, 1, "job CONSUMER process orders", link(1, 2)),
	},
	// A span links, another has a child that does, and a third both.
	"links-of-children": {
		span(1, 1, 0, "api PRODUCER send orders"),
		span(2, 2, 0, "bill CONSUMER process orders", link(1, 1)),
		span(3, 3, 0, "ship INTERNAL run"),
		span(3, 4, 3, "ship INTERNAL fetch"),
		span(3, 5, 4, "ship CONSUMER process orders", link(1, 1)),
		span(4, 6, 0, "mail CONSUMER process orders", link(1, 1)),
		span(4, 7, 6, "mail INTERNAL render", link(1, 1)),
	},
	// The default for one remote: the parent, and linked too.
	"parent-and-link": {
		span(1, 1, 0, "api PRODUCER send orders"),
		span(1, 2, 1, "job CONSUMER process orders", remote, link(1, 1)),
	},
	"chain-of-links": {
		span(1, 1, 0, "a PRODUCER send"),
		span(2, 2, 0, "b CONSUMER process", link(1, 1)),
		span(2, 3, 2, "b PRODUCER send"),
		span(3, 4, 0, "c CONSUMER process", link(2, 3)),
	},
	"links-in-a-circle": {
		span(1, 1, 0, "a INTERNAL one", link(2, 2)),
		span(2, 2, 0, "b INTERNAL two", link(1, 1)),
	},
	"link-to-itself":  {span(1, 1, 0, "a INTERNAL one", link(1, 1))},
	"delivered-twice": append(orders(), orders()...),
	"caller-outside": {
		span(1, 1, 99, "api SERVER GET /a", remote),
		span(1, 2, 99, "api SERVER GET /b", remote),
	},
	"producer-outside": {
		span(1, 1, 0, "job CONSUMER process", link(7, 99)),
		span(2, 2, 0, "job CONSUMER process", link(7, 99)),
	},

	"broken-message": lost(),
	"broken-messages": func() []flow.Span {
		var spans []flow.Span
		for i := range 1613 {
			spans = append(spans,
				span(1, 10+2*i, 5, "api PRODUCER send orders", kafka("orders")),
				span(100+i, 11+2*i, 0, "etl-job CONSUMER process orders", kafka("orders")))
		}
		return append(spans, span(1, 5, 0, "api SERVER POST /orders", takes(time.Minute)))
	}(),
	"broken-poller": {
		span(2, 1, 0, "job INTERNAL poll"),
		span(1, 2, 0, "api SERVER POST /orders"),
		span(1, 3, 2, "api PRODUCER send orders", kafka("orders")),
		span(2, 4, 1, "job CONSUMER process orders", kafka("orders")),
	},
	"broken-in-process": {
		span(1, 1, 0, "api SERVER POST /orders", takes(time.Second)),
		span(1, 2, 1, "api INTERNAL validate", takes(time.Millisecond)),
		span(2, 5, 0, "api PRODUCER send orders", kafka("orders")),
		span(2, 6, 5, "job CONSUMER process orders", remote, kafka("orders")),
	},
	"broken-job": {
		span(1, 1, 0, "dispatch PRODUCER create job"),
		span(2, 10, 0, "assess INTERNAL assess"),
	},
	"broken-nowhere": {
		span(1, 1, 0, "a INTERNAL one"),
		span(2, 10, 0, "b INTERNAL two"),
	},
	"broken-one-of-many": {
		span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
		span(1, 2, 1, "job CONSUMER process orders", remote, kafka("orders")),
		span(2, 3, 0, "api PRODUCER send orders", kafka("orders")),
		span(3, 4, 0, "job CONSUMER process orders", kafka("orders")),
	},
	// The clock of the job is behind: its span starts before the message is sent.
	"broken-skewed": {
		span(2, 1, 0, "job CONSUMER process orders", kafka("orders")),
		span(1, 2, 0, "api PRODUCER send orders", kafka("orders")),
	},
	"broken-outside": {
		span(1, 1, 0, "api SERVER POST /orders"),
		span(1, 2, 98, "job CONSUMER process orders", remote),
		span(3, 3, 0, "job CONSUMER process returns", link(7, 99)),
	},
	"lost-parent": {
		span(1, 2, 1, "api INTERNAL validate"),
		span(1, 3, 1, "api PRODUCER send orders"),
	},
	"other-trace": {
		span(1, 1, 0, "api PRODUCER send orders"),
		span(2, 2, 1, "job CONSUMER process orders", remote),
		span(3, 3, 1, "job INTERNAL process orders"),
	},
	"own-parent": {span(1, 1, 1, "api INTERNAL one"), span(1, 2, 1, "api INTERNAL two")},
	"cycle": {
		span(1, 1, 3, "api INTERNAL one"),
		span(1, 2, 1, "api INTERNAL two"),
		span(1, 3, 2, "api INTERNAL three"),
		span(1, 4, 3, "api INTERNAL four"),
	},
	"shared-id": {
		span(1, 1, 0, "api INTERNAL one"),
		span(1, 2, 1, "api INTERNAL two"),
		span(1, 2, 1, "job INTERNAL three"),
		span(1, 3, 2, "job INTERNAL four"),
	},
	"no-ids": {span(0, 0, 0, "a INTERNAL one"), span(0, 0, 0, "a INTERNAL one")},
	"open":   {span(1, 1, 0, "api INTERNAL one", open), span(1, 2, 1, "api INTERNAL two")},
	"variants": func() []flow.Span {
		spans := []flow.Span{span(1, 1, 0, "job INTERNAL run", takes(time.Minute))}
		for i := range 6 {
			poll := 10 * (i + 1)
			spans = append(spans, span(1, poll, 1, "job CLIENT poll", takes(time.Second)))
			for n := range i {
				spans = append(spans, span(1, poll+n+1, poll, "job CONSUMER process"))
			}
		}
		return spans
	}(),
	"hostile-names": {
		span(1, 1, 0, "a INTERNAL \x1b[31mred\nnext line"),
		span(1, 2, 1, "a INTERNAL "+strings.Repeat("long ", 100), failed("\x1b]0;title\a\nmessage"), attr("etl.note", "two words\n", "etl.empty", "", "other", "left out")),
		span(1, 3, 1, "a INTERNAL \xff\xfe"),
	},
}

func TestFlowsAreDescribed(t *testing.T) {
	t.Parallel()
	for name, spans := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := flow.New(spans)
			d := g.Diagnose(flow.Expectation{OneFlow: true})
			golden.Compare(t, name+".txt", fmt.Sprintf("%s\n\n%s\n%s\n%s", d.Summary(g), d.Tree(g, 0), described(d), g.Text(keepFew)))
		})
	}
}

// described describes the findings of d.
func described(d *flow.Diagnosis) string {
	var b strings.Builder
	for i := range d.Findings {
		fmt.Fprintf(&b, "%s\n", &d.Findings[i])
	}
	return b.String()
}

func keepFew(key string) bool {
	return key == "messaging.destination.name" || strings.HasPrefix(key, "etl.")
}

// The spans of a test are expected to be one flow.
func TestDiagnose_OneFlow(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]flow.Verdict{
		"empty":             flow.Unknown,
		"connected":         flow.Connected,
		"delivered-twice":   flow.Connected,
		"caller-outside":    flow.Connected,
		"link-to-itself":    flow.Connected,
		"parent-and-link":   flow.Connected,
		"fan-out":           flow.Connected,
		"open":              flow.Broken,
		"batch":             flow.Linked,
		"fan-in":            flow.Linked,
		"poller":            flow.Linked,
		"chain-of-links":    flow.Linked,
		"links-in-a-circle": flow.Linked,
		"producer-outside":  flow.Linked,
		"broken-message":    flow.Broken,
		"broken-outside":    flow.Broken,
		"lost-parent":       flow.Broken,
		"other-trace":       flow.Broken,
		"own-parent":        flow.Broken,
		"cycle":             flow.Broken,
		"shared-id":         flow.Broken,
		"no-ids":            flow.Broken,
		"broken-in-process": flow.Broken,
		"broken-job":        flow.Broken,
		"broken-nowhere":    flow.Broken,
		"broken-skewed":     flow.Broken,
	} {
		d := flow.New(scenarios[name]).Diagnose(flow.Expectation{OneFlow: true})
		if got := d.Verdict(); got != want {
			t.Errorf("%s: verdict %s, want %s", name, got, want)
		}
		violation := slices.ContainsFunc(d.Findings, func(f flow.Finding) bool { return f.Level == flow.Violation })
		if violation != (want == flow.Broken) {
			t.Errorf("%s: verdict %s, findings:\n%s", name, want, described(d))
		}
	}
}

func TestTextDoesNotDependOnIDsTimesOrOrder(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"connected", "batch", "fan-in", "poller", "chain-of-links", "variants", "broken-messages", "lost-parent"} {
		spans := slices.Clone(scenarios[name])
		want := flow.New(spans).Text(keepFew)
		slices.Reverse(spans)
		for n := range spans {
			s := &spans[n]
			s.Start, s.End = s.End.Add(-time.Duration(n*n%17)*time.Hour), s.Start.Add(time.Duration(n)*time.Second)
			renumber(&s.ID)
			renumber(&s.Parent)
			s.Links = slices.Clone(s.Links)
			for l := range s.Links {
				renumber(&s.Links[l])
			}
			slices.Reverse(s.Links)
		}
		if d := cmp.Diff(want, flow.New(spans).Text(keepFew)); d != "" {
			t.Errorf("%s (-before +after):\n%s", name, d)
		}
	}
}

func renumber(id *flow.ID) {
	for n := range id.Span {
		if *id != (flow.ID{}) {
			id.Span[n] ^= 0x5a
			id.Trace[n] ^= 0xa5
		}
	}
}

func TestDownstreamFollowsParentsAndLinks(t *testing.T) {
	t.Parallel()
	g := flow.New(scenarios["chain-of-links"])
	if d := cmp.Diff([]int{1, 2, 3}, g.Downstream([]int{0})); d != "" {
		t.Error(d)
	}
	if got := g.Downstream([]int{3}); got != nil {
		t.Errorf("downstream of the last: %v", got)
	}
	g = flow.New(scenarios["links-in-a-circle"])
	if d := cmp.Diff([]int{1, 0}, g.Downstream([]int{0})); d != "" {
		t.Error(d)
	}
}

func TestDiagnosis_Tree_Cut(t *testing.T) {
	t.Parallel()
	got := tree(orders(), 2)
	if lines := strings.Split(got, "\n"); len(lines) != 4 || lines[2] != "… and 3 more lines" {
		t.Errorf("cut to 2 lines:\n%s", got)
	}
	if tree(orders(), 5) != tree(orders(), 0) {
		t.Error("a tree of 5 lines is cut to 5 lines")
	}
}

// A span that is named as its service has the name once, and both names find it.
func TestSpan_Label(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, service, span, want string }{
		{name: "both", service: "clean", span: "load", want: "clean load"},
		{name: "the same", service: "load", span: "load", want: "load"},
		{name: "no service", span: "load", want: "load"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := flow.Span{Service: tt.service, Name: tt.span}
			if got := s.Label(); got != tt.want {
				t.Errorf("Label() = %q, want %q", got, tt.want)
			}
			for _, name := range []string{tt.span, strings.TrimSpace(tt.service + " " + tt.span)} {
				if !s.Is(name) {
					t.Errorf("Is(%q) = false, want true", name)
				}
			}
		})
	}
}

func TestDiagnosis_TreeIn(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spans []flow.Span
		width int
		want  string
	}{
		"wide": {spans: orders(), width: 200, want: "" +
			"api      POST /orders          SERVER   12ms\n" +
			"api      └─ send orders        PRODUCER  2ms  kafka orders\n" +
			"etl-job     └─ process orders  CONSUMER 40ms  kafka orders\n" +
			"etl-job        ├─ extract      INTERNAL  2ms\n" +
			"etl-job        └─ load         CLIENT    2ms  mongodb orders  ERROR duplicate key\n"},
		"just wide enough": {spans: orders()[:3], width: 58, want: "" +
			"api      POST /orders          SERVER   12ms\n" +
			"api      └─ send orders        PRODUCER  2ms  kafka orders\n" +
			"etl-job     └─ process orders  CONSUMER 40ms  kafka orders\n"},
		"without kinds": {spans: orders()[:3], width: 57, want: "" +
			"api      POST /orders          12ms\n" +
			"api      └─ send orders         2ms  kafka orders\n" +
			"etl-job     └─ process orders  40ms  kafka orders\n"},
		"cut": {spans: orders(), width: 40, want: "" +
			"api      POST /orders          12ms\n" +
			"api      └─ send orders         2ms  ka…\n" +
			"etl-job     └─ process orders  40ms  ka…\n" +
			"etl-job        ├─ extract       2ms\n" +
			"etl-job        └─ load          2ms  ER…\n"},
		"longest duration": {spans: fanOut(5), width: 64, want: "" +
			"ingest  ingest run                     1m0s\n" +
			"ingest  └─ send quakes.raw ×5           2ms  kafka quakes.raw\n" +
			"clean      └─ process quakes.raw ×5     4ms  kafka quakes.raw\n" +
			"clean         ├─ send quakes.rejected   2ms  kafka quakes.rejec…\n" +
			"clean         └─ load ×4                2ms\n"},
		"link before channel": {spans: scenarios["fan-in-of-topics"], width: 64, want: "" +
			"api  send orders        2ms  kafka orders-of-a-region\n" +
			"job  └⇢ process orders  2ms  ⇢ api send orders, web send orders…\n" +
			"web  send orders        2ms\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := flow.New(tt.spans)
			if d := cmp.Diff(tt.want, g.Diagnose(flow.Expectation{}).TreeIn(g, tt.width)); d != "" {
				t.Errorf("the tree of width %d (-want +got):\n%s", tt.width, d)
			}
		})
	}
}

// A graph of some spans of another has all of them, in order, whatever was delivered twice.
func TestNew_DeliveredTwice(t *testing.T) {
	t.Parallel()
	span := func(name string) flow.Span { return span(1, 1, 0, "api SERVER "+name) } // All have one id.
	for name, tt := range map[string]struct {
		spans []flow.Span
		want  []string
	}{
		"one":                 {spans: []flow.Span{span("a"), span("a")}, want: []string{"a"}},
		"two":                 {spans: []flow.Span{span("a"), span("b")}, want: []string{"a", "b"}},
		"the second of two":   {spans: []flow.Span{span("a"), span("b"), span("b")}, want: []string{"a", "b"}},
		"both, and once more": {spans: []flow.Span{span("a"), span("b"), span("b"), span("a"), span("c"), span("b")}, want: []string{"a", "b", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := flow.New(tt.spans)
			var got []string
			for _, s := range g.Spans() {
				got = append(got, s.Name)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("spans (-want +got):\n%s", d)
			}
			for n := range g.Spans() {
				if rest := flow.New(g.Spans()[n:]); len(rest.Spans()) != len(got)-n {
					t.Errorf("from %d on there are %d spans, want %d", n, len(rest.Spans()), len(got)-n)
				}
			}
		})
	}
}

// Only the status says that a span has failed. Work that is canceled has an error.type.
func TestSpan_Failure(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status    codes.Code
		errorType string
		failure   string
		note      string // In the tree.
	}{
		"ends well":          {},
		"fails":              {status: codes.Error, failure: "ERROR", note: "  ERROR"},
		"fails with a type":  {status: codes.Error, errorType: "timeout", failure: "ERROR timeout", note: "  ERROR timeout"},
		"canceled":           {errorType: "canceled", note: "  canceled"},
		"canceled, and well": {status: codes.Ok, errorType: "canceled", note: "  canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spans := orders()[:1]
			spans[0].Status = tt.status
			if tt.errorType != "" {
				spans[0].Attributes = append(slices.Clip(spans[0].Attributes), attribute.String("error.type", tt.errorType))
			}
			if got := spans[0].Failure(); got != tt.failure {
				t.Errorf("Failure is %q, want %q", got, tt.failure)
			}
			g := flow.New(spans)
			got, want := g.Diagnose(flow.Expectation{}).TreeIn(g, 200), "api  POST /orders  SERVER 12ms"+tt.note+"\n"
			if got != want {
				t.Errorf("the tree is %q, want %q", got, want)
			}
		})
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	g := flow.New(orders())
	if got, want := g.Path(4), "api POST /orders › api send orders › etl-job process orders › etl-job load"; got != want {
		t.Errorf("path %q, want %q", got, want)
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -999: "-999", -1000: "-1,000"} {
		if got := flow.Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}
