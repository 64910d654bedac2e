// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/examples/internal/program"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/job"
	"github.com/waybill-go/waybill/propagation"
)

// The runs are programs in Go here; TestRuns_Python starts the ones in Python.
func TestRuns(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	report := func(remote propagation.Remote) {
		_, span := propagation.Start(t.Context(), f.Service("report").Tracer("report"), "report", []propagation.Remote{remote}, job.StartOptions(remote)...)
		span.End()
	}
	w := startWorkspace(t, func(l launch) {
		if l.named != nil {
			if l.named["region"] != "Japan" || l.named["baggage"] != "" {
				t.Errorf("the notebook gets the parameters %v", l.named)
			}
			report(jobcarrier.Read(l.named))
			return
		}
		remote, rest := jobcarrier.TakeArgs(l.args)
		if !slices.Equal(rest, []string{"--region=Japan"}) && !slices.Equal(rest, []string{"--region=Chile"}) {
			t.Errorf("the script gets the arguments %q", rest)
		}
		report(remote)
	}, http.StatusTooManyRequests)
	requireFlow(t, f, w)
}

// requireFlow runs the program against w, and checks that it and its runs are one flow.
func requireFlow(t *testing.T, f *flowtest.Flow, w *workspace) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program.Build(t))
	cmd.Env = slices.Concat(withoutDatabricks(os.Environ()), f.Env(f.Context(), "trigger"),
		[]string{"DATABRICKS_HOST=" + w.url, "DATABRICKS_TOKEN=token"})
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the program ended with %v:\n%s", err, out)
	}
	program.Compare(t, string(out), "job 1, run 2\nsubmitted run 3\n")

	fl := f.Wait(30*time.Second, "trigger trigger", "report report", "report report", "report report")
	fl.RequireConnected()
	fl.RequireOneTrace()
	fl.RequireNoFindings()
	fl.RequirePath("trigger trigger", "report report")
	fl.Span("report report").Times(3)
	fl.Span("trigger trigger").Attr("databricks.run_ids", []int64{2, 3})
	for _, span := range fl.Spans() {
		if span.Name == "report" && !slices.ContainsFunc(span.Links, func(l sdktrace.Link) bool { return l.SpanContext.SpanID() == span.Parent.SpanID() }) {
			t.Errorf("a run does not link its parent: %v", span.Links)
		}
	}

	requests := w.requests()
	if len(requests["run-now"]) != 2 || len(requests["submit"]) != 2 {
		t.Fatalf("%d and %d requests, want an attempt and its retry of each", len(requests["run-now"]), len(requests["submit"]))
	}
	traceID := fl.Spans()[0].SpanContext.TraceID().String()
	for path, attempts := range requests {
		for _, r := range attempts {
			if !strings.Contains(r.traceparent, traceID) {
				t.Errorf("%s has the header traceparent %q, want the trace %s", path, r.traceparent, traceID)
			}
			if r.body != attempts[0].body {
				t.Errorf("%s: the retry sends another body:\n%s\n%s", path, attempts[0].body, r.body)
			}
		}
	}
}

// withoutDatabricks returns environ without what the SDK reads.
func withoutDatabricks(environ []string) []string {
	return slices.DeleteFunc(environ, func(entry string) bool { return strings.HasPrefix(entry, "DATABRICKS_") })
}
