// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package program builds and runs the examples in their tests, as users do.
package program

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// shared is the program of the tests that run at the same time.
var shared struct {
	sync.Mutex
	dir   string
	users int
}

// Build returns a file with the program of the package under test. Tests that run at
// the same time share a build, but each gets another file.
func Build(t testing.TB) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.users == 0 {
		dir, err := os.MkdirTemp("", "program-") //nolint:usetesting // Other tests use it after t.
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "program"), ".").CombinedOutput()
		if err != nil {
			_ = os.RemoveAll(dir)
			t.Fatalf("build: %v\n%s", err, out)
		}
		shared.dir = dir
	}
	shared.users++
	t.Cleanup(release)
	file := filepath.Join(t.TempDir(), "program")
	if err := os.Link(filepath.Join(shared.dir, "program"), file); err != nil {
		t.Fatal(err)
	}
	return file
}

// release removes the shared program when no test uses it.
func release() {
	shared.Lock()
	defer shared.Unlock()
	if shared.users--; shared.users == 0 {
		_ = os.RemoveAll(shared.dir) // The system removes it otherwise.
	}
}

// Output builds and runs the program of the package under test and returns its output.
// It stops the test unless the exit status is 0.
func Output(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(Build(t), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("run: %v\n%s", err, out)
	}
	return string(out)
}
