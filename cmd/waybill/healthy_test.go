// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/cmd/waybill/internal/recording"
	"github.com/waybill-go/waybill/internal/flow"
)

// healthy are recordings of systems in which nothing is wrong, and what their
// summary begins with. Those in testdata/healthy are written by the tests in
// internal/e2e/languages: messages of Kafka go through a service in Go, one with the
// client or instrumentation that the name says, and another in Go. Some of these
// instrumentations link and have no parents, some have spans of polls without
// links, and most record no offsets of what they send.
var healthy = map[string]string{
	"confluent-kafka":       "LINKED: one flow",
	"confluent-kafka-batch": "LINKED: one flow",
	"java-agent":            "CONNECTED: one flow",
	"java-agent-receive":    "LINKED: one flow",
	"java-to-python":        "LINKED: one flow",
	"kafka-python":          "CONNECTED: one flow",
	"kafkajs":               "CONNECTED: one flow",
	"kafkajs-batch":         "LINKED: one flow",
	"kotel":                 "CONNECTED: one flow",
	"kotel-links":           "LINKED: one flow",
	"node-to-java":          "UNKNOWN: 3 flows, each CONNECTED",
	"pymongo":               "CONNECTED: one flow",
	"python-to-node":        "LINKED: one flow",

	"../quakes": "LINKED: one flow of 711 spans, 5 services", // A part of a run of the demo.
}

func readHealthy(t *testing.T, name string) []flow.Span {
	t.Helper()
	r, err := (&recording.Reader{}).Read(t.Context(), filepath.Join("testdata", "healthy", name+".jsonl.gz"))
	if err != nil || r.DamagedCount > 0 {
		t.Fatalf("%v, %d places are damaged", err, r.DamagedCount)
	}
	return r.Spans
}

// requireNoAlarm checks that nothing above info is found in spans.
func requireNoAlarm(t *testing.T, what string, spans []flow.Span) *diagnosis {
	t.Helper()
	d := diagnose(spans, flow.Expectation{}, nil)
	for _, f := range d.Findings {
		if f.Level > flow.Info {
			t.Errorf("%s: %s %s: %s %s", what, f.ID, f.Level, f.What, f.Why)
		}
	}
	return d
}

func TestDoctor_Healthy(t *testing.T) {
	t.Parallel()
	for name, want := range healthy {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if d := requireNoAlarm(t, "the recording", readHealthy(t, name)); !strings.HasPrefix(d.Summary, want) {
				t.Errorf("summary %q, want %q", d.Summary, want)
			}
		})
	}
}

// Who records one service alone, or all but one, sees half of each message.
func TestDoctor_HealthyParts(t *testing.T) {
	t.Parallel()
	for name := range healthy {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spans := readHealthy(t, name)
			services := make(map[string]bool)
			for i := range spans {
				services[spans[i].Service] = true
			}
			for service := range services {
				of := func(s flow.Span) bool { return s.Service == service }
				if service != "assess" { // A job of the demo between others, which miss it.
					requireNoAlarm(t, "without "+service, slices.DeleteFunc(slices.Clone(spans), of))
				}
				requireNoAlarm(t, "only "+service, slices.DeleteFunc(slices.Clone(spans), func(s flow.Span) bool { return !of(s) }))
			}
		})
	}
}

// A trace that was not sampled is missed by those that link it.
func TestDoctor_HealthySampled(t *testing.T) {
	t.Parallel()
	for name := range healthy {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spans := readHealthy(t, name)
			traces := make(map[string]bool)
			for i := range spans {
				traces[spans[i].ID.Trace.String()] = true
			}
			for id := range traces {
				of := func(s flow.Span) bool { return s.ID.Trace.String() == id }
				requireNoAlarm(t, "without trace "+id, slices.DeleteFunc(slices.Clone(spans), of))
				requireNoAlarm(t, "only trace "+id, slices.DeleteFunc(slices.Clone(spans), func(s flow.Span) bool { return !of(s) }))
			}
		})
	}
}

func TestDoctor_HealthyAreAllTested(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/healthy/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".jsonl.gz"); healthy[name] == "" {
			t.Errorf("no test reads %s", file)
		}
	}
}
