// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"cmp"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Edge is the hops from one service to another over one carrier.
type Edge struct {
	From, To    string // Services.
	Carrier     string // Such as "kafka" or "http"; empty if the spans do not say.
	Destination string // The topic, queue or collection; may be empty.

	Count  int // The hops that a parent or a link joins.
	Linked int // Those that a link joins, and not a parent.
	Failed int // Those whose receiving span failed.
	Skewed int // Those that end before they start, because clocks differ.
	Broken int // The hops that lost the context; they are not part of Count.

	// Hops are the times from the start of the sending span to the start of the
	// receiving one, in order. Those of skewed hops are negative.
	Hops Durations
	// Queues are the times from the end of the sending span to the start of the
	// receiving one, in order, of hops over messages and jobs that are not skewed.
	Queues Durations
}

// Over names what carries data over the edge, such as "kafka orders" or "http".
func (e *Edge) Over() string { return join(e.Carrier, e.Destination) }

// edgeKey is equal for hops of one edge.
type edgeKey struct{ from, to, carrier, destination string }

// Edges returns the edges between services, and those of one service that lead over
// links or sending spans, in the order of the flow. Findings that say between which
// spans a flow broke are counted as broken.
func (g *Graph) Edges(findings []Finding) []Edge {
	e := edges{g: g, number: make(map[edgeKey]int)}
	for _, i := range g.order {
		parent := g.parents[i]
		if parent != none && e.isHop(parent, i) {
			e.add(parent, i)
		}
		for _, target := range g.links[i] {
			if target != parent && g.spans[i].Kind == trace.SpanKindConsumer {
				e.add(target, i).Linked++
			}
		}
	}
	for n := range findings {
		f := &findings[n]
		if f.Level == Violation && f.From != none && f.To != none && e.isHop(f.From, f.To) {
			e.at(f.From, f.To).Broken += f.Count
		}
	}
	for n := range e.list {
		slices.Sort(e.list[n].Hops)
		slices.Sort(e.list[n].Queues)
	}
	return e.list
}

// BrokenEdge returns the edge over which n hops between two spans broke.
func (g *Graph) BrokenEdge(from, to, n int) Edge {
	e := edges{g: g, number: make(map[edgeKey]int)}
	edge := e.at(from, to)
	edge.Broken = n
	return *edge
}

type edges struct {
	g      *Graph
	list   []Edge
	number map[edgeKey]int
}

// isHop reports whether data leaves a process between a span and one that continues it. A
// span that commits or acknowledges a message receives nothing.
func (e *edges) isHop(from, to int) bool {
	a, b := &e.g.spans[from], &e.g.spans[to]
	return (a.Service != b.Service || a.Kind == trace.SpanKindProducer) && !b.settles()
}

// at returns the edge of a hop.
func (e *edges) at(from, to int) *Edge {
	a, b := &e.g.spans[from], &e.g.spans[to]
	carrier, destination := b.medium()
	if own, name := a.medium(); (destination == "" || b.Kind == trace.SpanKindProducer) && (name != "" || carrier == "") {
		carrier, destination = own, name // What a sending span names is where it sends to.
	}
	key := edgeKey{a.Service, b.Service, carrier, destination}
	n, known := e.number[key]
	if !known {
		n = len(e.list)
		e.number[key] = n
		e.list = append(e.list, Edge{From: a.Service, To: b.Service, Carrier: carrier, Destination: destination})
	}
	return &e.list[n]
}

// add counts a hop and returns its edge.
func (e *edges) add(from, to int) *Edge {
	edge := e.at(from, to)
	a, b := &e.g.spans[from], &e.g.spans[to]
	edge.Count++
	if b.Failure() != "" {
		edge.Failed++
	}
	edge.Hops = append(edge.Hops, b.Start.Sub(a.Start))
	switch {
	case Skewed(a, b):
		edge.Skewed++
	case a.Kind == trace.SpanKindProducer || b.Kind == trace.SpanKindConsumer:
		edge.Queues = append(edge.Queues, max(b.Start.Sub(a.Last()), 0)) // The sender may go on while the receiver works.
	}
	return edge
}

// Skewed reports whether a span starts before the one that it continues, by more than
// what clocks of one machine explain.
func Skewed(sent, received *Span) bool { return sent.Start.Sub(received.Start) > tolerance }

// Last returns the end of s, or its start if it is open.
func (s *Span) Last() time.Time {
	if s.End.Before(s.Start) {
		return s.Start
	}
	return s.End
}

// Channel names what carries data away from or to the span, such as
// "kafka orders", or is empty if the span has none.
func (s *Span) Channel() string {
	carrier, destination := s.medium()
	if destination == "" {
		return ""
	}
	return join(carrier, destination)
}

// medium returns what carries data away from or to the span, and where: by the current
// names of the semantic conventions, or those of earlier versions.
func (s *Span) medium() (carrier, destination string) {
	// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
	if name := s.attribute("messaging.destination.name", "messaging.destination", "messaging.source.name"); name != "" {
		return s.attribute("messaging.system"), name
	}
	// https://opentelemetry.io/docs/specs/semconv/database/database-spans/
	if name := s.attribute("db.collection.name", "db.mongodb.collection"); name != "" {
		return s.attribute("db.system.name", "db.system"), name
	}
	switch {
	case s.attribute("http.request.method", "http.method") != "":
		return "http", ""
	case s.attribute("k8s.job.name") != "":
		return "kubernetes", ""
	default:
		return s.attribute("messaging.system", "db.system.name", "db.system", "rpc.system.name", "rpc.system"), ""
	}
}

// Destination is a topic, queue or collection.
type Destination struct {
	Carrier, Name string
	Sent          int // Spans that send to it,
	Received      int // and spans that receive from it.
	Failed        int // Those of both that failed.
}

// Destinations returns the destinations that spans name, ordered by carrier and name.
func (g *Graph) Destinations() []Destination {
	number := make(map[[2]string]int)
	var list []Destination
	for i := range g.spans {
		s := &g.spans[i]
		carrier, name := s.medium()
		if name == "" {
			continue
		}
		key := [2]string{carrier, name}
		n, known := number[key]
		if !known {
			n = len(list)
			number[key] = n
			list = append(list, Destination{Carrier: carrier, Name: name})
		}
		list[n].count(s)
	}
	slices.SortFunc(list, func(a, b Destination) int {
		return cmp.Or(cmp.Compare(a.Carrier, b.Carrier), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// count counts s, which sends to d or receives from it. A span that sends what other
// spans have created, and one that settles, are not counted.
func (d *Destination) count(s *Span) {
	operation := operationOfKind(s.Kind)
	if m, ok := messageOf(s); ok {
		operation = m.operation
	} else if s.Kind == trace.SpanKindClient {
		operation = sendOperation
	}
	switch {
	case operation == sendOperation && (s.Kind == trace.SpanKindProducer || len(s.Links) == 0):
		d.Sent++
	case operation == processOperation || operation == receiveOperation && s.Kind == trace.SpanKindConsumer:
		d.Received++
	default:
		return
	}
	if s.Failure() != "" {
		d.Failed++
	}
}

// Durations are sorted durations.
type Durations []time.Duration

// Quantile returns the duration at a share of d, from 0 to 1, or 0 if d is empty.
func (d Durations) Quantile(share float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	return d[min(int(share*float64(len(d))), len(d)-1)]
}
