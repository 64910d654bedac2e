// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package program builds and runs the examples in their tests, as their users
// do.
package program

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Build builds the program of the package under test and returns its file.
func Build(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return file
}

// Output builds and runs the program of the package under test and returns what
// it prints. The test fails if its exit status is not 0.
func Output(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(Build(t), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("run: %v\n%s", err, out)
	}
	return string(out)
}
