// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// A script must not take a flow for whole that doctor calls BROKEN, whatever the level of
// the finding is.
func TestDoctor_BrokenNeverExitsWithZero(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/planted/P??-*t.jsonl") // Not the cures.
	if err != nil || len(files) < 20 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for _, file := range files {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), []string{"doctor", file}, nil, &stdout, &stderr)
		broken := strings.HasPrefix(stdout.String(), "BROKEN")
		if want := map[bool]int{true: exitFindings, false: exitFine}[broken]; code != want {
			t.Errorf("%s: exit code %d, want %d: %.60s", file, code, want, &stdout)
		}
	}
}
