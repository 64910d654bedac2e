// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package golden compares what a test makes with a file that pins it.
package golden

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Compare fails the test unless got is the text of the file testdata/name.
// UPDATE_GOLDEN=1 in the environment rewrites the file first. How its lines end
// does not count, since git may change that.
func Compare(t testing.TB, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), got); diff != "" {
		t.Errorf("%s differs, and UPDATE_GOLDEN=1 rewrites it (-want +got):\n%s", file, diff)
	}
}
