// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/yaml"

	"github.com/waybill-go/waybill/examples/internal/program"
	"github.com/waybill-go/waybill/flowtest"
)

func TestProgramPrintsTheJobWithTheContext(t *testing.T) {
	t.Parallel()
	program.Compare(t, program.Output(t), `apiVersion: batch/v1
kind: Job
metadata:
  name: assess
spec:
  template:
    metadata: {}
    spec:
      containers:
      - env:
        - name: TRACEPARENT
          value: 00-<trace>-<span>-01
        - name: WAYBILL
          value: <times>-0001
        - name: REGION
          value: Taiwan
        image: example.com/assess:1
        name: assess
        resources: {}
      restartPolicy: Never
status: {}
`)
}

// The program that creates the Job and the program that the Job runs are one flow.
func TestJobContinuesTheFlow(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		region, printed, outcome string
		code                     int
	}{
		"it succeeds": {region: "Taiwan", printed: "assessing Taiwan\n", outcome: "success"},
		"it fails":    {printed: "assess: REGION is not set\n", outcome: "failure", code: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := flowtest.New(t)
			assess := exec.CommandContext(t.Context(), buildAssess(t))
			assess.Env = append(createJob(t, f), "REGION="+tt.region)
			out, err := assess.CombinedOutput()
			if code := assess.ProcessState.ExitCode(); code != tt.code {
				t.Errorf("the job exits with %d, want %d: %v", code, tt.code, err)
			}
			program.Compare(t, string(out), tt.printed)

			requireFlow(t, f, tt.outcome, tt.code)
		})
	}
}

// createJob runs the program that creates the Job, and returns the environment of the
// container of the Job.
func createJob(t *testing.T, f *flowtest.Flow) []string {
	t.Helper()
	creator := exec.CommandContext(t.Context(), program.Build(t))
	creator.Env = slices.Concat(os.Environ(), f.Env(f.Context(), "dispatch"))
	text, err := creator.Output()
	if err != nil {
		t.Fatal(err)
	}
	var job batchv1.Job
	if err = yaml.UnmarshalStrict(text, &job); err != nil {
		t.Fatal(err)
	}
	environ := slices.Concat(os.Environ(), f.Env(f.Context(), "assess"))
	for _, entry := range job.Spec.Template.Spec.Containers[0].Env {
		environ = append(environ, entry.Name+"="+entry.Value)
	}
	return environ
}

// requireFlow checks that the Job is a child of the span that created it, and how it
// ended.
func requireFlow(t *testing.T, f *flowtest.Flow, outcome string, code int) {
	t.Helper()
	fl := f.Wait(30*time.Second, "dispatch dispatch", "assess assess")
	fl.RequireConnected()
	fl.RequirePath("dispatch dispatch", "assess assess")
	fl.RequireNoFindings()
	fl.Span("assess assess").ChildOf("dispatch dispatch").Attr("etl.outcome", outcome).Attr("process.exit.code", code)
}

// buildAssess returns a file with the program that the Job runs.
func buildAssess(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "assess")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", file, "./assess").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return file
}
