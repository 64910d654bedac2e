// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-go/waybill/flowtest"
)

// notebook runs notebook.py with the widgets that its first argument holds as JSON, as
// Databricks gives the parameters of a run to a notebook.
const notebook = `
import json, runpy, sys, types
widgets = json.loads(sys.argv[1])
dbutils = types.SimpleNamespace(widgets=types.SimpleNamespace(getAll=lambda: dict(widgets), get=widgets.__getitem__))
sys.argv = ["notebook"]
runpy.run_path("notebook.py", {"dbutils": dbutils})
`

// The runs are the programs in Python, with the OpenTelemetry of Python.
func TestRuns_Python(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	python, receiver := absolute(t, "../../.cache/e2e/python/bin/python"), absolute(t, "../../python")
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("run make e2e-deps first: %v", err)
	}
	run := func(region string, args ...string) {
		cmd := exec.CommandContext(t.Context(), python, args...)
		cmd.Env = slices.Concat(os.Environ(), f.Env(f.Context(), "report"), []string{"PYTHONPATH=" + receiver, "PYTHONDONTWRITEBYTECODE=1"})
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != "the report of "+region {
			t.Errorf("a run prints %q, error %v; want the report of %s", got, err, region)
		}
	}
	w := startWorkspace(t, func(l launch) {
		if l.named == nil {
			run(strings.TrimPrefix(l.args[0], "--region="), append([]string{"script.py"}, l.args...)...)
			return
		}
		widgets, err := json.Marshal(l.named)
		if err != nil {
			t.Error(err)
		}
		run("Japan", "-c", notebook, string(widgets))
	}, http.StatusTooManyRequests)
	requireFlow(t, f, w)
}

// The script can also be started with the context in its environment.
func TestScript_Environment(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	ctx, span := f.Service("trigger").Tracer("trigger").Start(f.Context(), "trigger")
	cmd := exec.CommandContext(t.Context(), absolute(t, "../../.cache/e2e/python/bin/python"), "script.py", "--region=Chile")
	cmd.Env = slices.Concat(os.Environ(), f.Env(ctx, "report"), []string{"PYTHONPATH=" + absolute(t, "../../python"), "PYTHONDONTWRITEBYTECODE=1"})
	out, err := cmd.CombinedOutput()
	span.End()
	if err != nil {
		t.Fatalf("the script ended with %v:\n%s", err, out)
	}
	f.Wait(30*time.Second, "report report").RequireOneTrace()
}

func absolute(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
