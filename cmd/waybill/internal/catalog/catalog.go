// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package catalog lists what a recording shows of a system: its services, the
// destinations and carriers between them, and the edges over which data goes. A catalog
// is written as Markdown, JSON, Mermaid or DOT, and compared with an earlier one.
package catalog

import (
	"cmp"
	"math"
	"slices"

	"github.com/waybill-go/waybill/internal/flow"
)

// Version is the version of the JSON of a catalog.
const Version = 1

// Catalog is what a recording shows of a system. Its lists are in order of their names,
// so that the catalogs of two recordings can be compared line by line.
type Catalog struct {
	Version      int           `json:"waybill_catalog"`
	Spans        int           `json:"spans"`
	Flows        int           `json:"flows"`
	Services     []Service     `json:"services"`
	Carriers     []Carrier     `json:"carriers"`
	Destinations []Destination `json:"destinations"`
	Edges        []Edge        `json:"edges"`
}

// Service is a service that recorded spans.
type Service struct {
	Name   string `json:"name"`
	Spans  int    `json:"spans"`
	Failed int    `json:"failed"` // Spans with an error.
}

// Carrier is a kind of what carries data, such as kafka or http.
type Carrier struct {
	Name   string `json:"name"`
	Hops   int    `json:"hops"`   // With their context.
	Broken int    `json:"broken"` // Hops that lost the context.
}

// Destination is a topic, queue or collection.
type Destination struct {
	Carrier  string `json:"carrier"`
	Name     string `json:"name"`
	Sent     int    `json:"sent"`     // Spans that send to it.
	Received int    `json:"received"` // Spans that receive from it.
	Failed   int    `json:"failed"`   // Those of both with an error.
}

// Edge is the hops from one service to another over one carrier.
type Edge struct {
	From        string `json:"from"`
	Carrier     string `json:"carrier"`     // Empty if the spans do not say.
	Destination string `json:"destination"` // Empty if there is none.
	To          string `json:"to"`

	Hops       int     `json:"hops"`        // Joined by a parent or a link.
	Linked     int     `json:"linked"`      // Those joined by a link.
	Failed     int     `json:"failed"`      // Those whose receiving span has an error,
	ErrorShare float64 `json:"error_share"` // and their share, from 0 to 1.
	Skewed     int     `json:"skewed"`      // Those that end before they start: clocks differ.
	Broken     int     `json:"broken"`      // Hops that lost the context; not part of Hops.

	// Hop is the time from the start of the sending span to the start of the receiving
	// one. It is negative where clocks differ.
	Hop *Times `json:"hop_seconds,omitempty"`
	// Queue is the time from the end of the sending span to the start of the receiving
	// one, of messages and jobs. Hops where clocks differ are left out.
	Queue *Times `json:"queue_seconds,omitempty"`
}

// Times are quantiles of a time, in seconds.
type Times struct {
	Count int     `json:"count"` // Measured times.
	P50   float64 `json:"p50"`
	P95   float64 `json:"p95"`
}

// New returns the catalog of a recording and what was diagnosed of it.
func New(g *flow.Graph, d *flow.Diagnosis) *Catalog {
	c := &Catalog{
		Version: Version, Spans: len(g.Spans()), Flows: len(d.Flows),
		Services: servicesOf(g), Carriers: []Carrier{}, Destinations: []Destination{}, Edges: []Edge{},
	}
	for _, destination := range g.Destinations() {
		c.Destinations = append(c.Destinations, Destination(destination))
	}
	for _, edge := range g.Edges(d.Findings) {
		c.Edges = append(c.Edges, edgeOf(&edge))
	}
	slices.SortFunc(c.Edges, func(a, b Edge) int { return compare(a.key(), b.key()) })
	c.addCarriers()
	return c
}

func servicesOf(g *flow.Graph) []Service {
	number := make(map[string]int)
	services := []Service{}
	for i := range g.Spans() {
		s := &g.Spans()[i]
		n, known := number[s.Service]
		if !known {
			n = len(services)
			number[s.Service] = n
			services = append(services, Service{Name: s.Service})
		}
		services[n].Spans++
		if s.Failure() != "" {
			services[n].Failed++
		}
	}
	slices.SortFunc(services, func(a, b Service) int { return cmp.Compare(a.Name, b.Name) })
	return services
}

func edgeOf(e *flow.Edge) Edge {
	made := Edge{
		From: e.From, Carrier: e.Carrier, Destination: e.Destination, To: e.To,
		Hops: e.Count, Linked: e.Linked, Failed: e.Failed, Skewed: e.Skewed, Broken: e.Broken,
		Hop: timesOf(e.Hops), Queue: timesOf(e.Queues),
	}
	if e.Count > 0 {
		made.ErrorShare = round(float64(e.Failed) / float64(e.Count))
	}
	return made
}

func timesOf(d flow.Durations) *Times {
	if len(d) == 0 {
		return nil
	}
	seconds := func(share float64) float64 { return round(d.Quantile(share).Seconds()) }
	return &Times{Count: len(d), P50: seconds(0.5), P95: seconds(0.95)}
}

// round rounds to six places: microseconds, and shares of one in a million.
func round(v float64) float64 { return math.Round(v*1e6) / 1e6 }

// addCarriers adds up the edges of each carrier.
func (c *Catalog) addCarriers() {
	number := make(map[string]int)
	for i := range c.Edges {
		e := &c.Edges[i]
		if e.Carrier == "" {
			continue
		}
		n, known := number[e.Carrier]
		if !known {
			n = len(c.Carriers)
			number[e.Carrier] = n
			c.Carriers = append(c.Carriers, Carrier{Name: e.Carrier})
		}
		c.Carriers[n].Hops += e.Hops
		c.Carriers[n].Broken += e.Broken
	}
	slices.SortFunc(c.Carriers, func(a, b Carrier) int { return cmp.Compare(a.Name, b.Name) })
}

// The keys are different for the entries of a list, and the names are for a person.

func (s *Service) key() string        { return s.Name }
func (d *Destination) key() [2]string { return [2]string{d.Carrier, d.Name} }
func (e *Edge) key() [4]string        { return [4]string{e.From, e.Carrier, e.Destination, e.To} }
func (s *Service) name() string       { return s.Name }
func (d *Destination) name() string   { return channel(d.Carrier, d.Name) }

func (e *Edge) name() string {
	if over := e.over(); over != "" {
		return e.From + " → " + over + " → " + e.To
	}
	return e.From + " → " + e.To
}

// over names what carries data over the edge.
func (e *Edge) over() string { return channel(e.Carrier, e.Destination) }

// channel names a destination of a carrier.
func channel(carrier, name string) string {
	if carrier == "" || name == "" {
		return carrier + name
	}
	return carrier + " " + name
}

func compare(a, b [4]string) int { return slices.Compare(a[:], b[:]) }
