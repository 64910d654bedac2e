// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/waybill-go/waybill/flowtest"
)

// The Job runs a program in Python, with the OpenTelemetry of Python.
func TestJobContinuesTheFlow_Python(t *testing.T) {
	t.Parallel()
	python, receiver := absolute(t, "../../.cache/e2e/python/bin/python"), absolute(t, "../../python")
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("run make e2e-deps first: %v", err)
	}
	for name, tt := range map[string]struct {
		region, outcome string
		stopped         bool
		code            int
	}{
		"it succeeds":   {region: "REGION=Taiwan", outcome: "success"},
		"it fails":      {region: "NO_REGION=1", outcome: "failure", code: 1},
		"it is stopped": {region: "REGION=World", stopped: true, outcome: "cancelled", code: 143},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := flowtest.New(t)
			assess := exec.CommandContext(t.Context(), python, "assess.py")
			assess.Env = append(withoutRegion(createJob(t, f)), tt.region, "PYTHONPATH="+receiver, "PYTHONDONTWRITEBYTECODE=1")
			out, err := assess.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err = assess.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			for lines.Scan() { // Until it ends, or is told to.
				if tt.stopped {
					if err = assess.Process.Signal(syscall.SIGTERM); err != nil {
						t.Error(err)
					}
				}
			}
			err = assess.Wait()
			if code := assess.ProcessState.ExitCode(); code != tt.code {
				t.Errorf("the job exits with %d, want %d: %v", code, tt.code, err)
			}
			requireFlow(t, f, tt.outcome, tt.code)
		})
	}
}

func withoutRegion(environ []string) []string {
	return slices.DeleteFunc(environ, func(entry string) bool { return strings.HasPrefix(entry, "REGION=") })
}

func absolute(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
