// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flow"
)

// at gives a span the partition and the offset of its message.
func at(partition, offset string) change {
	return attr("messaging.destination.partition.id", partition, "messaging.kafka.offset", offset)
}

// later moves a span.
func later(d time.Duration) change {
	return func(s *flow.Span) { s.Start, s.End = s.Start.Add(d), s.End.Add(d) }
}

func scope(name string) change { return func(s *flow.Span) { s.Scope = name } }

// found describes findings as "P02 violation certain ×2: api send orders → job process orders".
func found(g *flow.Graph, findings []flow.Finding, least flow.Level) []string {
	var texts []string
	for _, f := range findings {
		if f.Level < least {
			continue
		}
		text := fmt.Sprintf("%s %s, %s", f.ID, f.Level, f.Sure)
		if f.Count > 1 {
			text += fmt.Sprintf(" ×%d", f.Count)
		}
		text += ": "
		if f.From >= 0 && f.From != f.Spans[0] {
			text += g.Spans()[f.From].Label() + " → "
		}
		texts = append(texts, text+g.Spans()[f.Spans[0]].Label())
	}
	return texts
}

// reusedID is messages with one id, of which the first are joined to their senders.
func reusedID(messages, joined int) []flow.Span {
	var spans []flow.Span
	for i := 1; i <= messages; i++ {
		parent, tr, options := i, i, []change{kafka("orders"), attr("messaging.message.id", "1")}
		if i > joined {
			parent, tr = 0, messages+i
		}
		spans = append(spans, span(i, i, 0, "api PRODUCER send orders", options...))
		if parent > 0 {
			options = append(options, remote)
		}
		spans = append(spans, span(tr, messages+i, parent, "job CONSUMER process orders", options...))
	}
	return spans
}

// requests is n requests, of which each lasts longer than the time between two, as their
// process and another one that it sends messages to record them.
func requests(n int) []flow.Span {
	var spans []flow.Span
	for i := range n {
		tr, id, at := i+1, 10*i, later(time.Duration(i)*time.Second)
		spans = append(spans,
			span(tr, id+1, 0, "api SERVER POST /orders", at, takes(5*time.Second)),
			span(tr, id+2, id+1, "api INTERNAL validate", at),
			span(tr, id+3, id+1, "api PRODUCER send orders", kafka("orders"), at),
			span(tr, id+4, id+3, "job CONSUMER process orders", kafka("orders"), remote, later(time.Duration(i+3)*time.Second)))
	}
	return spans
}

// TestDiagnose_Borders finds nothing above info in a part of a recording in which nothing
// is wrong, and what is lost in its middle.
func TestDiagnose_Borders(t *testing.T) {
	t.Parallel()
	whole := requests(60)
	begin, end := whole[0].Start.Add(20*time.Second), whole[0].Start.Add(40*time.Second)
	part := slices.Clone(whole)
	part = slices.DeleteFunc(part, func(s flow.Span) bool { return s.End.Before(begin) || s.End.After(end) })
	d := flow.New(slices.Clone(part)).Diagnose(flow.Expectation{})
	for _, f := range d.Findings {
		if f.Level > flow.Info {
			t.Errorf("%s %s: %s", f.ID, f.Level, f.What)
		}
	}
	if verdict := d.Verdict(); verdict != flow.Unknown {
		t.Errorf("verdict %s, want %s", verdict, flow.Unknown)
	}
	middle := whole[4*25].ID
	lost := slices.DeleteFunc(part, func(s flow.Span) bool { return s.ID == middle })
	findings := flow.New(lost).Diagnose(flow.Expectation{}).Findings
	if len(findings) == 0 || findings[0].ID != "P03" || findings[0].Level != flow.Violation {
		t.Errorf("a parent that is missing in the middle: %+v, want a violation P03", findings)
	}
}

// Each finding is found where it is planted, and not where it is not.
func TestDiagnose(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spans []flow.Span
		least flow.Level
		want  []string
	}{
		{
			name:  "P01: the context was not extracted",
			spans: lost(), least: flow.Warning,
			want: []string{"P01 violation, likely: api send orders → etl-job process orders"},
		},
		{
			name:  "P01: nobody is seen to send",
			spans: []flow.Span{span(1, 1, 0, "job CONSUMER process orders", kafka("orders"))},
			want:  []string{"P01 warning, likely: job process orders"},
		},
		{
			name: "P01: the start of a flow is marked",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
				span(2, 2, 0, "job CONSUMER process orders", kafka("orders"), attr("flow.start", "true")),
			},
			least: flow.Warning,
		},
		{
			name: "P01: a poll that brought nothing",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
				span(2, 2, 0, "job CONSUMER receive orders", kafka("orders"), attr("messaging.batch.message_count", "0")),
			},
			least: flow.Warning,
		},
		{
			name: "P01: a poll that brought nothing, and says nothing",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
				span(2, 2, 0, "job CONSUMER recv"),
			},
			least: flow.Warning,
		},
		{
			name: "P01: what a poll brought is linked by those who handle it",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
				span(2, 2, 0, "job CONSUMER receive orders", kafka("orders"), attr("messaging.operation.type", "receive", "messaging.batch.message_count", "1")),
				span(2, 3, 2, "job CONSUMER process orders", kafka("orders"), link(1, 1)),
			},
		},
		{
			name: "P02: one message in two traces",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders"), at("2", "815")),
				span(2, 2, 0, "job INTERNAL poll"),
				span(2, 3, 2, "job CONSUMER process orders", kafka("orders"), at("2", "815")),
			},
			want: []string{"P02 violation, certain: api send orders → job process orders"},
		},
		{
			name: "P02: by the id of the message",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders"), attr("messaging.message.id", "a")),
				span(2, 3, 0, "job CONSUMER process orders", kafka("orders"), at("2", "815"), attr("messaging.message.id", "a")),
			},
			want: []string{"P02 violation, certain: api send orders → job process orders"},
		},
		{
			name: "P02: a receiver that names its source as earlier conventions did",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER orders publish", kafka("orders"), attr("messaging.kafka.destination.partition", "2", "messaging.kafka.message.offset", "815")),
				span(2, 3, 0, "job CONSUMER orders process",
					attr("messaging.system", "kafka", "messaging.source.name", "orders", "messaging.kafka.source.partition", "2", "messaging.kafka.message.offset", "815")),
			},
			want: []string{"P02 violation, certain: api orders publish → job orders process"},
		},
		{
			name: "P02: the receiver links a poll that was not sampled",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders"), at("2", "815")),
				span(2, 3, 0, "job CONSUMER process orders", kafka("orders"), at("2", "815"), link(7, 7)),
			},
			want: []string{"P21 info, a guess: api send orders", "P02 info, a guess: api send orders → job process orders"},
		},
		{
			name: "P02: by the offset, in the words of earlier conventions",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER orders publish", kafka("orders"), attr("messaging.kafka.destination.partition", "2", "messaging.kafka.message.offset", "815")),
				span(2, 2, 0, "job INTERNAL poll"),
				span(2, 3, 2, "job CONSUMER orders process", attr("messaging.system", "kafka", "messaging.source.name", "orders",
					"messaging.kafka.source.partition", "2", "messaging.kafka.message.offset", "815")),
			},
			want: []string{"P02 violation, certain: api orders publish → job orders process"},
		},
		{
			name:  "P02: an id that many messages have",
			spans: reusedID(100, 100), least: flow.Warning,
		},
		{
			name:  "P02: an id that was used twice",
			spans: reusedID(2, 1), least: flow.Warning,
			want: []string{"P02 violation, likely: api send orders → job process orders"},
		},
		{
			name: "P02: the receiver continues a sender that was not recorded",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders"), at("2", "815")),
				span(2, 3, 9, "job CONSUMER process orders", kafka("orders"), at("2", "815"), remote),
			},
			want: []string{"P02 violation, likely: api send orders → job process orders"},
		},
		{
			name: "P02: the receiver links",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders"), at("2", "815")),
				span(2, 3, 0, "job CONSUMER process orders", kafka("orders"), at("2", "815"), link(1, 1)),
			},
		},
		{
			name: "P02: the same offset of another topic",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders"), at("2", "815")),
				span(1, 2, 1, "job CONSUMER process orders", kafka("orders"), at("2", "815"), remote),
				span(2, 3, 0, "job CONSUMER process returns", kafka("returns"), at("2", "815"), link(7, 7)),
			},
			least: flow.Warning,
		},
		{
			name:  "P03: a local parent is missing",
			spans: scenarios["lost-parent"], least: flow.Warning,
			want: []string{"P03 violation, likely: api validate"},
		},
		{
			name:  "P04: a remote parent is missing",
			spans: []flow.Span{span(1, 1, 0, "api SERVER POST /orders"), span(1, 2, 98, "job CONSUMER process orders", remote)},
			want:  []string{"P04 warning, likely: job process orders"},
		},
		{
			name:  "P04: a job whose start is recorded elsewhere",
			spans: []flow.Span{span(1, 2, 98, "job INTERNAL assess", remote), span(1, 3, 2, "job INTERNAL load")},
			want:  []string{"P04 info, likely: job assess"},
		},
		{
			name: "P04: a sender that lost one span",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
				span(1, 2, 1, "job CONSUMER process orders", kafka("orders"), remote),
				span(1, 3, 98, "job CONSUMER process orders", kafka("orders"), remote),
			},
			want: []string{"P04 warning, likely: job process orders"},
		},
		{
			name:  "P04: a topic whose senders are recorded elsewhere",
			spans: []flow.Span{span(1, 2, 98, "job CONSUMER process orders", kafka("orders"), remote)},
			want:  []string{"P04 info, likely: job process orders"},
		},
		{
			name: "P04: a topic from which a service only receives",
			spans: []flow.Span{
				span(1, 2, 98, "job CONSUMER process orders", kafka("orders"), remote),
				span(1, 3, 2, "job CLIENT commit orders", kafka("orders"), attr("messaging.operation.type", "settle")),
				span(2, 4, 0, "job CLIENT poll orders", kafka("orders"), attr("messaging.operation.type", "receive")),
			},
			want: []string{"P04 info, likely: job process orders"},
		},
		{
			name:  "P04: a caller that is recorded elsewhere",
			spans: scenarios["caller-outside"], least: flow.Warning,
		},
		{
			name:  "P05: another trace id",
			spans: scenarios["other-trace"], least: flow.Warning,
			want: []string{"P05 violation, certain ×2: api send orders → job process orders"},
		},
		{
			name: "P08: a malformed context",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
				span(2, 2, 0, "job CONSUMER process orders", kafka("orders"), attr("waybill.extract", "malformed traceparent")),
			},
			want: []string{"P08 violation, certain: api send orders → job process orders"}, least: flow.Warning,
		},
		{
			name: "P09: a context in another format",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
				span(2, 2, 0, "job CONSUMER process orders", kafka("orders"), attr("waybill.extract", "foreign b3")),
			},
			want: []string{"P09 violation, certain: api send orders → job process orders"}, least: flow.Warning,
		},
		{
			name: "P10: extracted and not used",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
				span(2, 2, 0, "job CONSUMER process orders", kafka("orders"), attr("waybill.extract", "unused")),
			},
			want: []string{"P10 violation, certain: api send orders → job process orders"}, least: flow.Warning,
		},
		{
			name: "P11: a retry with the headers of the first hop",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
				span(1, 2, 1, "job CONSUMER process orders", kafka("orders"), remote),
				span(1, 3, 2, "job PRODUCER send orders.retry", kafka("orders.retry")),
				span(1, 4, 1, "job CONSUMER process orders.retry", kafka("orders.retry"), remote),
			},
			want: []string{"P11 violation, likely: job send orders.retry → job process orders.retry"}, least: flow.Warning,
		},
		{
			name: "P12: a batch that shows one message",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
				span(2, 2, 0, "job CONSUMER process orders", kafka("orders"), attr("messaging.batch.message_count", "20"), link(1, 1)),
			},
			want: []string{"P12 warning, likely: job process orders"},
		},
		{
			name: "P12: messages without a context",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
				span(2, 2, 0, "job CONSUMER process orders", kafka("orders"), attr("messaging.batch.message_count", "20", "waybill.link_count", "1"), link(1, 1)),
			},
		},
		{
			name: "P13: one context for all messages",
			spans: func() []flow.Span {
				spans := []flow.Span{span(1, 1, 0, "api PRODUCER send orders", kafka("orders"))}
				for n := range 60 {
					spans = append(spans, span(1, 2+n, 1, "job CONSUMER process orders", kafka("orders"), at("0", strconv.Itoa(n)), remote))
				}
				return spans
			}(),
			want: []string{"P13 warning, certain: api send orders"},
		},
		{
			name: "P14: the context of another message",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders"), at("0", "1")),
				span(1, 2, 1, "job CONSUMER process orders", kafka("orders"), at("0", "1"), remote),
				span(1, 3, 1, "job CONSUMER process orders", kafka("orders"), at("0", "2"), remote),
			},
			want: []string{"P14 violation, certain: api send orders → job process orders"},
		},
		{
			name: "P14: the context of another message, and the right one is known",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders"), at("0", "1")),
				span(1, 2, 1, "job CONSUMER process orders", kafka("orders"), at("0", "1"), remote),
				span(2, 3, 0, "api PRODUCER send orders", kafka("orders"), at("0", "2")),
				span(1, 4, 1, "job CONSUMER process orders", kafka("orders"), at("0", "2"), remote),
			},
			want: []string{"P14 violation, certain: api send orders → job process orders"},
		},
		{
			name: "P12: the other messages of the batch are not missed",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
				span(2, 2, 0, "api PRODUCER send orders", kafka("orders")),
				span(1, 3, 1, "job CONSUMER process orders", kafka("orders"), attr("messaging.batch.message_count", "2"), remote),
			},
			want: []string{"P12 warning, likely: job process orders"},
		},
		{
			name: "P16: the baggage is gone",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders"), attr("baggage.tenant", "a")),
				span(1, 2, 1, "job CONSUMER process orders", kafka("orders"), remote),
			},
			want: []string{"P16 info, a guess: api send orders → job process orders"},
		},
		{
			name: "P16: the baggage of one message is gone",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders"), attr("baggage.tenant", "a")),
				span(1, 2, 1, "job CONSUMER process orders", kafka("orders"), remote, attr("baggage.tenant", "a")),
				span(1, 3, 1, "job CONSUMER process orders", kafka("orders"), remote),
			},
			want: []string{"P16 warning, likely: api send orders → job process orders"},
		},
		{
			name: "P17: the parent had ended",
			spans: []flow.Span{
				span(1, 1, 0, "api INTERNAL run"),
				span(1, 90, 1, "api INTERNAL load"),
			},
			want: []string{"P17 warning, likely: api run → api load"},
		},
		{
			name: "P17: a queue in the process",
			spans: []flow.Span{
				span(1, 1, 0, "api INTERNAL run"),
				span(1, 90, 1, "api INTERNAL load", link(1, 1)),
			},
		},
		{
			name: "P17: a message is committed after it was handled",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
				span(1, 2, 1, "job CONSUMER process orders", kafka("orders"), remote),
				span(1, 90, 2, "job CLIENT commit orders", kafka("orders"), attr("messaging.operation.type", "settle")),
			},
		},
		{
			name: "P17: a clock of whole milliseconds, and a pause",
			spans: []flow.Span{
				span(1, 1, 0, "api INTERNAL handle"),
				span(1, 10, 1, "api INTERNAL load"),
			},
		},
		{
			name: "P17: a clock of nanoseconds",
			spans: []flow.Span{
				span(1, 1, 0, "api INTERNAL handle", later(time.Nanosecond)),
				span(1, 10, 1, "api INTERNAL load", later(time.Nanosecond)),
			},
			want: []string{"P17 warning, likely: api handle → api load"},
		},
		{
			name: "P17: a message is handled after it was received",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
				span(2, 2, 0, "job CONSUMER receive orders", kafka("orders"), attr("messaging.operation.type", "receive")),
				span(2, 90, 2, "job CONSUMER process orders", kafka("orders"), link(1, 1)),
			},
		},
		{
			name: "P18: clocks that differ",
			spans: []flow.Span{
				span(1, 50, 0, "api PRODUCER send orders", kafka("orders")),
				span(1, 2, 50, "job CONSUMER process orders", kafka("orders"), remote, link(1, 50)),
			},
			want: []string{"P18 info, likely: api send orders → job process orders"},
		},
		{
			name:  "P19: a message without the context of its request",
			spans: scenarios["broken-in-process"],
			want:  []string{"P19 warning, likely: api POST /orders → api send orders"},
		},
		{
			name: "P19: the ping of a pool",
			spans: []flow.Span{
				span(1, 1, 0, "api SERVER POST /orders", takes(time.Second)),
				span(2, 5, 0, "api CLIENT ping"),
			},
			want: []string{"P19 info, a guess: api POST /orders → api ping"},
		},
		{
			name: "P19: two requests at that time",
			spans: []flow.Span{
				span(1, 1, 0, "api SERVER POST /orders", takes(time.Second)),
				span(3, 2, 0, "api SERVER POST /orders", takes(time.Second)),
				span(2, 5, 0, "api PRODUCER send orders", kafka("orders")),
				span(2, 6, 5, "job CONSUMER process orders", remote, kafka("orders")),
			},
			want: []string{"P19 info, a guess: api POST /orders → api send orders"},
		},
		{
			name: "P19: a timer that meets a request by chance",
			spans: []flow.Span{
				span(1, 1, 0, "api SERVER POST /orders", takes(time.Second)),
				span(2, 5, 0, "api PRODUCER send orders", kafka("orders")),
				span(3, 6, 0, "api PRODUCER send orders", kafka("orders"), later(time.Minute)), span(3, 7, 6, "job CONSUMER process orders", kafka("orders"), remote, later(time.Minute)), span(2, 8, 5, "job CONSUMER process orders", kafka("orders"), remote),
			},
			want: []string{"P19 info, a guess: api POST /orders → api send orders"},
		},
		{
			name:  "P20: a span that never ended",
			spans: scenarios["open"], least: flow.Warning,
			want: []string{"P20 violation, certain: api one"},
		},
		{
			name:  "P21: nobody received it",
			spans: []flow.Span{span(1, 1, 0, "api PRODUCER send orders", kafka("orders"))},
			want:  []string{"P21 info, a guess: api send orders"},
		},
		{
			name:  "P22: an id twice",
			spans: scenarios["shared-id"], least: flow.Violation,
			want: []string{"P22 violation, certain: job three"},
		},
		{
			name: "P22: two processes with the same ids",
			spans: []flow.Span{
				span(1, 1, 0, "api SERVER POST /orders"), span(1, 2, 1, "api PRODUCER send orders", kafka("orders")),
				span(1, 1, 0, "api SERVER POST /orders", later(time.Minute)), span(1, 2, 1, "api PRODUCER send orders", kafka("orders"), later(time.Minute)),
			},
			least: flow.Warning,
			want:  []string{"P22 violation, certain ×2: api POST /orders"},
		},
		{
			name:  "P22: a service without a name",
			spans: []flow.Span{span(1, 1, 0, "unknown_service:java INTERNAL one")},
			want:  []string{"P22 warning, certain: unknown_service:java one"},
		},
		{
			name: "P23: instrumented twice",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER orders publish", kafka("orders"), scope("io.opentelemetry.kafka")),
				span(1, 2, 1, "api PRODUCER send orders", kafka("orders"), scope("waybill")),
				span(1, 3, 2, "job CONSUMER process orders", kafka("orders"), remote),
			},
			want: []string{"P23 warning, likely: api orders publish → api send orders"},
		},
		{
			name: "P23: both continue the message",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders"), at("0", "1")),
				span(1, 2, 1, "job CONSUMER orders process", kafka("orders"), at("0", "1"), remote, scope("io.opentelemetry.kafka"), takes(time.Second)),
				span(1, 3, 1, "job CONSUMER process orders", kafka("orders"), at("0", "1"), remote, scope("waybill")),
			},
			want: []string{"P23 warning, likely: job orders process → job process orders"},
		},
		{
			name: "P23: two services receive one message",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders"), at("0", "1")),
				span(1, 2, 1, "job CONSUMER process orders", kafka("orders"), at("0", "1"), remote, scope("a"), takes(time.Second)),
				span(1, 3, 1, "mail CONSUMER process orders", kafka("orders"), at("0", "1"), remote, scope("b")),
			},
		},
		{
			name: "P23: a message is delivered again",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders"), at("0", "1")),
				span(1, 2, 1, "job CONSUMER process orders", kafka("orders"), at("0", "1"), remote, scope("a")),
				span(1, 3, 1, "job CONSUMER process orders", kafka("orders"), at("0", "1"), remote, scope("b"), later(time.Minute)),
			},
		},
		{
			name: "P24: the parent handles another message",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders"), at("0", "1")),
				span(1, 2, 1, "job CONSUMER process orders", kafka("orders"), at("0", "1"), remote, takes(time.Second)),
				span(1, 3, 2, "job CONSUMER process orders", kafka("orders"), at("0", "2")),
			},
			want: []string{"P24 violation, likely: job process orders → job process orders"}, least: flow.Warning,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := flow.New(tt.spans)
			d := g.Diagnose(flow.Expectation{})
			if diff := cmp.Diff(tt.want, found(g, d.Findings, tt.least)); diff != "" {
				t.Errorf("findings (-want +got)\n%s", diff)
			}
			for _, f := range d.Findings {
				if f.What == "" || f.Why == "" || f.Fix == "" {
					t.Errorf("%s has no words: %+v", f.ID, f)
				}
			}
		})
	}
}

func TestDiagnose_WholeFlowsHaveNoFindings(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"empty", "connected", "batch", "fan-in", "fan-in-of-topics", "poller", "parent-and-link", "chain-of-links", "delivered-twice", "links-of-children"} {
		g := flow.New(scenarios[name])
		if got := found(g, g.Diagnose(flow.Expectation{}).Findings, flow.Warning); len(got) > 0 {
			t.Errorf("%s: findings %q, want none above info", name, got)
		}
	}
}

// Several flows are not a broken one, but a broken one among them is marked.
func TestDiagnosis_Tree(t *testing.T) {
	t.Parallel()
	whole := []flow.Span{span(50, 51, 0, "web SERVER GET /b"), span(60, 61, 0, "mail SERVER POST /c")}
	for _, tt := range []struct {
		name  string
		spans []flow.Span
		marks int
	}{
		{name: "whole flows", spans: whole},
		{name: "a broken one among them", spans: append(lost(), whole...), marks: 2},
	} {
		g := flow.New(tt.spans)
		d := g.Diagnose(flow.Expectation{})
		for form, tree := range map[string]string{"tree": d.Tree(g, 0), "narrow tree": d.TreeIn(g, 200)} {
			if got := strings.Count(tree, "✗"); got != tt.marks {
				t.Errorf("%s: the %s has %d marks, want %d:\n%s", tt.name, form, got, tt.marks, tree)
			}
		}
	}
}

// Flows whose names hold an id are drawn as one.
func TestDiagnosis_Tree_FoldsNumbers(t *testing.T) {
	t.Parallel()
	var spans []flow.Span
	for n := range 20 {
		spans = append(spans, span(1+n, 2*n+1, 0, fmt.Sprintf("api SERVER GET /orders/%d", n)), span(1+n, 2*n+2, 2*n+1, fmt.Sprintf("api CLIENT find %d", n)))
	}
	g := flow.New(spans)
	want := "[1] api  GET /orders/# ×20  SERVER 2ms\n    api  └─ find # ×20      CLIENT 2ms\n"
	if diff := cmp.Diff(want, g.Diagnose(flow.Expectation{}).Tree(g, 0)); diff != "" {
		t.Errorf("tree (-want +got)\n%s", diff)
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"": "", "load": "load", "GET /orders/17/lines/3": "GET /orders/#/lines/#", "42": "#", "é7": "é#",
		"order2b":     "order#b",
		"2026-11-30T": "#-#-#T",
		// UUIDs, whatever digits their groups begin with, and where they stand.
		"GET /orders/550e8400-e29b-41d4-a716-446655440000/lines":                    "GET /orders/#/lines",
		"process order_01890A5D-AC96-774B-BCCE-B302099A8057":                        "process order_#",
		"abcdefab-abcd-4bcd-abcd-abcdefabcdef":                                      "#",
		"550e8400-e29b-41d4-a716-446655440000-01890a5d-ac96-774b-bcce-b302099a8057": "#-#",
		"550e8400-e29b-41d4-a716":                                                   "#-e#b-#d#-a#",
		"550e8400-e29b-41d4-a716-4466554400001":                                     "#-e#b-#d#-a#-#",
		// Other ids of hexadecimal digits.
		"find 507f1f77bcf86cd799439011":   "find #",
		"build 553d455":                   "build #d#",
		"build 553d4551":                  "build #",
		"serve facade, deadbeef, 1234567": "serve facade, deadbeef, #",
		"décade12345678":                  "décade#",
	} {
		if got := flow.Mask(name); got != want {
			t.Errorf("Mask(%q) = %q, want %q", name, got, want)
		}
	}
}

// Names that hold an id do not make a finding each.
func TestDiagnose_FoldsIDs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		id   func(n int) string
	}{
		{name: "numbers", id: strconv.Itoa},
		{name: "UUIDs", id: func(n int) string { return fmt.Sprintf("%08x-e29b-41d4-%04x-44665544%04x", n*0x1abcdef, n*0x123, n) }},
		{name: "hashes", id: func(n int) string { return fmt.Sprintf("%024x", n*0x1a2b3c4d) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var spans []flow.Span
			for n := range 50 {
				spans = append(spans, span(1+n, 1+n, 0, "job CONSUMER process order-"+tt.id(n), kafka("orders")))
			}
			g := flow.New(spans)
			want := []string{"P01 warning, likely ×50: job process order-" + tt.id(0)}
			if diff := cmp.Diff(want, found(g, g.Diagnose(flow.Expectation{}).Findings, flow.Warning)); diff != "" {
				t.Errorf("findings (-want +got)\n%s", diff)
			}
		})
	}
}

func TestGraph_Groups_Numbers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		children int
		want     int // Groups below the root.
		name     string
	}{
		{children: 16, want: 16, name: "GET /orders/0"},
		{children: 17, want: 1, name: "GET /orders/#"},
	} {
		spans := []flow.Span{span(1, 1, 0, "api INTERNAL run", takes(time.Second))}
		for n := range tt.children {
			spans = append(spans, span(1, 2+n, 1, fmt.Sprintf("api CLIENT GET /orders/%d", n)))
		}
		below := flow.New(spans).Groups()[0].Below
		if len(below) != tt.want || below[0].Name != tt.name {
			t.Errorf("%d children: %d groups, the first %q; want %d, %q", tt.children, len(below), below[0].Name, tt.want, tt.name)
		}
	}
}

// Names that differ in few numbers are not masked, however many others there are.
func TestGraph_Groups_FewNumbers(t *testing.T) {
	t.Parallel()
	spans := []flow.Span{span(1, 1, 0, "api INTERNAL run", takes(time.Second))}
	for n := range 20 {
		spans = append(spans, span(1, 2+n, 1, "api CLIENT step "+string(rune('a'+n/2))+strconv.Itoa(n%2)))
	}
	if below := flow.New(spans).Groups()[0].Below; len(below) != 20 || below[0].Name != "step a0" {
		t.Errorf("%d groups, the first %q; want 20, \"step a0\"", len(below), below[0].Name)
	}
}

// A line shows the worst finding.
func TestDiagnosis_Tree_WorstFinding(t *testing.T) {
	t.Parallel()
	got := tree([]flow.Span{span(1, 1, 0, "api INTERNAL run"), span(1, 90, 1, "api INTERNAL load", open)}, 0)
	if !strings.Contains(got, "✗ P20") || strings.Contains(got, "✗ P17") {
		t.Errorf("the tree shows another finding than P20:\n%s", got)
	}
}

func TestDiagnose_Flows(t *testing.T) {
	t.Parallel()
	spans := slices.Concat(batch(2), []flow.Span{
		span(50, 51, 0, "api SERVER GET /a"),
		span(60, 61, 0, "web PRODUCER send returns", kafka("returns"), at("0", "1")),
		span(70, 71, 0, "job CONSUMER process returns", kafka("returns"), at("0", "1")),
	})
	g := flow.New(spans)
	var got []string
	for _, f := range g.Diagnose(flow.Expectation{}).Flows {
		got = append(got, fmt.Sprintf("%s %d", f.Verdict, len(f.Spans)))
	}
	if diff := cmp.Diff([]string{"LINKED 6", "CONNECTED 1", "BROKEN 2"}, got); diff != "" {
		t.Errorf("flows (-want +got)\n%s", diff)
	}
}

func TestDiagnosis_Summary(t *testing.T) {
	t.Parallel()
	separate := []flow.Span{span(1, 1, 0, "api SERVER GET /a"), span(2, 2, 0, "web SERVER GET /b")}
	for _, tt := range []struct {
		name    string
		spans   []flow.Span
		verdict flow.Verdict
		want    string
	}{
		{name: "no spans", verdict: flow.Unknown, want: "UNKNOWN: no spans were recorded"},
		{name: "one trace", spans: scenarios["connected"], verdict: flow.Connected, want: "CONNECTED: one flow of 5 spans, 2 services, 1 trace"},
		{name: "joined by links", spans: batch(2), verdict: flow.Linked, want: "LINKED: one flow of 6 spans, 2 services, 3 traces, joined by links"},
		{
			name: "broken between two services", spans: lost(), verdict: flow.Broken,
			want: "BROKEN between api and etl-job: one flow in 2 pieces; 5 spans, 2 services, 2 traces",
		},
		{
			name: "one of two is broken", spans: append(lost(), span(50, 51, 0, "web SERVER GET /b")), verdict: flow.Broken,
			want: "BROKEN between api and etl-job: 2 flows, 1 BROKEN, 1 CONNECTED; 6 spans, 3 services, 3 traces",
		},
		{
			name: "a job that lost a span", verdict: flow.Broken,
			spans: []flow.Span{
				span(1, 1, 0, "api INTERNAL start"),
				span(1, 2, 98, "job INTERNAL extract"), span(1, 3, 98, "job INTERNAL load"),
			},
			want: "BROKEN: one flow in 3 pieces; 3 spans, 2 services, 1 trace",
		},
		{
			name: "a caller that is recorded elsewhere", verdict: flow.Unknown,
			spans: []flow.Span{span(1, 2, 97, "api SERVER GET /a", remote), span(1, 3, 98, "web SERVER GET /b", remote)},
			want:  "UNKNOWN: 2 flows, each CONNECTED; nothing says whether they belong together; 2 spans, 2 services, 1 trace",
		},
		{name: "broken within a service", spans: scenarios["open"], verdict: flow.Broken, want: "BROKEN: one flow; 2 spans, 1 service, 1 trace"},
		{
			name: "nothing joins them", spans: separate, verdict: flow.Unknown,
			want: "UNKNOWN: 2 flows, each CONNECTED; nothing says whether they belong together; 2 spans, 2 services, 2 traces",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := flow.New(tt.spans)
			d := g.Diagnose(flow.Expectation{})
			if got := d.Verdict(); got != tt.verdict {
				t.Errorf("verdict %s, want %s", got, tt.verdict)
			}
			if got := d.Summary(g); got != tt.want {
				t.Errorf("summary\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// Findings of millions of spans are few, and take linear time.
func BenchmarkDiagnose(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		var spans []flow.Span
		for i := range n / 2 {
			spans = append(spans,
				span(i+1, 2*i+1, 0, "api PRODUCER send orders", kafka("orders"), at("0", strconv.Itoa(i))),
				span(n+i+1, 2*i+2, 0, "job CONSUMER process orders", kafka("orders"), at("0", strconv.Itoa(i))))
		}
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				flow.New(spans).Diagnose(flow.Expectation{})
			}
		})
	}
}

// Exchange says what joins the two spans of one message.
func TestSpan_Exchange(t *testing.T) {
	t.Parallel()
	message := func(kind trace.SpanKind, more ...attribute.KeyValue) *flow.Span {
		return &flow.Span{Kind: kind, Attributes: append([]attribute.KeyValue{
			attribute.String("messaging.system", "kafka"), attribute.String("messaging.destination.name", "orders"),
		}, more...)}
	}
	place := []attribute.KeyValue{attribute.String("messaging.destination.partition.id", "2"), attribute.Int("messaging.kafka.offset", 815)}
	id := attribute.String("messaging.message.id", "o-17")
	for _, tt := range []struct {
		name            string
		span            *flow.Span
		sends, receives bool
		messages        int
	}{
		{name: "a sender", span: message(trace.SpanKindProducer, id), sends: true, messages: 1},
		{name: "a receiver", span: message(trace.SpanKindConsumer, append(place, id)...), receives: true, messages: 2},
		{name: "a batch", span: message(trace.SpanKindConsumer, append(place, attribute.Int("messaging.batch.message_count", 7))...), receives: true},
		{name: "a poll that brought nothing", span: message(trace.SpanKindConsumer, attribute.Int("messaging.batch.message_count", 0))},
		{name: "a settlement", span: message(trace.SpanKindClient, append(place, attribute.String("messaging.operation.type", "settle"))...), messages: 1},
		{name: "a sender that says nothing of messages", span: &flow.Span{Kind: trace.SpanKindProducer}, sends: true},
		{name: "a call", span: &flow.Span{Kind: trace.SpanKindClient}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.span.Exchange()
			if got.Sends != tt.sends || got.Receives != tt.receives || len(got.Messages) != tt.messages {
				t.Errorf("Exchange() = %+v, want sends %v, receives %v and %d messages", got, tt.sends, tt.receives, tt.messages)
			}
		})
	}
	sent, received := message(trace.SpanKindProducer, id).Exchange().Messages, message(trace.SpanKindConsumer, append(place, id)...).Exchange().Messages
	if sent[0] != received[1] {
		t.Errorf("the spans of one message have %q and %q in common", sent, received)
	}
}
