// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"io"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// epoch is when each recording starts.
var epoch = time.Date(2026, time.January, 2, 15, 4, 5, 0, time.UTC)

// write writes traces as OTLP JSON lines, a line a process. It moves all times so that
// the first is epoch.
func write(out io.Writer, traces []ptrace.Traces) error {
	shift(traces)
	processes := make(map[string]ptrace.Traces)
	var names []string
	for _, t := range traces {
		for _, resource := range t.ResourceSpans().All() {
			name, _ := resource.Resource().Attributes().Get("service.instance.id")
			if _, ok := processes[name.Str()]; !ok {
				processes[name.Str()] = ptrace.NewTraces()
				names = append(names, name.Str())
			}
			resource.CopyTo(processes[name.Str()].ResourceSpans().AppendEmpty())
		}
	}
	slices.Sort(names)
	for _, name := range names {
		line, err := (&ptrace.JSONMarshaler{}).MarshalTraces(processes[name])
		if err != nil {
			return err
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// shift moves the times of all spans.
func shift(traces []ptrace.Traces) {
	spans := spansOf(traces)
	if len(spans) == 0 {
		return
	}
	first := slices.MinFunc(spans, func(a, b ptrace.Span) int { return cmp.Compare(a.StartTimestamp(), b.StartTimestamp()) })
	by := epoch.Sub(first.StartTimestamp().AsTime())
	move := func(at pcommon.Timestamp) pcommon.Timestamp {
		if at == 0 {
			return 0
		}
		return pcommon.NewTimestampFromTime(at.AsTime().Add(by).Truncate(time.Microsecond))
	}
	for _, span := range spans {
		span.SetStartTimestamp(move(span.StartTimestamp()))
		span.SetEndTimestamp(move(span.EndTimestamp()))
		for _, event := range span.Events().All() {
			event.SetTimestamp(move(event.Timestamp()))
		}
	}
}

func spansOf(traces []ptrace.Traces) []ptrace.Span {
	var spans []ptrace.Span
	for _, t := range traces {
		for _, resource := range t.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					spans = append(spans, span)
				}
			}
		}
	}
	return spans
}
