// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/internal/flow"
)

// job puts a span into a process of a Kubernetes Job.
func job(name, pod string) change {
	return func(s *flow.Span) { s.Job, s.Instance = name, pod }
}

// handled is n messages that one process handles one after the other, with a root of
// work within each of the first lost ones.
func handled(n, lost int) []flow.Span {
	var spans []flow.Span
	for i := range n {
		at := 20*i + 1
		spans = append(spans,
			span(i+1, at, 0, "api PRODUCER send orders", kafka("orders")),
			span(i+1, at+1, at, "worker CONSUMER process orders", remote, kafka("orders"), takes(10*time.Millisecond)))
		if i < lost {
			spans = append(spans, span(1000+i, at+2, 0, "worker INTERNAL load"))
		}
	}
	return spans
}

func TestDiagnose_Causes(t *testing.T) {
	t.Parallel()
	created := span(1, 1, 0, "dispatch PRODUCER create job", attr("k8s.job.name", "load-7"))
	retried := func(changes ...change) []flow.Span {
		return []flow.Span{
			span(1, 1, 0, "api PRODUCER send orders", kafka("orders"), at("0", "1")),
			span(1, 2, 1, "worker CONSUMER process orders", remote, kafka("orders"), at("0", "1")),
			span(1, 3, 2, "worker PRODUCER send orders", append(changes, kafka("orders"), at("0", "2"))...),
		}
	}
	for _, tt := range []struct {
		name  string
		spans []flow.Span
		want  []string // Above info.
	}{
		{
			name:  "P01: a Job without a context",
			spans: []flow.Span{created, span(2, 2, 0, "load INTERNAL load", job("load-7", "a")), span(2, 3, 2, "load CLIENT find", job("load-7", "a"))},
			want:  []string{"P01 violation, certain: dispatch create job → load"},
		},
		{
			name:  "P01: each attempt of a Job",
			spans: []flow.Span{created, span(2, 2, 0, "load INTERNAL load", job("load-7", "a")), span(3, 3, 0, "load INTERNAL load", job("load-7", "b"))},
			want:  []string{"P01 violation, certain ×2: dispatch create job → load"},
		},
		{
			name: "P01: one of two Jobs that had one name",
			spans: []flow.Span{
				created, span(2, 2, 0, "dispatch PRODUCER create job", attr("k8s.job.name", "load-7")),
				span(3, 3, 0, "load INTERNAL load", job("load-7", "a")),
			},
			want: []string{"P01 violation, likely: dispatch create job → load"},
		},
		{
			name: "P01: a Job with a context that also makes traces of its own",
			spans: []flow.Span{
				created, span(1, 2, 1, "load INTERNAL load", remote, job("load-7", "a")),
				span(2, 3, 0, "load INTERNAL refresh", job("load-7", "a")),
			},
		},
		{
			name:  "P01: a Job with a link",
			spans: []flow.Span{created, span(2, 2, 0, "load INTERNAL load", job("load-7", "a"), link(1, 1))},
		},
		{
			name:  "P01: another Job",
			spans: []flow.Span{created, span(2, 2, 0, "load INTERNAL load", job("load-8", "a"))},
		},
		{
			name:  "P11: a retry with the headers of the message",
			spans: append(retried(link(1, 1)), span(1, 4, 1, "worker CONSUMER process orders", remote, kafka("orders"), at("0", "2"))),
			want:  []string{"P11 violation, certain: worker send orders → worker process orders"},
		},
		{
			name: "P11: a retry that another process polls",
			spans: append(retried(),
				span(1, 4, 1, "other CONSUMER receive orders", remote, kafka("orders"), attr("messaging.operation.type", "receive")),
				span(1, 5, 4, "other CONSUMER process orders", kafka("orders"), at("0", "2"))),
			want: []string{"P11 violation, certain: worker send orders → other process orders"},
		},
		{
			name:  "P11: a retry with a context of its own",
			spans: append(retried(), span(1, 4, 3, "worker CONSUMER process orders", remote, kafka("orders"), at("0", "2"))),
		},
		{
			name:  "P11: a retry that is linked",
			spans: append(retried(), span(2, 4, 0, "worker CONSUMER process orders", kafka("orders"), at("0", "2"), link(1, 3))),
		},
		{
			name: "P11: a proxy that sends with the headers it was given",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
				span(1, 2, 1, "proxy SERVER POST /topics", remote),
				span(1, 3, 2, "proxy PRODUCER send orders", kafka("orders"), at("0", "1")),
				span(1, 4, 1, "worker CONSUMER process orders", remote, kafka("orders"), at("0", "1")),
			},
		},
		{
			name:  "P19: a handler that starts from nothing",
			spans: handled(4, 4),
			want:  []string{"P19 warning, likely ×4: worker process orders → worker load"},
		},
		{
			name:  "P19: most messages",
			spans: handled(6, 3),
			want:  []string{"P19 warning, likely ×3: worker process orders → worker load"},
		},
		{name: "P19: few messages", spans: handled(7, 3)},
		{name: "P19: twice may be chance", spans: handled(2, 2)},
		{
			name:  "P19: outside of messages too",
			spans: append(handled(4, 4), span(2000, 200, 0, "worker INTERNAL load")),
		},
		{
			name: "P19: while several messages are handled",
			spans: append(handled(4, 4),
				span(3000, 300, 0, "api PRODUCER send orders", kafka("orders")), span(3001, 301, 0, "api PRODUCER send orders", kafka("orders")),
				span(3000, 302, 300, "worker CONSUMER process orders", remote, kafka("orders"), takes(10*time.Millisecond)),
				span(3001, 303, 301, "worker CONSUMER process orders", remote, kafka("orders"), takes(10*time.Millisecond)),
				span(3002, 304, 0, "worker INTERNAL load")),
		},
		{
			name: "P19: work that begins a flow",
			spans: slices.Collect(func(yield func(flow.Span) bool) {
				for _, s := range handled(4, 4) {
					if s.Name == "load" {
						attr("flow.start", "true")(&s)
					}
					if !yield(s) {
						return
					}
				}
			}),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := flow.New(tt.spans)
			got := found(g, g.Diagnose(flow.Expectation{}).Findings, flow.Warning)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDiagnose_JobSaysWhatToChange(t *testing.T) {
	t.Parallel()
	g := flow.New([]flow.Span{
		span(1, 1, 0, "dispatch PRODUCER create job", attr("k8s.job.name", "load-7")),
		span(2, 2, 0, "load INTERNAL load", job("load-7", "a")),
	})
	d := g.Diagnose(flow.Expectation{})
	if got, want := d.Summary(g), "BROKEN between dispatch and load: "; !strings.HasPrefix(got, want) {
		t.Errorf("Summary() = %q, want it to begin with %q", got, want)
	}
	if len(d.Findings) != 1 {
		t.Fatalf("there are %d findings, want 1", len(d.Findings))
	}
	for _, want := range []string{`no context was extracted from the environment of the Job load-7.`, `"dispatch create job" created this Job`, "k8scarrier.NewJobs(client).Create"} {
		if text := d.Findings[0].String(); !strings.Contains(text, want) {
			t.Errorf("the finding is\n%s\nwant in it %q", text, want)
		}
	}
}
