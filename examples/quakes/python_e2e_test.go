// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/waybill-go/waybill/examples/internal/program"
)

// realPython is the interpreter with what report.py needs.
const realPython = "../../.cache/e2e/python/bin/python"

// inPython returns report.py, as the demo finds it.
func inPython(t *testing.T) reporter {
	t.Helper()
	python, err := newPythonReporter(t.Context(), realPython)
	if err != nil {
		t.Fatalf("run make e2e-deps first: %v", err)
	}
	return python
}

func TestDemo_Python(t *testing.T) {
	t.Parallel()
	inPython(t)
	out := t.TempDir()
	leaveEarlierRun(t, out)
	printed := program.Output(t, "--python", realPython, "--out", out)
	t.Log("\n" + printed)

	for _, want := range []string{
		`(?m)^report runs in Python 3\.[0-9.]+: ` + realPython + ` has what it needs\.$`,
		`(?m)^The flow: LINKED: one flow of [0-9,]+ spans, 5 services, [0-9]+ traces, joined by links$`,
		`(?m)^report +│ +│ +└─ report ×3 `,
		`(?m)^report +│ +│ +└─ write ×3 `,
		`(?m)^report +write +[0-9]+ +[0-9]+ +– +[0-9.]+m?s +[0-9.]+m?s +[0-9.]+m?s +–$`,
		`(?m)^Checked: the metrics say what Kafka and MongoDB hold, and all [0-9,]+ spans are one flow\.$`,
	} {
		if !regexp.MustCompile(want).MatchString(printed) {
			t.Errorf("nothing printed matches %s", want)
		}
	}
	spans := readSpans(t, filepath.Join(out, spansFile))
	testFlow(t, flowOf(spans))
	testCounts(t, readMetrics(t, filepath.Join(out, metricsFile)))
	testPage(t, filepath.Join(out, pageFile))
	testReplaced(t, out)
	if n := strongInReports(t, filepath.Join(out, "reports")); n != 85 {
		t.Errorf("the reports are of %d quakes, want 85", n)
	}
	if diff := cmp.Diff(map[string]int{"report": 6}, spansInPython(spans)); diff != "" {
		t.Errorf("the spans of Python by their service (-want +got):\n%s", diff)
	}
}

// Nothing but the fault is found, whatever report is written in.
func TestDemo_PythonBreak(t *testing.T) {
	t.Parallel()
	inPython(t)
	for _, name := range []string{faultJob, faultEnd} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := t.TempDir()
			printed := program.Output(t, "--python", realPython, "--break", name, "--events", fewEvents, "--out", out)
			spans := readSpans(t, filepath.Join(out, spansFile))
			if found := flowOf(spans).findings(); len(found) != 1 {
				t.Errorf("%d findings, want 1:\n%s", len(found), printed)
			}
			if diff := cmp.Diff(map[string]int{"report": 2}, spansInPython(spans)); diff != "" {
				t.Errorf("the spans of Python by their service (-want +got):\n%s", diff)
			}
		})
	}
}

// spansInPython returns the number of spans that are recorded in Python, by service.
func spansInPython(received []ptrace.Traces) map[string]int {
	found := map[string]int{}
	for _, traces := range received {
		for _, resource := range traces.ResourceSpans().All() {
			language, _ := resource.Resource().Attributes().Get("telemetry.sdk.language")
			service, _ := resource.Resource().Attributes().Get("service.name")
			if language.Str() == "python" {
				for _, scope := range resource.ScopeSpans().All() {
					found[service.Str()] += scope.Spans().Len()
				}
			}
		}
	}
	return found
}
