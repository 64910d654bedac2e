// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flow"
)

// stage is a line of the table of stages.
type stage struct {
	Service, Name         string
	Runs                  string
	Read, Wrote, Rejected string
	Median, P95           string
	Queued                string // The median of the time in a queue before it.
	Failed                string
}

// The attributes that package stages sets on its spans.
const (
	keyStage    = "etl.stage"
	keyPipeline = "etl.pipeline"
	keyRead     = "etl.rows.read"
	keyWritten  = "etl.rows.written"
	keyRejected = "etl.rows.rejected"
)

// stagesOf returns the stages of a recording, in the order of the flow.
func stagesOf(g *flow.Graph) []stage {
	type key struct{ service, name string }
	spans := map[key][]int{}
	var keys []key
	for _, i := range g.All() {
		s := &g.Spans()[i]
		name, ok := s.Attribute(keyStage)
		if !ok {
			continue
		}
		k := key{s.Service, name.String()}
		if _, known := spans[k]; !known {
			keys = append(keys, k)
		}
		spans[k] = append(spans[k], i)
	}
	stages := make([]stage, 0, len(keys))
	for _, k := range keys[:min(len(keys), maxStages)] {
		took := durations(g, spans[k])
		failed := len(g.Select(spans[k], func(i int) bool { return g.Spans()[i].Failure() != "" }))
		stages = append(stages, stage{
			Service: flow.Clip(k.service, maxName), Name: flow.Clip(k.name, maxName), Runs: flow.Count(len(spans[k])),
			Read: sum(g, spans[k], keyRead), Wrote: sum(g, spans[k], keyWritten), Rejected: sum(g, spans[k], keyRejected),
			Median: flow.Duration(quantile(took, 0.5)), P95: flow.Duration(quantile(took, 0.95)), Queued: queued(g, spans[k]), Failed: countOrDash(failed),
		})
	}
	return stages
}

// queued returns the median of the time that what spans work on was in a queue.
func queued(g *flow.Graph, spans []int) string {
	var waits []time.Duration
	for _, i := range spans {
		if wait, ok := waited(g, i); ok {
			waits = append(waits, wait)
		}
	}
	if len(waits) == 0 {
		return "–"
	}
	slices.Sort(waits)
	return flow.Duration(quantile(waits, 0.5))
}

// maxAncestors is how many ancestors of a span may have received what it works on.
const maxAncestors = 16

// waited returns how long the message that span i works on was in a queue.
func waited(g *flow.Graph, i int) (time.Duration, bool) {
	for range maxAncestors {
		s, sender := &g.Spans()[i], g.Parent(i)
		if s.Kind == trace.SpanKindConsumer {
			if links := g.Links(i); len(links) > 0 && !s.Remote {
				sender = links[0]
			}
			if sender < 0 || skewed(&g.Spans()[sender], s) {
				return 0, false
			}
			return max(s.Start.Sub(endOf(&g.Spans()[sender])), 0), true
		}
		if sender < 0 {
			break
		}
		i = sender
	}
	return 0, false
}

// sum adds up an attribute of spans.
func sum(g *flow.Graph, spans []int, key string) string {
	total := int64(0)
	for _, i := range spans {
		if v, ok := g.Spans()[i].Attribute(key); ok {
			if v.Type() == attribute.INT64 {
				total += v.AsInt64()
			} else if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
				total += n
			}
		}
	}
	return countOrDash(int(total))
}

func countOrDash(n int) string {
	if n == 0 {
		return "–"
	}
	return flow.Count(n)
}

// edge is a line of the table of hops.
type edge struct {
	From, Over, To string
	Count          string
	Links          bool
	Errors         string
	Median, P95    string // Of the time between the end of the first and the start of the second.
	Skew           string // How often the clocks differ; empty for never.
	count, skewed  int
	waits          []time.Duration
	failed         int
	broken         bool // It should be there and is not.
}

// edgesOf returns the hops between services, in the order of the flow.
func edgesOf(g *flow.Graph) []edge {
	type key struct{ from, over, to string }
	found := map[key]*edge{}
	var edges []*edge
	visit := func(from, to int, link bool) {
		a, b := &g.Spans()[from], &g.Spans()[to]
		if a.Service == b.Service && !link && a.Kind != trace.SpanKindProducer {
			return
		}
		over := b.Channel()
		if over == "" {
			over = a.Channel()
		}
		over = flow.Clip(over, maxName)
		k := key{flow.Clip(a.Service, maxName), over, flow.Clip(b.Service, maxName)}
		e, ok := found[k]
		if !ok {
			e = &edge{From: k.from, Over: over, To: k.to, Links: link}
			found[k] = e
			edges = append(edges, e)
		}
		e.count++
		switch wait := b.Start.Sub(endOf(a)); {
		case skewed(a, b):
			e.skewed++
			e.waits = append(e.waits, b.Start.Sub(a.Start))
		default: // The sender may go on while the receiver works.
			e.waits = append(e.waits, max(wait, 0))
		}
		if b.Failure() != "" {
			e.failed++
		}
	}
	for _, i := range g.All() {
		parent := g.Parent(i)
		if parent >= 0 {
			visit(parent, i, false)
		}
		for _, target := range g.Links(i) {
			if target != parent && g.Spans()[i].Kind == trace.SpanKindConsumer {
				visit(target, i, true)
			}
		}
	}
	made := make([]edge, len(edges))
	for n, e := range edges {
		slices.Sort(e.waits)
		e.Count, e.Errors = flow.Count(e.count), countOrDash(e.failed)
		e.Median, e.P95 = flow.Duration(quantile(e.waits, 0.5)), flow.Duration(quantile(e.waits, 0.95))
		if e.skewed > 0 {
			e.Skew = "clocks differ"
			if e.skewed < e.count {
				e.Skew += " ×" + flow.Count(e.skewed)
			}
		}
		made[n] = *e
	}
	return made
}

// hopsOf returns what the table of hops shows of edges.
func hopsOf(edges []edge) []edge { return edges[:min(len(edges), maxHops)] }
