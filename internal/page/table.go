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
	Queued                string // The median of the time in a queue before it; a dash if it is not the first after one.
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
	spans, waits, begun := map[key][]int{}, map[key]flow.Durations{}, map[int]bool{}
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
		if wait, ok := waited(g, i, begun); ok {
			waits[k] = append(waits[k], wait)
		}
	}
	stages := make([]stage, 0, len(keys))
	for _, k := range keys[:min(len(keys), maxStages)] {
		took := durations(g, spans[k])
		slices.Sort(waits[k])
		failed := len(g.Select(spans[k], func(i int) bool { return g.Spans()[i].Failure() != "" }))
		stages = append(stages, stage{
			Service: flow.Clip(k.service, maxName), Name: flow.Clip(k.name, maxName), Runs: flow.Count(len(spans[k])),
			Read: sum(g, spans[k], keyRead), Wrote: sum(g, spans[k], keyWritten), Rejected: sum(g, spans[k], keyRejected),
			Median: flow.Duration(took.Quantile(0.5)), P95: flow.Duration(took.Quantile(0.95)), Queued: at(waits[k], 0.5), Failed: countOrDash(failed),
		})
	}
	return stages
}

// waited returns how long the message that the stage of span i works on was in a queue.
// It reports false unless the stage is the first to work on the message. The receiving
// spans that have a stage are noted in begun.
func waited(g *flow.Graph, i int, begun map[int]bool) (time.Duration, bool) {
	r := receiver(g, i)
	if r < 0 || begun[r] {
		return 0, false
	}
	begun[r] = true
	s, sender := &g.Spans()[r], g.Parent(r)
	if links := g.Links(r); len(links) > 0 && !s.Remote {
		sender = links[0]
	}
	if sender < 0 || flow.Skewed(&g.Spans()[sender], s) {
		return 0, false
	}
	return max(s.Start.Sub(g.Spans()[sender].Last()), 0), true
}

// maxAncestors is how many ancestors of a span may have received what it works on.
const maxAncestors = 16

// receiver returns the span that received what the stage of span i works on, or a negative
// number if another stage or process is between them.
func receiver(g *flow.Graph, i int) int {
	for range maxAncestors {
		s := &g.Spans()[i]
		if s.Kind == trace.SpanKindConsumer {
			return i
		}
		if i = g.Parent(i); i < 0 || s.Remote {
			break
		}
		if _, isStage := g.Spans()[i].Attribute(keyStage); isStage {
			break
		}
	}
	return -1
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
	From, Over, To    string
	Count, By         string
	Median, P95       string // Of the time from the start of the first to the start of the second.
	Queued, QueuedP95 string // Of the time between the end of the first and the start of the second.
	Errors            string
	Skew              string // How often the clocks differ; empty for never.
}

// hopsOf returns the hops between services, in the order of the flow.
func hopsOf(g *flow.Graph) []edge {
	edges := g.Edges(nil)
	hops := make([]edge, min(len(edges), maxHops))
	for n := range hops {
		e := &edges[n]
		hops[n] = edge{
			From: flow.Clip(e.From, maxName), Over: flow.Clip(e.Over(), maxName), To: flow.Clip(e.To, maxName),
			Count: flow.Count(e.Count), By: joinedBy(e), Errors: countOrDash(e.Failed), Skew: skewOf(e),
			Median: at(e.Hops, 0.5), P95: at(e.Hops, 0.95), Queued: at(e.Queues, 0.5), QueuedP95: at(e.Queues, 0.95),
		}
	}
	return hops
}

func joinedBy(e *flow.Edge) string {
	switch e.Linked {
	case 0:
		return "parent"
	case e.Count:
		return "link"
	default:
		return "both"
	}
}

func skewOf(e *flow.Edge) string {
	switch e.Skewed {
	case 0:
		return ""
	case e.Count:
		return "clocks differ"
	default:
		return "clocks differ ×" + flow.Count(e.Skewed)
	}
}

// at formats the duration at a share of sorted ones.
func at(d flow.Durations, share float64) string {
	if len(d) == 0 {
		return "–"
	}
	return flow.Duration(d.Quantile(share))
}
