// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/internal/flow"
)

const ms = time.Millisecond

func TestGraph_Edges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spans []flow.Span
		want  []flow.Edge
	}{
		{name: "none"},
		{
			name:  "within a service",
			spans: []flow.Span{span(1, 1, 0, "api SERVER GET /"), span(1, 2, 1, "api INTERNAL load")},
		},
		{
			name: "a request",
			spans: []flow.Span{
				span(1, 1, 0, "web CLIENT GET", attr("http.request.method", "GET")),
				span(1, 3, 1, "api SERVER GET /", remote, failed("no")),
			},
			want: []flow.Edge{{From: "web", To: "api", Carrier: "http", Count: 1, Failed: 1, Hops: flow.Durations{2 * ms}}},
		},
		{
			name: "messages, received while they are sent and later",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
				span(1, 2, 1, "job CONSUMER process orders", kafka("orders"), remote),
				span(2, 3, 0, "api PRODUCER send orders", kafka("orders")),
				span(2, 9, 3, "job CONSUMER process orders", kafka("orders"), remote),
			},
			want: []flow.Edge{{
				From: "api", To: "job", Carrier: "kafka", Destination: "orders", Count: 2,
				Hops: flow.Durations{1 * ms, 6 * ms}, Queues: flow.Durations{0, 4 * ms},
			}},
		},
		{
			// As a consumer that handles a message in the context of its fetch, and goes on.
			name: "a commit receives nothing, and what is sent on came over the topic before",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
				span(1, 3, 1, "job CLIENT commit orders", kafka("orders"), attr("messaging.operation.type", "settle"), remote),
				span(1, 4, 1, "job PRODUCER send rejected", kafka("rejected"), remote),
			},
			want: []flow.Edge{{
				From: "api", To: "job", Carrier: "kafka", Destination: "orders", Count: 1,
				Hops: flow.Durations{3 * ms}, Queues: flow.Durations{1 * ms},
			}},
		},
		{
			name: "a message to the service itself, by a link",
			spans: []flow.Span{
				span(1, 1, 0, "job PRODUCER send retries", kafka("retries")),
				span(2, 5, 0, "job CONSUMER process retries", kafka("retries"), link(1, 1)),
			},
			want: []flow.Edge{{
				From: "job", To: "job", Carrier: "kafka", Destination: "retries", Count: 1, Linked: 1,
				Hops: flow.Durations{4 * ms}, Queues: flow.Durations{2 * ms},
			}},
		},
		{
			name: "a parent that is linked too counts once",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders")),
				span(1, 5, 1, "job CONSUMER process orders", kafka("orders"), remote, link(1, 1)),
			},
			want: []flow.Edge{{
				From: "api", To: "job", Carrier: "kafka", Destination: "orders", Count: 1,
				Hops: flow.Durations{4 * ms}, Queues: flow.Durations{2 * ms},
			}},
		},
		{
			name: "clocks that differ",
			spans: []flow.Span{
				span(1, 9, 0, "api PRODUCER send orders", kafka("orders")),
				span(1, 5, 9, "job CONSUMER process orders", kafka("orders"), remote),
			},
			want: []flow.Edge{{
				From: "api", To: "job", Carrier: "kafka", Destination: "orders", Count: 1, Skewed: 1, Hops: flow.Durations{-4 * ms},
			}},
		},
		{
			name: "the sender alone names the destination",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER create job", attr("k8s.job.name", "etl-1")),
				span(1, 5, 1, "etl INTERNAL run", remote),
			},
			want: []flow.Edge{{
				From: "api", To: "etl", Carrier: "kubernetes", Count: 1, Hops: flow.Durations{4 * ms}, Queues: flow.Durations{2 * ms},
			}},
		},
		{
			name: "names of earlier conventions",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER orders send", attr("messaging.system", "rabbitmq", "messaging.destination", "orders")),
				span(1, 5, 1, "job CONSUMER orders receive", remote),
			},
			want: []flow.Edge{{
				From: "api", To: "job", Carrier: "rabbitmq", Destination: "orders", Count: 1, Hops: flow.Durations{4 * ms}, Queues: flow.Durations{2 * ms},
			}},
		},
		{
			name: "a message that lost its context",
			spans: []flow.Span{
				span(1, 1, 0, "api PRODUCER send orders", kafka("orders"), attr("messaging.message.id", "7")),
				span(2, 5, 0, "job CONSUMER process orders", kafka("orders"), attr("messaging.message.id", "7")),
			},
			want: []flow.Edge{{From: "api", To: "job", Carrier: "kafka", Destination: "orders", Broken: 1}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := flow.New(tt.spans)
			if diff := cmp.Diff(tt.want, g.Edges(g.Diagnose(flow.Expectation{}).Findings)); diff != "" {
				t.Errorf("edges (-want +got)\n%s", diff)
			}
		})
	}
}

func TestGraph_Destinations(t *testing.T) {
	t.Parallel()
	operation := func(name string) change { return attr("messaging.operation.type", name) }
	g := flow.New([]flow.Span{
		span(1, 1, 0, "api PRODUCER create orders", kafka("orders"), operation("create")),
		span(1, 2, 0, "api CLIENT send orders", kafka("orders"), operation("send"), link(1, 1)),
		span(1, 3, 1, "job CONSUMER process orders", kafka("orders"), operation("process"), failed("no")),
		span(1, 4, 1, "job CLIENT commit orders", kafka("orders"), operation("settle")),
		span(1, 5, 3, "job CLIENT insert", attr("db.system.name", "mongodb", "db.collection.name", "bills")),
		span(1, 6, 3, "job INTERNAL load"),
	})
	want := []flow.Destination{
		{Carrier: "kafka", Name: "orders", Sent: 1, Received: 1, Failed: 1},
		{Carrier: "mongodb", Name: "bills", Sent: 1},
	}
	if diff := cmp.Diff(want, g.Destinations()); diff != "" {
		t.Errorf("destinations (-want +got)\n%s", diff)
	}
}

func TestDurations_Quantile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		d     flow.Durations
		share float64
		want  time.Duration
	}{
		{name: "empty", share: 0.5},
		{name: "one", d: flow.Durations{3}, share: 0.95, want: 3},
		{name: "median of four", d: flow.Durations{1, 2, 3, 4}, share: 0.5, want: 3},
		{name: "all", d: flow.Durations{1, 2, 3, 4}, share: 1, want: 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.d.Quantile(tt.share); got != tt.want {
				t.Errorf("quantile = %d, want %d", got, tt.want)
			}
		})
	}
}
