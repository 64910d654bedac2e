// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package environment_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/propagation"
)

// surroundings are what a run finds in its service, with the parameters that the first
// argument holds as JSON.
const surroundings = `
import json, sys, types
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
parameters = json.loads(sys.argv.pop(1))
dbutils = types.SimpleNamespace(widgets=types.SimpleNamespace(getAll=lambda: dict(parameters)))
dag_run = types.SimpleNamespace(conf=parameters)
spark = types.SimpleNamespace(conf=types.SimpleNamespace(get=lambda key, default: parameters.get(key, default)))
`

// The lines of Python in the documentation of jobcarrier read what its presets write, and
// start a new trace if that is nothing.
func TestDocumentation_Python(t *testing.T) {
	t.Parallel()
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	ctx := trace.ContextWithSpanContext(t.Context(), sc)
	with := jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default()))
	python, err := filepath.Abs("../../../.cache/e2e/python/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	snippets := snippetsOf(t, "../../../carriers/jobcarrier/doc.go")
	for name, preset := range map[string]jobcarrier.Option{
		"dbutils": jobcarrier.Databricks(), "dag_run": jobcarrier.Airflow(), "spark.conf": jobcarrier.Spark(), "sys.argv": jobcarrier.Argo(),
	} {
		at := slices.IndexFunc(snippets, func(snippet string) bool { return strings.Contains(snippet, name) })
		if at < 0 {
			t.Fatalf("no lines for %s among %q", name, snippets)
		}
		program := surroundings + snippets[at] + "    span = trace.get_current_span()\n    print(format(span.parent.span_id, '016x') if span.parent else 'none')\n"
		for want, ctx := range map[string]context.Context{sc.SpanID().String(): ctx, "none": t.Context()} {
			t.Run(name+" "+want, func(t *testing.T) {
				t.Parallel()
				params, err := jobcarrier.Inject(ctx, nil, preset, with)
				if err != nil {
					t.Fatal(err)
				}
				text, err := json.Marshal(params)
				if err != nil {
					t.Fatal(err)
				}
				args := jobcarrier.InjectArgs(ctx, []string{"--day", "mon"}, preset, with)
				out, err := exec.CommandContext(t.Context(), python, slices.Concat([]string{"-c", program, string(text)}, args)...).CombinedOutput()
				if got := strings.TrimSpace(string(out)); err != nil || got != want {
					t.Errorf("the parent is %q, want %q, error %v, with\n%s", got, want, err, snippets[at])
				}
			})
		}
	}
}

// snippetsOf returns the indented lines of a comment, as texts without a gap.
func snippetsOf(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var snippets []string
	open := false
	for line := range strings.Lines(string(text)) {
		code, ok := strings.CutPrefix(line, "//\t")
		switch {
		case ok && open:
			snippets[len(snippets)-1] += code
		case ok:
			snippets = append(snippets, code)
		}
		open = ok
	}
	return snippets
}
