// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/waybill-go/waybill/internal/flow"
)

// selection says which flows of a recording to show.
type selection struct {
	flow    string // An id of one of its spans or traces, or the beginning of one.
	service string
	since   string
}

func (s *selection) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.flow, "flow", "", "show the flow with this trace or span `ID`, or with one that begins so")
	cmd.Flags().StringVar(&s.service, "service", "", "show the flows that pass this `SERVICE`")
	cmd.Flags().StringVar(&s.since, "since", "", "show the flows that were active after this `TIME` (RFC 3339), or in this last part of the recording (as 10m)")
}

// diagnose returns the graph of the selected flows of spans, and what is wrong with it.
func (s *selection) diagnose(spans []flow.Span, expect flow.Expectation) (*flow.Graph, *flow.Diagnosis, error) {
	g := flow.New(spans)
	d := g.Diagnose(expect)
	if *s == (selection{}) {
		return g, d, nil
	}
	since, err := s.start(g)
	if err != nil {
		return nil, nil, err
	}
	var selected []flow.Span
	for _, f := range d.Flows {
		if s.selects(g, f, since) {
			for _, i := range f.Spans {
				selected = append(selected, g.Spans()[i])
			}
		}
	}
	if len(selected) == 0 {
		return nil, nil, fmt.Errorf("no flow of the recording is selected; it has %s", flow.Plural(len(d.Flows), "flow"))
	}
	g = flow.New(selected)
	return g, g.Diagnose(expect), nil
}

// start returns the time after which a flow must have been active.
func (s *selection) start(g *flow.Graph) (time.Time, error) {
	if s.since == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(s.since); err == nil && ago >= 0 {
		var last time.Time
		for i := range g.Spans() {
			if end := g.Spans()[i].Last(); end.After(last) {
				last = end
			}
		}
		return last.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, s.since)
	if err != nil {
		return at, fmt.Errorf("--since %q: want a time as 2026-01-31T17:50:00Z or a duration as 10m", s.since)
	}
	return at, nil
}

func (s *selection) selects(g *flow.Graph, f flow.Flow, since time.Time) bool {
	has := func(match func(span *flow.Span) bool) bool {
		return slices.ContainsFunc(f.Spans, func(i int) bool { return match(&g.Spans()[i]) })
	}
	id := strings.ToLower(s.flow)
	return has(func(span *flow.Span) bool {
		return strings.HasPrefix(span.ID.Trace.String(), id) || strings.HasPrefix(span.ID.Span.String(), id)
	}) && has(func(span *flow.Span) bool {
		return s.service == "" || span.Service == s.service
	}) && has(func(span *flow.Span) bool { return !span.Last().Before(since) })
}
