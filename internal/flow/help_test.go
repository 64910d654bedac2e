// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow_test

import (
	"encoding/binary"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flow"
)

// id returns the id of span n in trace tr. Number 0 is no span.
func id(tr, n int) flow.ID {
	var made flow.ID
	if n == 0 {
		return made
	}
	binary.BigEndian.PutUint64(made.Trace[8:], uint64(tr))
	binary.BigEndian.PutUint64(made.Span[:], uint64(n))
	return made
}

// change alters a span of a test.
type change func(*flow.Span)

// span returns a span of trace tr that starts n milliseconds into the test and
// takes 2 ms. what is its service, kind and name, as "api SERVER POST /orders".
func span(tr, n, parent int, what string, changes ...change) flow.Span {
	words := strings.SplitN(what, " ", 3)
	start := time.Date(2025, 1, 1, 0, 0, 0, n*int(time.Millisecond), time.UTC)
	s := flow.Span{
		ID: id(tr, n), Parent: id(tr, parent),
		Service: words[0], Name: words[2],
		Start: start, End: start.Add(2 * time.Millisecond),
	}
	for k := trace.SpanKindInternal; k <= trace.SpanKindConsumer; k++ {
		if strings.ToUpper(k.String()) == words[1] {
			s.Kind = k
		}
	}
	for _, c := range changes {
		c(&s)
	}
	return s
}

func link(tr, n int) change { return func(s *flow.Span) { s.Links = append(s.Links, id(tr, n)) } }

func remote(s *flow.Span) { s.Remote = true }

func open(s *flow.Span) { s.End = time.Time{} }

func takes(d time.Duration) change { return func(s *flow.Span) { s.End = s.Start.Add(d) } }

func failed(message string) change {
	return func(s *flow.Span) { s.Status, s.Message = codes.Error, message }
}

func attr(kvs ...string) change {
	return func(s *flow.Span) {
		for n := 0; n < len(kvs); n += 2 {
			s.Attributes = append(s.Attributes, attribute.String(kvs[n], kvs[n+1]))
		}
	}
}

func kafka(topic string) change {
	return attr("messaging.system", "kafka", "messaging.destination.name", topic)
}

// tree returns the tree of spans, with at most a number of lines.
func tree(spans []flow.Span, lines int) string {
	g := flow.New(spans)
	return g.Diagnose(flow.Expectation{}).Tree(g, lines)
}
