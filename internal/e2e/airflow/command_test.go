// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build airflow

package airflow_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// withCommand builds the command waybill, and returns the variable with which tasks
// find it.
func withCommand(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(folder, "waybill"), ".")
	cmd.Dir = absolute(t, "../../../cmd/waybill")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the command: %v\n%s", err, out)
	}
	return "PATH=" + folder + string(os.PathListSeparator) + os.Getenv("PATH")
}
