// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"slices"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// write writes traces as OTLP JSON lines, a line a process.
func write(out io.Writer, traces []ptrace.Traces) error {
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
